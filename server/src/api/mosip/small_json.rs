//! JSON of any kind, of bounded size.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Most values of one, itself and all within it: each takes some 70 bytes of memory and as little as two in a request.
const VALUES_MAX: usize = 512;

/// JSON of at most [`VALUES_MAX`] values.
#[derive(Debug)]
pub(super) struct SmallJson(pub(super) Value);

impl<'de> Deserialize<'de> for SmallJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut left = VALUES_MAX;
        Counted(&mut left).deserialize(deserializer).map(Self)
    }
}

/// Reads one value, as long as some are left.
struct Counted<'a>(&'a mut usize);

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(truth.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Counted(self.0))? {
            read.push(item);
        }
        Ok(read.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = members.next_key()? {
            read.insert(name, members.next_value_seed(Counted(self.0))?);
        }
        Ok(read.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_read_as_ever() {
        for text in ["null", "true", "-1", "18446744073709551615", "1.5", r#""a\"""#, r#"[1,[],{"b":[{}]}]"#]
        {
            let SmallJson(value) = serde_json::from_str(text).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        }
        for bad in ["", "[1", "{1:2}", "nul"] {
            assert!(serde_json::from_str::<SmallJson>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_counted_wherever_they_stand() {
        let array = |items: usize| format!(r#"{{"a":[{}]}}"#, vec!["[]"; items].join(","));
        assert!(serde_json::from_str::<SmallJson>(&array(VALUES_MAX - 2)).is_ok());
        assert!(serde_json::from_str::<SmallJson>(&array(VALUES_MAX - 1)).is_err());
    }
}
