//! The adapters that the settings choose.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Outside, Ports, audit, pdf_worker, private_file, tokens};
use crate::{
    adapters::{
        anchor_file::AnchorFile,
        argon2_hasher::Argon2Hasher,
        audit_log::{AuditLog, AuditLogSettings},
        aws_lc_keys::AwsLcKeys,
        event_stdout::EventStdout,
        file_inbox::FileInbox,
        file_spool::FileSpool,
        native_gcm::NativeGcm,
        pdf::PdfWorkers,
        surreal::{DatabaseSettings, SurrealRepository},
        syslog::Syslog,
        system_clock::SystemClock,
        system_entropy::SystemEntropy,
        webhook::Webhook,
    },
    config::Settings,
    ports::demo_inbox::DemoInbox,
};

/// Packets that the demo's inbox keeps, each of at most 16 MiB.
const DEMO_PACKETS: usize = 100;

/// Opens token, database, audit trail and the rest.
///
/// # Errors
/// When one of them cannot be opened; the message says which and what to do.
pub async fn open_ports(settings: &Settings) -> Result<Ports> {
    private_file::make_directory(&settings.data_dir)?;
    let token = tokens::open(settings).await?;
    let repository = SurrealRepository::connect(database_settings(settings)?)
        .await
        .context("the database cannot be opened")?;
    let entropy = Arc::new(SystemEntropy);
    Ok(Ports {
        audit: Arc::new(open_audit(settings).context("the audit trail cannot be opened")?),
        cipher: Arc::new(NativeGcm::new()?),
        clock: Arc::new(SystemClock),
        demo_inbox: open_demo_inbox(settings)?,
        entropy: Arc::<SystemEntropy>::clone(&entropy),
        hasher: Arc::new(Argon2Hasher::new(entropy, settings.secret_hash_concurrency)?),
        outside: open_outside(settings)?,
        pdf: Arc::new(PdfWorkers::new(pdf_worker::program())),
        repository: Arc::new(repository),
        software: Arc::new(AwsLcKeys),
        spool: Arc::new(FileSpool::new(&settings.data_dir).context("the spool directory cannot be made")?),
        token: Arc::new(token),
    })
}

fn open_audit(settings: &Settings) -> Result<AuditLog> {
    let spool = settings.audit_spool_dir.clone().map(|directory| (directory, settings.audit_spool_bytes));
    let archive = settings.audit_archive_dir.clone();
    Ok(AuditLog::open_with(
        &settings.data_dir,
        AuditLogSettings { archive, spool, ..AuditLogSettings::default() },
    )?)
}

/// The places that the audit trail is copied to.
fn open_outside(settings: &Settings) -> Result<Outside> {
    let syslog = |address: &str, name: &'static str| {
        let clock = Arc::new(SystemClock);
        Syslog::new(address, &audit::server_name(settings), clock).map(Arc::new).with_context(|| {
            format!("{name}: {address:?} is none of udp://HOST:PORT, tcp://HOST:PORT, unix:///PATH")
        })
    };
    let mut outside = Outside::default();
    if let Some(path) = &settings.audit_anchor_file {
        outside.anchors.push(Arc::new(AnchorFile::new(path.clone())));
    }
    if !settings.audit_anchor_url.is_empty() {
        let token = settings.audit_anchor_token_file.as_deref().map(private_file::read).transpose()?;
        let webhook = Webhook::new(&settings.audit_anchor_url, token).map_err(anyhow::Error::msg)?;
        outside.anchors.push(Arc::new(webhook));
    }
    if !settings.audit_anchor_syslog.is_empty() {
        outside.anchors.push(syslog(&settings.audit_anchor_syslog, "audit_anchor_syslog")?);
    }
    for place in &settings.audit_event_copies {
        outside.outlets.push(match place.as_str() {
            "stdout" => Arc::new(EventStdout::new()?),
            address => syslog(address, "audit_event_copies")?,
        });
    }
    Ok(outside)
}

fn open_demo_inbox(settings: &Settings) -> Result<Option<Arc<dyn DemoInbox>>> {
    if !settings.demo_inbox {
        return Ok(None);
    }
    let inbox =
        FileInbox::open(&settings.data_dir, DEMO_PACKETS).context("the demo's inbox cannot be opened")?;
    Ok(Some(Arc::new(inbox)))
}

fn database_settings(settings: &Settings) -> Result<DatabaseSettings> {
    let url = if settings.database_url.is_empty() {
        let path = std::path::absolute(settings.data_dir.join("database"))?;
        format!("surrealkv://{}", path.display())
    } else {
        settings.database_url.clone()
    };
    let password = settings.database_password_file.as_deref().map(private_file::read).transpose()?;
    Ok(DatabaseSettings {
        url,
        namespace: settings.database_namespace.clone(),
        database: settings.database_name.clone(),
        user: settings.database_user.clone(),
        cache_bytes: settings.database_cache_bytes,
        password,
    })
}
