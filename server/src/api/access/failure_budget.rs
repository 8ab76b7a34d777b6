//! How often one address may fail.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::network::{SHARED, network},
    domain::time::Timestamp,
};

/// Addresses that are remembered at once; those beyond share one budget.
const MAX_ADDRESSES: usize = 10_000;
/// Time in which a budget that was used up is whole again, in milliseconds.
const WINDOW_MILLIS: i64 = 60_000;
/// Shortest time between two searches for addresses that can be forgotten, in milliseconds.
const SWEEP_MILLIS: i64 = 1000;

/// A number of failures a minute for each address; an IPv6 network of 64 bits counts as one.
///
/// An attempt takes its place when it begins and gives it back when it succeeds: however many are made at once,
/// no more than the budget can fail.
pub(crate) struct FailureBudget {
    /// Time after which one more failure is allowed, in milliseconds.
    interval: i64,
    addresses: Mutex<Addresses>,
}

#[derive(Default)]
struct Addresses {
    spent: HashMap<IpAddr, Spent>,
    swept_at: i64,
}

#[derive(Default)]
struct Spent {
    /// When the budget is whole again: later by one interval with each failure.
    until: i64,
    /// Whether the log has it that nothing is left.
    reported: bool,
}

impl FailureBudget {
    /// `failures` is from 1 to 60 000.
    pub(crate) fn per_minute(failures: u32) -> Self {
        let interval = (WINDOW_MILLIS / i64::from(failures.max(1))).max(1);
        Self { interval, addresses: Mutex::default() }
    }

    /// Counts an attempt at `now` as failed, until [`give_back`](Self::give_back).
    ///
    /// # Errors
    /// The seconds to wait, when nothing of the budget is left.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: Timestamp) -> Result<(), u32> {
        let now = now.millis();
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let key = addresses.key(address, now);
        let spent = addresses.spent.entry(key).or_default();
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
            tracing::warn!(?address, "too many failed token requests; more are refused unheard for now");
        }
        Err(u32::try_from(wait.div_euclid(1000)).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Undoes [`take`](Self::take) for an attempt that did not fail.
    pub(crate) fn give_back(&self, address: Option<IpAddr>) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let key = address.map_or(SHARED, network);
        let known = if addresses.spent.contains_key(&key) { key } else { SHARED };
        if let Some(spent) = addresses.spent.get_mut(&known) {
            spent.until = spent.until.saturating_sub(self.interval);
        }
    }
}

impl Addresses {
    /// The entry of an address, for which there is room.
    fn key(&mut self, address: Option<IpAddr>, now: i64) -> IpAddr {
        let Some(key) = address.map(network) else { return SHARED };
        if self.spent.contains_key(&key) {
            return key;
        }
        let since = now.saturating_sub(self.swept_at);
        if self.spent.len() >= MAX_ADDRESSES && !(0..SWEEP_MILLIS).contains(&since) {
            self.swept_at = now;
            self.spent.retain(|_, spent| spent.until > now);
        }
        if self.spent.len() < MAX_ADDRESSES { key } else { SHARED }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_767_607_872_007);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_use_up_the_budget_of_their_address() {
        let budget = FailureBudget::per_minute(60);
        let first = Some(address("192.0.2.1"));
        for _ in 0..60 {
            assert_eq!(budget.take(first, START), Ok(()));
        }
        assert_eq!(budget.take(first, START), Err(2));
        assert_eq!(budget.take(Some(address("192.0.2.2")), START), Ok(()));
        assert_eq!(budget.take(None, START), Ok(()));
        assert_eq!(budget.take(first, START.plus_seconds(1)), Ok(()));
        assert!(budget.take(first, START.plus_seconds(1)).is_err());
        for _ in 0..60 {
            assert_eq!(budget.take(first, START.plus_seconds(61)), Ok(()));
        }
        assert!(budget.take(first, START.plus_seconds(61)).is_err());
    }

    #[test]
    fn successes_use_up_nothing() {
        let budget = FailureBudget::per_minute(1);
        for _ in 0..10 {
            assert_eq!(budget.take(Some(address("2001:db8::1")), START), Ok(()));
            assert!(budget.take(Some(address("2001:db8::2")), START).is_err());
            budget.give_back(Some(address("2001:db8::1")));
        }
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let budget = FailureBudget::per_minute(2);
        let back = START.minus_days(1);
        assert_eq!(budget.take(Some(address("192.0.2.1")), START), Ok(()));
        assert!(budget.take(Some(address("192.0.2.1")), back).is_err());
        assert_eq!(budget.take(Some(address("192.0.2.1")), back.plus_seconds(30)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_used_again() {
        let budget = FailureBudget::per_minute(1);
        for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 10 {
            let _ = budget.take(Some(Ipv4Addr::from_bits(number).into()), START);
        }
        assert!(budget.addresses.lock().unwrap().spent.len() <= MAX_ADDRESSES + 1);
        // Those that found no room share one budget.
        assert!(budget.take(Some(address("192.0.2.1")), START).is_err());
        assert_eq!(budget.take(Some(address("192.0.2.1")), START.plus_seconds(60)), Ok(()));
        assert_eq!(budget.addresses.lock().unwrap().spent.len(), 1);
    }
}
