//! How many calls may be repeated: enough for a token that stumbles, too few to double the load of one that fails.

use std::sync::atomic::{AtomicU32, Ordering};

/// What one operation adds, and one retry takes: a tenth of the operations may be repeated.
const DEPOSIT: u32 = 1;
const PRICE: u32 = 10;
/// Retries saved at most: all workers may lose their sessions at one blow.
const SAVED: u32 = 100 * PRICE;

/// Retries that operations earn.
pub(super) struct RetryBudget(AtomicU32);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicU32::new(SAVED))
    }
}

impl RetryBudget {
    /// Counts an operation.
    pub(super) fn deposit(&self) {
        self.change(|saved| Some(saved.saturating_add(DEPOSIT).min(SAVED)));
    }

    /// Takes a retry, if there is one.
    pub(super) fn take(&self) -> bool {
        self.change(|saved| saved.checked_sub(PRICE))
    }

    fn change(&self, next: impl Fn(u32) -> Option<u32>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_may_be_repeated() {
        let budget = RetryBudget::default();
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 100);
        (0..9).for_each(|_| budget.deposit());
        assert!(!budget.take());
        budget.deposit();
        assert!(budget.take() && !budget.take());
    }

    #[test]
    fn no_more_is_saved_than_at_first() {
        let budget = RetryBudget::default();
        (0..10_000).for_each(|_| budget.deposit());
        assert_eq!((0..1000).filter(|_| budget.take()).count(), 100);
    }
}
