//! Documents of external issuers, by HTTPS.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, header};
use rustls::pki_types::CertificateDer;

use crate::{
    domain::web::readable_url,
    outward,
    ports::document_fetcher::{DocumentFetcher, FetchError},
    trust,
};

/// Longest time for a connection, and for a whole document.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest document.
const LIMIT_BYTES: usize = 1 << 20;

/// [`DocumentFetcher`] over TLS 1.2 and 1.3, directly: the surroundings' proxies are not used.
pub struct HttpDocuments {
    client: Client,
}

impl HttpDocuments {
    /// Trusts the certificate authorities of the system and `authorities`.
    ///
    /// # Errors
    /// What is wrong with an authority, or with TLS as a whole.
    pub fn new(authorities: Vec<CertificateDer<'_>>) -> Result<Self, String> {
        let tls = trust::client_config_with(authorities).map_err(|error| error.to_string())?;
        let client = outward::client(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client })
    }
}

#[async_trait]
impl DocumentFetcher for HttpDocuments {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let url = readable_url(url).ok_or(FetchError::Address)?;
        let unavailable = |error| FetchError::Unavailable(outward::cause(error));
        let request = self.client.get(url).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(unavailable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut document = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unavailable)? {
            if piece.len() > LIMIT_BYTES.saturating_sub(document.len()) {
                return Err(FetchError::TooLarge);
            }
            document.extend_from_slice(&piece);
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// What comes of a request to a server on this machine that answers this.
    async fn answered(answer: Vec<u8>) -> Result<Vec<u8>, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            request.truncate(read);
            let _ = stream.write_all(&answer).await;
            String::from_utf8(request).unwrap()
        });
        let fetched = HttpDocuments::new(vec![]).unwrap().fetch(&url).await;
        let request = server.await.unwrap().to_lowercase();
        assert!(request.starts_with("get /keys http/1.1\r\n") && !request.contains("cookie"), "{request}");
        fetched
    }

    #[tokio::test]
    async fn a_document_is_read() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        assert_eq!(answered(answer).await, Ok(b"{}".to_vec()));
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(answered(answer.to_vec()).await, Err(FetchError::Status(302)));
    }

    #[tokio::test]
    async fn a_document_has_an_end() {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.resize(LIMIT_BYTES + 4096, b' ');
        assert_eq!(answered(answer).await, Err(FetchError::TooLarge));
    }

    #[tokio::test]
    async fn only_safe_addresses_are_asked() {
        let documents = HttpDocuments::new(vec![]).unwrap();
        for url in ["http://192.0.2.1/", "file:///etc/passwd", "http://169.254.169.254/", ""] {
            assert_eq!(documents.fetch(url).await, Err(FetchError::Address), "{url}");
        }
        assert!(matches!(documents.fetch("http://127.0.0.1:1/").await, Err(FetchError::Unavailable(_))));
    }
}
