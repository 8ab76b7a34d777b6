//! `additionalHeaders`.

use std::{borrow::Cow, fmt};

use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

/// Text by name, in the order sent; `null` is as good as nothing. No name is there twice.
#[derive(Debug, Default)]
pub(super) struct AdditionalHeaders(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for AdditionalHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = AdditionalHeaders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose members are strings, or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AdditionalHeaders, A::Error> {
                let mut members: Vec<(String, String)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a member is given twice"));
                    }
                    members.extend(value.map(|value| (name, value)));
                }
                Ok(AdditionalHeaders(members))
            }

            fn visit_unit<E>(self) -> Result<AdditionalHeaders, E> {
                Ok(AdditionalHeaders::default())
            }

            fn visit_none<E>(self) -> Result<AdditionalHeaders, E> {
                Ok(AdditionalHeaders::default())
            }

            fn visit_some<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<AdditionalHeaders, D::Error> {
                deserializer.deserialize_map(Self)
            }
        }

        deserializer.deserialize_option(Members)
    }
}

impl Type for AdditionalHeaders {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "headers".into()
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

impl ParseFromJSON for AdditionalHeaders {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Self::deserialize(value.unwrap_or_default())
            .map_err(|_| ParseError::custom("not an object of strings"))
    }
}

impl ToJSON for AdditionalHeaders {
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
}
