//! JSON documents that others publish on the web.

use async_trait::async_trait;

/// Reads documents of external issuers.
///
/// Only addresses that the settings name are ever passed here, or that stand in a document of the same origin.
#[async_trait]
pub trait DocumentFetcher: Send + Sync {
    /// The body of the answer to `GET url`, at most 1 MiB, within 10 seconds. Nothing is sent but the request: no
    /// cookie, no credential. No redirect is followed. Plain HTTP is for addresses of this machine alone.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError>;
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address is not one that may be read.
    #[error("the address is not https, nor http of this machine")]
    Address,
    /// The answer is no document, or too large.
    #[error("the answer has the status {0}")]
    Status(u16),
    /// The answer is too large.
    #[error("the document is too large")]
    TooLarge,
    /// Nobody answered in time.
    #[error("no answer: {0}")]
    Unavailable(String),
}
