//! All key policies at one time, and what they say together.
//!
//! A certificate ends with its issuer's at the latest. So that what an issuer signs gets its full life, the issuer is
//! replaced once its remaining validity is below that of its longest-lived children and their pre-expiry:
//! `lead(issuer) = max(pre-expiry(issuer), max over children of (validity + pre-expiry))`, in days.

use std::collections::BTreeMap;

use super::{
    alias::{AliasRole, ApplicationId, KeyAlias},
    policy::{DestructionTerms, KeyPolicy},
};

/// Longest validity, in days: a century.
pub const MAX_VALIDITY_DAYS: u32 = 36_500;
/// Most principals in an access list.
const MAX_PRINCIPALS: usize = 10_000;
/// Longest name of a principal, in bytes.
const MAX_PRINCIPAL_BYTES: usize = 256;

/// All key policies, by application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicies(BTreeMap<String, KeyPolicy>);

/// What policies say of the life of an alias's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// Days from a key's making to its certificate's end.
    pub validity_days: u32,
    /// Days before that end from which a successor is made; less than `validity_days`.
    pub lead_days: u32,
    /// Whether successors are made before the end at all; if not, `lead_days` is 0.
    pub automatic: bool,
}

impl KeyPolicies {
    /// These policies; of two for one application, the later.
    pub fn new(policies: impl IntoIterator<Item = KeyPolicy>) -> Self {
        Self(policies.into_iter().map(|policy| (policy.application.to_string(), policy)).collect())
    }

    /// The policy of the application, active or not.
    pub fn get(&self, application: &ApplicationId) -> Option<&KeyPolicy> {
        self.0.get(application.as_str())
    }

    /// All of them, by application.
    pub fn iter(&self) -> impl Iterator<Item = &KeyPolicy> {
        self.0.values()
    }

    /// What is said of the keys of the alias: by the policy of `BASE` for base keys, of `KERNEL` for the server's own
    /// keys, else by the application's own, but for keys on curves, which have the pre-expiry of `BASE`. `None` when there is no active policy, neither that one nor the
    /// application's.
    pub fn periods(&self, alias: &KeyAlias) -> Option<Periods> {
        let role = alias.role();
        let own = match role {
            AliasRole::Internal => self.active(ApplicationId::KERNEL)?,
            _ => self.active(alias.application.as_str())?,
        };
        let policy = if role == AliasRole::Base { self.active(KeyPolicy::BASE)? } else { own };
        let (validity_days, automatic) = (policy.validity_days, policy.automatic_rotation);
        let of_children = match role {
            AliasRole::Root => self.longest_life_below_root(),
            AliasRole::Module if alias.application.may_have_base_keys() => {
                self.active(KeyPolicy::BASE).map_or(0, life)
            }
            AliasRole::Base
            | AliasRole::Curve(_)
            | AliasRole::Internal
            | AliasRole::Module
            | AliasRole::Sign => 0,
        };
        let pre_expire_days = match role {
            AliasRole::Curve(_) => self.active(KeyPolicy::BASE)?.pre_expire_days,
            _ => policy.pre_expire_days,
        };
        // An issuer that does not live long enough for its children is replaced as its own policy says: to replace it
        // all the time would not make it live longer.
        let fits = of_children < validity_days;
        let lead_days = if fits { pre_expire_days.max(of_children) } else { pre_expire_days };
        Some(Periods { validity_days, lead_days: if automatic { lead_days } else { 0 }, automatic })
    }

    /// How long the destruction of the alias's keys waits: as the policy says that their periods are of, active or not;
    /// the longest wait where there is none.
    pub fn destruction_terms(&self, alias: &KeyAlias) -> DestructionTerms {
        let name = match alias.role() {
            AliasRole::Base => KeyPolicy::BASE,
            AliasRole::Internal => ApplicationId::KERNEL,
            _ => alias.application.as_str(),
        };
        self.0.get(name).map(|policy| policy.destruction).unwrap_or_default()
    }

    /// The longest validity and pre-expiry together of what ROOT certifies; 0 when that is nothing.
    fn longest_life_below_root(&self) -> u32 {
        let below = |policy: &&KeyPolicy| policy.active && is_below_root(&policy.application);
        self.iter().filter(below).map(life).max().unwrap_or(0)
    }

    fn active(&self, application: &str) -> Option<&KeyPolicy> {
        self.0.get(application).filter(|policy| policy.active)
    }

