//! Time.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::time::Timestamp;

/// Tells the time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, UTC. May jump either way.
    fn now(&self) -> Timestamp;

    /// Waits for as long, however [`Clock::now`] jumps: what is done again and again pauses so.
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
