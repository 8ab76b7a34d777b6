//! The system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{domain::time::Timestamp, ports::clock::Clock};

/// [`Clock`] of the operating system: `CLOCK_REALTIME`, cut to milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter that everything else gets the time from"
    )]
    fn now(&self) -> Timestamp {
        timestamp(SystemTime::now())
    }
}

/// Clocks before 1970 and after the year 292 million saturate.
fn timestamp(at: SystemTime) -> Timestamp {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(match at.duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_milliseconds_from_the_epoch() {
        assert_eq!(
            timestamp(UNIX_EPOCH + Duration::from_micros(1_767_607_872_007_999)).millis(),
            1_767_607_872_007
        );
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(2)).millis(), -2_000);
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_seconds(1_700_000_000));
    }
}
