//! The policies in force: those that are stored, and the shipped ones whose names are not taken.

use std::{collections::BTreeMap, fmt};

use crate::{
    domain::{
        access::Role,
        authorization::{AccessPolicy, PolicySet, PolicyText, shipped_policies},
        time::Timestamp,
    },
    ports::repository::{AccessPolicyRecord, AccessPolicyRecords, RepositoryError},
};

/// The policies in force at one time.
pub struct InForce {
    /// Grows with each change.
    pub version: u64,
    /// Compiled.
    pub set: PolicySet,
    pub(super) stored: BTreeMap<String, AccessPolicyRecord>,
}

/// One policy, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInForce {
    /// As it was written.
    pub text: PolicyText,
    /// Which state of it this is.
    pub revision: Revision,
    /// When and by whom it was stored.
    pub changed: Option<(Timestamp, String)>,
}

/// A state of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// As this version of the program ships it.
    Shipped,
    /// Stored by the change of this version.
    Stored(u64),
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => write!(f, "shipped-{}", env!("CARGO_PKG_VERSION")),
            Self::Stored(version) => write!(f, "{version}"),
        }
    }
}

impl InForce {
    pub(super) fn of(records: AccessPolicyRecords) -> Result<Self, RepositoryError> {
        let stored: BTreeMap<_, _> =
            records.policies.into_iter().map(|record| (record.text.name.clone(), record)).collect();
        Self::with(records.version, stored)
    }

    pub(super) fn with(
        version: u64,
        stored: BTreeMap<String, AccessPolicyRecord>,
    ) -> Result<Self, RepositoryError> {
        let shipped = shipped_policies().into_iter().filter(|text| !stored.contains_key(&text.name));
        let texts = shipped.chain(stored.values().map(|record| record.text.clone()));
        let policies = texts.map(|text| {
            let name = text.name.clone();
            AccessPolicy::parse_stored(text).map_err(|fault| RepositoryError::Inconsistent {
                table: "access_policy",
                record: name,
                reason: fault.problem,
            })
        });
        Ok(Self { version, set: PolicySet::compile(policies.collect::<Result<Vec<_>, _>>()?), stored })
    }

    /// All policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = PolicyInForce> {
        self.set.policies().iter().map(|policy| self.described(policy))
    }

    /// The policy of that name.
    pub fn policy(&self, name: &str) -> Option<PolicyInForce> {
        let policies = self.set.policies();
        let place = policies.binary_search_by(|policy| policy.name().cmp(name)).ok()?;
        policies.get(place).map(|policy| self.described(policy))
    }

    fn described(&self, policy: &AccessPolicy) -> PolicyInForce {
        let record = self.stored.get(policy.name());
        PolicyInForce {
            text: policy.text().clone(),
            revision: record.map_or(Revision::Shipped, |record| Revision::Stored(record.version)),
            changed: record.map(|record| (record.changed_at, record.changed_by.clone())),
        }
    }

    /// Whether a policy names the role; others allow nothing.
    pub fn names_role(&self, role: &Role) -> bool {
        self.set.names_role(role.name())
    }
}
