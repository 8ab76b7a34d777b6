//! `/crl`: which certificates are revoked, for whoever verifies them.

use poem::{
    IntoResponse, Request, Response, Result,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};

use super::problem::Problem;
use crate::{
    api::{exchange::Exchange, openapi::Tag, rate_limit::AddressLimiter, wire::names_entity_tag},
    domain::key::KeyId,
    services::{
        Services,
        keys::revocation::{RevocationList, RevocationListError},
    },
};

const PKIX_CRL: &str = "application/pkix-crl";
/// How long a list may be kept. What is revoked is to be known everywhere within a minute.
const KEPT: &str = "max-age=30, must-revalidate";

/// Revocation lists.
pub(crate) struct RevocationListsApi {
    services: Services,
    limiter: AddressLimiter,
}

impl RevocationListsApi {
    pub(crate) fn new(services: &Services, per_minute: u32) -> Self {
        Self { services: services.clone(), limiter: AddressLimiter::per_minute(per_minute) }
    }
}

#[OpenApi]
impl RevocationListsApi {
    /// Read which certificates of an issuer are revoked
    ///
    /// A certificate revocation list (RFC 5280), DER, signed by the issuer's key. It names the certificates of keys that
    /// were revoked (`superseded`, `keyCompromise`, `cACompromise`) or are suspended (`certificateHold`), until a day
    /// after their end. A new one is made within seconds of a decision, and each hour; each is good for a day.
    #[oai(
        path = "/crl/:file",
        method = "get",
        operation_id = "readRevocationList",
        tag = "Tag::Certificates"
    )]
    async fn read(
        &self,
        request: &Request,
        /// The id of the key that signed the certificates, and `.crl`.
        file: Path<String>,
        /// The `ETag` of the copy that the caller has.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<RevocationListAnswer, Problem> {
        self.limiter.check(Exchange::of(request)?.address).map_err(Problem::too_often)?;
        let issuer = file.strip_suffix(".crl").and_then(KeyId::parse).ok_or(RevocationListError::NotFound)?;
        let list = self.services.revocation_lists.read(&issuer).await?;
        let tag = format!("\"{:x}\"", list.number());
        let is_known = if_none_match.as_deref().is_some_and(|tags| names_entity_tag(tags, &tag));
        Ok(RevocationListAnswer { list: (!is_known).then(|| RevocationList::clone(&list)), tag })
    }
}

struct RevocationListAnswer {
    /// `None` when the caller's copy is good.
    list: Option<RevocationList>,
    tag: String,
}

impl IntoResponse for RevocationListAnswer {
    fn into_response(self) -> Response {
        let response = Response::builder().header(header::ETAG, self.tag).header(header::CACHE_CONTROL, KEPT);
        match self.list {
            Some(list) => response.content_type(PKIX_CRL).body(list.der),
            None => response.status(StatusCode::NOT_MODIFIED).finish(),
        }
    }
}

impl ApiResponse for RevocationListAnswer {
    fn meta() -> MetaResponses {
        let headers = || {
            [("ETag", "Names this list."), ("Cache-Control", "How long it may be kept.")]
                .map(|(name, description)| MetaHeader {
                    name: name.to_owned(),
                    description: Some(description.to_owned()),
                    required: true,
                    deprecated: false,
                    schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
                })
                .into()
        };
        let binary = MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "binary")));
        MetaResponses {
            responses: vec![
                MetaResponse {
                    description: "The list.",
                    status: Some(200),
                    status_range: None,
                    content: vec![MetaMediaType { content_type: PKIX_CRL, schema: binary }],
                    headers: headers(),
                },
                MetaResponse {
                    description: "The caller's copy is good.",
                    status: Some(304),
                    status_range: None,
                    content: vec![],
                    headers: headers(),
                },
            ],
        }
    }

    fn register(_: &mut Registry) {}
}
