//! Has the state of this server's log signed, now and then and when asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use kunji_shared::encoding::encode_hex;
use tokio::sync::{Mutex, watch};

use super::{TrailError, blocking, roster::RosterKeeper, signer::StatementSigner};
use crate::{
    domain::audit::statement::{Checkpoint, Roster, Signed},
    ports::{audit_trail::AuditTrail, clock::Clock},
};

/// When a checkpoint is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointSchedule {
    /// Longest time that an event waits for one.
    pub(crate) interval: Duration,
    /// Most events that wait for one.
    pub(crate) events: u64,
}

/// What the token signs about the log is newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) checkpoint: Option<Arc<Signed<Checkpoint>>>,
    pub(crate) roster: Option<Arc<Signed<Roster>>>,
}

/// Makes checkpoints. While the token is away there are none, and events go on.
pub(crate) struct Checkpointer {
    clock: Arc<dyn Clock>,
    pub(super) roster: RosterKeeper,
    pub(super) signer: Arc<StatementSigner>,
    schedule: CheckpointSchedule,
    trail: Arc<dyn AuditTrail>,
    /// Held while one is made.
    making: Mutex<()>,
    newest: watch::Sender<Newest>,
    failing: AtomicBool,
}

/// How often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest time for the last one.
const LAST: Duration = Duration::from_secs(2);
/// Pause after one could not be made.
const PAUSE: Duration = Duration::from_secs(5);

impl Checkpointer {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        roster: RosterKeeper,
        trail: Arc<dyn AuditTrail>,
        schedule: CheckpointSchedule,
    ) -> Self {
        let signer = Arc::clone(&roster.signer);
        let newest = watch::Sender::default();
        Self {
            clock,
            roster,
            signer,
            schedule,
            trail,
            making: Mutex::default(),
            newest,
            failing: AtomicBool::new(false),
        }
    }

    /// Finds the log's newest checkpoint. Comes before everything else here.
    pub(crate) async fn load(&self) -> Result<(), TrailError> {
        let trail = Arc::clone(&self.trail);
        let last = blocking(move || Ok(trail.last_checkpoint()?)).await?;
        self.newest.send_modify(|newest| newest.checkpoint = last.map(Arc::new));
        Ok(())
    }

    /// Makes a first checkpoint, and the key for it when there is none, and puts the log on the roster.
    pub(crate) async fn begin(&self) -> Result<(), TrailError> {
        self.fresh().await?;
        self.refresh_roster().await.map(drop)
    }

    /// Makes a last checkpoint, if that can be done soon.
    pub(crate) async fn end(&self) {
        if let Ok(Err(error)) = tokio::time::timeout(LAST, self.fresh()).await {
            tracing::warn!(%error, "the end of the audit trail is not signed");
        }
    }

    /// What is newest, and the news of it.
    pub(crate) fn newest(&self) -> watch::Receiver<Newest> {
        self.newest.subscribe()
    }

    /// Whether the last attempt failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// The newest roster, which names this server's log.
    pub(super) async fn refresh_roster(&self) -> Result<Arc<Signed<Roster>>, TrailError> {
        let _making = self.making.lock().await;
        let roster = Arc::new(self.roster.current().await?);
        self.newest
            .send_if_modified(|newest| newest.roster.replace(Arc::clone(&roster)).as_ref() != Some(&roster));
        Ok(roster)
    }

    /// A checkpoint that covers all events that are durable in the log now.
    pub(super) async fn fresh(&self) -> Result<Arc<Signed<Checkpoint>>, TrailError> {
        let _making = self.making.lock().await;
        let made = self.make().await;
        let failed_before = self.failing.swap(made.is_err(), Ordering::Relaxed);
        match &made {
            Err(error) if !failed_before => {
                tracing::error!(%error, "no checkpoint of the audit trail can be signed; events wait for one");
            }
            Ok(_) if failed_before => tracing::warn!("checkpoints of the audit trail are signed again"),
            _ => {}
        }
        made
    }

    async fn make(&self) -> Result<Arc<Signed<Checkpoint>>, TrailError> {
        let last = self.newest.borrow().checkpoint.clone();
        let tree = self.trail.head();
        if let Some(last) = last.as_ref().filter(|last| last.statement.size == tree.size()) {
            return Ok(Arc::clone(last));
        }
        let number = last.as_ref().map_or(1, |last| last.statement.number.saturating_add(1));
        let (log, time) = (self.trail.log().to_owned(), self.clock.now().to_text());
        let (size, root) = (tree.size(), encode_hex(&tree.root()));
        let signed = self.signer.sign(|key| Checkpoint { log, number, size, root, time, key }).await?;
        let is_new_key = last.is_none_or(|last| last.statement.key != signed.statement.key);
        if is_new_key {
            self.keep_certificates().await?;
        }
        let signed = Arc::new(signed);
        let (trail, kept) = (Arc::clone(&self.trail), Arc::clone(&signed));
        blocking(move || Ok(trail.keep_checkpoint(&kept)?)).await?;
        self.newest.send_modify(|newest| newest.checkpoint = Some(Arc::clone(&signed)));
        Ok(signed)
    }

    async fn keep_certificates(&self) -> Result<(), TrailError> {
        let pem = self.signer.certificates_pem().await?;
        let trail = Arc::clone(&self.trail);
        blocking(move || Ok(trail.keep_certificates(&pem)?)).await
    }

    /// Makes checkpoints as they are due; never ends.
    pub(crate) async fn run(&self) {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let covered = self.newest.borrow().checkpoint.as_ref().map_or(0, |last| last.statement.size);
            let waiting = self.trail.head().size().saturating_sub(covered);
            let due = waiting >= self.schedule.events || last.elapsed() >= self.schedule.interval;
            if waiting == 0 || !due {
                continue;
            }
            match self.fresh().await {
                Ok(_) => last = Instant::now(),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            if self.newest.borrow().roster.is_none()
                && let Err(error) = self.refresh_roster().await
            {
                tracing::warn!(%error, "the audit log is not on the roster yet");
            }
        }
    }
}
