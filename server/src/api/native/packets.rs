//! `POST /v1/packets/encrypt` and `/v1/packets/decrypt`: bytes in, bytes out, larger than memory.

use kunji_shared::encoding::decode_base64;
use poem::{
    Body, IntoResponse, Request, RequestBody, Response, Result,
    http::{HeaderMap, header},
};
use poem_openapi::{
    ApiResponse, OpenApi, impl_apirequest_for_payload,
    param::Header,
    payload::{ParsePayload, Payload},
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use super::problem::{Problem, ProblemKind};
use crate::{
    api::{
        access::{Authorized, Decrypt, Encrypt},
        openapi::Tag,
        wire::stream_bounded,
    },
    domain::alias::KeyAlias,
    services::{
        Services,
        packets::{BodyStream, CallerInputs, ContentStream},
    },
};

const OCTET_STREAM: &str = "application/octet-stream";

/// Largest salt or aad, in bytes; headers are smaller anyway.
const INPUT_LIMIT_BYTES: usize = 64 * 1024;

/// Packets as bytes.
pub(crate) struct PacketsApi {
    services: Services,
}

impl PacketsApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl PacketsApi {
    /// Encrypt content of any size
    ///
    /// The answer is the packet, in the layout that salt and aad ask for. The key is made when the alias has
    /// none.
    #[oai(
        path = "/v1/packets/encrypt",
        method = "post",
        operation_id = "encryptPacket",
        tag = "Tag::Packets"
    )]
    async fn encrypt(
        &self,
        caller: Authorized<Encrypt>,
        /// The application whose key is used.
        #[oai(name = "Kunji-Application")]
        _application: Header<String>,
        /// The reference of the key within the application.
        #[oai(name = "Kunji-Reference")]
        _reference: Header<Option<String>>,
        /// The GCM nonce, 1 to 64 bytes, base64url.
        #[oai(name = "Kunji-Salt")]
        _salt: Header<Option<String>>,
        /// Additional authenticated data, base64url.
        #[oai(name = "Kunji-Aad")]
        _aad: Header<Option<String>>,
        content: Octets,
    ) -> Result<OctetsAnswer, Problem> {
        let Octets { alias, inputs, pieces } = content;
        let packet = self.services.packets.encrypt_stream(&caller.call, &alias, pieces, inputs).await?;
        Ok(OctetsAnswer(packet))
    }

    /// Decrypt a packet of any size
    ///
    /// The answer is the content. Nothing of it is sent before the whole packet was authenticated.
    #[oai(
        path = "/v1/packets/decrypt",
        method = "post",
        operation_id = "decryptPacket",
        tag = "Tag::Packets"
    )]
    async fn decrypt(
        &self,
        caller: Authorized<Decrypt>,
        /// The application whose key is used.
        #[oai(name = "Kunji-Application")]
        _application: Header<String>,
        /// The reference of the key within the application.
        #[oai(name = "Kunji-Reference")]
        _reference: Header<Option<String>>,
        /// The GCM nonce that the packet was made with, base64url; absent when the packet carries its own.
        #[oai(name = "Kunji-Salt")]
        _salt: Header<Option<String>>,
        /// Additional authenticated data, base64url.
        #[oai(name = "Kunji-Aad")]
        _aad: Header<Option<String>>,
        packet: Octets,
    ) -> Result<OctetsAnswer, Problem> {
        let Octets { alias, inputs, pieces } = packet;
        let content = self.services.packets.decrypt_stream(&caller.call, &alias, pieces, inputs).await?;
        Ok(OctetsAnswer(content))
    }
}

/// What the headers say. The declared parameters describe them and are not used: one that cannot be read would
/// count as absent there, and the packet would be made in another layout.
fn read_headers(headers: &HeaderMap) -> Result<(KeyAlias, CallerInputs), Problem> {
    let application = single(headers, "Kunji-Application")?.unwrap_or_default();
    let reference = single(headers, "Kunji-Reference")?.unwrap_or_default();
    let alias = KeyAlias::parse(application, reference)?;
    Ok((alias, CallerInputs { salt: input(headers, "Kunji-Salt")?, aad: input(headers, "Kunji-Aad")? }))
}

