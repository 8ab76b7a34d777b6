//! All key policies at one time, and what they say together.
//!
//! A certificate ends with its issuer's at the latest. So that what an issuer signs gets its full life, the issuer is
//! replaced once its remaining validity is below that of its longest-lived children and their pre-expiry:
//! `lead(issuer) = max(pre-expiry(issuer), max over children of (validity + pre-expiry))`, in days.

use std::collections::BTreeMap;

use kunji_shared::ModulusLength;

use super::{
    alias::{AliasRole, ApplicationId, KeyAlias, KeyPurpose},
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

    /// These, with this one in place of that of the same application.
    #[must_use]
    pub fn with(&self, policy: KeyPolicy) -> Self {
        Self::new(self.iter().cloned().chain([policy]))
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
    /// keys, else by the application's own. Keys on curves have the pre-expiry of `BASE` unless the application's own
    /// policy states one for signing keys. `None` when there is no active policy, neither that one nor the application's.
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
        let purpose = alias.purpose();
        let pre_expire_days = match role {
            AliasRole::Curve(_) if !own.pre_expire.contains_key(&purpose) => {
                let of_base = self.active(KeyPolicy::BASE)?.pre_expire_days_of(purpose);
                // That policy is not for keys of this validity: with a lead as long as the life, each look would make a
                // successor.
                if of_base < validity_days { of_base } else { policy.pre_expire_days_of(purpose) }
            }
            _ => policy.pre_expire_days_of(purpose),
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
        self.followed_by(alias).map(|policy| policy.destruction).unwrap_or_default()
    }

    /// The RSA modulus of keys that are made for the alias from now on, as the policy says that their periods are of;
    /// `None` when it says nothing. Keys on curves have none.
    pub fn modulus(&self, alias: &KeyAlias) -> Option<ModulusLength> {
        self.followed_by(alias)?.modulus
    }

    /// How often each KEK of the application may wrap.
    pub fn max_wraps(&self, application: &ApplicationId) -> u64 {
        self.get(application).and_then(|policy| policy.max_wraps).unwrap_or(KeyPolicy::MAX_WRAPS)
    }

    /// The policy that the keys of the alias follow, active or not.
    fn followed_by(&self, alias: &KeyAlias) -> Option<&KeyPolicy> {
        self.0.get(match alias.role() {
            AliasRole::Base => KeyPolicy::BASE,
            AliasRole::Internal => ApplicationId::KERNEL,
            _ => alias.application.as_str(),
        })
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
        check_purposes(policy)?;
        check_wraps(policy)?;
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

/// Validity and pre-expiry together of the keys under the policy that an issuer certifies, at most.
fn life(policy: &KeyPolicy) -> u32 {
    let certified: &[KeyPurpose] = match policy.application.as_str() {
        ApplicationId::BASE_POLICY => &[KeyPurpose::Encryption],
        _ => &[KeyPurpose::Issuing, KeyPurpose::Signing],
    };
    let pre_expire_days = certified.iter().map(|&purpose| policy.pre_expire_days_of(purpose)).max();
    policy.validity_days.saturating_add(pre_expire_days.unwrap_or(policy.pre_expire_days))
}

/// Purposes of keys that may follow the policy of the application.
fn purposes_under(application: &ApplicationId) -> &'static [KeyPurpose] {
    match application.as_str() {
        ApplicationId::ROOT => &[KeyPurpose::Issuing],
        // Keys on curves, whose own policies say nothing of signing.
        ApplicationId::BASE_POLICY => &[KeyPurpose::Encryption, KeyPurpose::Signing],
        _ => &[KeyPurpose::Issuing, KeyPurpose::Signing],
    }
}

fn check_purposes(policy: &KeyPolicy) -> Result<(), KeyPolicyFault> {
    for (purpose, days) in &policy.pre_expire {
        let member = match purpose {
            KeyPurpose::Issuing => "preExpire.issuing",
            KeyPurpose::Encryption => "preExpire.encryption",
            KeyPurpose::Signing => "preExpire.signing",
        };
        if !purposes_under(&policy.application).contains(purpose) {
            return Err(KeyPolicyFault::new(
                member,
                "must be left out: no key of that purpose follows this policy. BASE is for encryption (and for signing \
                 by keys on curves), ROOT for issuing, every other for issuing and signing",
            ));
        }
        if *days >= policy.validity_days {
            return Err(KeyPolicyFault::new(member, "must be less than validityDays"));
        }
    }
    Ok(())
}

fn check_wraps(policy: &KeyPolicy) -> Result<(), KeyPolicyFault> {
    let Some(max_wraps) = policy.max_wraps else { return Ok(()) };
    let application = &policy.application;
    if application.as_str() == ApplicationId::BASE_POLICY || !application.may_have_base_keys() {
        return Err(KeyPolicyFault::new("maxWraps", "must be left out: no KEK follows this policy"));
    }
    if !(1..=KeyPolicy::MAX_WRAPS).contains(&max_wraps) {
        return Err(KeyPolicyFault::new("maxWraps", "must be from 1 to 4294967296"));
    }
    Ok(())
}

/// The RSA modulus of that many bits.
///
/// # Errors
/// [`KeyPolicyFault`] for any other than 2048, 3072 and 4096.
pub fn parse_key_bits(bits: u32) -> Result<ModulusLength, KeyPolicyFault> {
    let modulus = usize::try_from(bits).ok().and_then(ModulusLength::from_bits);
    modulus.ok_or(KeyPolicyFault::new("keyBits", "must be 2048, 3072 or 4096"))
}

/// Days of pre-expiry by the names of purposes.
///
/// # Errors
/// [`KeyPolicyFault`] for a name that is none.
pub fn parse_pre_expire(days: &BTreeMap<String, u32>) -> Result<BTreeMap<KeyPurpose, u32>, KeyPolicyFault> {
    let unknown =
        KeyPolicyFault::new("preExpire", "must name no purposes but issuing, encryption and signing");
    days.iter().map(|(name, &days)| Ok((KeyPurpose::parse(name).ok_or(unknown)?, days))).collect()
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
            pre_expire: BTreeMap::new(),
            modulus: None,
            max_wraps: None,
            active: true,
            automatic_rotation: true,
            destruction: DestructionTerms::default(),
            access: AccessList::AnyRoleHolder,
        }
    }

    /// The policy with a pre-expiry for one purpose.
    pub(crate) fn stating(mut policy: KeyPolicy, purpose: KeyPurpose, days: u32) -> KeyPolicy {
        policy.pre_expire.insert(purpose, days);
        policy
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
        policies.with(changed)
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
    fn purposes_have_their_own_pre_expiry() {
        use KeyPurpose::{Encryption, Issuing, Signing};
        // Module, key on a curve, base key.
        let periods_of = |policies: &KeyPolicies, application: &str| {
            ["", "EC_SECP256R1_SIGN", "1"].map(|reference| periods(policies, application, reference).unwrap())
        };
        assert_eq!(periods_of(&shipped(), "REGISTRATION"), [(1095, 760), (1095, 30), (730, 30)]);
        let own = with(&shipped(), stating(policy("REGISTRATION", 1095, 60), Signing, 90));
        assert_eq!(periods_of(&own, "REGISTRATION"), [(1095, 760), (1095, 90), (730, 30)]);
        let issuing = with(&own, stating(policy("REGISTRATION", 1095, 60), Issuing, 800));
        assert_eq!(periods_of(&issuing, "REGISTRATION"), [(1095, 800), (1095, 30), (730, 30)]);
        let base = stating(stating(policy("BASE", 730, 30), Encryption, 100), Signing, 20);
        assert_eq!(periods_of(&with(&own, base.clone()), "PMS"), [(1460, 830), (1460, 20), (730, 100)]);
        assert_eq!(periods_of(&with(&own, base), "REGISTRATION"), [(1095, 830), (1095, 90), (730, 100)]);
        let kernel = with(&shipped(), stating(policy("KERNEL", 1095, 60), Signing, 200));
        assert_eq!(periods(&kernel, "KERNEL", "SIGN"), Some((1095, 200)));
        assert_eq!(periods(&kernel, "KERNEL", ""), Some((1095, 60)));
        // What BASE says of keys on curves may be more than they live.
        let short = with(&shipped(), policy("KERNEL", 20, 1));
        assert_eq!(periods(&short, "KERNEL", "EC_SECP256R1_SIGN"), Some((20, 1)));
        // ROOT lives long enough for the longest of them.
        let late = with(&shipped(), stating(policy("PMS", 1460, 395), Signing, 1400));
        assert_eq!(periods(&late, "ROOT", ""), Some((2920, 2860)));
    }

    #[test]
    fn what_is_said_of_purposes_must_make_sense() {
        use KeyPurpose::{Encryption, Issuing, Signing};
        let refused = |application: &str, validity_days, purpose, days| {
            let policy = stating(policy(application, validity_days, 1), purpose, days);
            shipped().check(&policy).map_err(|fault| fault.member)
        };
        assert_eq!(refused("REGISTRATION", 1095, Signing, 1094), Ok(()));
        assert_eq!(refused("REGISTRATION", 1095, Signing, 1095), Err("preExpire.signing"));
        assert_eq!(refused("REGISTRATION", 1095, Issuing, 1095), Err("preExpire.issuing"));
        assert_eq!(refused("BASE", 730, Encryption, 730), Err("preExpire.encryption"));
        assert_eq!(refused("BASE", 730, Encryption, 364), Ok(()));
        assert_eq!(refused("BASE", 730, Encryption, 365), Err("validityDays"), "modules live 1095 days");
        assert_eq!(refused("BASE", 730, Signing, 365), Ok(()), "modules certify none of them for so long");
        assert_eq!(refused("PMS", 1460, Signing, 1459), Ok(()));
        assert_eq!(refused("PMS", 1470, Signing, 1450), Err("validityDays"), "ROOT lives 2920 days");
        // No key would follow it.
        assert_eq!(refused("BASE", 730, Issuing, 1), Err("preExpire.issuing"));
        assert_eq!(refused("ROOT", 2920, Signing, 1), Err("preExpire.signing"));
        assert_eq!(refused("REGISTRATION", 1095, Encryption, 1), Err("preExpire.encryption"));
        let named = |name: &str| parse_pre_expire(&BTreeMap::from([(name.to_owned(), 7)]));
        assert_eq!(named("issuing"), Ok(BTreeMap::from([(Issuing, 7)])));
        assert_eq!(named("sealing").map_err(|fault| fault.member), Err("preExpire"));
    }

    #[test]
    fn keks_wrap_as_often_as_the_algorithm_allows_unless_less_is_said() {
        let limited = |application, most| KeyPolicy {
            max_wraps: Some(most),
            ..policy(application, if application == "BASE" { 730 } else { 1095 }, 30)
        };
        let refused = |policy: KeyPolicy| shipped().check(&policy).map_err(|fault| fault.member);
        let of = |policies: &KeyPolicies| policies.max_wraps(&ApplicationId::parse("REGISTRATION").unwrap());
        assert_eq!(of(&shipped()), 4_294_967_296);
        assert_eq!(of(&KeyPolicies::default()), 4_294_967_296);
        assert_eq!(of(&with(&shipped(), limited("REGISTRATION", 5))), 5);
        for most in [1, 4_294_967_296] {
            assert_eq!(refused(limited("REGISTRATION", most)), Ok(()));
        }
        for most in [0, 4_294_967_297, u64::MAX] {
            assert_eq!(refused(limited("REGISTRATION", most)), Err("maxWraps"));
        }
        for none in ["KERNEL", "BASE", "PARTNER"] {
            assert_eq!(refused(limited(none, 5)), Err("maxWraps"), "{none}");
        }
    }

    #[test]
    fn the_modulus_is_that_of_the_policy_that_keys_follow() {
        let of = |policies: &KeyPolicies, application: &str, reference: &str| {
            policies.modulus(&KeyAlias::parse(application, reference).unwrap()).map(ModulusLength::bits)
        };
        let bits = |application, bits| KeyPolicy {
            modulus: Some(parse_key_bits(bits).unwrap()),
            ..policy(application, 730, 30)
        };
        assert_eq!(of(&shipped(), "REGISTRATION", "1"), None);
        let policies = with(&with(&shipped(), bits("BASE", 3072)), bits("KERNEL", 4096));
        assert_eq!(of(&policies, "REGISTRATION", "1"), Some(3072));
        assert_eq!(of(&policies, "REGISTRATION", ""), None);
        assert_eq!(of(&policies, "KERNEL", "SIGN"), Some(4096));
        assert_eq!(policies.modulus(&KeyAlias::audit()), Some(ModulusLength::Rsa4096));
        for bits in [0, 1024, 2047, 8192, u32::MAX] {
            assert_eq!(parse_key_bits(bits).map_err(|fault| fault.member), Err("keyBits"), "{bits}");
        }
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
