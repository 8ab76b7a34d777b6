//! The states of a key (NIST SP 800-57 part 1 revision 5, 7), what each allows, and how one leads to another.
//!
//! Most keys have no stored state: a key is active from its certificate's beginning, and deactivated once it has a
//! successor or its certificate has ended. What somebody decided is stored, one [`Transition`] after the other.

use super::{key::KeyId, policy::Cryptoperiod, time::Timestamp};

/// A state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Its certificate has not begun.
    PreActivation,
    /// It does what it is for.
    Active,
    /// It does nothing until somebody resumes it.
    Suspended,
    /// It protects nothing new: superseded, revoked or ended.
    Deactivated,
    /// Somebody else may have it.
    Compromised,
    /// It is being destroyed, which nothing stops any more.
    Destroying,
    /// Its private part is no more.
    Destroyed,
}

/// What a key can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Opening what was sealed for it.
    Decrypt,
    /// Signing data or certificates.
    Sign,
    /// Being handed out, or sealed for, as the current key.
    Encrypt,
    /// Verifying, with its public part, what it signed.
    Verify,
}

/// Whether a state allows a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// It does.
    Allowed,
    /// Access policies say.
    ByPolicy,
    /// It does not.
    Refused,
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::PreActivation,
        Self::Active,
        Self::Suspended,
        Self::Deactivated,
        Self::Compromised,
        Self::Destroying,
        Self::Destroyed,
    ];

    /// The name in records, requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreActivation => "preActivation",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The table of states and uses.
    ///
    /// Nothing new is protected but by an active key. A deactivated key goes on to open and to verify what there is.
    /// What a compromised key signed is believed no more, since nobody can tell when it was signed; opening with it
    /// harms nothing more, and access policies say who may.
    pub const fn allows(self, wanted: KeyUse) -> Allowance {
        match (self, wanted) {
            (Self::Active, _)
            | (Self::Deactivated, KeyUse::Decrypt | KeyUse::Verify)
            | (Self::Destroying | Self::Destroyed, KeyUse::Verify) => Allowance::Allowed,
            (Self::Compromised, KeyUse::Decrypt) => Allowance::ByPolicy,
            (Self::PreActivation | Self::Suspended | Self::Compromised, _)
            | (Self::Deactivated, KeyUse::Sign | KeyUse::Encrypt)
            | (Self::Destroying | Self::Destroyed, KeyUse::Decrypt | KeyUse::Sign | KeyUse::Encrypt) => {
                Allowance::Refused
            }
        }
    }

    /// Whether a key may go from this state to `next`. The standard has suspension begin in the active state alone;
    /// here it can begin in the deactivated state too, in which a key still opens packets.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::PreActivation => {
                matches!(next, Self::Active | Self::Suspended | Self::Deactivated | Self::Compromised)
            }
            Self::Active => matches!(next, Self::Suspended | Self::Deactivated | Self::Compromised),
            Self::Suspended => {
                matches!(next, Self::PreActivation | Self::Active | Self::Deactivated | Self::Compromised)
            }
            Self::Deactivated => matches!(next, Self::Suspended | Self::Compromised | Self::Destroying),
            Self::Compromised => matches!(next, Self::Destroying),
            Self::Destroying => matches!(next, Self::Destroyed),
            Self::Destroyed => false,
        }
    }
}

/// What somebody wants to become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is to protect nothing new: something takes its place.
    Supersede,
    /// Somebody else may have it.
    Compromise,
    /// It is to do nothing for now.
    Suspend,
    /// It is to go on as before it was suspended.
    Resume,
}

impl Change {
    /// Every change.
    pub const ALL: [Self; 4] = [Self::Supersede, Self::Compromise, Self::Suspend, Self::Resume];

    /// The name in records and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Supersede => "supersede",
            Self::Compromise => "compromise",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    /// The change of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|change| change.name() == name)
    }
}

/// A change that was made to a key. All transitions of all keys have numbers without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// 1 for the first of all.
    pub number: u64,
    /// The key.
    pub key: KeyId,
    /// The number of the key's transition before.
    pub previous: Option<u64>,
    /// What was done.
    pub change: Change,
    /// The state before.
    pub from: KeyState,
    /// The state after.
    pub to: KeyState,
    /// Why, in the words of whoever did it; may be empty.
    pub reason: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// Whether the alias gets no other key until somebody asks for one.
    pub closes: bool,
}

