use crate::{
    ports::audit_sink::AuditError,
    services::{auditor::Audited, authorization::AccessRefusal, keys::KeyError},
};

/// Why nothing was signed or verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No access policy lets the caller sign with the alias, or the access list of the application's key policy
    /// does not name it.
    #[error("no policy admits the caller")]
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
    /// Base keys and ROOT do not sign.
    #[error("the alias is of a key that does not sign data")]
    EncryptionKey,
    /// The key was not found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Access policies do not let the caller do it, or not so often.
    #[error(transparent)]
    Refused(AccessRefusal),
    /// The token to verify is no compact JWS.
    #[error("the signature to verify is not a compact JWS")]
    Token,
}

impl SignatureError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccessListed => "signature.access_listed",
            Self::Audit(_) => "audit.unavailable",
            Self::Certificate => "signature.certificate",
            Self::Empty => "signature.empty",
            Self::EncryptionKey => "signature.encryption_key",
            Self::Key(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Token => "signature.token",
        }
    }
}

impl Audited for SignatureError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}
