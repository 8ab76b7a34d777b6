//! Instants, as certificates and their checks use them.

use core::fmt;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
///
/// The crate reads no clock: the caller says what time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// The instant `seconds` after (or, if negative, before) the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s since the epoch", self.0)
    }
}