impl Transition {
    /// Longest reason, in bytes.
    pub const MAX_REASON: usize = 512;
}

/// Where a key stands by its newest transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The number of that transition.
    pub transition: u64,
    /// The state after it. `Active` says only that nothing was decided: see [`state_of`].
    pub state: KeyState,
    /// The state before it.
    pub before: KeyState,
    /// Whether the alias gets no other key until somebody asks for one.
    pub closes: bool,
    /// Since when.
    pub since: Timestamp,
}

impl From<&Transition> for Standing {
    fn from(transition: &Transition) -> Self {
        Self {
            transition: transition.number,
            state: transition.to,
            before: transition.from,
            closes: transition.closes,
            since: transition.at,
        }
    }
}

/// The state of a key: what was decided, else what its certificate's period and its successor say.
///
/// `period` is that of its certificate, `is_newest` whether it has no successor.
pub fn state_of(
    standing: Option<&Standing>,
    period: Cryptoperiod,
    is_newest: bool,
    now: Timestamp,
) -> KeyState {
    match standing.map(|standing| standing.state) {
        None | Some(KeyState::Active | KeyState::PreActivation) => {
            if !is_newest || period.not_after < now {
                KeyState::Deactivated
            } else if now < period.not_before {
                KeyState::PreActivation
            } else {
                KeyState::Active
            }
        }
        Some(decided) => decided,
    }
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefusal {
    /// The key is in that state already.
    #[error("the key is {} already", .0.name())]
    Already(KeyState),
    /// The key's state does not let it.
    #[error("a key that is {} cannot become {}", .from.name(), .to.name())]
    NotAllowed {
        /// The key's state.
        from: KeyState,
        /// What it would become.
        to: KeyState,
    },
    /// Only a suspended key can be resumed.
    #[error("the key is {} and not suspended", .0.name())]
    NotSuspended(KeyState),
}

/// The state after a change of a key that is in the state `now` (see [`state_of`]).
///
/// # Errors
/// [`ChangeRefusal`]; a change made twice is refused the second time.
pub fn after(change: Change, now: KeyState, standing: Option<&Standing>) -> Result<KeyState, ChangeRefusal> {
    let next = match change {
        Change::Supersede => KeyState::Deactivated,
        Change::Compromise => KeyState::Compromised,
        Change::Suspend => KeyState::Suspended,
        Change::Resume => match standing {
            Some(standing) if standing.state == KeyState::Suspended => standing.before,
            _ => return Err(ChangeRefusal::NotSuspended(now)),
        },
    };
    if next == now {
        Err(ChangeRefusal::Already(now))
    } else if now.may_become(next) {
        Ok(next)
    } else {
        Err(ChangeRefusal::NotAllowed { from: now, to: next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn period(not_before: i64, not_after: i64) -> Cryptoperiod {
        Cryptoperiod {
            not_before: Timestamp::from_seconds(not_before),
            not_after: Timestamp::from_seconds(not_after),
        }
    }

    /// A key to which changes are made one after the other, as the services make them.
    #[derive(Debug)]
    struct Key {
        standing: Option<Standing>,
        period: Cryptoperiod,
        is_newest: bool,
    }

    impl Key {
        fn state(&self) -> KeyState {
            state_of(self.standing.as_ref(), self.period, self.is_newest, NOW)
        }

        fn make(&mut self, change: Change) -> Result<(), ChangeRefusal> {
            let from = self.state();
            let to = after(change, from, self.standing.as_ref())?;
            let number = self.standing.map_or(1, |standing| standing.transition + 1);
            self.standing =
                Some(Standing { transition: number, state: to, before: from, closes: false, since: NOW });
            Ok(())
        }
    }

    fn keys() -> impl Strategy<Value = Key> {
        let periods = select(&[(0, 2_000), (0, 999), (1_001, 2_000)][..]);
        (periods, any::<bool>()).prop_map(|((not_before, not_after), is_newest)| Key {
            standing: None,
            period: period(not_before, not_after),
            is_newest,
        })
    }

    proptest! {
        #[test]
        fn changes_keep_to_the_allowed_transitions(
            mut key in keys(),
            changes in vec(select(&Change::ALL[..]), 0..12),
        ) {
            let mut was_compromised = false;
            for change in changes {
                let before = key.state();
                if key.make(change).is_ok() {
                    prop_assert!(before.may_become(key.standing.unwrap().state));
                } else {
                    prop_assert_eq!(key.state(), before, "what is refused changes nothing");
                }
                was_compromised |= change == Change::Compromise && key.state() == KeyState::Compromised;
                prop_assert!(!was_compromised || key.state() == KeyState::Compromised, "it is for ever");
            }
        }

        #[test]
        fn a_change_made_twice_changes_nothing(mut key in keys(), change in select(&Change::ALL[..])) {
            if key.make(change).is_ok() {
                let state = key.state();
                prop_assert!(key.make(change).is_err());
                prop_assert_eq!(key.state(), state);
            }
        }

        #[test]
        fn a_key_that_is_resumed_is_what_it_was(
            mut key in keys(),
            changes in vec(select(&[Change::Supersede, Change::Suspend, Change::Resume][..]), 0..6),
        ) {
            for change in changes {
                let _ = key.make(change);
            }
            let before = key.state();
            if key.make(Change::Suspend).is_ok() {
                prop_assert_eq!(key.state(), KeyState::Suspended);
                key.make(Change::Resume).unwrap();
                prop_assert_eq!(key.state(), before);
            }
        }

        #[test]
        fn a_superseded_key_still_opens_and_is_handed_out_no_more(mut key in keys()) {
            if key.make(Change::Supersede).is_ok() {
                prop_assert_eq!(key.state().allows(KeyUse::Decrypt), Allowance::Allowed);
                prop_assert_eq!(key.state().allows(KeyUse::Encrypt), Allowance::Refused);
            }
            key.is_newest = false;
            prop_assert_eq!(key.state().allows(KeyUse::Decrypt), Allowance::Allowed);
            prop_assert_eq!(key.state().allows(KeyUse::Encrypt), Allowance::Refused);
        }
    }

    #[test]
    fn the_table() {
        use Allowance::{Allowed, ByPolicy, Refused};
        let uses = [KeyUse::Decrypt, KeyUse::Sign, KeyUse::Encrypt, KeyUse::Verify];
        for (state, row) in [
            (KeyState::PreActivation, [Refused, Refused, Refused, Refused]),
            (KeyState::Active, [Allowed, Allowed, Allowed, Allowed]),
            (KeyState::Suspended, [Refused, Refused, Refused, Refused]),
            (KeyState::Deactivated, [Allowed, Refused, Refused, Allowed]),
            (KeyState::Compromised, [ByPolicy, Refused, Refused, Refused]),
            (KeyState::Destroying, [Refused, Refused, Refused, Allowed]),
            (KeyState::Destroyed, [Refused, Refused, Refused, Allowed]),
        ] {
            assert_eq!(uses.map(|wanted| state.allows(wanted)), row, "{state:?}");
        }
    }

    #[test]
    fn time_and_a_successor_deactivate() {
        let state = |period, is_newest| state_of(None, period, is_newest, NOW);
        assert_eq!(state(period(0, 2_000), true), KeyState::Active);
        assert_eq!(state(period(1_000, 1_000), true), KeyState::Active, "both ends count");
        assert_eq!(state(period(0, 2_000), false), KeyState::Deactivated);
        assert_eq!(state(period(0, 999), true), KeyState::Deactivated);
        assert_eq!(state(period(1_001, 2_000), true), KeyState::PreActivation);
    }

    #[test]
    fn names_are_read_back() {
        assert!(KeyState::ALL.into_iter().all(|state| KeyState::parse(state.name()) == Some(state)));
        assert!(Change::ALL.into_iter().all(|change| Change::parse(change.name()) == Some(change)));
        assert_eq!(KeyState::parse("Active"), None);
    }

    #[test]
    fn nothing_comes_back_from_destruction() {
        for state in [KeyState::Destroying, KeyState::Destroyed] {
            for change in [Change::Supersede, Change::Compromise, Change::Suspend, Change::Resume] {
                assert!(after(change, state, None).is_err(), "{state:?} {change:?}");
            }
            assert!(KeyState::ALL.into_iter().filter(|next| state.may_become(*next)).count() <= 1);
        }
    }
}
