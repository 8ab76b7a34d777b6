//! Signed statements posted to an address.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, header};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    outward,
    ports::audit_anchor::{AnchorError, AuditAnchor},
    trust,
};

/// Longest time for a connection, and for a whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);

/// [`AuditAnchor`] by HTTP: `POST` of the statement as `application/json`. Any status from 200 to 299 says that the
/// other side has it. Redirects are not followed, and the surroundings' proxies are not used.
pub struct Webhook {
    client: Client,
    url: String,
    token: Option<SecretString>,
}

impl Webhook {
    /// Posts to `url`, with a bearer token if there is one. Trusts the certificate authorities of the system.
    ///
    /// # Errors
    /// What is wrong with TLS as a whole.
    pub fn new(url: &str, token: Option<SecretString>) -> Result<Self, String> {
        let tls = trust::client_config().map_err(|error| error.to_string())?;
        let client = outward::client(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, url: url.to_owned(), token })
    }
}

#[async_trait]
impl AuditAnchor for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn publish(&self, statement: &str) -> Result<(), AnchorError> {
        let request = self.client.post(&self.url).header(header::CONTENT_TYPE, "application/json");
        let request = match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        };
        // The address may hold a secret, so no error tells it.
        let sent = request.body(statement.to_owned()).send().await;
        let response = sent.map_err(|error| AnchorError(error.without_url().to_string()))?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(AnchorError(format!("it answered with status {}", response.status().as_u16())))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// What comes of a statement that a server on this machine answers with this status, and what the server got.
    async fn answered(status: &str) -> (Result<(), AnchorError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/anchors?key=planted", listener.local_addr().unwrap());
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"{\"a\":1}") {
                let mut piece = [0; 1024];
                let length = stream.read(&mut piece).await.unwrap();
                request.extend_from_slice(&piece[..length]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let webhook = Webhook::new(&url, Some(SecretString::from("s3cret"))).unwrap();
        let published = webhook.publish("{\"a\":1}").await;
        (published, server.await.unwrap())
    }

    #[tokio::test]
    async fn statements_are_posted_and_other_answers_are_failures() {
        let (published, request) = answered("204 No Content").await;
        published.unwrap();
        assert!(request.starts_with("POST /anchors?key=planted HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer s3cret\r\n"), "{request}");
        assert!(request.contains("content-type: application/json\r\n"), "{request}");
        for status in ["302 Found", "404 Not Found", "500 Internal Server Error"] {
            assert!(answered(status).await.0.is_err(), "{status}");
        }
    }

    #[tokio::test]
    async fn an_address_is_not_told() {
        let webhook = Webhook::new("http://127.0.0.1:1/planted", None).unwrap();
        let error = webhook.publish("{}").await.unwrap_err().to_string();
        assert!(!error.contains("planted"), "{error}");
    }
}
