//! Time.

use crate::domain::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, UTC. May jump either way.
    fn now(&self) -> Timestamp;
}
