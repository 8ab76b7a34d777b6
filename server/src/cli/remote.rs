//! The connection to a server.

use std::{env, fs, io::Read, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ServerArguments;
use crate::{
    outward,
    trust::{self, TrustError},
};

/// Longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time for an answer that is no stream.
const ANSWER: Duration = Duration::from_mins(2);
/// Largest answer that is read into memory.
const ANSWER_LIMIT: usize = 64 << 20;
/// A file with a secret is no longer than this.
const SECRET_LIMIT: u64 = 4096;

/// A server, and the token to show it.
pub struct Remote {
    client: Client,
    base: Url,
    token: SecretString,
    /// Whether answers are printed as they come.
    pub(super) json: bool,
}

/// What a server answered, where it did what it was asked.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its JSON; null where it has no content.
    pub(super) body: Value,
}

impl Remote {
    /// Takes the token of the environment (`KUNJI_TOKEN`), else one for the client that the arguments name.
    ///
    /// # Errors
    /// [`CliError`].
    pub async fn connect(arguments: &ServerArguments) -> Result<Self, CliError> {
        let base = parse_base(&arguments.url)?;
        let client = outward::client(trust::client_config()?)
            .connect_timeout(CONNECT)
            .build()
            .map_err(CliError::of_transport)?;
        let mut remote = Self { client, base, token: SecretString::default(), json: arguments.json };
        remote.token = match env::var("KUNJI_TOKEN") {
            Ok(token) if !token.trim().is_empty() => token.trim().to_owned().into(),
            _ => remote.take_token(arguments).await?,
        };
        Ok(remote)
    }

    /// OAuth 2.0 client credentials (RFC 6749 4.4), the client in the Authorization header.
    async fn take_token(&self, arguments: &ServerArguments) -> Result<SecretString, CliError> {
        // Blank counts as not given, as it does for the token.
        let id = arguments.client_id.as_deref().filter(|id| !id.is_empty());
        let (Some(id), Some(file)) = (id, &arguments.client_secret_file) else {
            return Err(CliError::NoCredentials);
        };
        let mut text = String::new();
        fs::File::open(file)
            .and_then(|file| file.take(SECRET_LIMIT).read_to_string(&mut text))
            .map_err(|error| CliError::SecretFile { path: file.display().to_string(), error })?;
        let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
        let request = self
            .client
            .post(self.address("/oauth2/token"))
            .basic_auth(id, Some(secret.expose_secret()))
            .form(&[("grant_type", "client_credentials")]);
        let Answer { mut body } = receive(request.timeout(ANSWER)).await?;
        match body.get_mut("access_token").map(Value::take) {
            Some(Value::String(token)) => Ok(token.into()),
            _ => Err(CliError::NotKunji),
        }
    }

    /// A request with the token; `path` begins with a slash.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.address(path)).bearer_auth(self.token.expose_secret())
    }

    /// Sends a request and reads what comes of it.
    ///
    /// # Errors
    /// [`CliError::Refused`] with what the server says, and the others of [`CliError`].
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Answer, CliError> {
        receive(request.timeout(ANSWER)).await
    }

    /// Sends a request whose answer is read piece by piece, however long it takes.
    ///
    /// # Errors
    /// As [`Remote::send`].
    pub(super) async fn stream(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(CliError::of_transport)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(CliError::of_refusal(status, &read(response).await?))
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }
}

fn parse_base(text: &str) -> Result<Url, CliError> {
    let base = Url::parse(text).map_err(|_| CliError::Address)?;
    let fits = matches!(base.scheme(), "http" | "https")
        && base.username().is_empty()
        && base.password().is_none()
        && base.query().is_none()
        && base.fragment().is_none();
    if fits { Ok(base) } else { Err(CliError::Address) }
}

async fn receive(request: RequestBuilder) -> Result<Answer, CliError> {
    let response = request.send().await.map_err(CliError::of_transport)?;
    let status = response.status();
    let body = read(response).await?;
    if status.is_success() {
        let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        return body.map(|body| Answer { body }).map_err(|_| CliError::NotKunji);
    }
    Err(CliError::of_refusal(status, &body))
}

async fn read(mut response: Response) -> Result<Vec<u8>, CliError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(CliError::of_transport)? {
        if body.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
            return Err(CliError::NotKunji);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Why a command did nothing, or does not know what it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The address is none.
    #[error(
        "--url (KUNJI_URL) must be the address of a server, like http://127.0.0.1:8088 or https://kunji.example, \
         without user, password or query"
    )]
    Address,
    /// There is neither a token nor a client.
    #[error("no token: set KUNJI_TOKEN, or KUNJI_CLIENT_ID and KUNJI_CLIENT_SECRET_FILE, to act as a client")]
    NoCredentials,
    /// The file with the client's secret.
    #[error("the client's secret cannot be read from {path}: {error}")]
    SecretFile {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// TLS.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// No answer.
    #[error("the server does not answer: {0}; is KUNJI_URL right, and does it run?")]
    Unreachable(String),
    /// The server refuses, and says why.
    #[error("the server refuses ({status} {code}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The stable code.
        code: String,
        /// What is wrong, and how to mend it.
        detail: String,
    },
    /// What answers speaks another language.
    #[error("what answers there is no Kunji server of this version")]
    NotKunji,
}

impl CliError {
    /// The address that it concerns is left out of the text: it may carry a secret in its query.
    fn of_transport(error: reqwest::Error) -> Self {
        Self::Unreachable(outward::cause(error))
    }

    /// A problem document (RFC 9457), or an error of the token route (RFC 6749 5.2).
    fn of_refusal(status: StatusCode, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("type").and_then(|kind| kind.strip_prefix("urn:kunji:problem:")).or(text("error"));
        let detail = text("detail").or(text("error_description")).or(text("title"));
        match code {
            Some(code) => Self::Refused {
                status: status.as_u16(),
                code: printable(code),
                detail: printable(detail.unwrap_or("it gives no reason")),
            },
            None => Self::NotKunji,
        }
    }
}

/// Another's text on a terminal: no control characters, and not without end.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(2000).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_servers() {
        for good in ["http://127.0.0.1:8088", "https://kunji.example/", "https://kunji.example/keys"] {
            assert!(parse_base(good).is_ok(), "{good}");
        }
        for bad in ["", "kunji", "ftp://kunji", "http://u:p@kunji", "http://kunji?x=1", "http://kunji#x"] {
            assert!(parse_base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refusals_say_what_the_server_says() {
        let refusal = |body: &str| CliError::of_refusal(StatusCode::FORBIDDEN, body.as_bytes()).to_string();
        assert_eq!(
            refusal(r#"{"type":"urn:kunji:problem:access.forbidden","detail":"ask\u001b[2J"}"#),
            "the server refuses (403 access.forbidden): ask [2J"
        );
        assert_eq!(
            refusal(r#"{"error":"invalid_client"}"#),
            "the server refuses (403 invalid_client): it gives no reason"
        );
        assert_eq!(refusal("<html>"), CliError::NotKunji.to_string());
    }
}
