//! Revocation lists (RFC 5280, 5): which keys stand on one and why, and when a new one is made.
//!
//! An edition is a function of what was decided and of the hour, and of nothing that one server alone knows, so that
//! servers with one database publish the same list under the same number.

use super::{
    lifecycle::{KeyState, Standing},
    policy::Cryptoperiod,
    time::Timestamp,
};

/// How often a list is made anew although nothing was decided.
const MADE_EVERY_SECONDS: i64 = 3_600;
/// How long a list is good from the hour in which it was made.
const GOOD_FOR_SECONDS: i64 = 86_400;
/// Bits of a list's number that hold its time in seconds; those above hold the number of the decision.
const TIME_BITS: u32 = 40;

/// Why a certificate is on a list (`CRLReason`, RFC 5280, 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody else may have the key.
    KeyCompromise,
    /// The same of a key that issues certificates.
    AuthorityCompromise,
    /// Another key takes its place.
    Superseded,
    /// It is suspended, and may come back.
    Hold,
}

impl Reason {
    /// The value of `CRLReason`.
    pub const fn code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AuthorityCompromise => 2,
            Self::Superseded => 4,
            Self::Hold => 6,
        }
    }
}

/// What tells one issue of a list from the next. Whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition {
    /// `cRLNumber`: the number of the newest decision about a certificate of the issuer, times 2^40, plus `this_update`
    /// in seconds. It grows with every decision and every hour, whichever server makes the list.
    pub number: u128,
    /// `thisUpdate`: begins a little earlier than the list was made, as certificates do.
    pub this_update: Timestamp,
    /// `nextUpdate`
    pub next_update: Timestamp,
}

impl Edition {
    /// The edition at `now`. `newest`: number and time of the newest decision about a certificate of the issuer.
    pub fn at(now: Timestamp, newest: Option<(u64, Timestamp)>) -> Self {
        let hour = hour_of(now);
        let (decision, since) = newest.unwrap_or((0, hour));
        // A time to come is that of another server whose clock is ahead.
        let began = if since <= now { since.floor_to_second().max(hour) } else { hour };
        let this_update = began.plus_seconds(-Cryptoperiod::BACKDATED_SECONDS);
        let seconds = u64::try_from(this_update.seconds()).unwrap_or(0);
        Self {
            number: (u128::from(decision) << TIME_BITS) | u128::from(seconds),
            this_update,
            next_update: hour.plus_seconds(GOOD_FOR_SECONDS),
        }
    }

    /// Whether a certificate that ends then is still named: to its end, and on one list that is made afterwards
    /// (RFC 5280, 3.3).
    pub fn names(&self, not_after: Timestamp) -> bool {
        self.next_update <= not_after.plus_seconds(2 * GOOD_FOR_SECONDS)
    }
}

/// The hour in which lists are made that are made at `now`.
pub fn hour_of(now: Timestamp) -> Timestamp {
    Timestamp::from_seconds(now.seconds().div_euclid(MADE_EVERY_SECONDS).saturating_mul(MADE_EVERY_SECONDS))
}

