//! Moves private keys in the records to the newest KEKs of their applications, in the background, so that old KEKs can be
//! destroyed.
//!
//! One server of many does it, whoever holds the lease. How far it has come is written down after every few keys; who
//! goes on after a server that was killed looks at those few again, and finds them moved. Two at once do no harm: each
//! record changes only from the wrapping that was read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Notify;

use super::{
    auditor::Auditor,
    keys::{KeyError, last_named, provisioning::Provisioner},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::ApplicationId,
        audit::Outcome,
        key::{KekRecord, KeyMaterial, KeyRecord},
    },
    ports::{
        clock::Clock,
        key_store::KeyStoreError,
        repository::{Repository, RepositoryError},
    },
};

pub use crate::ports::rewrap::RewrapRun;

/// The lease of whoever moves keys.
const LEASE: &str = "rewrap";
/// How long it holds without being extended: longer than a few keys take on a slow token.
const LEASE_SECONDS: i64 = 120;
/// How often a server looks whether another was asked for something, or has left something.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Keys after which it is written down how far it has come.
const PIECE: usize = 50;
/// Tries of a start while others write down how far they have come.
const ATTEMPTS: usize = 8;

/// Wraps private keys anew.
pub struct RewrapService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) repository: Arc<dyn Repository>,
    /// This server was asked for a walk.
    pub(crate) asked: Notify,
}

impl RewrapService {
    /// Asks for a walk over all keys; the one that is under way, if there is one, is the answer.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn start(&self, call: &CallContext) -> Result<RewrapRun, KeyError> {
        let started = async {
            for _ in 0..ATTEMPTS {
                let found = self.repository.find_rewrap().await?;
                let (run, version) = match found {
                    Some(found) if found.ended_at.is_none() => return Ok(found),
                    Some(found) => (found.run.saturating_add(1), found.version.saturating_add(1)),
                    None => (1, 1),
                };
                let begun = RewrapRun {
                    run,
                    version,
                    started_at: self.clock.now(),
                    started_by: call.principal.name.clone(),
                    after: None,
                    examined: 0,
                    moved: 0,
                    failed: 0,
                    ended_at: None,
                };
                match self.repository.put_rewrap(&begun).await {
                    Err(RepositoryError::Conflict) => {}
                    outcome => {
                        outcome?;
                        self.asked.notify_one();
                        return Ok(begun);
                    }
                }
            }
            Err(RepositoryError::Conflict.into())
        };
        self.auditor.audited(call, Operation::RewrapKeys, None, started, |_| None).await
    }

    /// The newest walk, as far as it has come; `None` when there was none yet.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn progress(&self, call: &CallContext) -> Result<Option<RewrapRun>, KeyError> {
        let read = async { Ok(self.repository.find_rewrap().await?) };
        self.auditor.audited(call, Operation::RewrapKeys, None, read, |_| None).await
    }

    /// Moves a few keys, if that was asked for and no other server does it. Returns whether there is more to do.
    ///
    /// # Errors
    /// [`KeyError`] when token or database are away: it goes on with the same keys the next time.
    pub async fn advance(&self) -> Result<bool, KeyError> {
        let Some(mut run) = self.repository.find_rewrap().await?.filter(|run| run.ended_at.is_none()) else {
            return Ok(false);
        };
        if !self.is_ours().await? {
            return Ok(false);
        }
        self.provisioner.directory.states.refresh().await?;
        let rows = self.repository.examine_keys(run.after.as_ref(), PIECE).await?;
        let last = last_named(&rows, run.after.as_ref());
        let is_end = rows.len() < PIECE || last == run.after;
        let mut newest = HashMap::new();
        for row in rows {
            let moved = match row {
                Ok(key) => self.move_key(&key, &mut newest).await.inspect_err(|error| {
                    tracing::error!(key = key.id.0, %error, "a key could not be wrapped anew");
                }),
                Err(error) => Err(error.into()),
            };
            match moved {
                Ok(moved) => run.moved += u64::from(moved),
                Err(error) if is_away(&error) => return Err(error),
                Err(_) => run.failed += 1,
            }
            run.examined += 1;
        }
        run.after = last;
        run.version = run.version.saturating_add(1);
        run.ended_at = is_end.then(|| self.clock.now());
        match self.repository.put_rewrap(&run).await {
            // Another server was faster.
            Err(RepositoryError::Conflict) => return Ok(true),
            outcome => outcome?,
        }
        if run.ended_at.is_some() {
            let RewrapRun { run, examined, moved, failed, .. } = run;
            tracing::info!(run, examined, moved, failed, "private keys are wrapped by the newest KEKs");
            let details = json!({ "run": run, "examined": examined, "moved": moved, "failed": failed });
            self.auditor.own_with("key.rewrapped", Outcome::Succeeded, details).await?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn move_key(
        &self,
        key: &KeyRecord,
        newest: &mut HashMap<ApplicationId, Option<KekRecord>>,
    ) -> Result<bool, KeyError> {
        if !matches!(key.material, KeyMaterial::Wrapped { .. }) {
            return Ok(false);
        }
        let application = &key.alias.application;
        if !newest.contains_key(application) {
            let found = self.repository.find_newest_kek(application).await?;
            newest.insert(application.clone(), found);
        }
        match newest.get(application) {
            Some(Some(kek)) => self.provisioner.rewrap(key, kek).await,
            _ => Ok(false),
        }
    }

    /// Takes the lease, or extends it.
    async fn is_ours(&self) -> Result<bool, KeyError> {
        self.provisioner.holds(LEASE, LEASE_SECONDS).await
    }

    /// Looks again and again; never ends.
    pub(crate) async fn keep_rewrapping(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.asked.notified() => {}
            }
            loop {
                match self.advance().await {
                    Ok(true) => tokio::task::yield_now().await,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "keys could not be wrapped anew; it goes on later");
                        break;
                    }
                }
            }
        }
    }
}

/// Whether the other keys would fare no better now.
fn is_away(error: &KeyError) -> bool {
    matches!(
        error,
        KeyError::Repository(RepositoryError::Unavailable(_) | RepositoryError::OutcomeUnknown(_))
            | KeyError::Token(KeyStoreError::Unavailable(_) | KeyStoreError::Busy)
    )
}
