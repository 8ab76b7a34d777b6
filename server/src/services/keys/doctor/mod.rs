//! Looks for what token and records disagree on, and mends what can be mended without risk.
//!
//! Nothing here removes a key, from the token or from the records.

mod mending;
mod records;
mod token;

use serde_json::json;

use super::{KeyError, KeyService};
use crate::{
    domain::{
        access::{CallContext, Operation},
        doctor::{Fault, Finding, Subject},
        key::KeyId,
    },
    ports::repository::RepositoryError,
};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// What is not as it should be.
    pub findings: Vec<Finding>,
    /// Objects on the primary that were looked at.
    pub objects: usize,
    /// Records of keys that were looked at.
    pub keys: usize,
    /// After which key the next page begins; `None` when this is the last one.
    pub next: Option<KeyId>,
}

/// What became of what was found on the tokens.
#[derive(Clone, Debug)]
pub struct Mended {
    /// What was found before and is no more.
    pub mended: Vec<Finding>,
    /// What is found now.
    pub remaining: Vec<Finding>,
}

impl KeyService {
    /// Compares tokens and records: all keys on the tokens when `after` is `None`, and the records of the `limit` keys
    /// after that one. Changes no key.
    ///
    /// # Errors
    /// [`KeyError`] when the records cannot be read.
    pub async fn examine(
        &self,
        call: &CallContext,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Examination, KeyError> {
        let examined = async {
            let mut found = match after {
                None => self.provisioner.examine_tokens().await?,
                Some(_) => Examination::default(),
            };
            let records = self.provisioner.examine_records(after, limit).await?;
            found.findings.extend(records.findings);
            Ok(Examination { findings: found.findings, objects: found.objects, ..records })
        };
        self.auditor
            .audited_in_detail(call, Operation::ExamineKeys, None, examined, |found| {
                (None, Some(json!({ "findings": found.findings.len(), "keys": found.keys })))
            })
            .await
    }

    /// Goes on with keys whose making was interrupted, if they are due, and forgets intents that came to nothing.
    ///
    /// # Errors
    /// [`KeyError`] when tokens and records cannot be compared. What could not be mended is among what remains.
    pub async fn mend(&self, call: &CallContext) -> Result<Mended, KeyError> {
        let mended = async {
            let before = self.provisioner.examine_tokens().await?.findings;
            for finding in &before {
                if let Err(error) = self.provisioner.mend(finding).await {
                    tracing::warn!(finding = finding.fault.code(), %error, "a finding could not be mended");
                }
            }
            let remaining = self.provisioner.examine_tokens().await?.findings;
            let is_gone = |finding: &Finding| {
                finding.fault.can_be_mended()
                    && !remaining.iter().any(|other| {
                        other.fault == finding.fault && other.subject.object == finding.subject.object
                    })
            };
            Ok(Mended { mended: before.into_iter().filter(is_gone).collect(), remaining })
        };
        self.auditor
            .audited_in_detail(call, Operation::MendKeys, None, mended, |outcome| {
                let labels: Vec<_> =
                    outcome.mended.iter().take(100).filter_map(|it| it.subject.object).collect();
                let objects: Vec<_> = labels.iter().map(|id| id.to_hex()).collect();
                (None, Some(json!({ "mended": objects, "remaining": outcome.remaining.len() })))
            })
            .await
    }
}

/// What was read; `None` and a finding where it cannot be trusted.
fn trusted<T>(
    read: Result<T, RepositoryError>,
    subject: impl FnOnce() -> Subject,
    findings: &mut Vec<Finding>,
) -> Result<Option<T>, RepositoryError> {
    match read {
        Err(RepositoryError::Inconsistent { table, record, reason }) => {
            let detail = Some(format!("{table}:{record}: {reason}"));
            let finding = Finding { fault: Fault::RecordUntrusted, subject: subject(), detail };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
            Ok(None)
        }
        read => read.map(Some),
    }
}
