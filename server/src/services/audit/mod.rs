//! The audit trail as auditors use it: searched, followed, exported, proved. Who reads it is recorded in it.

pub(crate) mod anchoring;
pub(crate) mod checkpoints;
mod error;
mod export;
mod following;
mod proofs;
pub(crate) mod retention;
pub(crate) mod roster;
mod search;
pub(crate) mod signer;

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::{
    anchoring::CopyState,
    error::TrailError,
    proofs::{ConsistencyProof, InclusionProof},
    search::{Page, SearchRequest},
};
use self::{anchoring::Copying, checkpoints::Checkpointer, following::FOLLOWERS};
use super::{auditor::Auditor, authorization::Authorizer};
use crate::{
    domain::{
        access::{CallContext, Operation},
        audit::statement::{Checkpoint, Signed},
    },
    ports::audit_trail::AuditTrail,
};

/// Searches, exports, proofs and beginnings of streams at once: each reads the disk as fast as it can.
const READERS: usize = 4;
/// Checkpoints that one answer lists.
const LISTED_CHECKPOINTS: usize = 1_000;

/// The audit trail.
pub struct AuditService {
    auditor: Arc<Auditor>,
    authorizer: Arc<Authorizer>,
    checkpointer: Arc<Checkpointer>,
    copies: Vec<Arc<Copying>>,
    trail: Arc<dyn AuditTrail>,
    readers: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

/// How the trail stands.
#[derive(Clone, Debug)]
pub struct TrailStatus {
    /// The log.
    pub log: String,
    /// The server that writes it.
    pub server: String,
    /// The first event at hand.
    pub first: u64,
    /// The last event.
    pub last: u64,
    /// Events that wait elsewhere for the log to be writable.
    pub spooled: u64,
    /// The newest checkpoint.
    pub checkpoint: Option<Arc<Signed<Checkpoint>>>,
    /// Whether checkpoints cannot be signed now.
    pub checkpoints_failing: bool,
    /// Copies outside, by name.
    pub copies: Vec<(&'static str, CopyState)>,
}

impl AuditService {
    pub(crate) fn new(
        auditor: Arc<Auditor>,
        authorizer: Arc<Authorizer>,
        checkpointer: Arc<Checkpointer>,
        copies: Vec<Arc<Copying>>,
        trail: Arc<dyn AuditTrail>,
    ) -> Self {
        let readers = Arc::new(Semaphore::new(READERS));
        let followers = Arc::new(Semaphore::new(FOLLOWERS));
        Self { auditor, authorizer, checkpointer, copies, trail, readers, followers }
    }

    /// How the trail stands.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn status(&self, call: &CallContext) -> Result<TrailStatus, TrailError> {
        let read = async {
            let trail = Arc::clone(&self.trail);
            let first = blocking(move || Ok(trail.first()?)).await?;
            Ok(TrailStatus {
                log: self.trail.log().to_owned(),
                server: self.checkpointer.roster.server.clone(),
                first,
                last: self.trail.head().size(),
                spooled: self.trail.spooled(),
                checkpoint: self.checkpointer.newest().borrow().checkpoint.clone(),
                checkpoints_failing: self.checkpointer.is_failing(),
                copies: self.copies.iter().map(|copy| (copy.name, copy.state())).collect(),
            })
        };
        Box::pin(self.read(call, read)).await
    }

    /// A checkpoint over all events up to now.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn fresh_checkpoint(&self, call: &CallContext) -> Result<Arc<Signed<Checkpoint>>, TrailError> {
        // Recorded first, so that it covers itself.
        self.read(call, async { Ok(()) }).await?;
        self.checkpointer.fresh().await
    }

    /// The checkpoints from number `from` on, the oldest first, at most a thousand.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn checkpoints(
        &self,
        call: &CallContext,
        from: u64,
    ) -> Result<Vec<Signed<Checkpoint>>, TrailError> {
        let trail = Arc::clone(&self.trail);
        let read = blocking(move || {
            Ok(trail.checkpoints(from)?.take(LISTED_CHECKPOINTS).collect::<std::io::Result<Vec<_>>>()?)
        });
        Box::pin(self.read(call, read)).await
    }

    /// The newest roster of all logs, signed, as JSON.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn roster(&self, call: &CallContext) -> Result<Value, TrailError> {
        let read = async { Ok(self.checkpointer.refresh_roster().await?.to_json()) };
        Box::pin(self.read(call, read)).await
    }

    /// The certificates of the keys that sign checkpoints and rosters, PEM, newest first.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn certificates(&self, call: &CallContext) -> Result<String, TrailError> {
        self.read(call, self.checkpointer.signer.certificates_pem()).await
    }

    /// Reads the trail, and records that.
    async fn read<T>(
        &self,
        call: &CallContext,
        work: impl Future<Output = Result<T, TrailError>>,
    ) -> Result<T, TrailError> {
        self.auditor.audited(call, Operation::ReadAudit, None, work, |_| None).await
    }

    /// A place among those who may read at once.
    fn place(&self) -> Result<OwnedSemaphorePermit, TrailError> {
        Arc::clone(&self.readers).try_acquire_owned().map_err(|_| TrailError::Busy)
    }
}

/// Runs what may block where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TrailError> + Send + 'static,
) -> Result<T, TrailError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| TrailError::Internal("a worker ended early"))?
}
