//! Instants, as the records and the wire carry them.

use kunji_shared::time::UnixTime;
use time::OffsetDateTime;

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000) else {
            return "9999-12-31T23:59:59.999Z".to_owned();
        };
        let (year, month, day) = at.to_calendar_date();
        let (hour, minute, second, milli) = at.to_hms_milli();
        // Twice for each operation: the formatter of the library takes several times as long.
        format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z", u8::from(month))
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
        assert_eq!(Timestamp::from_millis(253_402_300_799_999).to_text(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_text(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_millis(1_709_164_800_000 - 1).to_text(), "2024-02-28T23:59:59.999Z");
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
        assert_eq!(Timestamp::from_millis(1_999).floor_to_second().millis(), 1_000);
    }
}
