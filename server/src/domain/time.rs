//! Instants, as the records and the wire carry them.

use kunji_shared::time::UnixTime;
use time::{OffsetDateTime, macros::format_description};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The instant `seconds` seconds after the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The last whole second not after this instant: certificates know no fractions.
    #[must_use]
    pub const fn floor_to_second(self) -> Self {
        Self::from_seconds(self.seconds())
    }

    /// This instant and `days` days of 86 400 s.
    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(days as i64 * 86_400_000))
    }

    /// This instant less `days` days of 86 400 s.
    #[must_use]
    pub const fn minus_days(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days as i64 * 86_400_000))
    }

    /// This instant and `seconds` seconds.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// The same instant for the certificate checks of `kunji-shared`.
    pub const fn to_unix(self) -> UnixTime {
        UnixTime::from_seconds(self.seconds())
    }

    /// Reads a time in the form of RFC 3339; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }

    /// `yyyy-MM-ddTHH:mm:ss.SSSZ`, always with three digits: strict clients take no other form.
    pub fn to_text(self) -> String {
        let format =
            format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&format).ok())
            .unwrap_or_else(|| "9999-12-31T23:59:59.999Z".to_owned())
    }
}

impl From<UnixTime> for Timestamp {
    fn from(at: UnixTime) -> Self {
        Self::from_seconds(at.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_three_digits_and_a_z() {
        assert_eq!(Timestamp::from_millis(0).to_text(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_767_607_872_007).to_text(), "2026-01-05T10:11:12.007Z");
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
        assert_eq!(Timestamp::from_millis(1_999).floor_to_second().millis(), 1_000);
    }
}
