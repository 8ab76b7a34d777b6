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
    /// The policy that has it wait for approval: of several, the one that asks for most; only for what is allowed.
    pub approval: Option<&'a AccessPolicy>,
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
        let mut waiting: Option<(u32, u32)> = None;
        self.candidates(request.principal, request.alias, |place| {
            let Some(policy) = self.policy(place) else { return };
            if !policy.operations.contains(request.operation) {
                return;
            }
            let first = match policy.effect {
                Effect::Allow => &mut allowing,
                Effect::Deny => &mut denying,
                Effect::Approval(terms) => {
                    if waiting.is_none_or(|(most, first)| (most, place) < (terms.approvals, first))
                        && policy.conditions.hold(request.at, request.address)
                    {
                        waiting = Some((terms.approvals, place));
                    }
                    return;
                }
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
            waiting = None;
        }
        limiting.sort_unstable();
        limiting.dedup();
        Decision {
            verdict,
            limits: limiting.into_iter().filter_map(|place| self.policy(place)).collect(),
            approval: named(waiting.map(|(_, place)| place)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::domain::{
        access::Role,
        authorization::{PolicyText, Rate, shipped_policies},
    };

    /// Few names, so that policies and requests meet often.
    const PRINCIPALS: [&str; 4] = ["*", "one", "two", "three"];
    const ROLES: [&str; 3] = ["encryptor", "RESIDENT", "none"];
    const OPERATIONS: [&str; 5] = ["packet.decrypt", "packet.*", "signature.sign", "access.*", "*"];
    const KEYS: [&str; 10] =
        ["*/*", "A/*", "A/", "A/10_1", "A/10_*", "A/1*_1", "A*/10_1", "B/*", "*/10_1", "AB/*1"];
    const ALIASES: [(&str, &str); 6] =
        [("A", ""), ("A", "10_1"), ("A", "10_2"), ("AB", "10_1"), ("B", "1"), ("B", "")];

    fn texts(
        from: &'static [&'static str],
        many: RangeInclusive<usize>,
    ) -> impl Strategy<Value = Vec<String>> {
        vec(select(from), many).prop_map(|texts| texts.into_iter().map(ToOwned::to_owned).collect())
    }

    fn policy(effects: &'static [&'static str]) -> impl Strategy<Value = AccessPolicy> {
        let subjects = prop_oneof![
            (texts(&PRINCIPALS, 1..=2), texts(&ROLES, 0..=2)),
            (texts(&PRINCIPALS, 0..=1), texts(&ROLES, 1..=2)),
        ];
        let objects = (texts(&OPERATIONS, 1..=2), texts(&KEYS, 1..=3));
        let networks = prop_oneof![3 => Just(vec![]), 1 => Just(vec!["10.0.0.0/8".to_owned()])];
        (0..40_u32, select(effects), subjects, objects, networks, prop::bool::weighted(0.9)).prop_map(
            |(name, effect, (principals, roles), (operations, keys), networks, enabled)| {
                AccessPolicy::parse(PolicyText {
                    name: format!("policy-{name}"),
                    enabled,
                    effect: effect.to_owned(),
                    principals,
                    roles,
                    operations,
                    keys,
                    networks,
                    rate: (effect == "limit").then_some(Rate { requests: 1, seconds: 1 }),
                    ..PolicyText::default()
                })
                .unwrap()
            },
        )
    }

    fn policies() -> impl Strategy<Value = Vec<AccessPolicy>> {
        vec(policy(&["allow", "allow", "deny", "limit"]), 0..20)
    }

    #[derive(Clone, Debug)]
    struct Asked {
        principal: Principal,
        operation: Operation,
        alias: KeyAlias,
        address: Option<IpAddr>,
    }

    impl Asked {
        fn request(&self) -> AccessRequest<'_> {
            AccessRequest {
                principal: &self.principal,
                operation: self.operation,
                alias: self.operation.is_on_keys().then_some(&self.alias),
                address: self.address,
                at: Timestamp::from_millis(0),
            }
        }
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let address = select(&[None, Some([10, 0, 0, 1]), Some([192, 0, 2, 1])][..]);
        (
            select(&PRINCIPALS[1..]),
            texts(&ROLES, 0..=2),
            select(&Operation::ALL[..]),
            select(&ALIASES[..]),
            address,
        )
            .prop_map(|(name, roles, operation, (application, reference), address)| Asked {
                principal: Principal {
                    name: name.to_owned(),
                    roles: roles.iter().filter_map(|name| Role::parse(name)).collect(),
                    issuer: None,
                },
                operation,
                alias: KeyAlias::parse(application, reference).unwrap(),
                address: address.map(IpAddr::from),
            })
    }

    /// Whether a policy fits, read off its text one member after the other.
    fn fits(policy: &AccessPolicy, asked: &Asked) -> bool {
        let text = policy.text();
        let named = text.principals.iter().any(|name| name == "*" || *name == asked.principal.name);
        let held = text.roles.iter().any(|name| asked.principal.roles.iter().any(|role| role.name() == name));
        let on_key =
            !asked.operation.is_on_keys() || policy.keys.iter().any(|pattern| pattern.fits(&asked.alias));
        text.enabled
            && (named || held)
            && policy.operations.contains(asked.operation)
            && on_key
            && policy.conditions.hold(Timestamp::from_millis(0), asked.address)
    }

    fn is_allowed(set: &PolicySet, asked: &Asked) -> bool {
        set.decide(&asked.request()).verdict.is_allowed()
    }

    proptest! {
        #[test]
        fn the_index_finds_what_reading_every_policy_finds(policies in policies(), asked in asked()) {
            let set = PolicySet::compile(policies);
            let of = |effect: &str| {
                let fit = set.policies().iter().filter(|policy| fits(policy, &asked));
                fit.filter(|policy| policy.effect.name() == effect).map(AccessPolicy::name).collect::<Vec<_>>()
            };
            let (allowing, denying) = (of("allow"), of("deny"));
            let decision = set.decide(&asked.request());
            let expected = match (denying.first(), allowing.first()) {
                (Some(name), _) => (false, Some(*name)),
                (None, Some(name)) => (true, Some(*name)),
                (None, None) => (false, None),
            };
            let found = match decision.verdict {
                Verdict::Allowed(policy) => (true, Some(policy.name())),
                Verdict::Denied(policy) => (false, Some(policy.name())),
                Verdict::Unnamed => (false, None),
            };
            prop_assert_eq!(found, expected);
            let limits: Vec<_> = decision.limits.iter().map(|policy| policy.name()).collect();
            prop_assert_eq!(limits, if expected.0 { of("limit") } else { vec![] });
        }

        #[test]
        fn nothing_is_allowed_that_may_not_enter(policies in policies(), asked in asked()) {
            let set = PolicySet::compile(policies);
            prop_assert!(!is_allowed(&set, &asked) || set.may_allow(&asked.principal, asked.operation));
        }

        #[test]
        fn without_a_policy_that_allows_nothing_is(policies in policies(), asked in asked()) {
            let others = policies.into_iter().filter(|policy| policy.effect != Effect::Allow);
            prop_assert!(!is_allowed(&PolicySet::compile(others), &asked));
        }

        #[test]
        fn one_more_that_allows_takes_nothing_away(
            policies in policies(), more in policy(&["allow"]), asked in asked(),
        ) {
            let policies: Vec<_> = policies.into_iter().filter(|policy| policy.name() != more.name()).collect();
            let before = is_allowed(&PolicySet::compile(policies.clone()), &asked);
            prop_assert!(!before || is_allowed(&PolicySet::compile(policies.into_iter().chain([more])), &asked));
        }

        #[test]
        fn one_more_that_denies_gives_nothing(
            policies in policies(), more in policy(&["deny"]), asked in asked(),
        ) {
            let policies: Vec<_> = policies.into_iter().filter(|policy| policy.name() != more.name()).collect();
            let before = PolicySet::compile(policies.clone());
            let after = PolicySet::compile(policies.into_iter().chain([more.clone()]));
            prop_assert!(!is_allowed(&after, &asked) || is_allowed(&before, &asked));
            prop_assert!(!(fits(&more, &asked) && is_allowed(&after, &asked)));
        }
    }

    #[test]
    fn without_policies_nothing_is_allowed() {
        let principal = Principal { name: "one".to_owned(), roles: Role::ALL.to_vec(), issuer: None };
        for operation in Operation::ALL {
            let alias = KeyAlias::parse("A", "").unwrap();
            let asked = Asked { principal: principal.clone(), operation, alias, address: None };
            assert!(!is_allowed(&PolicySet::default(), &asked), "{operation:?}");
            // And with the shipped ones, all those roles together may do everything.
            let shipped = shipped_policies().into_iter().map(|text| AccessPolicy::parse(text).unwrap());
            assert!(is_allowed(&PolicySet::compile(shipped), &asked), "{operation:?}");
        }
    }
}
