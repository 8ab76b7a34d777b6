//! The record of who did what.

use async_trait::async_trait;

use crate::domain::audit::AuditEvent;

/// Takes events for good.
///
/// An operation is reported as successful only after its event was taken, and fails when the event cannot be
/// taken. Events of one server keep the order in which `record` returned.
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Returns once the event would survive a crash of this machine.
    ///
    /// # Errors
    /// [`AuditError`] when the event may not be durable.
    async fn record(&self, event: AuditEvent) -> Result<(), AuditError>;
}

/// The event could not be made durable.
#[derive(Debug, thiserror::Error)]
#[error("the audit trail cannot be written")]
pub struct AuditError(#[source] pub std::io::Error);
