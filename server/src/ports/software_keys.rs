//! Private keys in memory: RSA, for base keys, and those on curves that sign and are not on the token.

use std::sync::Arc;

use kunji_shared::{ModulusLength, secret::DataKey};
use zeroize::Zeroizing;

use crate::domain::key_type::Curve;

/// Makes and loads private keys. Every operation takes time that does not depend on secrets; all block
/// the calling thread (making a key for up to seconds).
pub trait SoftwareKeys: Send + Sync {
    /// Makes a key pair.
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when the library fails.
    fn generate(&self, modulus: ModulusLength) -> Result<GeneratedKey, SoftwareKeyError>;

    /// Loads a private key from PKCS#8 (DER).
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when it is no RSA key of a size in use.
    fn load(&self, pkcs8: &[u8]) -> Result<Arc<dyn DecryptionKey>, SoftwareKeyError>;

    /// `S = RSASSA-PKCS1-v1_5(SHA-256(message))`, RFC 8017 8.2, with the private key of a PKCS#8 (DER): what shows an
    /// issuer of certificates that whoever asks has the key.
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when it is no RSA key of a size in use, or the library fails.
    fn sign(&self, pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, SoftwareKeyError>;

    /// Makes a key pair on a curve.
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when the library fails.
    fn generate_on_curve(&self, curve: Curve) -> Result<GeneratedKey, SoftwareKeyError>;

    /// Loads a private key on this curve from PKCS#8 (DER).
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when it is none.
    fn load_on_curve(&self, pkcs8: &[u8], curve: Curve) -> Result<Arc<dyn SigningKey>, SoftwareKeyError>;
}

/// A new key pair.
pub struct GeneratedKey {
    /// PKCS#8, DER.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

/// A private key that unwraps data keys. Its memory is zeroed when the last holder drops it.
pub trait DecryptionKey: Send + Sync {
    /// `DEK = RSA-OAEP⁻¹(wrapped)`, RFC 8017 7.1.2 with SHA-256, MGF1-SHA-256 and an empty label.
    /// `None` for every failure alike.
    fn unwrap_data_key(&self, wrapped: &[u8]) -> Option<DataKey>;
}

/// A private key that signs. Its memory is zeroed when the last holder drops it.
pub trait SigningKey: Send + Sync {
    /// A signature by the curve's algorithm over a message of which
    /// [`input`](crate::domain::jose::SignatureAlgorithm::input) has made `input`.
    ///
    /// # Errors
    /// [`SoftwareKeyError`] when the library fails.
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SoftwareKeyError>;
}

/// The library refused the key or failed.
#[derive(Debug, thiserror::Error)]
#[error("the private key cannot be used")]
pub struct SoftwareKeyError;
