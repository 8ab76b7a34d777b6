//! Copies to the outside: checkpoints to anchors, events to outlets. Neither ever holds the trail up; what does not
//! get there is tried again, and shown.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;

use super::{blocking, checkpoints::Checkpointer};
use crate::{
    domain::audit::Outcome,
    ports::{audit_anchor::AuditAnchor, audit_trail::AuditTrail, event_outlet::EventOutlet},
    services::auditor::Auditor,
};

/// Pause before a failed copy is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Bytes of events handed over at once, about.
const PIECE_BYTES: usize = 256 * 1024;

/// How a copy stands.
#[derive(Clone, Debug, Default)]
pub struct CopyState {
    /// The number of the last event that got there, or that a checkpoint there covers.
    pub last: u64,
    /// What is wrong now.
    pub error: Option<String>,
}

/// One place outside, and how the copy there stands.
pub(crate) struct Copying {
    /// Names the place.
    pub(super) name: &'static str,
    auditor: Arc<Auditor>,
    state: Mutex<CopyState>,
}

impl Copying {
    pub(crate) fn new(name: &'static str, auditor: Arc<Auditor>) -> Self {
        Self { name, auditor, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> CopyState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what came of an attempt; that it fails, and that it no longer does, is an event.
    async fn note(&self, outcome: Result<u64, String>) {
        let changed = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let failed_before = state.error.is_some();
            match &outcome {
                Ok(last) => *state = CopyState { last: *last, error: None },
                Err(error) => state.error = Some(error.clone()),
            }
            failed_before != outcome.is_err()
        };
        if !changed {
            return;
        }
        let name = self.name;
        let (outcome, details) = match outcome {
            Ok(_) => {
                tracing::warn!(name, "copies of the audit trail get there again");
                (Outcome::Succeeded, json!({ "to": name }))
            }
            Err(error) => {
                tracing::error!(name, error, "copies of the audit trail do not get there");
                (Outcome::Failed("audit.copy_failed"), json!({ "to": name }))
            }
        };
        if let Err(error) = self.auditor.own_with("audit.copy", outcome, details).await {
            tracing::error!(%error, "the state of a copy was not recorded");
        }
    }

    /// Hands every newest checkpoint and roster to an anchor; never ends but with the checkpoints.
    pub(crate) async fn anchor(&self, anchor: &dyn AuditAnchor, checkpointer: &Checkpointer) {
        let mut news = checkpointer.newest();
        let mut published = super::checkpoints::Newest::default();
        loop {
            let newest = news.borrow_and_update().clone();
            let mut outcome = Ok(());
            if let Some(roster) =
                newest.roster.as_ref().filter(|roster| published.roster.as_ref() != Some(roster))
            {
                outcome = anchor.publish(&roster.to_line()).await;
                if outcome.is_ok() {
                    published.roster = Some(Arc::clone(roster));
                }
            }
            if let Some(checkpoint) =
                newest.checkpoint.as_ref().filter(|last| published.checkpoint.as_ref() != Some(last))
                && outcome.is_ok()
            {
                outcome = anchor.publish(&checkpoint.to_line()).await;
                if outcome.is_ok() {
                    published.checkpoint = Some(Arc::clone(checkpoint));
                    self.note(Ok(checkpoint.statement.size)).await;
                }
            }
            if let Err(error) = outcome {
                self.note(Err(error.to_string())).await;
                tokio::time::sleep(RETRY).await;
            } else if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Hands every event from now on to an outlet; never ends but with the trail.
    pub(crate) async fn forward(&self, outlet: &dyn EventOutlet, trail: &Arc<dyn AuditTrail>) {
        let mut growth = trail.growth();
        let mut next = growth.borrow_and_update().saturating_add(1);
        let (mut reader, mut waiting) = (None, Vec::new());
        loop {
            let size = *growth.borrow_and_update();
            if next > size {
                if growth.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let (source, begun) = (Arc::clone(trail), reader.take());
            let read = blocking(move || {
                let mut reader = begun.map_or_else(|| source.tail(next), Ok)?;
                // What could not be sent waits to be sent again.
                if waiting.is_empty() {
                    waiting = reader.read(size.saturating_add(1), PIECE_BYTES)?;
                }
                Ok((reader, waiting))
            });
            let sent = match read.await {
                Ok((read, lines)) => {
                    let sent = outlet.send(&lines).await.map_err(|error| error.to_string());
                    (reader, waiting) = (Some(read), lines);
                    sent
                }
                Err(error) => {
                    waiting = Vec::new();
                    Err(error.to_string())
                }
            };
            if sent.is_ok() {
                next = next.saturating_add(waiting.len() as u64);
                waiting.clear();
            }
            let failed = sent.is_err();
            self.note(sent.map(|()| next.saturating_sub(1))).await;
            if failed {
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
