//! How long keys live, and which one is current.

use std::collections::BTreeMap;

use kunji_shared::ModulusLength;

use super::{
    alias::{ApplicationId, KeyPurpose},
    time::Timestamp,
};

/// Validity of a certificate and its key: `not_before ≤ now ≤ not_after`, whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cryptoperiod {
    /// First instant.
    pub not_before: Timestamp,
    /// Last instant.
    pub not_after: Timestamp,
}

impl Cryptoperiod {
    /// Begins this many seconds before the key was made, so that peers whose clocks are a little behind accept it.
    pub const BACKDATED_SECONDS: i64 = 300;

    /// That of what has no certificate.
    pub const ENDLESS: Self =
        Self { not_before: Timestamp::from_millis(i64::MIN), not_after: Timestamp::from_millis(i64::MAX) };

    /// `days` days from `start` (rounded down to the second) with the backdated beginning, never beyond the
    /// issuer's own period.
    pub fn starting(start: Timestamp, days: u32, issuer: Option<Self>) -> Self {
        let start = start.floor_to_second();
        let not_before = start.plus_seconds(-Self::BACKDATED_SECONDS);
        let not_after = start.plus_days(days);
        match issuer {
            None => Self { not_before, not_after },
            Some(issuer) => Self {
                not_before: not_before.max(issuer.not_before),
                not_after: not_after.min(issuer.not_after),
            },
        }
    }

    /// Whether a key of this period needs no successor at `now`: it is not yet within `pre_expire_days` days of its
    /// end. That it has not begun is no reason to make another: then a clock is wrong.
    pub fn is_current(self, now: Timestamp, pre_expire_days: u32) -> bool {
        now < self.not_after.minus_days(pre_expire_days)
    }
}

/// The rules for the keys of one application; `BASE` has those of all base keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The application, or `BASE`.
    pub application: ApplicationId,
    /// Days from a key's making to its certificate's end.
    pub validity_days: u32,
    /// Days before that end from which a successor is made.
    pub pre_expire_days: u32,
    /// The same for keys of one purpose, in place of `pre_expire_days`.
    pub pre_expire: BTreeMap<KeyPurpose, u32>,
    /// RSA modulus of the keys that are made from now on; `None`: as the server's settings say.
    pub modulus: Option<ModulusLength>,
    /// How often each KEK of the application may wrap; `None`: [`Self::MAX_WRAPS`].
    pub max_wraps: Option<u64>,
    /// Whether keys may be made.
    pub active: bool,
    /// Whether successors are made before a key's end. Otherwise one is made when the end is over and somebody asks, or
    /// when it is asked for as such.
    pub automatic_rotation: bool,
    /// How long destruction of its keys waits, and from when.
    pub destruction: DestructionTerms,
    /// Who may decrypt and sign with the application's keys, beyond holding the role.
    pub access: AccessList,
}

/// How long the destruction of a key waits, and from when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestructionTerms {
    /// Days that it waits, [`Self::MIN_WAIT_DAYS`] to [`Self::MAX_WAIT_DAYS`].
    pub wait_days: u32,
    /// Days after its certificate's end in which packets may still arrive that machines sealed before, offline.
    pub offline_allowance_days: u32,
}

impl DestructionTerms {
    /// Shortest wait.
    pub const MIN_WAIT_DAYS: u32 = 7;
    /// Longest wait, and that of a policy that says nothing.
    pub const MAX_WAIT_DAYS: u32 = 30;
}

impl Default for DestructionTerms {
    fn default() -> Self {
        Self { wait_days: Self::MAX_WAIT_DAYS, offline_allowance_days: 0 }
    }
}

impl KeyPolicy {
    /// Name of the policy of base keys.
    pub const BASE: &'static str = ApplicationId::BASE_POLICY;

    /// How often a key may be used with AES-GCM and random IVs of 96 bits (NIST SP 800-38D, 8.3).
    pub const MAX_WRAPS: u64 = 1 << 32;

    /// Days before the end of a key of this purpose from which a successor is made.
    pub fn pre_expire_days_of(&self, purpose: KeyPurpose) -> u32 {
        self.pre_expire.get(&purpose).copied().unwrap_or(self.pre_expire_days)
    }
}

/// The callers a policy admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessList {
    /// Everyone whose role allows the operation.
    AnyRoleHolder,
    /// Only these principals, by their exact names; an empty list admits nobody.
    Principals(Vec<String>),
}

impl AccessList {
    /// Whether the list admits `principal`.
    pub fn admits(&self, principal: &str) -> bool {
        match self {
            Self::AnyRoleHolder => true,
            Self::Principals(names) => names.iter().any(|name| name == principal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_period_stays_within_its_issuers() {
        let issuer = Cryptoperiod::starting(Timestamp::from_millis(10 * DAY), 10, None);
        assert_eq!(issuer.not_before.millis(), 10 * DAY - 300_000);
        assert_eq!(issuer.not_after.millis(), 20 * DAY);
        let at_once = Cryptoperiod::starting(Timestamp::from_millis(10 * DAY), 5, Some(issuer));
        assert_eq!(at_once.not_before, issuer.not_before);
        let later = Cryptoperiod::starting(Timestamp::from_millis(11 * DAY + 999), 100, Some(issuer));
        assert_eq!(later.not_before.millis(), 11 * DAY - 300_000);
        assert_eq!(later.not_after, issuer.not_after);
    }

    #[test]
    fn a_key_is_current_until_its_pre_expiry_whatever_a_slow_clock_says() {
        let period = Cryptoperiod::starting(Timestamp::from_millis(0), 10, None);
        assert!(period.is_current(Timestamp::from_millis(-DAY), 3));
        assert!(period.is_current(Timestamp::from_millis(7 * DAY - 1), 3));
        assert!(!period.is_current(Timestamp::from_millis(7 * DAY), 3));
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        assert!(!AccessList::Principals(vec![]).admits("a"));
        assert!(AccessList::Principals(vec!["clerk".to_owned()]).admits("clerk"));
        // Client ids differ by letter case, so a list that ignored it would admit whoever takes the other one.
        assert!(!AccessList::Principals(vec!["clerk".to_owned()]).admits("CLERK"));
    }
}
