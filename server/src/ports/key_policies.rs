//! The records of key policies.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::{alias::ApplicationId, policy::KeyPolicy, time::Timestamp};

/// Key policies. All together have a version, 0 until the first change after they were first numbered; each change makes
/// the next.
#[async_trait]
pub trait KeyPolicyRepository: Send + Sync {
    /// The version.
    async fn key_policies_version(&self) -> Result<u64, RepositoryError>;

    /// All of them, by application, with their version. That one is missing, or in an earlier state, is
    /// [`RepositoryError::Inconsistent`].
    async fn list_key_policies(&self) -> Result<KeyPolicyRecords, RepositoryError>;

    /// Makes a change, and with it version `from + 1`.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the version is `from` now.
    async fn change_key_policies(
        &self,
        from: u64,
        change: KeyPolicyChange<'_>,
    ) -> Result<(), RepositoryError>;
}

/// All key policies at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicyRecords {
    /// The version.
    pub version: u64,
    /// By application.
    pub policies: Vec<KeyPolicyRecord>,
    /// Applications whose policies were removed, and not stored again since.
    pub removed: Vec<ApplicationId>,
}

impl KeyPolicyRecords {
    /// The policies after a change of these.
    #[must_use]
    pub fn after(&self, change: KeyPolicyChange<'_>) -> Self {
        let (new, gone): (&[KeyPolicyRecord], _) = match change {
            KeyPolicyChange::Put(records) => (records, None),
            KeyPolicyChange::Remove(application) => (&[], Some(application)),
        };
        let is_touched = |application: &ApplicationId| {
            gone == Some(application) || new.iter().any(|record| record.policy.application == *application)
        };
        let others = self.policies.iter().filter(|record| !is_touched(&record.policy.application));
        let mut policies: Vec<_> = others.chain(new).cloned().collect();
        policies.sort_by(|one, other| one.policy.application.cmp(&other.policy.application));
        let removed = self.removed.iter().filter(|application| !is_touched(application)).chain(gone);
        Self { version: self.version + 1, policies, removed: removed.cloned().collect() }
    }
}

/// A stored key policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicyRecord {
    /// What it says.
    pub policy: KeyPolicy,
    /// The version that storing it made; 0 for one of the time before there were versions.
    pub version: u64,
    /// When and by whom it was stored; `None` when a start wrote it.
    pub changed: Option<(Timestamp, String)>,
}

/// A change of key policies.
#[derive(Clone, Copy, Debug)]
pub enum KeyPolicyChange<'a> {
    /// Stores these, whose version is the next, in place of those of the same applications.
    Put(&'a [KeyPolicyRecord]),
    /// Removes the one of this application.
    Remove(&'a ApplicationId),
}
