//! The audit trail: what signs it, what copies it, who reads it.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use serde_json::json;
use tokio::task::JoinHandle;

use super::Ports;
use crate::{
    config::Settings,
    domain::audit::{Outcome, statement::is_server_name},
    ports::{audit_anchor::AuditAnchor, event_outlet::EventOutlet},
    services::{
        audit::{
            AuditService,
            anchoring::Copying,
            checkpoints::{CheckpointSchedule, Checkpointer},
            retention::Retention,
            roster::RosterKeeper,
            signer::StatementSigner,
        },
        auditor::Auditor,
        authorization::Authorizer,
        keys::provisioning::Provisioner,
    },
};

/// Places outside that the trail is copied to.
#[derive(Clone, Default)]
pub struct Outside {
    /// For what was signed.
    pub anchors: Vec<Arc<dyn AuditAnchor>>,
    /// For events.
    pub outlets: Vec<Arc<dyn EventOutlet>>,
}

/// The use cases, and the tasks behind them.
pub(super) struct Audit {
    pub(super) service: AuditService,
    pub(super) checkpointer: Arc<Checkpointer>,
    pub(super) tasks: Vec<JoinHandle<()>>,
}

/// Records that the server starts, with the settings in force.
pub(super) async fn record_start(auditor: &Auditor, settings: &Settings) -> Result<()> {
    let details = json!({ "version": env!("CARGO_PKG_VERSION"), "settings": settings.in_force });
    Ok(auditor.own_with("server.start", Outcome::Succeeded, details).await?)
}

/// Joins what signs, copies and reads the trail. That nothing can be signed now is no reason not to start.
pub(super) async fn begin(
    settings: &Settings,
    ports: &Ports,
    auditor: &Arc<Auditor>,
    authorizer: &Arc<Authorizer>,
    provisioner: &Arc<Provisioner>,
) -> Result<Audit> {
    let signer = StatementSigner { provisioner: Arc::clone(provisioner), token: Arc::clone(&ports.token) };
    let roster = RosterKeeper {
        auditor: Arc::clone(auditor),
        clock: Arc::clone(&ports.clock),
        repository: Arc::clone(&ports.repository),
        server: server_name(settings),
        signer: Arc::new(signer),
        trail: Arc::clone(&ports.audit),
    };
    let schedule = CheckpointSchedule {
        interval: Duration::from_secs(settings.audit_checkpoint_seconds),
        events: settings.audit_checkpoint_events,
    };
    let checkpointer =
        Arc::new(Checkpointer::new(Arc::clone(&ports.clock), roster, Arc::clone(&ports.audit), schedule));
    checkpointer.load().await?;
    if let Err(error) = checkpointer.begin().await {
        tracing::error!(%error, "the audit trail is not signed yet");
    }
    let mut tasks = Vec::new();
    let signing = Arc::clone(&checkpointer);
    tasks.push(tokio::spawn(async move { signing.run().await }));
    let mut copies = Vec::new();
    for anchor in ports.outside.anchors.iter().cloned() {
        let copying = Arc::new(Copying::new(anchor.name(), Arc::clone(auditor)));
        copies.push(Arc::clone(&copying));
        let checkpointer = Arc::clone(&checkpointer);
        tasks.push(tokio::spawn(async move { copying.anchor(&*anchor, &checkpointer).await }));
    }
    for outlet in ports.outside.outlets.iter().cloned() {
        let copying = Arc::new(Copying::new(outlet.name(), Arc::clone(auditor)));
        copies.push(Arc::clone(&copying));
        let trail = Arc::clone(&ports.audit);
        tasks.push(tokio::spawn(async move { copying.forward(&*outlet, &trail).await }));
    }
    if settings.audit_retention_days > 0 {
        let retention = Retention {
            auditor: Arc::clone(auditor),
            checkpointer: Arc::clone(&checkpointer),
            clock: Arc::clone(&ports.clock),
            days: settings.audit_retention_days,
            trail: Arc::clone(&ports.audit),
        };
        tasks.push(tokio::spawn(async move { retention.run().await }));
    }
    let service = AuditService::new(
        Arc::clone(auditor),
        Arc::clone(authorizer),
        Arc::clone(&checkpointer),
        copies,
        Arc::clone(&ports.audit),
    );
    Ok(Audit { service, checkpointer, tasks })
}

/// The name that the settings give, or the machine's.
pub(super) fn server_name(settings: &Settings) -> String {
    let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = match settings.audit_server_name.as_str() {
        "" => machine().trim().chars().take(64).collect(),
        name => name.to_owned(),
    };
    if is_server_name(&name) { name } else { "kunji".to_owned() }
}
