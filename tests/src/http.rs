//! A caller of the HTTP API, as the clients in the field are: it knows paths and JSON, nothing of the server's code.

use base64ct::{Base64UrlUnpadded, Encoding};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// A caller, perhaps with an access token.
#[derive(Clone)]
pub struct Http {
    base: String,
    client: reqwest::Client,
    token: Option<String>,
}

/// Status, headers and JSON body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Http {
    /// A caller without a token.
    pub fn new(base: &str) -> Self {
        // Not the system's proxy: the tests talk to this machine only.
        let trust = kunji_server::trust::client_config().unwrap();
        let client = reqwest::Client::builder().tls_backend_preconfigured(trust).no_proxy().build().unwrap();
        Self { base: base.to_owned(), client, token: None }
    }

    /// The same caller with this token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// `http://address`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token, if any.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request with the token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::read(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// POST of exact bytes as JSON.
    pub async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        Answer::read(request.body(body).send().await.unwrap()).await
    }

    /// POST of an enveloped request under `/v1/keymanager`.
    pub async fn call(&self, path: &str, request: Value) -> Answer {
        let body = json!({
            "id": "string", "version": "string", "requesttime": "2026-01-05T10:11:12.123Z",
            "metadata": {}, "request": request,
        });
        self.post(&format!("/v1/keymanager{path}"), &body).await
    }

    /// Takes an access token.
    pub async fn sign_in(&self, client_id: &str, secret: &str) -> Self {
        let form =
            [("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", secret)];
        let response = self.request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap();
        let answer = Answer::read(response).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        self.bearing(answer.body["access_token"].as_str().unwrap())
    }

    /// Makes a client with these roles (this caller being an administrator) and signs it in.
    pub async fn new_client(&self, roles: &[&str]) -> Self {
        let id = format!("client-{}", uuid::Uuid::new_v4());
        let answer = self.post("/v1/clients", &json!({ "clientId": id, "roles": roles })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let secret = answer.body["clientSecret"].as_str().unwrap();
        Self { token: None, ..self.clone() }.sign_in(&id, secret).await
    }

    /// The certificate (PEM) of an alias.
    pub async fn certificate(&self, application: &str, reference: &str) -> String {
        let path =
            format!("/v1/keymanager/getCertificate?applicationId={application}&referenceId={reference}");
        let answer = self.get(&path).await;
        answer.response()["certificate"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// Reads status, headers and body.
    pub async fn read(mut response: Response) -> Self {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        Self::new(status, headers, response.text().await.unwrap())
    }

    /// An answer that came in another way.
    pub fn new(status: StatusCode, headers: HeaderMap, text: String) -> Self {
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    /// `response` of a successful envelope.
    pub fn response(&self) -> &Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.body["errors"], Value::Null, "{self:?}");
        &self.body["response"]
    }

    /// The code of the first error in a failed envelope.
    pub fn error_code(&self) -> &str {
        assert_eq!(self.body["response"], Value::Null, "{self:?}");
        self.body["errors"][0]["errorCode"].as_str().unwrap_or_else(|| panic!("no error in {self:?}"))
    }
}

/// Base64url without padding.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// Undoes [`b64`]; strict, as some clients are.
pub fn unb64(text: &Value) -> Vec<u8> {
    Base64UrlUnpadded::decode_vec(text.as_str().unwrap()).unwrap()
}
