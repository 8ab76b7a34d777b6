//! When a key's destruction is due, and what comes next on its way.

use super::{
    lifecycle::{KeyState, Standing},
    policy::DestructionTerms,
    time::Timestamp,
};

/// How long a use of a key may stay unrecorded, at most, while the database answers, and is lost when a server is killed:
/// twice the pause between two recordings.
pub const UNRECORDED_SECONDS: i64 = 120;
/// How long a key stays in the state `destroying` before its private part is removed, while the database answers: longer
/// than any server takes to obey, and to expect its object on the token no more.
pub const OBEYED_SECONDS: i64 = 150;
/// By how much the clocks of servers may differ.
pub const CLOCKS_APART_SECONDS: i64 = 60;

/// From when a key's wait can count.
#[derive(Clone, Copy, Debug)]
pub struct Beginnings {
    /// The end of its certificate, if it has one.
    pub end: Option<Timestamp>,
    /// The request.
    pub requested_at: Timestamp,
    /// The last use that is recorded.
    pub last_use: Option<Timestamp>,
    /// From when all waits count anew, if ever they did: see [`Watch`].
    pub counts_from: Option<Timestamp>,
}

/// From when a key's destruction may begin:
/// `max(end + offline allowance, request, last use, counts from) + wait`, and the time in which a use may be unrecorded.
///
/// `standby_seconds`: how long a server goes on that the database does not answer.
pub fn due_at(from: Beginnings, terms: DestructionTerms, standby_seconds: i64) -> Timestamp {
    let ended = from.end.map(|end| end.plus_days(terms.offline_allowance_days));
    let start = [ended, from.last_use, from.counts_from]
        .into_iter()
        .flatten()
        .fold(from.requested_at, Timestamp::max);
    start.plus_days(terms.wait_days).plus_seconds(UNRECORDED_SECONDS).plus_seconds(standby_seconds)
}

/// When it was last looked which keys are due.
///
/// What is taken back during its wait must not be destroyed, and whether the wait has gone by only clocks say. So a wait
/// counts only while somebody looks: a clock that was wrong, servers that were all away, and a database of an older day
/// are each seen by a time between two looks that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// 1 for the first look, one more for each later one.
    pub version: u64,
    /// When it was.
    pub looked_at: Timestamp,
    /// The number of the newest transition that was known then.
    pub seen: u64,
    /// From when all waits count anew, if they do.
    pub counts_from: Option<Timestamp>,
}

impl Watch {
    /// The look at `now`, after `before`, and whether it has waits count anew: nobody has looked for longer than
    /// `unwatched_seconds`, or a time lies ahead.
    ///
    /// `scheduled`: number and time of each request that stands. Those that came after `before` count from their own
    /// time. `newest`: the number of the newest transition.
    pub fn next(
        before: Option<&Self>,
        scheduled: impl IntoIterator<Item = (u64, Timestamp)>,
        newest: u64,
        now: Timestamp,
        unwatched_seconds: i64,
    ) -> (Self, bool) {
        let is_broken = scheduled.into_iter().any(|(number, at)| {
            let since = before.filter(|before| number <= before.seen).map_or(at, |before| before.looked_at);
            is_ahead(since, now) || since.plus_seconds(unwatched_seconds) < now
        });
        let kept = before.and_then(|before| before.counts_from);
        let next = Self {
            version: before.map_or(1, |before| before.version.saturating_add(1)),
            looked_at: now,
            seen: newest,
            counts_from: if is_broken { Some(now) } else { kept },
        };
        (next, is_broken)
    }
}

/// Whether `at`, which was written down, lies further ahead of `now` than clocks may differ.
pub fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    now.plus_seconds(CLOCKS_APART_SECONDS) < at
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

