//! How soon a token that was lost is preferred again.

use std::time::{Duration, Instant};

/// A token that has just come back may go again. Until it has stayed for a while, one that never went is asked first;
/// each loss soon after the last doubles the while, so that a token that comes and goes does not drag its callers to
/// and fro.
#[derive(Clone, Copy, Default)]
pub(super) struct Steadiness {
    probation: Duration,
    back_since: Option<Instant>,
}

const FIRST_PROBATION: Duration = Duration::from_secs(1);
const LONGEST_PROBATION: Duration = Duration::from_mins(1);

impl Steadiness {
    /// It was lost.
    pub(super) fn lost(&mut self, now: Instant) {
        let soon = self.back_since.is_some_and(|since| now.duration_since(since) < LONGEST_PROBATION);
        self.probation =
            if soon { LONGEST_PROBATION.min(self.probation.saturating_mul(2)) } else { FIRST_PROBATION };
        self.back_since = None;
    }

    /// It is back.
    pub(super) fn back(&mut self, now: Instant) {
        self.back_since = Some(now);
    }

    /// Whether it has been there long enough, or never went.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.probation.is_zero()
            || self.back_since.is_some_and(|since| now.duration_since(since) >= self.probation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_and_goes_waits_ever_longer() {
        let mut now = Instant::now();
        let mut steadiness = Steadiness::default();
        assert!(steadiness.is_settled(now));
        for expected in [1, 2, 4, 8, 16, 32, 60, 60].map(Duration::from_secs) {
            steadiness.lost(now);
            steadiness.back(now);
            let almost = expected.saturating_sub(Duration::from_millis(1));
            assert!(!steadiness.is_settled(now + almost));
            assert!(steadiness.is_settled(now + expected));
            now += almost;
        }
        now += LONGEST_PROBATION;
        steadiness.lost(now);
        steadiness.back(now);
        assert!(steadiness.is_settled(now + FIRST_PROBATION), "what is long ago is not held against it");
    }
}
