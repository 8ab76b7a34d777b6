//! `POST /v1/packets/encrypt` and `/v1/packets/decrypt`: bytes in, bytes out, larger than memory.

use kunji_shared::encoding::decode_base64;
use poem::{Body, IntoResponse, Request, RequestBody, Response, Result, http::header};
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
        application: Header<String>,
        /// The reference of the key within the application.
        #[oai(name = "Kunji-Reference")]
        reference: Header<Option<String>>,
        /// The GCM nonce, 1 to 64 bytes, base64url.
        #[oai(name = "Kunji-Salt")]
        salt: Header<Option<String>>,
        /// Additional authenticated data, base64url.
        #[oai(name = "Kunji-Aad")]
        aad: Header<Option<String>>,
        content: Octets,
    ) -> Result<OctetsAnswer, Problem> {
        let alias = KeyAlias::parse(&application, reference.as_deref().unwrap_or_default())?;
        let inputs = caller_inputs(salt.as_deref(), aad.as_deref())?;
        let packet = self.services.packets.encrypt_stream(&caller.call, &alias, content.0, inputs).await?;
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
        application: Header<String>,
        /// The reference of the key within the application.
        #[oai(name = "Kunji-Reference")]
        reference: Header<Option<String>>,
        /// The GCM nonce that the packet was made with, base64url; absent when the packet carries its own.
        #[oai(name = "Kunji-Salt")]
        salt: Header<Option<String>>,
        /// Additional authenticated data, base64url.
        #[oai(name = "Kunji-Aad")]
        aad: Header<Option<String>>,
        packet: Octets,
    ) -> Result<OctetsAnswer, Problem> {
        let alias = KeyAlias::parse(&application, reference.as_deref().unwrap_or_default())?;
        let inputs = caller_inputs(salt.as_deref(), aad.as_deref())?;
        let content = self.services.packets.decrypt_stream(&caller.call, &alias, packet.0, inputs).await?;
        Ok(OctetsAnswer(content))
    }
}

fn caller_inputs(salt: Option<&str>, aad: Option<&str>) -> Result<CallerInputs, Problem> {
    Ok(CallerInputs { salt: input("Kunji-Salt", salt)?, aad: input("Kunji-Aad", aad)? })
}

fn input(name: &str, text: Option<&str>) -> Result<Option<Vec<u8>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match decode_base64(text, INPUT_LIMIT_BYTES) {
        Ok(bytes) if !bytes.is_empty() => Ok(Some(bytes)),
        _ => Err(Problem::new(
            ProblemKind::RequestInvalid,
            format!("{name} must be base64url of at least one byte, or absent"),
        )),
    }
}

/// A body of bytes, in pieces.
struct Octets(BodyStream);

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
        Ok(Self(stream_bounded(request, body)?))
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
