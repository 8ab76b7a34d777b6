//! Times as callers of the reference system send them. Their value is never used, only their form is checked.

use std::{borrow::Cow, fmt};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A time member, already checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WireTime {
    /// Not there, `null` or `""`.
    #[default]
    Absent,
    /// A time: `yyyy-MM-ddTHH:mm[:ss[.fraction]]`, with `Z`, an offset or nothing after it, or an array of
    /// year, month, day, hour, minute and, if not 0, second and nanosecond.
    Given,
    /// Something else.
    Malformed,
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = WireTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_unit<E>(self) -> Result<WireTime, E> {
        Ok(WireTime::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<WireTime, E> {
        Ok(WireTime::Malformed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<WireTime, E> {
        Ok(WireTime::Malformed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<WireTime, E> {
        Ok(WireTime::Malformed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<WireTime, E> {
        Ok(WireTime::Malformed)
    }

    fn visit_str<E>(self, text: &str) -> Result<WireTime, E> {
        Ok(if text.is_empty() {
            WireTime::Absent
        } else if is_time(text) {
            WireTime::Given
        } else {
            WireTime::Malformed
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<WireTime, A::Error> {
        let mut parts = [0_u32; 7];
        let mut count = 0;
        for slot in &mut parts {
            match array.next_element::<Part>()? {
                Some(Part(Some(part))) => *slot = part,
                Some(Part(None)) => {
                    drain(array)?;
                    return Ok(WireTime::Malformed);
                }
                None => break,
            }
            count += 1;
        }
        let complete = array.next_element::<IgnoredAny>()?.is_none();
        if !complete {
            drain(array)?;
        }
        let [year, month, day, hour, minute, second, nanosecond] = parts;
        let fits = complete
            && count >= 5
            && is_date(year, month, day)
            && is_clock(hour, minute, second)
            && nanosecond < 1_000_000_000;
        Ok(if fits { WireTime::Given } else { WireTime::Malformed })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireTime, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(WireTime::Malformed)
    }
}

fn drain<'de, A: SeqAccess<'de>>(mut array: A) -> Result<(), A::Error> {
    while array.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

/// One element of an array: a small number, or anything else.
struct Part(Option<u32>);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;

        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
                Ok(Part(value.try_into().ok()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Part, E> {
                Ok(Part(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Part, E> {
                Ok(Part(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Part, E> {
                Ok(Part(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Part, E> {
                Ok(Part(None))
            }

            fn visit_unit<E>(self) -> Result<Part, E> {
                Ok(Part(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, array: A) -> Result<Part, A::Error> {
                drain(array)?;
                Ok(Part(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Part(None))
            }
        }

        deserializer.deserialize_any(PartVisitor)
    }
}

/// Whether `text` is an ISO 8601 date with a time of day.
fn is_time(text: &str) -> bool {
    let mut rest = Digits(text.as_bytes());
    (|| {
        let date = (rest.number(4)?, rest.after(b"-")?.number(2)?, rest.after(b"-")?.number(2)?);
        let hour = rest.after(b"Tt ")?.number(2)?;
        let minute = rest.after(b":")?.number(2)?;
        let mut second = 0;
        if rest.after(b":").is_some() {
            second = rest.number(2)?;
            if rest.after(b".,").is_some() {
                rest.fraction()?;
            }
        }
        rest.zone()?;
        Some(is_date(date.0, date.1, date.2) && is_clock(hour, minute, second))
    })()
    .unwrap_or(false)
}

/// What of a text is still to be read.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        self.0 = tail;
        head.iter()
            .try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
    }

    fn after(&mut self, any_of: &[u8]) -> Option<&mut Self> {
        let (first, tail) = self.0.split_first()?;
        if !any_of.contains(first) {
            return None;
        }
        self.0 = tail;
        Some(self)
    }

    fn fraction(&mut self) -> Option<()> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.0 = self.0.get(digits..)?;
        (1..=9).contains(&digits).then_some(())
    }

    fn zone(&mut self) -> Option<()> {
        if self.0.is_empty() {
            return Some(());
        }
        if self.after(b"Zz").is_none() {
            let hour = self.after(b"+-")?.number(2)?;
            let _ = self.after(b":");
            let minute = self.number(2)?;
            if hour > 18 || minute > 59 {
                return None;
            }
        }
        self.0.is_empty().then_some(())
    }
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    year <= 9999 && (1..=days).contains(&day)
}

fn is_clock(hour: u32, minute: u32, second: u32) -> bool {
    hour <= 23 && minute <= 59 && second <= 60
}

impl Type for WireTime {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let text = MetaSchema {
            pattern: Some(
                "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}([.]\\d{1,9})?)?(Z|[+-]\\d{2}:?\\d{2})?$"
                    .to_owned(),
            ),
            example: Some("2026-01-05T10:11:12.123Z".into()),
            ..MetaSchema::new("string")
        };
        let array = MetaSchema {
            items: Some(Box::new(MetaSchemaRef::Inline(Box::new(MetaSchema::new("integer"))))),
            min_items: Some(5),
            max_items: Some(7),
            ..MetaSchema::new("array")
        };
        let forms = [text, array].map(|form| MetaSchemaRef::Inline(Box::new(form)));
        MetaSchemaRef::Inline(Box::new(MetaSchema { one_of: forms.into(), ..MetaSchema::ANY }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for WireTime {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Self::deserialize(value.unwrap_or_default()).map_err(|_| ParseError::custom("not a time"))
    }
}

impl ToJSON for WireTime {
    fn to_json(&self) -> Option<Value> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> WireTime {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_form_in_the_field_is_read() {
        for text in [
            r#""2026-01-05T10:11:12.123Z""#,
            r#""2026-01-05T10:11:12.123""#,
            r#""2026-01-05T10:11:12Z""#,
            r#""2026-01-05T10:11:12.123456""#,
            r#""2026-01-05T10:11:12.123456789Z""#,
            r#""2026-01-05T10:11""#,
            r#""2026-01-05T10:11:12.123+05:30""#,
            r#""2024-02-29T23:59:60Z""#,
            "[2026,1,5,10,11]",
            "[2026,1,5,10,11,12]",
            "[2026,1,5,10,11,12,123000000]",
        ] {
            assert_eq!(read(text), WireTime::Given, "{text}");
        }
    }

    #[test]
    fn absent_forms_are_absent() {
        for text in ["null", r#""""#] {
            assert_eq!(read(text), WireTime::Absent, "{text}");
        }
    }

    #[test]
    fn anything_else_is_malformed_but_still_json() {
        for text in [
            "1767607872",
            "-1",
            "1.5",
            "true",
            "{}",
            r#"{"a":[1]}"#,
            "[]",
            "[2026,1,5,10]",
            "[2026,1,5,10,11,12,0,0]",
            "[2026,1,5,10,11,12,0,0,[1],{}]",
            "[2026,13,5,10,11]",
            "[2026,1,5,24,11]",
            "[2026,1,5,10,11,12,1000000000]",
            r#"[2026,1,5,10,"11"]"#,
            "[2026,1,5,10,-11]",
            "[2026,1,5,10,1.5]",
            "[99999999999,1,5,10,1]",
            "[[[]],1]",
            r#""2026-01-05""#,
            r#""2026-02-29T10:11:12Z""#,
            r#""2026-01-05T10:11:12.Z""#,
            r#""2026-01-05T10:11:12.1234567890Z""#,
            r#""2026-01-05T10:11:12.123ZZ""#,
            r#""2026-01-05T10:11:12 UTC""#,
            r#""26-01-05T10:11:12Z""#,
            r#""2026-1-5T10:11:12Z""#,
            r#"" ""#,
            r#""string""#,
        ] {
            assert_eq!(read(text), WireTime::Malformed, "{text}");
        }
    }
}
