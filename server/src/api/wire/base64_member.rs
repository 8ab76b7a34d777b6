//! Members that hold base64.

use std::{borrow::Cow, fmt};

use kunji_shared::encoding::decode_base64;
use poem_openapi::{
    registry::{MetaSchema, MetaSchemaRef},
    types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, de::Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

/// A string member with base64 in it, either alphabet, padded or not; decoded right where it is read, so that
/// the text is not copied.
#[derive(Default)]
pub(crate) enum Base64Member {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// `""` or only white space.
    Blank,
    /// The bytes; wiped when dropped, because they may be content.
    Bytes(Zeroizing<Vec<u8>>),
    /// Something that is not base64.
    Malformed,
}

impl fmt::Debug for Base64Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Blank => f.write_str("Blank"),
            Self::Bytes(bytes) => write!(f, "Bytes([redacted; {} bytes])", bytes.len()),
            Self::Malformed => f.write_str("Malformed"),
        }
    }
}

impl<'de> Deserialize<'de> for Base64Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Base64Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a base64 string or null")
            }

            fn visit_str<E>(self, text: &str) -> Result<Base64Member, E> {
                if text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                    return Ok(Base64Member::Blank);
                }
                Ok(match decode_base64(text, text.len()) {
                    Ok(bytes) => Base64Member::Bytes(Zeroizing::new(bytes)),
                    Err(_) => Base64Member::Malformed,
                })
            }

            fn visit_none<E>(self) -> Result<Base64Member, E> {
                Ok(Base64Member::Absent)
            }

            fn visit_unit<E>(self) -> Result<Base64Member, E> {
                Ok(Base64Member::Absent)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Base64Member, D::Error> {
                deserializer.deserialize_str(self)
            }
        }

        deserializer.deserialize_option(TextVisitor)
    }
}

impl Type for Base64Member {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "base64".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let pattern = "^[A-Za-z0-9+/_-]+={0,2}$".to_owned();
        MetaSchemaRef::Inline(Box::new(MetaSchema { pattern: Some(pattern), ..MetaSchema::new("string") }))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(self.as_raw_value().into_iter())
    }
}

impl ParseFromJSON for Base64Member {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        Self::deserialize(value.unwrap_or_default()).map_err(|_| ParseError::custom("not base64"))
    }
}

impl ToJSON for Base64Member {
    fn to_json(&self) -> Option<Value> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Base64Member, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn both_alphabets_are_read() {
        for text in [r#""-_8""#, r#""+/8=""#, r#""+\/8""#] {
            let Ok(Base64Member::Bytes(bytes)) = read(text) else { panic!("{text}") };
            assert_eq!(bytes.as_slice(), b"\xfb\xff");
        }
    }

    #[test]
    fn blank_absent_and_malformed_are_told_apart() {
        assert!(matches!(read("null"), Ok(Base64Member::Absent)));
        assert!(matches!(read(r#""""#), Ok(Base64Member::Blank)));
        assert!(matches!(read(r#"" \t""#), Ok(Base64Member::Blank)));
        assert!(matches!(read(r#""a*""#), Ok(Base64Member::Malformed)));
        assert!(read("5").is_err());
    }

    #[test]
    fn debug_shows_no_bytes() {
        assert_eq!(format!("{:?}", read(r#""c2VjcmV0""#).unwrap()), "Bytes([redacted; 6 bytes])");
    }
}
