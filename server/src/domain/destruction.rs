//! When a key's destruction is due, and what comes next on its way.

use super::{
    lifecycle::{KeyState, Standing},
    policy::DestructionTerms,
    time::Timestamp,
};

/// How long a use of a key may stay unrecorded, at most, and is lost when a server is killed: twice the pause between
/// two recordings.
pub const UNRECORDED_SECONDS: i64 = 120;
/// How long a key stays in the state `destroying` before its private part is removed: longer than any server takes to
/// obey, and to expect its object on the token no more.
pub const OBEYED_SECONDS: i64 = 150;

/// From when a key's destruction may begin:
/// `max(end + offline allowance, request, last use) + wait`, and the time in which a use may be unrecorded.
///
/// `end` is that of its certificate, if it has one; `last_use` the last one that is recorded.
pub fn due_at(
    end: Option<Timestamp>,
    requested_at: Timestamp,
    last_use: Option<Timestamp>,
    terms: DestructionTerms,
) -> Timestamp {
    let ended = end.map(|end| end.plus_days(terms.offline_allowance_days));
    let start = [ended, last_use].into_iter().flatten().fold(requested_at, Timestamp::max);
    start.plus_days(terms.wait_days).plus_seconds(UNRECORDED_SECONDS)
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// The state `destroying` is to be written down.
    Commit,
    /// The private part is to be removed.
    Remove,
    /// The state `destroyed` may be written down, once no backup can bring the private part back.
    Finish,
}

/// What comes next for a key that stands so. `due` is [`due_at`]; `is_removed` says that its private part is no more.
pub fn next_step(standing: &Standing, due: Timestamp, is_removed: bool, now: Timestamp) -> Step {
    match standing.state {
        KeyState::Destroying if is_removed => Step::Finish,
        KeyState::Destroying if now > standing.since.plus_seconds(OBEYED_SECONDS) => Step::Remove,
        KeyState::Destroying | KeyState::Destroyed => Step::Wait,
        _ if standing.schedule.is_some() && now > due => Step::Commit,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*, sample::select};

    use super::*;

    const DAY: i64 = 86_400;

    fn standings() -> impl Strategy<Value = Standing> {
        let states = select(&KeyState::ALL[..]);
        (states, option::of(0..100 * DAY), 0..100 * DAY).prop_map(|(state, schedule, since)| Standing {
            transition: 1,
            state,
            before: KeyState::Active,
            closes: false,
            since: Timestamp::from_seconds(since),
            schedule: schedule.map(Timestamp::from_seconds),
            compromised_since: None,
        })
    }

    proptest! {
        #[test]
        fn the_wait_counts_from_the_latest_and_is_never_cut_short(
            end in option::of(0..1000 * DAY),
            request in 0..1000 * DAY,
            last_use in option::of(0..1000 * DAY),
            wait_days in 7_u32..=30,
            offline_allowance_days in 0_u32..400,
        ) {
            let terms = DestructionTerms { wait_days, offline_allowance_days };
            let at = |seconds: Option<i64>| seconds.map(Timestamp::from_seconds);
            let due = due_at(at(end), Timestamp::from_seconds(request), at(last_use), terms).seconds();
            let wait = i64::from(wait_days) * DAY;
            for start in [Some(request), last_use, end.map(|end| end + i64::from(offline_allowance_days) * DAY)] {
                prop_assert!(start.is_none_or(|start| due > start + wait));
            }
            let later = due_at(at(end), Timestamp::from_seconds(request), at(Some(due)), terms).seconds();
            prop_assert!(later > due, "a use puts it off");
        }

        #[test]
        fn nothing_is_removed_that_was_not_committed_or_before_all_obey(
            standing in standings(),
            due in 0..200 * DAY,
            now in 0..300 * DAY,
            is_removed: bool,
        ) {
            let (due, now) = (Timestamp::from_seconds(due), Timestamp::from_seconds(now));
            match next_step(&standing, due, is_removed, now) {
                Step::Wait => {}
                Step::Commit => {
                    prop_assert!(standing.schedule.is_some() && now > due);
                    prop_assert!(standing.state != KeyState::Destroying && standing.state != KeyState::Destroyed);
                }
                Step::Remove => {
                    prop_assert!(standing.state == KeyState::Destroying && !is_removed);
                    prop_assert!(now.seconds() - standing.since.seconds() >= OBEYED_SECONDS);
                }
                Step::Finish => prop_assert!(standing.state == KeyState::Destroying && is_removed),
            }
        }
    }
}
