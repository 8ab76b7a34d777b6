//! The adapters that the settings choose.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Ports, private_file, tokens};
use crate::{
    adapters::{
        argon2_hasher::Argon2Hasher,
        audit_log::AuditLog,
        aws_lc_keys::AwsLcKeys,
        file_inbox::FileInbox,
        file_spool::FileSpool,
        native_gcm::NativeGcm,
        surreal::{DatabaseSettings, SurrealRepository},
        system_clock::SystemClock,
        system_entropy::SystemEntropy,
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
        audit: Arc::new(AuditLog::open(&settings.data_dir).context("the audit trail cannot be opened")?),
        cipher: Arc::new(NativeGcm::new()?),
        clock: Arc::new(SystemClock),
        demo_inbox: open_demo_inbox(settings)?,
        entropy: Arc::<SystemEntropy>::clone(&entropy),
        hasher: Arc::new(Argon2Hasher::new(entropy, settings.secret_hash_concurrency)?),
        repository: Arc::new(repository),
        software: Arc::new(AwsLcKeys),
        spool: Arc::new(FileSpool::new(&settings.data_dir).context("the spool directory cannot be made")?),
        token: Arc::new(token),
    })
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
        password,
    })
}
