//! How many keys one principal may make by reading.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::domain::time::Timestamp;

/// Counts keys per principal in windows of an hour, on this server.
pub(super) struct CreationQuota {
    per_hour: u32,
    windows: Mutex<HashMap<String, Window>>,
}

struct Window {
    began: Timestamp,
    made: u32,
}

const HOUR_SECONDS: i64 = 3_600;

impl CreationQuota {
    pub(super) fn new(per_hour: u32) -> Self {
        Self { per_hour, windows: Mutex::default() }
    }

    /// Takes one key from the principal's hour; `false` when it has none left.
    pub(super) fn take(&self, principal: &str, now: Timestamp) -> bool {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        // Only principals that made a key within the hour are remembered.
        windows.retain(|_, window| window.contains(now));
        let window = windows.entry(principal.to_owned()).or_insert(Window { began: now, made: 0 });
        if window.made >= self.per_hour {
            return false;
        }
        window.made += 1;
        true
    }

    /// Gives back what was taken for a key that was not made.
    pub(super) fn give_back(&self, principal: &str) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(principal) {
            window.made = window.made.saturating_sub(1);
        }
    }
}

impl Window {
    fn contains(&self, now: Timestamp) -> bool {
        self.began <= now && now < self.began.plus_seconds(HOUR_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_principal_has_its_own_hour() {
        let quota = CreationQuota::new(2);
        let at = Timestamp::from_seconds;
        assert!(quota.take("a", at(0)));
        assert!(quota.take("a", at(1)));
        assert!(!quota.take("a", at(3_599)));
        assert!(quota.take("b", at(3_599)));
        assert!(quota.take("a", at(3_600)));
    }

    #[test]
    fn what_came_to_nothing_does_not_count() {
        let quota = CreationQuota::new(1);
        let at = Timestamp::from_seconds;
        for _ in 0..3 {
            assert!(quota.take("a", at(0)));
            quota.give_back("a");
        }
        quota.give_back("a");
        assert!(quota.take("a", at(1)));
        assert!(!quota.take("a", at(2)));
        quota.give_back("unknown");
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out() {
        let quota = CreationQuota::new(1);
        assert!(quota.take("a", Timestamp::from_seconds(10_000)));
        assert!(quota.take("a", Timestamp::from_seconds(5)));
    }
}
