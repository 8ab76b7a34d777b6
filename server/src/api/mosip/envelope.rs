//! The envelope around every request and answer.

use std::{borrow::Cow, fmt, marker::PhantomData};

use kunji_shared::secret::Plaintext;
use poem::{
    Body, IntoResponse, Request, RequestBody, Response, Result,
    error::ResponseError,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, impl_apirequest_for_payload,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use zeroize::Zeroizing;

use super::{
    faults::Fault,
    members::malformed_time,
    refusal::{Entry, Refusal},
};
use crate::{
    api::{
        transport::TransportError,
        wire::{JSON, Members, WireTime, is_json, parse, read_bounded},
    },
    domain::time::Timestamp,
    services::packets::wiped_after_use,
};

/// Longest `id` and `version` that are sent back, in characters.
const ECHO_LIMIT_CHARS: usize = 256;

/// `id` and `version` of a request, which its answer repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Echo {
    id: Option<String>,
    version: Option<String>,
}

/// A request in its envelope.
#[derive(Debug)]
pub(crate) struct Enveloped<T> {
    /// What the answer repeats.
    pub(crate) echo: Echo,
    /// The request itself.
    pub(crate) request: T,
}

#[derive(Deserialize)]
struct RequestEnvelope<T> {
    #[serde(default)]
    id: EchoedText,
    #[serde(default)]
    version: EchoedText,
    #[serde(default)]
    requesttime: WireTime,
    #[serde(default, rename = "metadata")]
    _metadata: IgnoredAny,
    // Not a field default: `T` would have to have one too.
    request: Option<Members<T>>,
}

/// What can be told of a request that was not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EchoOnly {
    id: EchoedText,
    version: EchoedText,
}

fn open<T: DeserializeOwned>(bytes: &[u8]) -> Result<Enveloped<T>, EnvelopeFailure> {
    let envelope: RequestEnvelope<T> = match parse(bytes) {
        Ok(envelope) => envelope,
        Err(fault) => {
            let EchoOnly { id, version } = parse(bytes).unwrap_or_default();
            let message = format!("the request was not read: {fault}");
            return Err(EnvelopeFailure {
                echo: Echo { id: id.0, version: version.0 },
                refusal: Refusal::with_message(Fault::Invalid, message),
            });
        }
    };
    let echo = Echo { id: envelope.id.0, version: envelope.version.0 };
    let refusal = match (envelope.requesttime, envelope.request) {
        (WireTime::Malformed, _) => malformed_time("requesttime"),
        (_, None) => Refusal::with_message(Fault::Invalid, "request should not be null or empty"),
        (_, Some(Members(request))) => return Ok(Enveloped { echo, request }),
    };
    Err(EnvelopeFailure { echo, refusal })
}

impl<T: Type> Payload for Enveloped<T> {
    const CONTENT_TYPE: &'static str = JSON;

    fn check_content_type(content_type: &str) -> bool {
        is_json(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(format!("{}Envelope", T::name()))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        registry.create_schema::<Self, _>(format!("{}Envelope", T::name()), |_| MetaSchema {
            description: Some("A request in its envelope. Other members are ignored."),
            required: vec!["request"],
            properties: vec![
                ("id", nullable("string", "Any text; repeated in the answer.")),
                ("version", nullable("string", "Any text; repeated in the answer.")),
                ("requesttime", WireTime::schema_ref()),
                ("metadata", nullable("object", "Ignored.")),
                ("request", T::schema_ref()),
            ],
            ..MetaSchema::new("object")
        });
    }
}

impl<T: DeserializeOwned + Type> ParsePayload for Enveloped<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = read_bounded(request, body).await?;
        Ok(open(&bytes)?)
    }
}

impl_apirequest_for_payload!(Enveloped<T>, T: DeserializeOwned + Type);

fn nullable(ty: &'static str, description: &'static str) -> MetaSchemaRef {
    let schema = MetaSchema { description: Some(description), nullable: true, ..MetaSchema::new(ty) };
    MetaSchemaRef::Inline(Box::new(schema))
}

/// A string, or something else that is ignored.
#[derive(Debug, Default)]
struct EchoedText(Option<String>);

