//! How often one address may ask.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock};

use crate::domain::network::{SHARED, network};

/// Addresses that are remembered at once; those beyond share one allowance.
const MAX_ADDRESSES: usize = 10_000;
/// Requests after which addresses that were not seen for a while are forgotten.
const SWEEP_INTERVAL: u32 = 1024;

/// A number of requests a minute for each address; an IPv6 network of 64 bits counts as one.
pub(super) struct AddressLimiter {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
    requests: AtomicU32,
}

impl AddressLimiter {
    pub(super) fn per_minute(requests: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(requests).unwrap_or(NonZeroU32::MIN));
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            requests: AtomicU32::new(0),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// The seconds to wait, when there were too many.
    pub(super) fn check(&self, address: Option<IpAddr>) -> Result<(), u32> {
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_INTERVAL) {
            self.limiter.retain_recent();
        }
        let key = match address {
            Some(address) if self.limiter.len() < MAX_ADDRESSES => network(address),
            _ => SHARED,
        };
        self.limiter.check_key(&key).map_err(|refusal| {
            let seconds = refusal.wait_time_from(self.clock.now()).as_secs();
            u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_uses_up_its_own_allowance() {
        let limiter = AddressLimiter::per_minute(2);
        assert_eq!(limiter.check(Some(address("192.0.2.1"))), Ok(()));
        assert_eq!(limiter.check(Some(address("192.0.2.1"))), Ok(()));
        let wait = limiter.check(Some(address("192.0.2.1"))).unwrap_err();
        assert!((1..=31).contains(&wait), "{wait}");
        assert_eq!(limiter.check(Some(address("192.0.2.2"))), Ok(()));
    }

    #[test]
    fn a_network_counts_as_one() {
        let limiter = AddressLimiter::per_minute(1);
        assert_eq!(limiter.check(Some(address("2001:db8::1"))), Ok(()));
        assert!(limiter.check(Some(address("2001:db8::2"))).is_err());
        assert_eq!(limiter.check(Some(address("2001:db8:0:1::1"))), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = AddressLimiter::per_minute(1);
        for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 2000 {
            let _ = limiter.check(Some(std::net::Ipv4Addr::from_bits(number).into()));
        }
        assert!(limiter.limiter.len() <= MAX_ADDRESSES + 1);
    }
}
