//! `/v1/signatures`: bytes and digests signed, many at once; signatures verified, with a report. `/v1/jwks`: the public
//! keys for verifying elsewhere.

mod problems;
mod report;
mod sign;

use poem::{IntoResponse, Request, Response, Result, http::header};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::Path,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type as _,
};

use super::{
    keys_for_tokens::JsonWebKeySet,
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{Authorized, Sign, Verify},
        exchange::Exchange,
        openapi::Tag,
        rate_limit::AddressLimiter,
        wire::Json,
    },
    domain::alias::ApplicationId,
    services::Services,
};
use report::{ReportAnswer, VerifySignatureRequest};
use sign::{SignaturesAnswer, SignaturesRequest};

/// How long a set may be kept. A new key signs at once, so a verifier that does not know a `kid` asks again.
const KEPT: &str = "max-age=60";

/// Signatures.
pub(crate) struct SignaturesApi {
    services: Services,
    limiter: AddressLimiter,
}

impl SignaturesApi {
    pub(crate) fn new(services: &Services, key_sets_per_minute: u32) -> Self {
        Self { services: services.clone(), limiter: AddressLimiter::per_minute(key_sets_per_minute) }
    }
}

#[OpenApi]
impl SignaturesApi {
    /// Sign bytes or digests
    ///
    /// Up to 1000 in one call, each with an outcome of its own, in the order of the request. ECDSA signatures are r and
    /// s, one after the other.
    #[oai(path = "/v1/signatures", method = "post", operation_id = "makeSignatures", tag = "Tag::Signatures")]
    async fn sign(
        &self,
        caller: Authorized<Sign>,
        request: Json<SignaturesRequest>,
    ) -> Result<Json<SignaturesAnswer>, Problem> {
        let (requests, failures) = request.0.check()?;
        let made = self.services.signatures.sign_many(&caller.call, requests).await;
        Ok(Json(SignaturesAnswer::of(made, failures)))
    }

    /// Verify a signature
    ///
    /// Of a JWS, a COSE_Sign1, bytes or a digest. The answer tells what came of each check. The certificate is that in
    /// the signature's header, else that of the request, else that of the key that application and reference name.
    #[oai(
        path = "/v1/signatures/verify",
        method = "post",
        operation_id = "verifySignature",
        tag = "Tag::Signatures"
    )]
    async fn verify(
        &self,
        caller: Authorized<Verify>,
        request: Json<VerifySignatureRequest>,
    ) -> Result<Json<ReportAnswer>, Problem> {
        let report = self.services.signatures.report(&caller.call, request.0.check()?).await?;
        Ok(Json(report.into()))
    }

    /// Read the public keys of an application's signatures
    ///
    /// A JWK set (RFC 7517) of all keys that sign data for it and whose certificates have not ended: after a rotation,
    /// the earlier ones too. Makes no key.
    #[oai(
        path = "/v1/jwks/:application",
        method = "get",
        operation_id = "readSigningKeys",
        tag = "Tag::Signatures"
    )]
    async fn read_keys(
        &self,
        request: &Request,
        /// The application.
        application: Path<String>,
    ) -> Result<SigningKeySet, Problem> {
        let address = Exchange::of(request)?.address;
        self.limiter.check(address).map_err(Problem::too_often)?;
        let application = ApplicationId::parse(&application)?;
        let set = self.services.signatures.json_web_key_set(&application).await?;
        let unknown =
            || Problem::new(ProblemKind::ApplicationUnknown, "no policy allows the application keys");
        Ok(SigningKeySet(set.ok_or_else(unknown)?.to_string()))
    }
}

/// A JWK set as text.
struct SigningKeySet(String);

impl IntoResponse for SigningKeySet {
    fn into_response(self) -> Response {
        Response::builder().content_type("application/json").header(header::CACHE_CONTROL, KEPT).body(self.0)
    }
}

impl ApiResponse for SigningKeySet {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The keys.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: JsonWebKeySet::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        JsonWebKeySet::register(registry);
    }
}
