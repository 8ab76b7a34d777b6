//! `POST /oauth2/token`: client credentials (RFC 6749 4.4).

use std::sync::Arc;

use kunji_shared::encoding::decode_base64;
use poem::{
    IntoResponse, Request, Response, Result,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use super::problem::with_sources;
use crate::{
    api::{
        access::TokenRequests,
        exchange::Exchange,
        openapi::Tag,
        transport::{RETRY_SECONDS, TransportError},
        wire::{Form, FormError, Plus, percent_decode},
    },
    services::access::{AccessError, SecretHashError},
};

/// Access tokens.
pub(crate) struct OAuthApi {
    token_requests: Arc<TokenRequests>,
}

impl OAuthApi {
    pub(crate) fn new(token_requests: &Arc<TokenRequests>) -> Self {
        Self { token_requests: Arc::clone(token_requests) }
    }
}

#[OpenApi]
impl OAuthApi {
    /// Take an access token
    ///
    /// The client's id and secret stand either in the form or in HTTP Basic (RFC 6749 2.3.1), not in both.
    #[oai(path = "/oauth2/token", method = "post", operation_id = "takeToken", tag = "Tag::Access")]
    async fn token(&self, request: &Request, form: Form<TokenRequest>) -> Result<TokenResponse> {
        let exchange = Exchange::of(request)?;
        let credentials = match client_credentials(request.headers(), form) {
            Ok(credentials) => credentials,
            Err(error) => return Ok(TokenResponse::Refused(OAuthError::new(error, false))),
        };
        let ClientCredentials { id, secret, by_header } = credentials;
        Ok(match self.token_requests.issue(exchange, &id, secret).await? {
            Ok(issued) => TokenResponse::Issued(TokenAnswer {
                access_token: issued.token.expose_secret().to_owned(),
                token_type: "Bearer".to_owned(),
                expires_in: issued.expires_in,
            }),
            Err(error) => {
                let code = OAuthErrorCode::from(&error);
                if code == OAuthErrorCode::InvalidClient {
                    tracing::warn!(request_id = %exchange.request_id, address = ?exchange.address, %error, "no token");
                } else {
                    tracing::error!(request_id = %exchange.request_id, cause = with_sources(&error), "no token was issued");
                }
                TokenResponse::Refused(OAuthError::new(code, by_header))
            }
        })
    }
}

/// A token request.
#[derive(Debug, Object)]
#[oai(rename_all = "snake_case")]
struct TokenRequest {
    /// `client_credentials`.
    #[oai(validator(pattern = "^client_credentials$"))]
    grant_type: String,
    /// The client's id, unless it is sent in HTTP Basic.
    client_id: Option<String>,
    /// The client's secret, unless it is sent in HTTP Basic.
    client_secret: Option<String>,
}

/// An access token.
#[derive(Serialize, Object)]
#[oai(rename_all = "snake_case")]
struct TokenAnswer {
    /// The token, a compact JWS.
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds until it expires.
    expires_in: u32,
}

/// An error (RFC 6749 5.2).
#[derive(Debug, Serialize, Object)]
#[oai(rename_all = "snake_case")]
pub(crate) struct OAuthErrorAnswer {
    /// The code.
    error: String,
    /// What is wrong, and how to mend it.
    error_description: String,
}

/// Codes of RFC 6749 5.2 and 4.1.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OAuthErrorCode {
    InvalidClient,
    InvalidRequest,
    ServerError,
    TemporarilyUnavailable,
    UnsupportedGrantType,
}

impl OAuthErrorCode {
    /// Every code.
    pub(crate) const ALL: [Self; 5] = [
        Self::InvalidClient,
        Self::InvalidRequest,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::UnsupportedGrantType,
    ];

    /// The code as it is sent.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest => "invalid_request",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }

    /// The HTTP status.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::InvalidRequest | Self::UnsupportedGrantType => StatusCode::BAD_REQUEST,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it means here.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::InvalidClient => "unknown client or wrong secret",
            Self::InvalidRequest => {
                "send grant_type, client_id and client_secret as a form, each once; or id and secret in HTTP Basic"
            }
            Self::ServerError => "the server failed; its log has more under the request id",
            Self::TemporarilyUnavailable => "no token can be issued now; try again later",
            Self::UnsupportedGrantType => "the only grant_type here is client_credentials",
        }
    }
}

