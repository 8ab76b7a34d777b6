//! Policies arranged so that a decision looks at few of them, however many there are.

use std::collections::{HashMap, HashSet};

use super::{
    pattern::KeyPattern,
    policy::{AccessPolicy, Effect, OperationSet},
};
use crate::domain::{
    access::{Operation, Principal},
    alias::KeyAlias,
    glob,
};

/// Stands for everyone with a token.
const EVERYONE: &str = "*";

/// The policies in force, compiled. Policies are named by their places in the order of their names.
#[derive(Debug, Default)]
pub struct PolicySet {
    policies: Vec<AccessPolicy>,
    everyone: Subject,
    principals: HashMap<String, Subject>,
    roles: HashMap<String, Subject>,
    named_roles: HashSet<String>,
}

/// The policies of one principal or role.
#[derive(Debug, Default)]
struct Subject {
    /// What any of them allows, for some key.
    allows: OperationSet,
    /// Those with an operation that is on no keys.
    without_keys: Vec<u32>,
    applications: HashMap<String, References>,
    every_application: References,
    /// Patterns with a star inside the application.
    others: Vec<(KeyPattern, u32)>,
}

/// The policies of one subject and application.
#[derive(Debug, Default)]
struct References {
    exact: HashMap<String, Vec<u32>>,
    /// Of `prefix*`, by the prefix.
    beginnings: HashMap<String, Vec<u32>>,
    /// Lengths of those prefixes, ascending.
    lengths: Vec<usize>,
    /// Patterns with a star elsewhere.
    others: Vec<(String, u32)>,
}

impl PolicySet {
    /// Arranges the policies; of two with one name, the later counts.
    pub fn compile(policies: impl IntoIterator<Item = AccessPolicy>) -> Self {
        let by_name: HashMap<String, AccessPolicy> =
            policies.into_iter().map(|policy| (policy.name().to_owned(), policy)).collect();
        let mut policies: Vec<AccessPolicy> = by_name.into_values().collect();
        policies.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let mut set = Self::default();
        for (place, policy) in (0_u32..).zip(&policies) {
            set.named_roles.extend(policy.text().roles.iter().cloned());
            if policy.text().enabled {
                set.add(place, policy);
            }
        }
        set.policies = policies;
        set
    }

    fn add(&mut self, place: u32, policy: &AccessPolicy) {
        for name in &policy.text().principals {
            if name == EVERYONE {
                self.everyone.add(place, policy);
            } else {
                self.principals.entry(name.clone()).or_default().add(place, policy);
            }
        }
        for role in &policy.text().roles {
            self.roles.entry(role.clone()).or_default().add(place, policy);
        }
    }

    /// All of them, by name.
    pub fn policies(&self) -> &[AccessPolicy] {
        &self.policies
    }

    /// Whether a policy names the role.
    pub fn names_role(&self, role: &str) -> bool {
        self.named_roles.contains(role)
    }

    /// Whether a policy allows the principal the operation for some key, under some condition: what can be said of
    /// a request before it was read.
    pub fn may_allow(&self, principal: &Principal, operation: Operation) -> bool {
        self.subjects(principal).any(|subject| subject.allows.contains(operation))
    }

    pub(super) fn policy(&self, place: u32) -> Option<&AccessPolicy> {
        self.policies.get(place as usize)
    }

    /// Every policy whose subject and keys fit, some perhaps twice.
    pub(super) fn candidates(
        &self,
        principal: &Principal,
        alias: Option<&KeyAlias>,
        mut found: impl FnMut(u32),
    ) {
        for subject in self.subjects(principal) {
            match alias {
                Some(alias) => subject.candidates(alias, &mut found),
                None => subject.without_keys.iter().copied().for_each(&mut found),
            }
        }
    }

    fn subjects<'a>(&'a self, principal: &'a Principal) -> impl Iterator<Item = &'a Subject> {
        let roles = principal.roles.iter().filter_map(|role| self.roles.get(role.name()));
        std::iter::once(&self.everyone).chain(self.principals.get(&principal.name)).chain(roles)
    }
}

impl Subject {
    fn add(&mut self, place: u32, policy: &AccessPolicy) {
        if policy.effect == Effect::Allow {
            self.allows = self.allows.union(policy.operations);
        }
        if Operation::ALL.into_iter().any(|it| !it.is_on_keys() && policy.operations.contains(it)) {
            self.without_keys.push(place);
        }
        for pattern in &policy.keys {
            match pattern.application.as_str() {
                "*" => self.every_application.add(&pattern.reference, place),
                name if !name.contains('*') => {
                    self.applications.entry(name.to_owned()).or_default().add(&pattern.reference, place);
                }
                _ => self.others.push((pattern.clone(), place)),
            }
        }
    }

    fn candidates(&self, alias: &KeyAlias, found: &mut impl FnMut(u32)) {
        let reference = alias.reference.as_str();
        self.every_application.candidates(reference, found);
        if let Some(references) = self.applications.get(alias.application.as_str()) {
            references.candidates(reference, found);
        }
        for (pattern, place) in &self.others {
            if pattern.fits(alias) {
                found(*place);
            }
        }
    }
}

impl References {
    fn add(&mut self, pattern: &str, place: u32) {
        match pattern.split_once('*') {
            None => self.exact.entry(pattern.to_owned()).or_default().push(place),
            Some((beginning, "")) => {
                self.beginnings.entry(beginning.to_owned()).or_default().push(place);
                if let Err(at) = self.lengths.binary_search(&beginning.len()) {
                    self.lengths.insert(at, beginning.len());
                }
            }
            Some(_) => self.others.push((pattern.to_owned(), place)),
        }
    }

    fn candidates(&self, reference: &str, found: &mut impl FnMut(u32)) {
        self.exact.get(reference).into_iter().flatten().copied().for_each(&mut *found);
        let beginnings = self.lengths.iter().map_while(|length| reference.get(..*length));
        beginnings
            .filter_map(|beginning| self.beginnings.get(beginning))
            .flatten()
            .copied()
            .for_each(&mut *found);
        for (pattern, place) in &self.others {
            if glob::matches(pattern, reference) {
                found(*place);
            }
        }
    }
}
