//! How long keys live, and which one is current.

use super::{alias::ApplicationId, time::Timestamp};

/// Validity of a certificate and its key: `not_before ≤ now ≤ not_after`, whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cryptoperiod {
    /// First instant.
    pub not_before: Timestamp,
    /// Last instant.
    pub not_after: Timestamp,
}

impl Cryptoperiod {
    /// `days` days from `start` (rounded down to the second), never beyond the issuer's own end.
    pub fn starting(start: Timestamp, days: u32, issuer: Option<Self>) -> Self {
        let not_before = start.floor_to_second();
        let wanted = not_before.plus_days(days);
        let not_after = issuer.map_or(wanted, |issuer| wanted.min(issuer.not_after));
        Self { not_before, not_after }
    }

    /// Whether a key of this period is the one to use for new data at `now`: it has begun, and is not yet
    /// within `pre_expire_days` days of its end.
    pub fn is_current(self, now: Timestamp, pre_expire_days: u32) -> bool {
        self.not_before <= now && now < self.not_after.minus_days(pre_expire_days)
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
    /// Whether keys may be made.
    pub active: bool,
    /// Who may decrypt and sign with the application's keys, beyond holding the role.
    pub access: AccessList,
}

impl KeyPolicy {
    /// Name of the policy of base keys.
    pub const BASE: &'static str = ApplicationId::BASE_POLICY;
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
    fn a_period_ends_with_its_issuer() {
        let issuer = Cryptoperiod::starting(Timestamp::from_millis(0), 10, None);
        let period = Cryptoperiod::starting(Timestamp::from_millis(DAY + 999), 100, Some(issuer));
        assert_eq!(period.not_before.millis(), DAY);
        assert_eq!(period.not_after, issuer.not_after);
    }

    #[test]
    fn a_key_is_current_until_its_pre_expiry() {
        let period = Cryptoperiod::starting(Timestamp::from_millis(0), 10, None);
        assert!(period.is_current(Timestamp::from_millis(0), 3));
        assert!(period.is_current(Timestamp::from_millis(7 * DAY - 1), 3));
        assert!(!period.is_current(Timestamp::from_millis(7 * DAY), 3));
        assert!(!period.is_current(Timestamp::from_millis(-1), 3));
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        assert!(!AccessList::Principals(vec![]).admits("a"));
        assert!(AccessList::Principals(vec!["clerk".to_owned()]).admits("clerk"));
        // Client ids differ by letter case, so a list that ignored it would admit whoever takes the other one.
        assert!(!AccessList::Principals(vec!["clerk".to_owned()]).admits("CLERK"));
    }
}