impl From<&AccessError> for OAuthErrorCode {
    fn from(error: &AccessError) -> Self {
        match error {
            AccessError::ClientDisabled | AccessError::InvalidClient => Self::InvalidClient,
            AccessError::Audit(_)
            | AccessError::Repository(_)
            | AccessError::SecretHash(SecretHashError::Busy)
            | AccessError::Token(_) => Self::TemporarilyUnavailable,
            AccessError::Approvals(_)
            | AccessError::ClientChanged
            | AccessError::ClientExists
            | AccessError::ClientNotFound
            | AccessError::Internal(_)
            | AccessError::LastAdministrator
            | AccessError::OwnClient
            | AccessError::Refused(_)
            | AccessError::Waits(_)
            | AccessError::SecretHash(SecretHashError::Failed)
            | AccessError::SecretsInForce => Self::ServerError,
        }
    }
}

struct ClientCredentials {
    id: String,
    secret: SecretString,
    by_header: bool,
}

fn client_credentials(
    headers: &HeaderMap,
    form: Form<TokenRequest>,
) -> Result<ClientCredentials, OAuthErrorCode> {
    let mut members = form.into_members().map_err(|_: FormError| OAuthErrorCode::InvalidRequest)?;
    let grant_type = members.remove("grant_type").ok_or(OAuthErrorCode::InvalidRequest)?;
    if grant_type.expose_secret() != "client_credentials" {
        return Err(OAuthErrorCode::UnsupportedGrantType);
    }
    let id = members.remove("client_id");
    let secret = members.remove("client_secret");
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        let id = id.ok_or(OAuthErrorCode::InvalidRequest)?.expose_secret().to_owned();
        let secret = secret.ok_or(OAuthErrorCode::InvalidRequest)?;
        return Ok(ClientCredentials { id, secret, by_header: false });
    };
    let (header_id, header_secret) = basic(header).ok_or(OAuthErrorCode::InvalidRequest)?;
    let same = id.is_none_or(|id| id.expose_secret() == header_id);
    if secret.is_some() || !same {
        return Err(OAuthErrorCode::InvalidRequest);
    }
    Ok(ClientCredentials { id: header_id, secret: header_secret, by_header: true })
}

/// Id and secret of HTTP Basic, each form-encoded first (RFC 6749 2.3.1). Many clients leave the encoding out;
/// what cannot be decoded is taken as it stands.
fn basic(value: &HeaderValue) -> Option<(String, SecretString)> {
    let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let bytes = Zeroizing::new(decode_base64(text.trim(), 1024).ok()?);
    let (id, secret) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let decode = |text: &str| percent_decode(text, Plus::Blank).unwrap_or_else(|| text.to_owned());
    Some((decode(id), decode(secret).into()))
}

/// A failure of a token request.
struct OAuthError {
    code: OAuthErrorCode,
    ask_for_basic: bool,
}

impl OAuthError {
    fn new(code: OAuthErrorCode, by_header: bool) -> Self {
        Self { code, ask_for_basic: by_header && code == OAuthErrorCode::InvalidClient }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let mut response = answer(self.code.status(), self.code.name(), self.code.description());
        if self.ask_for_basic {
            let challenge = HeaderValue::from_static("Basic realm=\"kunji\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.code == OAuthErrorCode::TemporarilyUnavailable {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_SECONDS.into());
        }
        response
    }
}

fn answer(status: StatusCode, error: &str, description: &str) -> Response {
    let body = OAuthErrorAnswer { error: error.to_owned(), error_description: description.to_owned() };
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::PRAGMA, "no-cache")
        .body(serde_json::to_vec(&body).unwrap_or_default())
}

