//! JSON Web Signatures (RFC 7515), RS256.

use crate::{
    domain::{access::CallContext, alias::KeyAlias},
    ports::audit_sink::AuditError,
};

use super::keys::KeyError;

/// What to sign, and what to say in the header.
#[derive(Clone, Debug)]
pub struct SignRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// The exact bytes to sign.
    pub payload: Vec<u8>,
    /// Whether the payload stands in the result; otherwise the result is detached (`header..signature`).
    pub include_payload: bool,
    /// Whether the header has the certificate (`x5c`).
    pub include_certificate: bool,
    /// Whether the header has the certificate's SHA-256 (`x5t#S256`).
    pub include_certificate_hash: bool,
    /// `x5u`, if any.
    pub certificate_url: Option<String>,
}

/// What to verify, and against what.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// `header.payload.signature` or `header..signature`.
    pub token: String,
    /// Replaces the payload part.
    pub payload: Option<Vec<u8>>,
    /// The own key whose certificates count, when neither header nor request has one; `None`: `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// PEM of the certificate to use when the header has none.
    pub certificate: Option<String>,
    /// Whether the certificate's path is to be checked too.
    pub validate_trust: bool,
    /// The trust domain of that check.
    pub domain: Option<String>,
}

/// The outcome of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether the signature fits.
    pub valid: bool,
    /// Whether the certificate is trusted.
    pub trust: Trust,
}

/// Whether a certificate's path was checked, and with what result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It leads to a trust anchor of the domain.
    PathValid,
    /// It does not.
    PathNotValid,
    /// It was not asked for, or there was no certificate.
    NotVerified,
    /// It was asked for without a domain.
    NoDomain,
}

/// JWS.
pub struct SignatureService {}

impl SignatureService {
    /// Signs; the result is a compact JWS.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn jwt_sign(&self, call: &CallContext, request: SignRequest) -> Result<String, SignatureError> {
        let _ = (call, request);
        todo!()
    }

    /// Verifies. A signature that does not fit is an answer, not an error.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn jwt_verify(
        &self,
        call: &CallContext,
        request: VerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let _ = (call, request);
        todo!()
    }
}

/// Why nothing was signed or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The policy's access list does not admit the caller.
    #[error("the application's policy does not admit the caller")]
    AccessListed,
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The certificate cannot be read, or is not valid now.
    #[error("the certificate to verify with is not valid")]
    Certificate,
    /// There is nothing to sign.
    #[error("there is nothing to sign")]
    Empty,
    /// The key was not found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Base keys do not sign.
    #[error("the alias is of an encryption key")]
    EncryptionKey,
    /// The token to verify is no compact JWS.
    #[error("the signature to verify is not a compact JWS")]
    Token,
}
