//! How often each principal may do what policies limit. Counted on this server alone.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _, clock::DefaultClock};

use super::AccessRefusal;
use crate::domain::authorization::{AccessPolicy, Effect, Rate};

/// Principals that are remembered at once by each limit; those beyond share one allowance.
const MAX_PRINCIPALS: usize = 10_000;
/// Stands for those beyond; no principal has this name.
const BEYOND: &str = "";
/// Requests after which principals that were not seen for a while are forgotten.
const SWEEP_INTERVAL: u32 = 1024;

/// A limiter for each policy that limits.
#[derive(Default)]
pub(super) struct Limiters {
    limiters: Mutex<HashMap<String, Arc<Limiter>>>,
    clock: DefaultClock,
}

struct Limiter {
    rate: Rate,
    principals: DefaultKeyedRateLimiter<String>,
    requests: AtomicU32,
}

impl Limiters {
    /// Counts a request of the principal against each of the policies.
    pub(super) fn take(&self, policies: &[&AccessPolicy], principal: &str) -> Result<(), AccessRefusal> {
        policies.iter().try_for_each(|policy| match policy.effect() {
            Effect::Limit(rate) => self.take_one(policy.name(), rate, principal),
            Effect::Allow | Effect::Approval(_) | Effect::Deny => Ok(()),
        })
    }

    fn take_one(&self, policy: &str, rate: Rate, principal: &str) -> Result<(), AccessRefusal> {
        self.limiter(policy, rate).take(principal).map_err(|until| {
            let seconds = until.wait_time_from(self.clock.now()).as_secs();
            AccessRefusal::RateExceeded {
                seconds: u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(1),
            }
        })
    }

    /// The policy's limiter; a new one when its rate was changed.
    fn limiter(&self, policy: &str, rate: Rate) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limiter) = limiters.get(policy).filter(|limiter| limiter.rate == rate) {
            return Arc::clone(limiter);
        }
        let limiter = Arc::new(Limiter::new(rate));
        limiters.insert(policy.to_owned(), Arc::clone(&limiter));
        limiter
    }
}

impl Limiter {
    fn new(rate: Rate) -> Self {
        let burst = NonZeroU32::new(rate.requests).unwrap_or(NonZeroU32::MIN);
        let interval = Duration::from_secs(rate.seconds.into()) / burst.get();
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        Self { rate, principals: RateLimiter::keyed(quota), requests: AtomicU32::new(0) }
    }

    fn take(&self, principal: &str) -> Result<(), governor::NotUntil<governor::clock::QuantaInstant>> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_INTERVAL) {
            self.principals.retain_recent();
        }
        let name = if self.principals.len() < MAX_PRINCIPALS { principal } else { BEYOND };
        self.principals.check_key(&name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(limiters: &Limiters, policy: &str, rate: Rate, principal: &str) -> Option<u32> {
        match limiters.take_one(policy, rate, principal) {
            Ok(()) => None,
            Err(AccessRefusal::RateExceeded { seconds }) => Some(seconds),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    #[test]
    fn each_principal_and_policy_has_its_own_allowance() {
        let limiters = Limiters::default();
        let rate = Rate { requests: 2, seconds: 3600 };
        for (policy, principal) in [("a", "one"), ("a", "two"), ("b", "one")] {
            assert_eq!(wait(&limiters, policy, rate, principal), None);
            assert_eq!(wait(&limiters, policy, rate, principal), None);
            let seconds = wait(&limiters, policy, rate, principal).unwrap();
            assert!((1700..=1801).contains(&seconds), "{seconds}");
        }
    }

    #[test]
    fn a_changed_rate_begins_anew() {
        let limiters = Limiters::default();
        assert_eq!(wait(&limiters, "a", Rate { requests: 1, seconds: 3600 }, "one"), None);
        assert!(wait(&limiters, "a", Rate { requests: 1, seconds: 3600 }, "one").is_some());
        assert_eq!(wait(&limiters, "a", Rate { requests: 2, seconds: 3600 }, "one"), None);
    }
}
