//! `GET /.well-known/jwks.json`: the keys that verify access tokens.

use poem::{IntoResponse, Response};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use crate::{api::openapi::Tag, services::Services};

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
}

/// A JWK set.
#[derive(Object)]
struct JsonWebKeySet {
    /// JWKs.
    keys: Vec<Value>,
}

struct KeySet(Value);

impl IntoResponse for KeySet {
    fn into_response(self) -> Response {
        Response::builder().content_type("application/json").body(self.0.to_string())
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
