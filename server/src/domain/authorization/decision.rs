//! The question whether somebody may do something, and its answer.

use std::net::IpAddr;

use super::{
    index::PolicySet,
    policy::{AccessPolicy, Effect},
};
use crate::domain::{
    access::{Operation, Principal},
    alias::KeyAlias,
    time::Timestamp,
};

/// Who wants to do what, with which keys, from where, and when.
#[derive(Clone, Copy, Debug)]
pub struct AccessRequest<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// What it wants to do.
    pub operation: Operation,
    /// The alias whose keys are used; `None` for operations that are on no keys.
    pub alias: Option<&'a KeyAlias>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// Now.
    pub at: Timestamp,
}

/// Whether it may, and which policy decides.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The verdict.
    pub verdict: Verdict<'a>,
    /// The policies that bound how often, by name; only for what is allowed.
    pub limits: Vec<&'a AccessPolicy>,
}

/// Allowed or not, with the policy that decides: the first by name of those that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// A policy allows it and none denies it.
    Allowed(&'a AccessPolicy),
    /// A policy denies it.
    Denied(&'a AccessPolicy),
    /// No policy allows it.
    Unnamed,
}

impl Verdict<'_> {
    /// Whether it is allowed.
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl PolicySet {
    /// Decides. Nothing is allowed but what a policy allows; one that denies wins.
    pub fn decide(&self, request: &AccessRequest<'_>) -> Decision<'_> {
        let (mut allowing, mut denying): (Option<u32>, Option<u32>) = (None, None);
        let mut limiting = Vec::new();
        self.candidates(request.principal, request.alias, |place| {
            let Some(policy) = self.policy(place) else { return };
            if !policy.operations.contains(request.operation) {
                return;
            }
            let first = match policy.effect {
                Effect::Allow => &mut allowing,
                Effect::Deny => &mut denying,
                Effect::Limit(_) => {
                    if policy.conditions.hold(request.at, request.address) {
                        limiting.push(place);
                    }
                    return;
                }
            };
            if first.is_none_or(|known| place < known) && policy.conditions.hold(request.at, request.address)
            {
                *first = Some(place);
            }
        });
        let named = |place: Option<u32>| place.and_then(|place| self.policy(place));
        let verdict = match (named(denying), named(allowing)) {
            (Some(policy), _) => Verdict::Denied(policy),
            (None, Some(policy)) => Verdict::Allowed(policy),
            (None, None) => Verdict::Unnamed,
        };
        if !verdict.is_allowed() {
            limiting.clear();
        }
        limiting.sort_unstable();
        limiting.dedup();
        Decision { verdict, limits: limiting.into_iter().filter_map(|place| self.policy(place)).collect() }
    }
}