impl<'de> Deserialize<'de> for EchoedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor;

        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = EchoedText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<EchoedText, E> {
                let fits = text.len() <= ECHO_LIMIT_CHARS || text.chars().count() <= ECHO_LIMIT_CHARS;
                Ok(EchoedText(fits.then(|| text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<EchoedText, E> {
                Ok(EchoedText(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<EchoedText, E> {
                Ok(EchoedText(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<EchoedText, E> {
                Ok(EchoedText(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<EchoedText, E> {
                Ok(EchoedText(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<EchoedText, E> {
                Ok(EchoedText(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<EchoedText, A::Error> {
                while array.next_element::<IgnoredAny>()?.is_some() {}
                Ok(EchoedText(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EchoedText, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(EchoedText(None))
            }
        }

        deserializer.deserialize_any(AnyVisitor)
    }
}

/// What stands in `response`.
pub(crate) trait Answer: Serialize + Type {
    /// About how long it is as JSON.
    fn length_hint(&self) -> usize {
        4096
    }
}

#[derive(Serialize)]
struct AnswerEnvelope<'a, T> {
    id: Option<&'a str>,
    version: Option<&'a str>,
    responsetime: String,
    metadata: (),
    response: Option<T>,
    errors: Option<Vec<ErrorMember<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorMember<'a> {
    error_code: &'static str,
    message: &'a str,
}

/// An answer in its envelope. Content does not outlive it in memory: the text is wiped when it was sent.
pub(crate) struct Reply<T> {
    response: Response,
    answer: PhantomData<fn() -> T>,
}

impl<T: Answer> Reply<T> {
    /// The envelope of an operation's outcome at `now`.
    pub(crate) fn new(echo: &Echo, now: Timestamp, request_id: &str, outcome: Result<T, Refusal>) -> Self {
        let response = match outcome {
            Ok(answer) => success(echo, now, &answer),
            Err(refusal) => failure(echo, now, request_id, &refusal),
        };
        Self { response, answer: PhantomData }
    }

    /// Adds a header.
    pub(crate) fn with_header(mut self, name: header::HeaderName, value: header::HeaderValue) -> Self {
        self.response.headers_mut().insert(name, value);
        self
    }
}

fn success<T: Answer>(echo: &Echo, now: Timestamp, answer: &T) -> Response {
    // Room for everything from the start: a buffer that grows would leave copies of content behind.
    let mut text = Zeroizing::new(Vec::with_capacity(answer.length_hint() + 1024));
    let envelope = AnswerEnvelope {
        id: echo.id.as_deref(),
        version: echo.version.as_deref(),
        responsetime: now.to_text(),
        metadata: (),
        response: Some(answer),
        errors: None,
    };
    match serde_json::to_writer(&mut *text, &envelope) {
        Ok(()) => {
            let text = wiped_after_use(Plaintext::new(std::mem::take(&mut *text)));
            Response::builder().content_type(JSON).body(Body::from_bytes(text))
        }
        Err(_) => transport_envelope(TransportError::Internal, now),
    }
}

fn failure(echo: &Echo, now: Timestamp, request_id: &str, refusal: &Refusal) -> Response {
    let codes: Vec<&str> = refusal.entries.iter().map(|entry| entry.code).collect();
    if let Some(cause) = &refusal.cause {
        tracing::error!(request_id, ?codes, cause, "a request failed");
    } else {
        tracing::info!(request_id, ?codes, "a request failed");
    }
    render(echo, now, refusal)
}

fn render(echo: &Echo, now: Timestamp, refusal: &Refusal) -> Response {
    let member = |entry: &'_ Entry| (entry.code, entry.message.clone());
    let entries: Vec<(&'static str, Cow<'static, str>)> = refusal.entries.iter().map(member).collect();
    let envelope = AnswerEnvelope::<()> {
        id: echo.id.as_deref(),
        version: echo.version.as_deref(),
        responsetime: now.to_text(),
        metadata: (),
        response: None,
        errors: Some(
            entries.iter().map(|(code, message)| ErrorMember { error_code: code, message }).collect(),
        ),
    };
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder()
        .status(status)
        .content_type(JSON)
        .body(serde_json::to_vec(&envelope).unwrap_or_default());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The envelope of a request that did not reach its operation.
pub(crate) fn transport_envelope(error: TransportError, now: Timestamp) -> Response {
    render(&Echo::default(), now, &error.into())
}

/// A request whose envelope was read, or partly read, but not what is in it.
#[derive(Debug, thiserror::Error)]
#[error("the request was not read")]
pub(crate) struct EnvelopeFailure {
    echo: Echo,
    refusal: Refusal,
}

impl EnvelopeFailure {
    /// The envelope that tells of it.
    pub(crate) fn into_answer(self, now: Timestamp, request_id: &str) -> Response {
        failure(&self.echo, now, request_id, &self.refusal)
    }
}

impl ResponseError for EnvelopeFailure {
    fn status(&self) -> StatusCode {
        StatusCode::OK
    }
}

impl<T: Answer> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        self.response
    }
}

impl<T: Answer> ApiResponse for Reply<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done, or an error that the caller can mend.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: JSON,
                    schema: MetaSchemaRef::Reference(format!("{}Envelope", T::name())),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        registry.create_schema::<Self, _>(format!("{}Envelope", T::name()), |_| MetaSchema {
            description: Some("An answer in its envelope."),
            properties: vec![("response", T::schema_ref())],
            ..MetaSchema::new("object")
        });
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::Object;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize, Object)]
    struct Sample {
        text: Option<String>,
    }

    #[derive(Serialize, Object)]
    struct SampleAnswer {
        text: String,
    }

    impl Answer for SampleAnswer {}

    const NOW: Timestamp = Timestamp::from_millis(1_767_607_872_007);

    async fn body(response: Response) -> String {
        response.into_body().into_string().await.unwrap()
    }

    async fn refused(text: &str) -> Value {
        let failure = open::<Sample>(text.as_bytes()).unwrap_err();
        let response = failure.into_answer(NOW, "r");
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_str(&body(response).await).unwrap()
    }

    #[test]
    fn every_filler_in_the_field_is_taken() {
        for text in [
            r#"{"request":{}}"#,
            r#"{"id":null,"version":null,"requesttime":null,"metadata":null,"request":{}}"#,
            r#"{"id":"string","version":"string","requesttime":"","metadata":{},"request":{},"partnerId":1}"#,
            r#"{"id":5,"version":{"a":[1]},"requesttime":[2026,1,5,10,11],"metadata":[],"request":{"x":1}}"#,
        ] {
            assert!(open::<Sample>(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[tokio::test]
    async fn success_has_exactly_the_members_of_the_reference() {
        let opened = open::<Sample>(br#"{"id":"a","version":"v1","request":{"text":"x"}}"#).unwrap();
        let answer = SampleAnswer { text: "-----BEGIN\n".to_owned() };
        let reply = Reply::new(&opened.echo, NOW, "r", Ok(answer));
        assert_eq!(
            body(reply.into_response()).await,
            r#"{"id":"a","version":"v1","responsetime":"2026-01-05T10:11:12.007Z","metadata":null,"response":{"text":"-----BEGIN\n"},"errors":null}"#
        );
    }

    #[tokio::test]
    async fn failure_has_exactly_the_members_of_the_reference() {
        let response = Reply::<SampleAnswer>::new(&Echo::default(), NOW, "r", Err(Fault::UnknownKey.into()));
        let text = body(response.into_response()).await;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({
                "id": null, "version": null, "responsetime": "2026-01-05T10:11:12.007Z", "metadata": null,
                "response": null,
                "errors": [{ "errorCode": "KER-KMS-025", "message": Fault::UnknownKey.text() }],
            })
        );
    }

    #[tokio::test]
    async fn what_was_not_read_still_repeats_id_and_version() {
        let value = refused(r#"{"id":"a","version":"b","request":{"text":5}}"#).await;
        assert_eq!((&value["id"], &value["version"]), (&json!("a"), &json!("b")));
        assert_eq!(value["errors"][0]["errorCode"], "KER-KMS-005");
        assert!(!value.to_string().contains("integer"));
        let value = refused(r#"{"id":"a","#).await;
        assert_eq!(value["id"], Value::Null);
        let value = refused(r#"{"id":"a","version":"b"}"#).await;
        assert_eq!(value["errors"][0]["message"], "request should not be null or empty");
        let value = refused(r#"{"requesttime":1767607872,"request":{}}"#).await;
        assert_eq!(value["errors"][0]["errorCode"], "KER-KMS-006");
        let value = refused(r#"{"request":{},"request":{}}"#).await;
        assert_eq!(value["errors"][0]["errorCode"], "KER-KMS-005");
    }

    #[test]
    fn what_is_repeated_is_bounded() {
        let echo = |length: usize| {
            let text = format!("{{\"id\":\"{}\",\"request\":{{}}}}", "é".repeat(length));
            open::<Sample>(text.as_bytes()).unwrap().echo.id
        };
        assert_eq!(echo(256).map(|id| id.chars().count()), Some(256));
        assert_eq!(echo(257), None);
    }

    #[tokio::test]
    async fn transport_failures_carry_the_envelope() {
        let response = transport_envelope(TransportError::Unauthenticated, NOW);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.header(header::WWW_AUTHENTICATE), Some("Bearer"));
        let value: Value = serde_json::from_str(&body(response).await).unwrap();
        assert_eq!(
            value["errors"],
            json!([{"errorCode": "KER-ATH-401", "message": "Authentication Failed"}])
        );
        for error in TransportError::ALL {
            let response = transport_envelope(error, NOW);
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), error.retry_after().is_some());
            let value: Value = serde_json::from_str(&body(response).await).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 6);
            assert_eq!(value["errors"].as_array().unwrap().len(), 1);
        }
    }
}