/// The form of failures that did not reach the operation.
pub(crate) fn transport_oauth(failure: TransportError) -> Response {
    let code = transport_code(failure);
    let mut response = answer(failure.status_code(), code.name(), &failure.to_string());
    if let Some(seconds) = failure.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The code of a failure that did not reach the operation.
pub(crate) const fn transport_code(failure: TransportError) -> OAuthErrorCode {
    match failure {
        TransportError::Internal => OAuthErrorCode::ServerError,
        TransportError::Overloaded | TransportError::TooManyFailures { .. } | TransportError::Unavailable => {
            OAuthErrorCode::TemporarilyUnavailable
        }
        _ => OAuthErrorCode::InvalidRequest,
    }
}

enum TokenResponse {
    Issued(TokenAnswer),
    Refused(OAuthError),
}

impl IntoResponse for TokenResponse {
    fn into_response(self) -> Response {
        match self {
            Self::Issued(token) => {
                let mut response = crate::api::wire::Json(token).into_response();
                response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
                response
            }
            Self::Refused(error) => error.into_response(),
        }
    }
}

impl ApiResponse for TokenResponse {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The token.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: TokenAnswer::schema_ref(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        TokenAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use poem_openapi::payload::ParsePayload;

    use super::*;
    use crate::api::exchange::BodyBounds;

    async fn credentials(
        authorization: Option<&str>,
        body: &'static str,
    ) -> Result<(String, String, bool), OAuthErrorCode> {
        let mut builder = Request::builder();
        if let Some(value) = authorization {
            builder = builder.header(header::AUTHORIZATION, value);
        }
        let mut request = builder.body(body);
        request.set_data(Exchange::bounded(BodyBounds::of(16_384, Duration::from_secs(30))));
        let (request, mut body) = request.split();
        let form = Form::from_request(&request, &mut body).await.unwrap();
        client_credentials(request.headers(), form)
            .map(|found| (found.id, found.secret.expose_secret().to_owned(), found.by_header))
    }

    #[tokio::test]
    async fn the_client_stands_in_the_form_or_in_basic() {
        let found = credentials(None, "grant_type=client_credentials&client_id=a&client_secret=s%3A").await;
        assert_eq!(found, Ok(("a".to_owned(), "s:".to_owned(), false)));
        // "a:s%3A" and "a:%"
        let found = credentials(Some("Basic YTpzJTNB"), "grant_type=client_credentials").await;
        assert_eq!(found, Ok(("a".to_owned(), "s:".to_owned(), true)));
        let found = credentials(Some("basic YTol"), "grant_type=client_credentials&client_id=a").await;
        assert_eq!(found, Ok(("a".to_owned(), "%".to_owned(), true)));
    }

    #[tokio::test]
    async fn both_at_once_is_refused() {
        for body in [
            "grant_type=client_credentials&client_secret=s",
            "grant_type=client_credentials&client_id=b",
            "grant_type=client_credentials&grant_type=client_credentials",
        ] {
            let found = credentials(Some("Basic YTpzJTNB"), body).await;
            assert_eq!(found, Err(OAuthErrorCode::InvalidRequest), "{body}");
        }
    }

    #[tokio::test]
    async fn what_is_missing_or_unknown_is_named() {
        let bad = |body| credentials(None, body);
        assert_eq!(bad("").await, Err(OAuthErrorCode::InvalidRequest));
        assert_eq!(bad("grant_type=password").await, Err(OAuthErrorCode::UnsupportedGrantType));
        assert_eq!(
            bad("grant_type=client_credentials&client_id=a").await,
            Err(OAuthErrorCode::InvalidRequest)
        );
        let bearer = credentials(Some("Bearer x"), "grant_type=client_credentials").await;
        assert_eq!(bearer, Err(OAuthErrorCode::InvalidRequest));
    }

    #[test]
    fn basic_is_asked_for_when_it_was_used() {
        let response = OAuthError::new(OAuthErrorCode::InvalidClient, true).into_response();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.header(header::WWW_AUTHENTICATE).is_some());
        let response = OAuthError::new(OAuthErrorCode::InvalidClient, false).into_response();
        assert!(response.header(header::WWW_AUTHENTICATE).is_none());
    }
}
