//! How often one may fail: an address, or an address for a client.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use crate::domain::time::Timestamp;

/// Those that are remembered at once.
const MAX_ENTRIES: usize = 10_000;
/// Time in which a budget that was used up is whole again, in milliseconds.
const WINDOW_MILLIS: i64 = 60_000;
/// Shortest time between two searches for entries that can be forgotten, in milliseconds.
const SWEEP_MILLIS: i64 = 1000;

/// A number of failures a minute for each `K`.
///
/// An attempt takes its place when it begins and gives it back when it succeeds: however many are made at once,
/// no more than the budget can fail.
pub(crate) struct FailureBudget<K> {
    /// Time after which one more failure is allowed, in milliseconds.
    interval: i64,
    /// Whose budget those share for whom there is no room; `None` when theirs is not limited here.
    shared: Option<K>,
    entries: Mutex<Entries<K>>,
}

struct Entries<K> {
    spent: HashMap<K, Spent>,
    swept_at: i64,
}

#[derive(Default)]
struct Spent {
    /// When the budget is whole again: later by one interval with each failure.
    until: i64,
    /// Whether the log has it that nothing is left.
    reported: bool,
}

impl<K: Clone + Debug + Eq + Hash> FailureBudget<K> {
    /// `failures` is from 1 to 60 000.
    pub(crate) fn per_minute(failures: u32, shared: Option<K>) -> Self {
        let interval = (WINDOW_MILLIS / i64::from(failures.max(1))).max(1);
        Self { interval, shared, entries: Mutex::new(Entries { spent: HashMap::new(), swept_at: 0 }) }
    }

    /// Counts an attempt at `now` as failed, until [`give_back`](Self::give_back).
    ///
    /// # Errors
    /// The seconds to wait, when nothing of the budget is left.
    pub(crate) fn take(&self, of: &K, now: Timestamp) -> Result<(), u32> {
        let now = now.millis();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = (if entries.has_room(of, now) { Some(of) } else { self.shared.as_ref() }) else {
            return Ok(());
        };
        let spent = entries.spent.entry(key.clone()).or_default();
        // The upper bound counts after the clock went back.
        spent.until = spent.until.clamp(now, now.saturating_add(WINDOW_MILLIS));
        if spent.until == now {
            spent.reported = false;
        }
        let next = spent.until.saturating_add(self.interval);
        let wait = next.saturating_sub(now).saturating_sub(WINDOW_MILLIS);
        if wait <= 0 {
            spent.until = next;
            return Ok(());
        }
        if !std::mem::replace(&mut spent.reported, true) {
            tracing::warn!(?of, "too many failed token requests; more are refused unheard for now");
        }
        Err(u32::try_from(wait.div_euclid(1000)).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Undoes [`take`](Self::take) for an attempt that did not fail.
    pub(crate) fn give_back(&self, of: &K) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = if entries.spent.contains_key(of) { Some(of) } else { self.shared.as_ref() };
        if let Some(spent) = known.and_then(|known| entries.spent.get_mut(known)) {
            spent.until = spent.until.saturating_sub(self.interval);
        }
    }
}

impl<K: Eq + Hash> Entries<K> {
    /// Whether there is an entry or room for one.
    fn has_room(&mut self, of: &K, now: i64) -> bool {
        if self.spent.contains_key(of) {
            return true;
        }
        let since = now.saturating_sub(self.swept_at);
        if self.spent.len() >= MAX_ENTRIES && !(0..SWEEP_MILLIS).contains(&since) {
            self.swept_at = now;
            self.spent.retain(|_, spent| spent.until > now);
        }
        self.spent.len() < MAX_ENTRIES
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_607_872_007);
    const SHARED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    fn budget(failures: u32) -> FailureBudget<IpAddr> {
        FailureBudget::per_minute(failures, Some(SHARED))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_use_up_the_budget_of_whose_they_are() {
        let budget = budget(60);
        let first = &address("192.0.2.1");
        for _ in 0..60 {
            assert_eq!(budget.take(first, START), Ok(()));
        }
        assert_eq!(budget.take(first, START), Err(2));
        assert_eq!(budget.take(&address("192.0.2.2"), START), Ok(()));
        assert_eq!(budget.take(first, START.plus_seconds(1)), Ok(()));
        assert!(budget.take(first, START.plus_seconds(1)).is_err());
        for _ in 0..60 {
            assert_eq!(budget.take(first, START.plus_seconds(61)), Ok(()));
        }
        assert!(budget.take(first, START.plus_seconds(61)).is_err());
    }

    #[test]
    fn successes_use_up_nothing() {
        let budget = budget(1);
        let address = &address("192.0.2.1");
        for _ in 0..10 {
            assert_eq!(budget.take(address, START), Ok(()));
            assert!(budget.take(address, START).is_err());
            budget.give_back(address);
        }
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let budget = budget(2);
        let address = &address("192.0.2.1");
        let back = START.minus_days(1);
        assert_eq!(budget.take(address, START), Ok(()));
        assert!(budget.take(address, back).is_err());
        assert_eq!(budget.take(address, back.plus_seconds(30)), Ok(()));
    }

    fn fill(budget: &FailureBudget<IpAddr>) {
        for number in 1..u32::try_from(MAX_ENTRIES).unwrap() + 10 {
            let _ = budget.take(&Ipv4Addr::from_bits(number).into(), START);
        }
        assert!(budget.entries.lock().unwrap().spent.len() <= MAX_ENTRIES + 1);
    }

    #[test]
    fn memory_is_bounded_and_used_again() {
        let budget = budget(1);
        fill(&budget);
        // Those that found no room share one budget.
        assert!(budget.take(&address("192.0.2.1"), START).is_err());
        assert_eq!(budget.take(&address("192.0.2.1"), START.plus_seconds(60)), Ok(()));
        assert_eq!(budget.entries.lock().unwrap().spent.len(), 1);
    }

    #[test]
    fn those_without_room_are_not_limited_where_nothing_is_shared() {
        let budget = FailureBudget::per_minute(1, None);
        fill(&budget);
        for _ in 0..3 {
            assert_eq!(budget.take(&address("192.0.2.1"), START), Ok(()));
            budget.give_back(&address("192.0.2.1"));
        }
    }
}
