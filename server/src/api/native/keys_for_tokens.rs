//! `GET /.well-known/jwks.json` and `/.well-known/openid-configuration`: what those need who verify access tokens.

use poem::{IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use serde_json::Value;

use crate::{
    api::{openapi::Tag, wire::Json},
    services::Services,
};

/// How long the keys may be kept: a new one is published for a day before it signs.
const KEPT: &str = "max-age=3600";

/// The issuer's public keys.
pub(crate) struct TokenKeysApi {
    services: Services,
}

impl TokenKeysApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl TokenKeysApi {
    /// Read the keys that verify access tokens
    ///
    /// A JWK set (RFC 7517).
    #[oai(
        path = "/.well-known/jwks.json",
        method = "get",
        operation_id = "readTokenKeys",
        tag = "Tag::Access"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn read(&self) -> KeySet {
        KeySet(self.services.access.json_web_key_set())
    }

    /// Read where tokens are taken and their keys are found
    ///
    /// Provider metadata (OpenID Connect Discovery 1.0, RFC 8414). There is one way to take a token, by client
    /// credentials, and no way for people to sign in.
    #[oai(
        path = "/.well-known/openid-configuration",
        method = "get",
        operation_id = "readIssuer",
        tag = "Tag::Access"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn read_issuer(&self) -> Json<IssuerAnswer> {
        let issuer = self.services.access.issuer();
        let base = issuer.trim_end_matches('/');
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Json(IssuerAnswer {
            issuer: issuer.to_owned(),
            token_endpoint: format!("{base}/oauth2/token"),
            jwks_uri: format!("{base}/.well-known/jwks.json"),
            grant_types_supported: list(&["client_credentials"]),
            token_endpoint_auth_methods_supported: list(&["client_secret_basic", "client_secret_post"]),
            response_types_supported: list(&[]),
            subject_types_supported: list(&["public"]),
            id_token_signing_alg_values_supported: list(&["RS256"]),
        })
    }
}

/// The issuer's metadata.
#[derive(Serialize, Object)]
#[oai(rename_all = "snake_case")]
struct IssuerAnswer {
    /// `iss` of its tokens.
    issuer: String,
    /// Where tokens are taken.
    token_endpoint: String,
    /// Where the keys are that verify them.
    jwks_uri: String,
    /// `client_credentials`.
    grant_types_supported: Vec<String>,
    /// How clients show their secret.
    token_endpoint_auth_methods_supported: Vec<String>,
    /// None: nobody is sent here to sign in.
    response_types_supported: Vec<String>,
    /// `public`.
    subject_types_supported: Vec<String>,
    /// `RS256`, as for access tokens.
    id_token_signing_alg_values_supported: Vec<String>,
}

/// A JWK set.
#[derive(Object)]
pub(super) struct JsonWebKeySet {
    /// JWKs.
    keys: Vec<Value>,
}

struct KeySet(Value);

impl IntoResponse for KeySet {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("application/json")
            .header(header::CACHE_CONTROL, KEPT)
            .body(self.0.to_string())
    }
}

impl ApiResponse for KeySet {
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
