//! Key policies: read, changed by key administrators, obeyed by every server.

use std::sync::Arc;

use super::{auditor::Auditor, authorization::Authorizer, following, keys::policies::PolicyTable};
use crate::{
    domain::{alias::ApplicationId, key_policies::KeyPolicies, policy::KeyPolicy},
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
    },
};

mod changes;
mod error;

pub use crate::ports::key_policies::{KeyPolicyRecord, KeyPolicyRecords};
pub use error::KeyPolicyError;

/// Reads and changes key policies.
pub struct KeyPolicyService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) authorizer: Arc<Authorizer>,
    /// Held while policies are read or changed, so that what was read is not older than what is in force.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) table: Arc<PolicyTable>,
}

impl KeyPolicyService {
    /// All policies in force.
    pub fn policies(&self) -> KeyPolicyRecords {
        self.table.in_force().stored.clone()
    }

    /// The policy of the application.
    pub fn policy(&self, application: &ApplicationId) -> Option<KeyPolicyRecord> {
        let in_force = self.table.in_force();
        in_force.stored.policies.iter().find(|record| record.policy.application == *application).cloned()
    }

    /// What all policies would be if this one were stored in place of that of the same application. Changes nothing.
    ///
    /// # Errors
    /// [`KeyPolicyError::Invalid`], as [`KeyPolicyService::put`].
    pub fn with_candidate(&self, policy: KeyPolicy) -> Result<KeyPolicies, KeyPolicyError> {
        let in_force = self.table.in_force();
        in_force.compiled.check(&policy)?;
        Ok(in_force.compiled.with(policy))
    }

    /// Takes over what another server has changed. While the database does not answer, or shows something that cannot
    /// be trusted, the policies stay as they were.
    pub(crate) async fn refresh(&self) -> Result<(), RepositoryError> {
        let _changing = self.changing.lock().await;
        self.refresh_alone().await
    }

    /// The same for whoever holds the lock.
    async fn refresh_alone(&self) -> Result<(), RepositoryError> {
        let known = self.table.in_force().stored.version;
        let found = self.repository.key_policies_version().await?;
        if found == known {
            return Ok(());
        }
        if found < known {
            // An earlier state of the database would bring back what was taken away.
            return Err(RepositoryError::Inconsistent {
                table: "policies",
                record: found.to_string(),
                reason: "the version is earlier than the one in force",
            });
        }
        self.install(self.repository.list_key_policies().await?);
        Ok(())
    }

    fn install(&self, newer: KeyPolicyRecords) {
        tracing::info!(version = newer.version, "key policies are in force");
        self.table.install(newer);
    }

    /// Follows the changes of other servers; never ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        following::follow("the key policies could not be read again; those in force stay", || self.refresh())
            .await;
    }
}
