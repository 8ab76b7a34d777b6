//! How much memory the bodies of all requests may take together.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::transport::TransportError;

/// Bodies up to this length are not counted: there are no more of them than connections.
pub(super) const UNCOUNTED_BYTES: u64 = 64 * 1024;
/// What is counted in, so that the largest memory can be counted in 32 bits.
const UNIT_BYTES: u64 = 4096;

/// Room for bodies, handed out in the order in which it was asked for.
#[derive(Debug)]
pub(super) struct BodyMemory {
    free: Arc<Semaphore>,
    units: u32,
}

/// A part of it; given back when it is dropped.
pub(super) type BodyRoom = OwnedSemaphorePermit;

impl BodyMemory {
    /// Room for `bytes` in all.
    pub(super) fn new(bytes: u64) -> Self {
        let units = units(bytes).max(1);
        Self { free: Arc::new(Semaphore::new(usize::try_from(units).unwrap_or(usize::MAX))), units }
    }

    /// Room for a body of `bytes`, waiting for others to be answered for at most `patience`. One that is larger than
    /// all there is gets all there is. `None` when it need not be counted.
    ///
    /// # Errors
    /// [`TransportError::Overloaded`] when there was no room in time.
    pub(super) async fn take(
        &self,
        bytes: u64,
        patience: Duration,
    ) -> Result<Option<BodyRoom>, TransportError> {
        if bytes <= UNCOUNTED_BYTES {
            return Ok(None);
        }
        let taken = Arc::clone(&self.free).acquire_many_owned(units(bytes).min(self.units));
        match tokio::time::timeout(patience, taken).await {
            Ok(Ok(room)) => Ok(Some(room)),
            Ok(Err(_)) | Err(_) => Err(TransportError::Overloaded),
        }
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX).min(MOST_UNITS)
}

/// 4 TiB, which a semaphore can count on machines of 32 bits too.
const MOST_UNITS: u32 = 1 << 28;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn room_is_given_and_comes_back() {
        let memory = BodyMemory::new(2 * MIB);
        let first = memory.take(MIB, SOON).await.unwrap().unwrap();
        let second = memory.take(MIB, SOON).await.unwrap().unwrap();
        assert_eq!(memory.take(MIB, SOON).await.unwrap_err(), TransportError::Overloaded);
        drop(first);
        let third = memory.take(MIB, SOON).await.unwrap().unwrap();
        drop((second, third));
        assert!(memory.take(2 * MIB, SOON).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn small_bodies_never_wait() {
        let memory = BodyMemory::new(MIB);
        let _all = memory.take(MIB, SOON).await.unwrap().unwrap();
        assert!(memory.take(UNCOUNTED_BYTES, Duration::ZERO).await.unwrap().is_none());
        assert!(memory.take(UNCOUNTED_BYTES + 1, Duration::ZERO).await.is_err());
    }

    #[tokio::test]
    async fn what_is_larger_than_all_gets_all() {
        for memory in [BodyMemory::new(MIB), BodyMemory::new(0)] {
            let all = memory.take(u64::MAX, SOON).await.unwrap();
            assert!(memory.take(MIB, SOON).await.is_err());
            drop(all);
            assert!(memory.take(MIB, SOON).await.is_ok());
        }
        assert!(BodyMemory::new(u64::MAX).take(u64::MAX, SOON).await.is_ok());
    }

    #[tokio::test]
    async fn who_came_first_is_served_first() {
        let memory = Arc::new(BodyMemory::new(4 * MIB));
        let held = memory.take(3 * MIB, SOON).await.unwrap();
        let large = tokio::spawn({
            let memory = Arc::clone(&memory);
            async move { memory.take(4 * MIB, Duration::from_secs(30)).await.map(drop) }
        });
        while memory.free.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        // It would fit, but the large one would never get its turn.
        assert!(memory.take(MIB, SOON).await.is_err());
        drop(held);
        large.await.unwrap().unwrap();
    }
}
