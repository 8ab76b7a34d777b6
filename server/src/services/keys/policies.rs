//! The policies in force.

use std::collections::HashMap;

use super::KeyError;
use crate::domain::{
    alias::{AliasRole, ApplicationId, KeyAlias},
    policy::{AccessList, KeyPolicy},
};

/// Policies by application.
pub(crate) struct PolicyTable(HashMap<String, KeyPolicy>);

impl PolicyTable {
    pub(crate) fn new(policies: Vec<KeyPolicy>) -> Self {
        Self(policies.into_iter().map(|policy| (policy.application.to_string(), policy)).collect())
    }

    /// Days of validity and of pre-expiry for keys of the alias: those of `BASE` for base keys, else the
    /// application's own; keys on curves have the pre-expiry of `BASE`.
    ///
    /// # Errors
    /// [`KeyError::PolicyMissing`] when the application has no active policy.
    pub(crate) fn periods(&self, alias: &KeyAlias) -> Result<(u32, u32), KeyError> {
        let own = match alias.role() {
            // The server's own keys follow those that sign for it.
            AliasRole::Internal => self.active(ApplicationId::KERNEL)?,
            _ => self.active(alias.application.as_str())?,
        };
        let (validity, pre_expiry) = match alias.role() {
            AliasRole::Base => (self.active(KeyPolicy::BASE)?, self.active(KeyPolicy::BASE)?),
            AliasRole::Curve(_) => (own, self.active(KeyPolicy::BASE)?),
            _ => (own, own),
        };
        Ok((validity.validity_days, pre_expiry.pre_expire_days))
    }

    /// The applications that have a policy, active or not.
    pub(crate) fn applications(&self) -> impl Iterator<Item = &ApplicationId> {
        self.0.values().map(|policy| &policy.application)
    }

    /// Whether the application's policy admits the principal. An application without a policy admits nobody.
    pub(crate) fn admits(&self, application: &ApplicationId, principal: &str) -> bool {
        self.0.get(application.as_str()).is_some_and(|policy| match &policy.access {
            AccessList::AnyRoleHolder => true,
            list @ AccessList::Principals(_) => list.admits(principal),
        })
    }

    fn active(&self, application: &str) -> Result<&KeyPolicy, KeyError> {
        self.0.get(application).filter(|policy| policy.active).ok_or(KeyError::PolicyMissing)
    }
}
