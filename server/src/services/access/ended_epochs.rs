//! Which tokens are refused although they have not expired: those of ended epochs. Every server of a database keeps
//! all of them in memory, 16 bytes and a time each, until the tokens would have expired anyway.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    domain::{client::TokenEpoch, time::Timestamp},
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
    },
};

/// How often the database is asked for new endings: one record by its id.
const REFRESH_EVERY: Duration = Duration::from_millis(500);
/// Refreshes between two removals of endings whose time is over.
const FORGET_EVERY: u32 = 1200;
/// Refreshes that fail before the log has it again.
const REPORT_EVERY: u32 = 120;

/// The ended epochs.
pub(crate) struct EndedEpochs {
    clock: Arc<dyn Clock>,
    repository: Arc<dyn Repository>,
    known: RwLock<Known>,
    /// How often something new was read. Looked at without waiting for anybody.
    readings: AtomicU64,
}

#[derive(Default)]
struct Known {
    epochs: HashMap<TokenEpoch, Timestamp>,
    /// The number of the newest ending that was read.
    newest: u64,
}

impl EndedEpochs {
    pub(crate) fn new(clock: Arc<dyn Clock>, repository: Arc<dyn Repository>) -> Self {
        Self { clock, repository, known: RwLock::default(), readings: AtomicU64::new(0) }
    }

    /// Whether tokens of the epoch are refused.
    pub(super) fn contain(&self, epoch: TokenEpoch) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).epochs.contains_key(&epoch)
    }

    /// How often something new was read. Asked before [`contain`](Self::contain), it tells later whether to ask again.
    pub(super) fn readings(&self) -> u64 {
        self.readings.load(Ordering::Acquire)
    }

    /// Whether the epoch, which was not among them after so many readings, is now.
    pub(super) fn contain_since(&self, epoch: TokenEpoch, readings: u64) -> bool {
        self.readings() != readings && self.contain(epoch)
    }

    /// Reads what ended since the last time.
    pub(crate) async fn refresh(&self) -> Result<(), RepositoryError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).newest;
        let newest = self.repository.newest_ending().await?;
        if newest == known {
            return Ok(());
        }
        // Fewer than there were: the database was restored from a backup, and numbers are given out again.
        let after = if newest < known { 0 } else { known };
        let endings = self.repository.list_endings(after).await?;
        let now = self.clock.now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.epochs.retain(|_, until| *until > now);
        known.epochs.extend(endings.iter().map(|ending| (ending.epoch, ending.until)));
        // What was forgotten meanwhile counts too; what came meanwhile is read the next time.
        known.newest = endings.last().map_or(newest, |last| last.number);
        self.readings.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Keeps up with the database; never ends. While the database is away, what is known goes on to count.
    pub(crate) async fn watch(&self) {
        // The start has just read them.
        let first = tokio::time::Instant::now() + REFRESH_EVERY;
        let mut ticks = tokio::time::interval_at(first, REFRESH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut failures = 0_u32;
        for tick in 1_u32.. {
            ticks.tick().await;
            match self.refresh().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    if failures.is_multiple_of(REPORT_EVERY) {
                        tracing::error!(%error, "whether clients were disabled cannot be read; those that were since are not refused here");
                    }
                    failures = failures.wrapping_add(1);
                }
            }
            if tick % FORGET_EVERY == 0
                && let Err(error) = self.repository.forget_endings(self.clock.now()).await
            {
                tracing::warn!(%error, "ended token epochs could not be removed");
            }
        }
    }
}
