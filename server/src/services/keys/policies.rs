//! The key policies in force on this server.

use std::sync::{Arc, PoisonError, RwLock};

use kunji_shared::ModulusLength;

use super::KeyError;
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias},
        key_policies::KeyPolicies,
        policy::KeyPolicy,
    },
    ports::key_policies::KeyPolicyRecords,
};

/// The policies, as they were last read.
#[derive(Default)]
pub(crate) struct PolicyTable(RwLock<Arc<PoliciesInForce>>);

/// All key policies, compiled and as they are stored.
#[derive(Default)]
pub(crate) struct PoliciesInForce {
    pub(crate) compiled: KeyPolicies,
    pub(crate) stored: KeyPolicyRecords,
}

impl PolicyTable {
    pub(crate) fn new(stored: KeyPolicyRecords) -> Self {
        let table = Self::default();
        table.install(stored);
        table
    }

    /// Puts these in force.
    pub(crate) fn install(&self, stored: KeyPolicyRecords) {
        let compiled = KeyPolicies::new(stored.policies.iter().map(|record| record.policy.clone()));
        let newer = Arc::new(PoliciesInForce { compiled, stored });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = newer;
    }

    /// The policies now.
    pub(crate) fn in_force(&self) -> Arc<PoliciesInForce> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Days of validity, and days before the end from which a successor is made, for keys of the alias.
    ///
    /// # Errors
    /// [`KeyError::PolicyMissing`] when the application has no active policy.
    pub(crate) fn periods(&self, alias: &KeyAlias) -> Result<(u32, u32), KeyError> {
        let periods = self.in_force().compiled.periods(alias).ok_or(KeyError::PolicyMissing)?;
        Ok((periods.validity_days, periods.lead_days))
    }

    /// The RSA modulus of keys that are made for the alias from now on; `None` when its policy says nothing.
    pub(crate) fn modulus(&self, alias: &KeyAlias) -> Option<ModulusLength> {
        self.in_force().compiled.modulus(alias)
    }

    /// The applications that have a policy, active or not.
    pub(crate) fn applications(&self) -> Vec<ApplicationId> {
        self.in_force().compiled.iter().map(|policy| policy.application.clone()).collect()
    }

    /// Whether the application's policy admits the principal. An application without a policy admits nobody.
    pub(crate) fn admits(&self, application: &ApplicationId, principal: &str) -> bool {
        let admits = |policy: &KeyPolicy| policy.access.admits(principal);
        self.in_force().compiled.get(application).is_some_and(admits)
    }
}
