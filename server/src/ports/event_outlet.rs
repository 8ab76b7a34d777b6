//! Places that events are copied to as they happen, beside the trail.

use async_trait::async_trait;

/// Takes copies of events.
#[async_trait]
pub trait EventOutlet: Send + Sync {
    /// Names it in reports.
    fn name(&self) -> &'static str;

    /// Hands over events, each a line of JSON without its end, in the order in which they happened. Bounded in time.
    ///
    /// # Errors
    /// The operating system's; then any number of them may have got there.
    async fn send(&self, lines: &[Vec<u8>]) -> std::io::Result<()>;
}