/// What comes next for a key that stands so. `due` is [`due_at`]; `is_removed` says that its private part is no more;
/// `standby_seconds` as there.
pub fn next_step(
    standing: &Standing,
    due: Timestamp,
    is_removed: bool,
    now: Timestamp,
    standby_seconds: i64,
) -> Step {
    let obeyed = standing.since.plus_seconds(OBEYED_SECONDS).plus_seconds(standby_seconds);
    match standing.state {
        KeyState::Destroying if is_removed => Step::Finish,
        KeyState::Destroying if now > obeyed => Step::Remove,
        KeyState::Destroying | KeyState::Destroyed => Step::Wait,
        _ if standing.schedule.is_some() && now > due => Step::Commit,
        _ => Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};

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
            revoked_since: None,
        })
    }

    #[test]
    fn a_first_look_believes_requests_of_the_last_hour() {
        let now = Timestamp::from_seconds(100 * DAY);
        for (ago, is_anew) in [(0, false), (3_600, false), (3_601, true), (-60, false), (-61, true)] {
            let (watch, anew) = Watch::next(None, [(7, now.plus_seconds(-ago))], 9, now, 3_600);
            assert_eq!((anew, watch.counts_from.is_some()), (is_anew, is_anew), "{ago}");
        }
    }

    proptest! {
        #[test]
        fn the_wait_counts_from_the_latest_and_is_never_cut_short(
            end in option::of(0..1000 * DAY),
            request in 0..1000 * DAY,
            last_use in option::of(0..1000 * DAY),
            counts_from in option::of(0..1000 * DAY),
            wait_days in 7_u32..=30,
            offline_allowance_days in 0_u32..400,
            standby in 1..DAY,
        ) {
            let terms = DestructionTerms { wait_days, offline_allowance_days };
            let at = |seconds: Option<i64>| seconds.map(Timestamp::from_seconds);
            let from = Beginnings {
                end: at(end),
                requested_at: Timestamp::from_seconds(request),
                last_use: at(last_use),
                counts_from: at(counts_from),
            };
            let due = due_at(from, terms, standby).seconds();
            let wait = i64::from(wait_days) * DAY;
            let ended = end.map(|end| end + i64::from(offline_allowance_days) * DAY);
            for start in [Some(request), last_use, counts_from, ended] {
                prop_assert!(start.is_none_or(|start| due > start + wait + standby));
            }
            let later = due_at(Beginnings { last_use: at(Some(due)), ..from }, terms, standby).seconds();
            prop_assert!(later > due, "a use puts it off");
            let later = due_at(Beginnings { counts_from: at(Some(due)), ..from }, terms, standby).seconds();
            prop_assert!(later > due, "so does a time in which nobody looked");
        }

        #[test]
        fn waits_go_by_only_while_somebody_looks(
            pauses in vec(select(&[1, 60, 3_500, 3_601, 40 * DAY, -59, -61, -40 * DAY][..]), 1..20),
            asked in 0_usize..20,
        ) {
            let mut now = 100 * DAY;
            let (mut watch, mut counts_from) = (None, None);
            for (number, pause) in pauses.into_iter().enumerate() {
                now += pause;
                let at = Timestamp::from_seconds(now);
                // One that stood before, one that is asked for now, and one whose server's clock is wrong.
                let before = (1, watch.map_or(at, |watch: Watch| watch.looked_at));
                let version = u64::try_from(number).unwrap() + 1;
                let newest = version + 1;
                let asked_at = if number == asked { at.plus_seconds(-DAY) } else { at };
                let (next, is_anew) = Watch::next(watch.as_ref(), [before, (newest, asked_at)], newest, at, 3_600);
                let is_wrong = watch.is_some() && !(-CLOCKS_APART_SECONDS..=3_600).contains(&pause);
                prop_assert_eq!(is_anew, is_wrong || number == asked, "{} after {:?}", pause, watch);
                if is_anew {
                    counts_from = Some(at);
                }
                prop_assert_eq!((next.counts_from, next.looked_at, next.seen), (counts_from, at, newest));
                prop_assert_eq!(next.version, version);
                watch = Some(next);
            }
        }

        #[test]
        fn nothing_is_removed_that_was_not_committed_or_before_all_obey(
            standing in standings(),
            due in 0..200 * DAY,
            now in 0..300 * DAY,
            is_removed: bool,
            standby in 1..DAY,
        ) {
            let (due, now) = (Timestamp::from_seconds(due), Timestamp::from_seconds(now));
            match next_step(&standing, due, is_removed, now, standby) {
                Step::Wait => {}
                Step::Commit => {
                    prop_assert!(standing.schedule.is_some() && now > due);
                    prop_assert!(standing.state != KeyState::Destroying && standing.state != KeyState::Destroyed);
                }
                Step::Remove => {
                    prop_assert!(standing.state == KeyState::Destroying && !is_removed);
                    prop_assert!(now.seconds() - standing.since.seconds() >= OBEYED_SECONDS + standby);
                }
                Step::Finish => prop_assert!(standing.state == KeyState::Destroying && is_removed),
            }
        }
    }
}
