//! Members that are objects with names of the caller's choice.

use std::{borrow::Cow, fmt, marker::PhantomData};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::Value;

/// Most members that are kept. Fewer can stand in a header, so a request with more of them is refused all the same.
const MEMBERS_MAX: usize = 64;

/// Values by name, in the order sent; `null` is as good as nothing. No name is there twice.
#[derive(Debug)]
pub(super) struct NamedMembers<V>(pub(super) Vec<(String, V)>);

/// `additionalHeaders`
pub(super) type AdditionalHeaders = NamedMembers<String>;

impl<V> Default for NamedMembers<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: DeserializeOwned> Deserialize<'de> for NamedMembers<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<V>(PhantomData<V>);

        impl<'de, V: DeserializeOwned> Visitor<'de> for Members<V> {
            type Value = NamedMembers<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with members of one kind, or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedMembers<V>, A::Error> {
                let mut members: Vec<(String, V)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<V>>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a member is given twice"));
                    }
                    if members.len() < MEMBERS_MAX {
                        members.extend(value.map(|value| (name, value)));
                    }
                }
                Ok(NamedMembers(members))
            }

            fn visit_unit<E>(self) -> Result<NamedMembers<V>, E> {
                Ok(NamedMembers::default())
            }

            fn visit_none<E>(self) -> Result<NamedMembers<V>, E> {
                Ok(NamedMembers::default())
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NamedMembers<V>, D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        deserializer.deserialize_option(Members(PhantomData))
    }
}

impl<V: Send + Sync> Type for NamedMembers<V> {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "members".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let text = MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let schema = MetaSchema { additional_properties: Some(Box::new(text)), ..MetaSchema::new("object") };
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl<V: DeserializeOwned + Send + Sync> ParseFromJSON for NamedMembers<V> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Self::deserialize(value.unwrap_or_default()).map_err(|_| ParseError::custom("not an object"))
    }
}

impl<V: Send + Sync> ToJSON for NamedMembers<V> {
    fn to_json(&self) -> Option<Value> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let read = |text| serde_json::from_str::<AdditionalHeaders>(text).map(|headers| headers.0);
        assert!(read("null").unwrap().is_empty());
        let members = read(r#"{"b":"1","a":"2","c":null}"#).unwrap();
        assert_eq!(members, [("b".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]);
        for bad in [r#"{"a":1}"#, r#"{"a":"1","a":"2"}"#, "[]", r#""a""#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_more_are_kept_than_are_looked_at() {
        let members: Vec<_> = (0..100).map(|name| format!(r#""{name}":"x""#)).collect();
        let read: AdditionalHeaders = serde_json::from_str(&format!("{{{}}}", members.join(","))).unwrap();
        assert_eq!(read.0.len(), MEMBERS_MAX);
        assert_eq!(read.0[63], ("63".to_owned(), "x".to_owned()));
    }
}
