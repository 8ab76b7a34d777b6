//! Under which conditions a policy counts.

use std::net::IpAddr;

use ipnet::IpNet;
use time::OffsetDateTime;

use super::policy::{PolicyFault, PolicyText};
use crate::domain::{network::parse_network, time::Timestamp};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// Days of the week as policies name them, in the order of `time::Weekday::number_days_from_monday`.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// All of these must hold. Times are UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    hours: Option<Hours>,
    /// One bit a day, Monday the lowest; 0 means every day.
    days: u8,
    networks: Vec<IpNet>,
}

/// From the first minute up to, and without, the second; over midnight when the second is not after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: u16,
    until: u16,
}

impl Conditions {
    /// Reads the conditions of a policy.
    ///
    /// # Errors
    /// [`PolicyFault`] names the member that cannot be read.
    pub(super) fn parse(text: &PolicyText) -> Result<Self, PolicyFault> {
        let not_before = instant("notBefore", text.not_before.as_deref())?;
        let not_after = instant("notAfter", text.not_after.as_deref())?;
        if let (Some(first), Some(last)) = (not_before, not_after)
            && last < first
        {
            return Err(PolicyFault::new("notAfter", "must not be before notBefore"));
        }
        let hours = text.hours.as_deref().map(Hours::parse).transpose()?;
        let mut days = 0;
        for name in &text.days {
            let place = DAYS.iter().position(|day| day == name);
            days |=
                1 << place.ok_or(PolicyFault::new("days", "must be of mon, tue, wed, thu, fri, sat, sun"))?;
        }
        let networks = text
            .networks
            .iter()
            .map(|network| parse_network(network))
            .collect::<Option<_>>()
            .ok_or(PolicyFault::new("networks", "must be addresses or networks such as 10.1.0.0/16"))?;
        Ok(Self { not_before, not_after, hours, days, networks })
    }

    /// Whether they hold at `at` for a caller from `address`. A caller whose address is not known is in no network.
    pub fn hold(&self, at: Timestamp, address: Option<IpAddr>) -> bool {
        self.not_before.is_none_or(|first| first <= at)
            && self.not_after.is_none_or(|last| at <= last)
            && self.holds_by_clock(at)
            && (self.networks.is_empty()
                || address
                    .map(|address| address.to_canonical())
                    .is_some_and(|address| self.networks.iter().any(|network| network.contains(&address))))
    }

    fn holds_by_clock(&self, at: Timestamp) -> bool {
        if self.hours.is_none() && self.days == 0 {
            return true;
        }
        // A clock that shows no date of this calendar satisfies no condition on it.
        let Ok(at) = OffsetDateTime::from_unix_timestamp(at.seconds()) else { return false };
        let minute = u16::from(at.hour()) * 60 + u16::from(at.minute());
        let day = 1_u8 << at.weekday().number_days_from_monday();
        (self.days == 0 || self.days & day != 0) && self.hours.is_none_or(|hours| hours.contain(minute))
    }
}

impl Hours {
    /// `HH:MM-HH:MM`, up to `24:00`.
    fn parse(text: &str) -> Result<Self, PolicyFault> {
        let hours = || {
            let (from, until) = text.split_once('-')?;
            Some(Self { from: minute(from)?, until: minute(until)? })
        };
        hours().ok_or(PolicyFault::new("hours", "must be of the form 08:00-18:00 (UTC)"))
    }

    const fn contain(self, minute: u16) -> bool {
        if self.from < self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())?
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY_MINUTES).then_some(all)
}

fn instant(member: &'static str, text: Option<&str>) -> Result<Option<Timestamp>, PolicyFault> {
    text.map(|text| {
        Timestamp::parse(text).ok_or(PolicyFault::new(member, "must be a time such as 2026-01-05T10:00:00Z"))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday.
    const AT: &str = "2026-01-05T10:11:12Z";

    fn at(text: &str) -> Timestamp {
        instant("", Some(text)).unwrap().unwrap()
    }

    fn hold(text: &PolicyText, when: &str, address: Option<&str>) -> bool {
        Conditions::parse(text).unwrap().hold(at(when), address.map(|address| address.parse().unwrap()))
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn without_conditions_all_hold() {
        assert!(hold(&PolicyText::default(), AT, None));
    }

    #[test]
    fn a_period_has_both_its_ends() {
        let text = PolicyText {
            not_before: Some(AT.to_owned()),
            not_after: Some("2026-01-05T15:41:13+05:30".to_owned()),
            ..PolicyText::default()
        };
        for (when, held) in [
            ("2026-01-05T10:11:11Z", false),
            (AT, true),
            ("2026-01-05T10:11:13Z", true),
            ("2026-01-05T10:11:13.001Z", false),
        ] {
            assert_eq!(hold(&text, when, None), held, "{when}");
        }
    }

    #[test]
    fn hours_may_pass_midnight() {
        let with = |hours: &str| PolicyText { hours: Some(hours.to_owned()), ..PolicyText::default() };
        for (hours, held) in [
            ("10:11-10:12", true),
            ("10:12-10:11", false),
            ("08:00-10:11", false),
            ("22:00-10:12", true),
            ("22:00-06:00", false),
            ("00:00-24:00", true),
        ] {
            assert_eq!(hold(&with(hours), AT, None), held, "{hours}");
        }
        for hours in ["", "8:00-18:00", "08:00", "08:60-10:00", "24:01-10:00", "+8:00-10:00", "08:00-18:00-"]
        {
            assert!(Conditions::parse(&with(hours)).is_err(), "{hours}");
        }
    }

    #[test]
    fn days_are_those_of_utc() {
        let text = PolicyText { days: texts(&["mon", "fri"]), ..PolicyText::default() };
        assert!(hold(&text, AT, None) && hold(&text, "2026-01-09T23:59:59Z", None));
        assert!(!hold(&text, "2026-01-10T00:00:00Z", None));
        let text = PolicyText { days: texts(&["Mon"]), ..PolicyText::default() };
        assert_eq!(Conditions::parse(&text).unwrap_err().member, "days");
    }

    #[test]
    fn networks_need_an_address() {
        let text = PolicyText { networks: texts(&["10.1.0.0/16", "2001:db8::7"]), ..PolicyText::default() };
        for address in ["10.1.255.1", "2001:db8::7", "::ffff:10.1.0.1"] {
            assert!(hold(&text, AT, Some(address)), "{address}");
        }
        for address in [Some("10.2.0.1"), Some("2001:db8::8"), None] {
            assert!(!hold(&text, AT, address), "{address:?}");
        }
        let text = PolicyText { networks: texts(&["::ffff:10.1.0.0/112"]), ..PolicyText::default() };
        assert!(hold(&text, AT, Some("10.1.255.1")) && !hold(&text, AT, Some("10.2.0.1")));
        for network in ["10.1.0.0/33", "example.org", ""] {
            let text = PolicyText { networks: texts(&[network]), ..PolicyText::default() };
            assert!(Conditions::parse(&text).is_err(), "{network}");
        }
    }
}
