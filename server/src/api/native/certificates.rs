//! `/v1/certificates`: read by forms on the open web, which can hold no secret; and issued.

use kunji_shared::{encoding::encode_hex, pem};
use poem::{
    IntoResponse, Request, Response, Result,
    http::{HeaderMap, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path},
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::{
    issued_certificates::{CertificateRequest, IssuedCertificateAnswer},
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{Authorized, IssueCertificate},
        exchange::Exchange,
        openapi::Tag,
        rate_limit::AddressLimiter,
        wire::{Json, names_entity_tag},
    },
    domain::alias::KeyAlias,
    services::{Services, keys::CertificateChain},
};

const PEM_CHAIN: &str = "application/pem-certificate-chain";

/// Public certificates.
pub(crate) struct CertificatesApi {
    services: Services,
    limiter: AddressLimiter,
}

impl CertificatesApi {
    pub(crate) fn new(services: &Services, per_minute: u32) -> Self {
        Self { services: services.clone(), limiter: AddressLimiter::per_minute(per_minute) }
    }
}

#[OpenApi]
impl CertificatesApi {
    /// Read a public certificate and its chain
    ///
    /// Only certificates that the server's settings mark public. Makes no key. `Accept: application/json` asks
    /// for JSON; otherwise the answer is PEM, the certificate first, its issuers after it. Before ROOT stand the
    /// certificates that earlier ROOTs signed for it, which lead who trusts one of those to this one.
    #[oai(
        path = "/v1/certificates/:application/:reference",
        method = "get",
        operation_id = "readPublicCertificate",
        tag = "Tag::Certificates"
    )]
    async fn read(
        &self,
        request: &Request,
        /// The application.
        application: Path<String>,
        /// The reference within the application.
        reference: Path<String>,
        /// The `ETag` of the copy that the caller has.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
    ) -> Result<PublicCertificate, Problem> {
        let address = Exchange::of(request)?.address;
        self.limiter.check(address).map_err(|seconds| {
            Problem::new(ProblemKind::RateExceeded, "ask less often; certificates may be kept for an hour")
                .with_retry_after(seconds)
        })?;
        let alias = KeyAlias::parse(&application, &reference)?;
        let chain = self.services.keys.public_certificate(&alias).await?.ok_or_else(|| {
            Problem::new(
                ProblemKind::CertificateNotFound,
                "the certificate is not public, or was not made yet",
            )
        })?;
        let form = Form::wanted(request.headers());
        let tag = format!("\"{}-{}\"", encode_hex(chain.key.thumbprint.as_bytes()), form.name());
        let known = if_none_match.as_deref().is_some_and(|tags| names_entity_tag(tags, &tag));
        Ok(PublicCertificate { chain: (!known).then_some(chain), form, tag })
    }

    /// Have a key certified that this server does not have
    ///
    /// By the application's master key, under the name of application and reference: names and extensions of the request
    /// do not count. The certificate is kept under them, as another domain's.
    #[oai(
        path = "/v1/certificates",
        method = "post",
        operation_id = "issueCertificate",
        tag = "Tag::Certificates"
    )]
    async fn issue(
        &self,
        caller: Authorized<IssueCertificate>,
        body: Json<CertificateRequest>,
    ) -> Result<Json<IssuedCertificateAnswer>, Problem> {
        let Json(CertificateRequest { application, reference, request, certified_use }) = body;
        let alias = KeyAlias::parse(&application, &reference)?;
        let keys = &self.services.keys;
        let chain = keys.issue_certificate(&caller.call, &alias, &request, certified_use.into()).await?;
        Ok(Json(IssuedCertificateAnswer::from(&chain)))
    }
}

/// The form that a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Pem,
}

impl Form {
    fn wanted(headers: &HeaderMap) -> Self {
        let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let json = ranges.flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
            named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        });
        if json { Self::Json } else { Self::Pem }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Pem => "pem",
        }
    }
}

/// A certificate with its chain, as JSON.
#[derive(Debug, Serialize, Object)]
struct CertificateChainAnswer {
    /// PEM.
    certificate: String,
    /// PEM; the certificate's issuer first, ROOT last, and before it the certificates that earlier ROOTs signed for it.
    chain: Vec<String>,
}

struct PublicCertificate {
    /// `None` when the caller's copy is good.
    chain: Option<CertificateChain>,
    form: Form,
    tag: String,
}

impl IntoResponse for PublicCertificate {
    fn into_response(self) -> Response {
        let response = Response::builder()
            .header(header::ETAG, self.tag)
            .header(header::CACHE_CONTROL, "max-age=3600, must-revalidate")
            .header(header::VARY, "Accept");
        let Some(chain) = self.chain else {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        };
        let mut blocks = chain.certificates.iter().map(|der| pem::encode("CERTIFICATE", der));
        match self.form {
            Form::Pem => response.content_type(PEM_CHAIN).body(blocks.collect::<String>()),
            Form::Json => {
                let certificate = blocks.next().unwrap_or_default();
                let answer = CertificateChainAnswer { certificate, chain: blocks.collect() };
                response
                    .content_type("application/json")
                    .body(serde_json::to_vec(&answer).unwrap_or_default())
            }
        }
    }
}

impl ApiResponse for PublicCertificate {
    fn meta() -> MetaResponses {
        let text = || MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let headers = || {
            [
                ("ETag", "Names this version."),
                ("Cache-Control", "How long it may be kept."),
                ("Vary", "`Accept`."),
            ]
            .map(|(name, description)| MetaHeader {
                name: name.to_owned(),
                description: Some(description.to_owned()),
                required: true,
                deprecated: false,
                schema: text(),
            })
            .into()
        };
        MetaResponses {
            responses: vec![
                MetaResponse {
                    description: "The certificate and its issuers.",
                    status: Some(200),
                    status_range: None,
                    content: vec![
                        MetaMediaType { content_type: PEM_CHAIN, schema: text() },
                        MetaMediaType {
                            content_type: "application/json",
                            schema: CertificateChainAnswer::schema_ref(),
                        },
                    ],
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

    fn register(registry: &mut Registry) {
        CertificateChainAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn wanted(accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        Form::wanted(&headers)
    }

    #[test]
    fn json_is_given_to_those_who_name_it() {
        assert_eq!(wanted("application/json"), Form::Json);
        assert_eq!(wanted("text/html, Application/JSON; q=0.9"), Form::Json);
        assert_eq!(wanted("application/json;q=0, */*"), Form::Pem);
        assert_eq!(wanted("*/*"), Form::Pem);
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Pem);
    }
}
