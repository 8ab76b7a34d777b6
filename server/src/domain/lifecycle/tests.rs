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
        self.make_and(change, false)
    }

    fn make_and(&mut self, change: Change, closes: bool) -> Result<(), ChangeRefusal> {
        let from = self.state();
        let to = after(change, from, self.standing.as_ref())?;
        let number = self.standing.map_or(1, |standing| standing.transition + 1);
        let transition = Transition {
            number,
            key: KeyId(String::new()),
            previous: None,
            change,
            from,
            to,
            reason: String::new(),
            actor: String::new(),
            at: NOW,
            closes,
        };
        assert!(transition.is_possible(), "{transition:?}");
        self.standing = Some(Standing::after(self.standing.as_ref(), &transition));
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

#[test]
fn an_alias_stays_closed_whatever_else_is_decided_about_its_key() {
    let mut key = Key { standing: None, period: period(0, 2_000), is_newest: true };
    key.make_and(Change::Supersede, true).unwrap();
    for change in [Change::Suspend, Change::Resume, Change::Compromise, Change::ScheduleDestruction] {
        key.make(change).unwrap();
        assert!(key.standing.unwrap().closes, "{change:?}");
    }
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
            let was_scheduled = key.standing.is_some_and(|standing| standing.schedule.is_some());
            if key.make(change).is_err() || change.keeps_state() {
                prop_assert_eq!(key.state(), before, "nothing else changes the state");
            } else {
                prop_assert!(before.may_become(key.standing.unwrap().state));
            }
            was_compromised |= change == Change::Compromise && key.state() == KeyState::Compromised;
            let ends = matches!(key.state(), KeyState::Destroying | KeyState::Destroyed);
            prop_assert!(!was_compromised || ends || key.state() == KeyState::Compromised, "for ever");
            prop_assert!(!ends || was_scheduled || before == KeyState::Destroying || before == KeyState::Destroyed,
                "nothing is destroyed that was not asked for");
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
    fn a_schedule_stops_nothing_and_any_other_decision_ends_it(
        mut key in keys(),
        change in select(&[Change::Compromise, Change::Suspend, Change::CancelDestruction][..]),
    ) {
        key.is_newest = false;
        let before = key.state();
        key.make(Change::ScheduleDestruction).unwrap();
        prop_assert_eq!(key.state(), before);
        prop_assert_eq!(key.state().allows(KeyUse::Decrypt), Allowance::Allowed);
        key.make(change).unwrap();
        prop_assert_eq!(key.make(Change::Destroy).unwrap_err(), match change {
            Change::Suspend => ChangeRefusal::NotAllowed { from: KeyState::Suspended, to: KeyState::Destroying },
            _ => ChangeRefusal::NotScheduled,
        });
    }

    #[test]
    fn destruction_begins_with_a_request_and_does_not_end_otherwise(
        mut key in keys(),
        changes in vec(select(&Change::ALL[..]), 0..8),
    ) {
        key.is_newest = false;
        key.make(Change::ScheduleDestruction).unwrap();
        key.make(Change::Destroy).unwrap();
        for change in changes {
            let _ = key.make(change);
            prop_assert!(matches!(key.state(), KeyState::Destroying | KeyState::Destroyed));
        }
    }

    #[test]
    fn what_a_compromised_key_signed_is_never_believed_again(
        mut key in keys(),
        changes in vec(select(&Change::ALL[..]), 0..8),
    ) {
        key.is_newest = false;
        key.make(Change::Compromise).unwrap();
        for change in changes {
            let _ = key.make(change);
            prop_assert_eq!(key.standing.unwrap().allows(KeyUse::Verify), Allowance::Refused);
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