/// Since when a key that stands so is on its issuer's list, and why; `None` when it is not. A key that was only rotated
/// is on none: what it signed or sealed stays good. What is revoked stays so whatever is decided afterwards, but for what
/// is worse.
pub fn revoked_since(standing: &Standing, is_authority: bool) -> Option<(Timestamp, Reason)> {
    let compromise = if is_authority { Reason::AuthorityCompromise } else { Reason::KeyCompromise };
    let compromised = standing.compromised_since.map(|since| (since, compromise));
    let superseded = standing.revoked_since.map(|since| (since, Reason::Superseded));
    let held = (standing.state == KeyState::Suspended).then_some((standing.since, Reason::Hold));
    compromised.or(superseded).or(held).map(|(since, reason)| (since.floor_to_second(), reason))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        key::KeyId,
        lifecycle::{Change, Transition},
    };

    const HOUR: i64 = 3_600_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Where a key stands after these changes, the first of them in second 1.
    fn stands(changes: &[(Change, KeyState, KeyState)]) -> Standing {
        let mut standing = None;
        for (number, (change, from, to)) in (1..).zip(changes.iter().copied()) {
            let transition = Transition {
                number,
                key: KeyId("key".to_owned()),
                previous: number.checked_sub(1).filter(|number| *number > 0),
                change,
                from,
                to,
                reason: String::new(),
                actor: "somebody".to_owned(),
                at: at(i64::try_from(number).unwrap() * 1_000),
                closes: false,
            };
            standing = Some(Standing::after(standing.as_ref(), &transition));
        }
        standing.unwrap()
    }

    #[test]
    fn what_is_revoked_stays_so_whatever_is_decided_afterwards() {
        use Change::{Compromise, Destroy, Resume, ScheduleDestruction, Supersede, Suspend};
        use KeyState::{Active, Compromised, Deactivated, Destroying, Suspended};
        let suspended = (Suspend, Active, Suspended);
        let revoked = (Supersede, Active, Deactivated);
        let held = [(Suspend, Deactivated, Suspended), (Resume, Suspended, Deactivated)];
        let compromised = [
            (Compromise, Active, Compromised),
            (ScheduleDestruction, Compromised, Compromised),
            (Destroy, Compromised, Destroying),
        ];
        for (changes, is_authority, expected) in [
            (&[suspended][..], false, Some((1, 6))),
            (&[suspended, (Resume, Suspended, Active)], false, None),
            // Rotated before, as its state says; nobody revoked it.
            (&held, false, None),
            (&[revoked], false, Some((1, 4))),
            (&[revoked, held[0]], false, Some((1, 4))),
            (&[revoked, held[0], held[1]], false, Some((1, 4))),
            (&[revoked, (Compromise, Deactivated, Compromised)], false, Some((2, 1))),
            (&compromised[..1], true, Some((1, 2))),
            (&compromised, false, Some((1, 1))),
        ] {
            let found = revoked_since(&stands(changes), is_authority);
            let found = found.map(|(since, reason)| (since.seconds(), reason.code()));
            assert_eq!(found, expected, "{changes:?}");
        }
    }

    #[test]
    fn a_decision_makes_an_edition_at_once_and_the_hour_the_next() {
        let quiet = Edition::at(at(10 * HOUR + 5), None);
        assert_eq!(quiet, Edition::at(at(11 * HOUR - 1), None));
        assert_eq!(quiet.this_update.millis(), 10 * HOUR - 300_000);
        assert_eq!(quiet.next_update.millis(), 34 * HOUR);
        let decided = Edition::at(at(10 * HOUR + 70_500), Some((1, at(10 * HOUR + 60_500))));
        assert_eq!(decided.this_update.millis(), 10 * HOUR - 240_000);
        assert!(decided.number > quiet.number);
        let next = Edition::at(at(11 * HOUR), Some((1, at(10 * HOUR + 60_500))));
        assert!(next.number > decided.number && next.this_update > decided.this_update);
    }

    #[test]
    fn an_ended_certificate_is_named_for_a_day_more() {
        let edition = |hours: i64| Edition::at(at(hours * HOUR), None);
        assert!(edition(10).names(at(10 * HOUR)) && edition(34).names(at(10 * HOUR)));
        assert!(!edition(35).names(at(10 * HOUR)));
    }

    proptest! {
        #[test]
        fn numbers_never_fall(
            first in 0..1_000_i64, pause in 0..1_000_i64, decision in 0..5_u64, more in 0..5_u64, ago in 0..1_000_i64,
        ) {
            let (first, second) = (at(first * 60_000), at((first + pause) * 60_000));
            let since = first.plus_seconds(-ago);
            let early = Edition::at(first, Some((decision, since)));
            let late = Edition::at(second, Some((decision + more, if more == 0 { since } else { second })));
            prop_assert!(early.number <= late.number);
            prop_assert!(early.this_update <= first && first < early.next_update);
            prop_assert_eq!(early.number == late.number, early == late);
        }
    }
}