/// The one value of a header, if it is there.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(text) if values.next().is_none() && !text.contains('\t') => Ok(Some(text)),
        _ => Err(Problem::new(
            ProblemKind::RequestInvalid,
            format!("{name} must be sent once at most, in visible ASCII characters"),
        )),
    }
}

fn input(headers: &HeaderMap, name: &str) -> Result<Option<Vec<u8>>, Problem> {
    let Some(text) = single(headers, name)? else { return Ok(None) };
    match decode_base64(text, INPUT_LIMIT_BYTES) {
        Ok(bytes) if !bytes.is_empty() => Ok(Some(bytes)),
        _ => Err(Problem::new(
            ProblemKind::RequestInvalid,
            format!("{name} must be base64url of at least one byte, or absent"),
        )),
    }
}

/// A body of bytes, with what the headers say of it.
struct Octets {
    alias: KeyAlias,
    inputs: CallerInputs,
    pieces: BodyStream,
}

impl Payload for Octets {
    const CONTENT_TYPE: &'static str = OCTET_STREAM;

    fn check_content_type(content_type: &str) -> bool {
        content_type
            .split(';')
            .next()
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case(OCTET_STREAM))
    }

    fn schema_ref() -> MetaSchemaRef {
        octets_schema()
    }
}

impl ParsePayload for Octets {
    const IS_REQUIRED: bool = true;

    async fn from_request(request: &Request, body: &mut RequestBody) -> Result<Self> {
        let (alias, inputs) = read_headers(request.headers())?;
        Ok(Self { alias, inputs, pieces: stream_bounded(request, body).await? })
    }
}

impl_apirequest_for_payload!(Octets);

/// An answer of bytes whose number is known.
struct OctetsAnswer(ContentStream);

impl IntoResponse for OctetsAnswer {
    fn into_response(self) -> Response {
        let ContentStream { length, pieces } = self.0;
        Response::builder()
            .content_type(OCTET_STREAM)
            .header(header::CONTENT_LENGTH, length)
            .body(Body::from_bytes_stream(pieces))
    }
}

impl ApiResponse for OctetsAnswer {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The packet or its content.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType { content_type: OCTET_STREAM, schema: octets_schema() }],
                headers: vec![],
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

fn octets_schema() -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")))
}

#[cfg(test)]
mod tests {
    use poem::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn headers_are_read() {
        let sent = headers(&[
            ("kunji-application", b"REGISTRATION"),
            ("kunji-reference", b"a b"),
            ("kunji-salt", b"AAEC"),
        ]);
        let (alias, inputs) = read_headers(&sent).unwrap();
        assert_eq!(alias, KeyAlias::parse("REGISTRATION", "a b").unwrap());
        assert_eq!((inputs.salt, inputs.aad), (Some(vec![0, 1, 2]), None));
    }

    #[test]
    fn a_header_that_cannot_be_read_or_comes_twice_is_named() {
        let names = [
            ("kunji-application", "A"),
            ("kunji-reference", "r"),
            ("kunji-salt", "AAEC"),
            ("kunji-aad", "AAEC"),
        ];
        for (name, good) in names {
            for values in [&["é"][..], &["\t\u{202e}x"], &["A\tA"], &[good, good], &[good, "é"]] {
                let mut sent = headers(&[("kunji-application", b"A")]);
                sent.remove(name);
                for value in values {
                    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                    sent.append(HeaderName::from_static(name), value);
                }
                let Err(problem) = read_headers(&sent) else { panic!("{name} {values:?}") };
                assert_eq!(problem.kind(), ProblemKind::RequestInvalid, "{name} {values:?}");
                assert!(problem.detail().to_ascii_lowercase().starts_with(name), "{}", problem.detail());
            }
        }
    }
}
