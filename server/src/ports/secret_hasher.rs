//! Hashing of client secrets.

use async_trait::async_trait;
use secrecy::SecretString;

/// Turns a secret into something that may be stored, and checks a secret against it.
///
/// At most a set number of hashes are computed at once, off the async threads; more wait, and beyond a
/// bounded queue are refused.
#[async_trait]
pub trait SecretHasher: Send + Sync {
    /// Hashes a new secret, with a fresh salt, to a PHC string.
    ///
    /// # Errors
    /// [`SecretHashError`].
    async fn hash(&self, secret: SecretString) -> Result<String, SecretHashError>;

    /// Whether `secret` is the one behind `hash`. With `None` does the same work and answers `false`, so
    /// that an unknown client costs what a known one does.
    ///
    /// # Errors
    /// [`SecretHashError`].
    async fn verify(&self, secret: SecretString, hash: Option<String>) -> Result<bool, SecretHashError>;
}

/// The hash was not computed.
#[derive(Debug, thiserror::Error)]
pub enum SecretHashError {
    /// Too many are waiting already; try again later.
    #[error("too many secrets are being checked")]
    Busy,
    /// The computation failed.
    #[error("the secret hash failed")]
    Failed,
}
