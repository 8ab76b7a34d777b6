//! Keeps this server's log on the roster of all logs.

use std::sync::Arc;

use serde_json::json;

use super::{TrailError, blocking, signer::StatementSigner};
use crate::{
    domain::audit::{
        Outcome,
        statement::{Roster, RosterEntry, Signed, VerifyingKeys},
    },
    ports::{
        audit_trail::AuditTrail,
        clock::Clock,
        repository::{Repository, RepositoryError, StoredRoster},
    },
    services::auditor::Auditor,
};

/// Times that another server may be faster.
const ATTEMPTS: usize = 16;

/// The roster: in the database, and the newest one seen beside the log, so that the database cannot forget.
pub(crate) struct RosterKeeper {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) server: String,
    pub(crate) signer: Arc<StatementSigner>,
    pub(crate) trail: Arc<dyn AuditTrail>,
}

/// A roster of the database.
struct Found {
    version: Option<u64>,
    /// `None` when there is none that counts.
    signed: Option<Signed<Roster>>,
}

impl RosterKeeper {
    /// The newest roster, which names this server's log: as it is, or signed anew when the log is not on it, or logs
    /// are missing that this server has seen on an earlier one.
    pub(super) async fn current(&self) -> Result<Signed<Roster>, TrailError> {
        let keys = self.signer.keys().await?;
        let trail = Arc::clone(&self.trail);
        let seen = blocking(move || Ok(trail.roster()?)).await?;
        let seen = seen.and_then(|line| counted(&line, &keys));
        for _ in 0..ATTEMPTS {
            let found = self.find(&keys).await?;
            if let Some(signed) = found.signed.as_ref().filter(|signed| self.suffices(signed, seen.as_ref()))
            {
                if seen.as_ref() != Some(signed) {
                    self.keep(signed).await?;
                }
                return Ok(signed.clone());
            }
            let lost = seen.as_ref().is_some_and(|seen| {
                found.signed.as_ref().is_none_or(|found| !found.statement.covers(&seen.statement))
            });
            let signed = self.successor(&found, seen.as_ref()).await?;
            let stored = StoredRoster { version: signed.statement.version, statement: signed.to_line() };
            match self.repository.replace_roster(found.version, &stored).await {
                Ok(()) => {
                    if lost {
                        self.report_loss(&signed.statement).await?;
                    }
                    self.keep(&signed).await?;
                    return Ok(signed);
                }
                Err(RepositoryError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TrailError::Internal("the roster of audit logs does not come to rest"))
    }

    async fn find(&self, keys: &VerifyingKeys) -> Result<Found, TrailError> {
        let Some(StoredRoster { version, statement }) = self.repository.find_roster().await? else {
            return Ok(Found { version: None, signed: None });
        };
        let signed = counted(&statement, keys).filter(|signed| signed.statement.version == version);
        if signed.is_none() {
            tracing::error!("the roster of audit logs in the database is not one that was signed");
        }
        Ok(Found { version: Some(version), signed })
    }

    fn suffices(&self, signed: &Signed<Roster>, seen: Option<&Signed<Roster>>) -> bool {
        signed.statement.names(self.trail.log())
            && seen.is_none_or(|seen| {
                signed.statement.version >= seen.statement.version && signed.statement.covers(&seen.statement)
            })
    }

    /// All logs that either names, and this one.
    async fn successor(
        &self,
        found: &Found,
        seen: Option<&Signed<Roster>>,
    ) -> Result<Signed<Roster>, TrailError> {
        let mut logs: Vec<RosterEntry> = Vec::new();
        let known = found.signed.iter().chain(seen).flat_map(|signed| &signed.statement.logs);
        let time = self.clock.now().to_text();
        let own = RosterEntry {
            log: self.trail.log().to_owned(),
            server: self.server.clone(),
            since: time.clone(),
        };
        for entry in known.chain([&own]) {
            if !logs.iter().any(|known| known.log == entry.log) {
                logs.push(entry.clone());
            }
        }
        let version = found.version.into_iter().chain(seen.map(|seen| seen.statement.version)).max();
        let version = version.map_or(1, |version| version.saturating_add(1));
        self.signer.sign(|key| Roster { version, time, key, logs }).await
    }

    async fn keep(&self, signed: &Signed<Roster>) -> Result<(), TrailError> {
        let (trail, line) = (Arc::clone(&self.trail), signed.to_line());
        blocking(move || Ok(trail.keep_roster(&line)?)).await
    }

    async fn report_loss(&self, restored: &Roster) -> Result<(), TrailError> {
        tracing::error!("audit logs had vanished from the roster in the database; they are on it again");
        let details = json!({ "version": restored.version, "logs": restored.logs.len() });
        Ok(self.auditor.own_with("audit.roster_restored", Outcome::Succeeded, details).await?)
    }
}

/// The roster of a line, if its signature counts.
fn counted(line: &str, keys: &VerifyingKeys) -> Option<Signed<Roster>> {
    Signed::<Roster>::from_line(line.as_bytes()).filter(|signed| signed.verify(keys).is_ok())
}
