//! `POST /v1/authmanager/authenticate/clientidsecretkey`: tokens for clients that know no OAuth.

use std::sync::Arc;

use poem::{
    Request, Result,
    http::{HeaderValue, header},
};
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    faults::Fault,
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{access::TokenRequests, exchange::Exchange, openapi::Tag, transport::TransportError},
    config::Settings,
    services::{Services, access::IssuedToken},
};

/// `clientidsecretkey`
pub(crate) struct AuthenticateApi {
    services: Services,
    token_requests: Arc<TokenRequests>,
    /// Whether browsers may send the cookie over TLS only: so when they reach the server by https.
    secure_cookie: bool,
}

impl AuthenticateApi {
    pub(crate) fn new(services: &Services, settings: &Settings, token_requests: &Arc<TokenRequests>) -> Self {
        Self {
            services: services.clone(),
            token_requests: Arc::clone(token_requests),
            secure_cookie: settings.issuer.starts_with("https://") || settings.has_tls(),
        }
    }

    /// A token, or why the envelope has none.
    ///
    /// # Errors
    /// [`TransportError::TooManyFailures`].
    async fn issue(
        &self,
        exchange: &Exchange,
        request: ClientSecretRequest,
    ) -> Result<Result<IssuedToken, Refusal>, TransportError> {
        let mut violations = Violations::default();
        violations.require_text("request.clientId", request.client_id.as_deref());
        violations.require_text("request.secretKey", request.secret_key.as_deref());
        if let Err(refusal) = violations.finish() {
            return Ok(Err(refusal));
        }
        let id = request.client_id.unwrap_or_default();
        let secret = SecretString::from(request.secret_key.unwrap_or_default());
        Ok(self.token_requests.issue(exchange, &id, secret).await?.map_err(Refusal::from))
    }

    fn cookie(&self, token: &IssuedToken) -> Option<HeaderValue> {
        let secure = if self.secure_cookie { "; Secure" } else { "" };
        sensitive(&format!(
            "Authorization={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
            token.token.expose_secret(),
            token.expires_in
        ))
    }
}

#[OpenApi]
impl AuthenticateApi {
    /// Take an access token as a header and a cookie
    ///
    /// The token stands in the headers `Authorization` and `Set-Cookie` of the answer, not in its body.
    #[oai(
        path = "/v1/authmanager/authenticate/clientidsecretkey",
        method = "post",
        operation_id = "authenticateClient",
        tag = "Tag::Access"
    )]
    async fn authenticate(
        &self,
        request: &Request,
        body: Enveloped<ClientSecretRequest>,
    ) -> Result<Reply<AuthenticateAnswer>> {
        let exchange = Exchange::of(request)?;
        let outcome = self.issue(exchange, body.request).await?;
        let headers = outcome
            .as_ref()
            .ok()
            .map(|issued| (sensitive(issued.token.expose_secret()), self.cookie(issued)));
        let outcome = match headers {
            Some((None, _) | (_, None)) => Err(Refusal { status: 500, ..Fault::Internal.into() }),
            _ => outcome.map(|_| AuthenticateAnswer {
                status: "success".to_owned(),
                message: "Clientid and Token combination had been validated successfully".to_owned(),
            }),
        };
        let reply = Reply::new(&body.echo, self.services.clock.now(), &exchange.request_id, outcome);
        Ok(match headers {
            Some((Some(token), Some(cookie))) => {
                reply.with_header(header::AUTHORIZATION, token).with_header(header::SET_COOKIE, cookie)
            }
            _ => reply,
        })
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A client and its secret.
#[derive(Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct ClientSecretRequest {
    /// The client's id.
    client_id: Option<String>,
    /// The client's secret.
    secret_key: Option<String>,
}

/// The client is known.
#[derive(Serialize, Object)]
struct AuthenticateAnswer {
    /// `success`.
    status: String,
    /// A fixed text.
    message: String,
}

impl Answer for AuthenticateAnswer {}
