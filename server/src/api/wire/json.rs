//! JSON read strictly: one value, members of known names once, no other type than the one asked for.
//!
//! Members of unknown names are skipped, because clients of the reference system send some.

use std::{fmt, marker::PhantomData};

use poem::{IntoResponse, Request, RequestBody, Response, Result};
use poem_openapi::{
    ApiResponse, impl_apirequest_for_payload,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry},
    types::Type,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;

use super::body::read_bounded;
use crate::api::{native::Problem, transport::TransportError};

/// The content type that is read and written.
pub(crate) const JSON: &str = "application/json";

/// A JSON body without an envelope.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Type> Payload for Json<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: DeserializeOwned + Type> ParsePayload for Json<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = read_bounded(request, body).await?;
        Ok(Self(parse(&bytes).map_err(Problem::invalid_body)?))
    }
}

impl_apirequest_for_payload!(Json<T>, T: DeserializeOwned + Type);

impl<T: Serialize + Send> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => Response::builder().content_type(JSON).body(bytes),
            Err(_) => poem::Error::from(TransportError::Internal).into_response(),
        }
    }
}

impl<T: Serialize + Type> ApiResponse for Json<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Whether a content type is JSON, whatever its parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON)
}

/// Reads one JSON object.
///
/// # Errors
/// [`JsonFault`] says where reading ended, not what stood there.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonFault> {
    match serde_json::from_slice::<Members<T>>(bytes) {
        Ok(Members(value)) => Ok(value),
        Err(error) => Err(JsonFault {
            reason: match error.classify() {
                Category::Data => "a member is missing, is given twice or has the wrong type",
                Category::Eof => "the JSON text ends early",
                Category::Io | Category::Syntax => "the text is not JSON",
            },
            line: error.line(),
            column: error.column(),
        }),
    }
}

/// Why and where a text was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (line {line}, column {column})")]
pub(crate) struct JsonFault {
    reason: &'static str,
    line: usize,
    column: usize,
}

/// A structure read from a JSON object only: serde alone takes an array of its members too.
#[derive(Debug)]
pub(crate) struct Members<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Members)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Inner {
        name: Option<String>,
        flag: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    struct Outer {
        inner: Option<Members<Inner>>,
    }

    fn read(text: &str) -> Result<Outer, JsonFault> {
        parse(text.as_bytes())
    }

    #[test]
    fn objects_are_read_and_unknown_members_skipped() {
        let outer = read(r#"{"inner":{"name":"a","flag":true,"x":[{}]},"y":1}"#).unwrap();
        let Members(inner) = outer.inner.unwrap();
        assert_eq!((inner.name.as_deref(), inner.flag), (Some("a"), Some(true)));
        assert!(read(r#"{"inner":null}"#).unwrap().inner.is_none());
        assert!(read("{}").unwrap().inner.is_none());
    }

    #[test]
    fn everything_else_is_refused_without_being_shown() {
        for text in [
            "",
            "{",
            "{}x",
            "null",
            "[]",
            r#"[{"name":"secret"}]"#,
            r#"{"inner":["secret",true]}"#,
            r#"{"inner":{"name":98765,"flag":true}}"#,
            r#"{"inner":{"flag":"secret"}}"#,
            r#"{"inner":{"name":"secret","name":"secret"}}"#,
            r#"{"inner":{},"inner":{}}"#,
            "{\"inner\":\"\u{0}secret\"}",
        ] {
            let fault = read(text).unwrap_err().to_string();
            assert!(!fault.contains("secret") && !fault.contains("98765"), "{text}: {fault}");
        }
        assert!(parse::<Outer>(b"{\"inner\":{\"name\":\"\xff\"}}").is_err());
    }

    #[test]
    fn depth_is_bounded_where_it_is_read_and_harmless_where_it_is_skipped() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).is_ok());
        assert!(read(&deep.replace('x', "inner")).is_err());
    }

    #[test]
    fn a_fault_says_where() {
        assert_eq!(
            read("{\n  \"inner\": 5}").unwrap_err().to_string(),
            "a member is missing, is given twice or has the wrong type (line 2, column 12)"
        );
    }

    #[test]
    fn content_types_have_parameters_and_any_case() {
        assert!(is_json("application/json"));
        assert!(is_json("Application/JSON;charset=utf-8"));
        assert!(!is_json("application/json5") && !is_json("text/json") && !is_json(""));
    }
}