    /// Whether the policy may take its place among these.
    ///
    /// # Errors
    /// [`KeyPolicyFault`] names the member that makes no sense.
    pub fn check(&self, policy: &KeyPolicy) -> Result<(), KeyPolicyFault> {
        if policy.application.as_str() == ApplicationId::INTERNAL {
            return Err(KeyPolicyFault::new("application", "is the server's own"));
        }
        if !(1..=MAX_VALIDITY_DAYS).contains(&policy.validity_days) {
            return Err(KeyPolicyFault::new("validityDays", "must be from 1 to 36500"));
        }
        if policy.pre_expire_days >= policy.validity_days {
            return Err(KeyPolicyFault::new("preExpireDays", "must be less than validityDays"));
        }
        let DestructionTerms { wait_days, offline_allowance_days } = policy.destruction;
        if !(DestructionTerms::MIN_WAIT_DAYS..=DestructionTerms::MAX_WAIT_DAYS).contains(&wait_days) {
            return Err(KeyPolicyFault::new("destructionWaitDays", "must be from 7 to 30"));
        }
        if offline_allowance_days > MAX_VALIDITY_DAYS {
            return Err(KeyPolicyFault::new("offlineAllowanceDays", "must be at most 36500"));
        }
        if !policy.active && is_needed(&policy.application) {
            return Err(KeyPolicyFault::new(
                "active",
                "must be true: the server's own keys need this policy",
            ));
        }
        policy.access.check()?;
        self.check_issuers(policy)
    }

    /// An issuer must live longer than what it certifies, with the time in which that is replaced.
    fn check_issuers(&self, changed: &KeyPolicy) -> Result<(), KeyPolicyFault> {
        let outlives = |issuer: &KeyPolicy, child: &KeyPolicy| {
            !(issuer.active && child.active && certifies(&issuer.application, &child.application))
                || issuer.validity_days > life(child)
        };
        for other in self.iter().filter(|other| other.application != changed.application) {
            if !outlives(changed, other) {
                return Err(KeyPolicyFault::new(
                    "validityDays",
                    "must be more than validityDays and preExpireDays together of every policy whose keys it \
                     certifies: ROOT certifies all applications, each application its base keys",
                ));
            }
            if !outlives(other, changed) {
                return Err(KeyPolicyFault::new(
                    "validityDays",
                    "and preExpireDays together must be less than validityDays of the policy whose keys certify \
                     these: ROOT for an application, every application for BASE",
                ));
            }
        }
        Ok(())
    }
}

/// Policies without which the server itself would have no keys.
pub fn is_needed(application: &ApplicationId) -> bool {
    [ApplicationId::ROOT, ApplicationId::KERNEL, ApplicationId::BASE_POLICY].contains(&application.as_str())
}

/// Whether the own key of `issuer` certifies keys that the policy of `child` is for.
fn certifies(issuer: &ApplicationId, child: &ApplicationId) -> bool {
    match issuer.as_str() {
        ApplicationId::ROOT => is_below_root(child),
        ApplicationId::BASE_POLICY => false,
        _ => child.as_str() == ApplicationId::BASE_POLICY && issuer.may_have_base_keys(),
    }
}

fn is_below_root(application: &ApplicationId) -> bool {
    ![ApplicationId::ROOT, ApplicationId::BASE_POLICY].contains(&application.as_str())
}

fn life(policy: &KeyPolicy) -> u32 {
    policy.validity_days.saturating_add(policy.pre_expire_days)
}

/// What is wrong with a key policy. Says nothing of what stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member} {problem}")]
pub struct KeyPolicyFault {
    /// The member.
    pub member: &'static str,
    /// What it must be.
    pub problem: &'static str,
}

impl KeyPolicyFault {
    const fn new(member: &'static str, problem: &'static str) -> Self {
        Self { member, problem }
    }
}

