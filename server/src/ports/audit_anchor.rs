//! Places outside the server that keep what was signed about its log.

use async_trait::async_trait;

/// Somewhere that an intruder of this server does not reach.
#[async_trait]
pub trait AuditAnchor: Send + Sync {
    /// Names it in reports.
    fn name(&self) -> &'static str;

    /// Hands over a signed statement, one line of JSON, and returns once the other side has it, as far as that can be
    /// known. Bounded in time.
    ///
    /// # Errors
    /// [`AnchorError`] when it may not have it.
    async fn publish(&self, statement: &str) -> Result<(), AnchorError>;
}

/// A statement did not get there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AnchorError(pub String);