impl super::policy::AccessList {
    fn check(&self) -> Result<(), KeyPolicyFault> {
        let Self::Principals(names) = self else { return Ok(()) };
        if names.len() > MAX_PRINCIPALS {
            return Err(KeyPolicyFault::new("access", "must name at most 10000 principals"));
        }
        let is_name = |name: &String| {
            !name.is_empty() && name.len() <= MAX_PRINCIPAL_BYTES && !name.chars().any(char::is_control)
        };
        if names.iter().all(is_name) {
            Ok(())
        } else {
            Err(KeyPolicyFault::new("access", "must hold names of 1 to 256 bytes"))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::policy::AccessList;

    pub(crate) fn policy(application: &str, validity_days: u32, pre_expire_days: u32) -> KeyPolicy {
        KeyPolicy {
            application: ApplicationId::parse_any(application).unwrap(),
            validity_days,
            pre_expire_days,
            active: true,
            automatic_rotation: true,
            destruction: DestructionTerms::default(),
            access: AccessList::AnyRoleHolder,
        }
    }

    /// The rows that MOSIP ships.
    pub(crate) fn shipped() -> KeyPolicies {
        KeyPolicies::new([
            policy("ROOT", 2920, 1125),
            policy("BASE", 730, 30),
            policy("PMS", 1460, 395),
            policy("KERNEL", 1095, 60),
            policy("REGISTRATION", 1095, 60),
        ])
    }

    fn with(policies: &KeyPolicies, changed: KeyPolicy) -> KeyPolicies {
        KeyPolicies::new(policies.iter().cloned().chain([changed]))
    }

    fn periods(policies: &KeyPolicies, application: &str, reference: &str) -> Option<(u32, u32)> {
        let periods = policies.periods(&KeyAlias::parse(application, reference).unwrap())?;
        Some((periods.validity_days, periods.lead_days))
    }

    #[test]
    fn an_issuer_is_replaced_in_time_for_what_it_certifies() {
        let policies = shipped();
        assert_eq!(periods(&policies, "REGISTRATION", "1"), Some((730, 30)));
        assert_eq!(periods(&policies, "REGISTRATION", ""), Some((1095, 760)));
        assert_eq!(periods(&policies, "PMS", ""), Some((1460, 760)));
        assert_eq!(periods(&policies, "ROOT", ""), Some((2920, 1855)));
        // They certify nothing.
        assert_eq!(periods(&policies, "KERNEL", ""), Some((1095, 60)));
        assert_eq!(periods(&policies, "KERNEL", "SIGN"), Some((1095, 60)));
        let own = policies.periods(&KeyAlias::access_token()).unwrap();
        assert_eq!((own.validity_days, own.lead_days), (1095, 60));
        assert_eq!(periods(&policies, "NOWHERE", ""), None);
    }

    #[test]
    fn an_issuer_that_lives_too_short_follows_its_own_policy() {
        let short = with(&shipped(), policy("REGISTRATION", 700, 60));
        assert_eq!(periods(&short, "REGISTRATION", ""), Some((700, 60)));
        assert!(short.check(&policy("REGISTRATION", 760, 60)).is_err());
        assert_eq!(short.check(&policy("REGISTRATION", 761, 60)), Ok(()));
    }

    #[test]
    fn what_is_switched_off_waits_for_the_end() {
        let off = KeyPolicy { automatic_rotation: false, ..policy("BASE", 730, 30) };
        assert_eq!(periods(&with(&shipped(), off), "REGISTRATION", "1"), Some((730, 0)));
        let inactive = KeyPolicy { active: false, ..policy("REGISTRATION", 1095, 60) };
        assert_eq!(periods(&with(&shipped(), inactive), "REGISTRATION", "1"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_member() {
        let refused = |policy: KeyPolicy| shipped().check(&policy).map_err(|fault| fault.member);
        let principals = |names: &[&str]| KeyPolicy {
            access: AccessList::Principals(names.iter().map(|&name| name.to_owned()).collect()),
            ..policy("REGISTRATION", 1095, 60)
        };
        assert_eq!(refused(policy("REGISTRATION", 1095, 60)), Ok(()));
        assert_eq!(refused(policy("NEW", 1000, 999)), Ok(()));
        assert_eq!(refused(policy("NEW", 0, 0)), Err("validityDays"));
        assert_eq!(refused(policy("NEW", 36_501, 0)), Err("validityDays"));
        assert_eq!(refused(policy("NEW", 10, 10)), Err("preExpireDays"));
        assert_eq!(refused(policy("NEW", 2000, 1000)), Err("validityDays"), "ROOT would have to live longer");
        assert_eq!(refused(policy("ROOT", 1855, 0)), Err("validityDays"));
        assert_eq!(refused(policy("BASE", 1000, 95)), Err("validityDays"));
        assert_eq!(refused(policy("BASE", 1000, 94)), Ok(()));
        assert_eq!(refused(policy("KUNJI", 10, 1)), Err("application"));
        let ends = |wait_days, offline_allowance_days| KeyPolicy {
            destruction: DestructionTerms { wait_days, offline_allowance_days },
            ..policy("REGISTRATION", 1095, 60)
        };
        assert_eq!(refused(ends(7, 36_500)), Ok(()));
        assert_eq!(refused(ends(30, 0)), Ok(()));
        assert_eq!(refused(ends(6, 0)), Err("destructionWaitDays"));
        assert_eq!(refused(ends(31, 0)), Err("destructionWaitDays"));
        assert_eq!(refused(ends(30, 36_501)), Err("offlineAllowanceDays"));
        let inactive = |application| KeyPolicy { active: false, ..policy(application, 2900, 60) };
        for needed in ["ROOT", "BASE", "KERNEL"] {
            assert_eq!(refused(inactive(needed)), Err("active"), "{needed}");
        }
        assert_eq!(refused(inactive("REGISTRATION")), Ok(()));
        assert_eq!(refused(principals(&[])), Ok(()));
        assert_eq!(refused(principals(&["regproc", ""])), Err("access"));
        assert_eq!(refused(principals(&["a\nb"])), Err("access"));
    }
}
