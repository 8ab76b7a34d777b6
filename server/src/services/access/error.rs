use crate::{
    domain::authorization::approval::Approval,
    ports::{
        audit_sink::AuditError, key_store::KeyStoreError, repository::RepositoryError,
        secret_hasher::SecretHashError,
    },
    services::{
        auditor::Audited,
        authorization::{AccessRefusal, ApprovalError},
        keys::KeyError,
    },
};

/// Why a token is not accepted. The caller learns no more than "authentication failed"; the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Its time is over.
    #[error("token expired")]
    Expired,
    /// It is no token of this issuer for this audience, or its signature does not fit.
    #[error("token not valid")]
    Invalid,
}

/// Why no token was issued or no client made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The client id is taken.
    #[error("the client id is taken")]
    ClientExists,
    /// It waits until others have approved it.
    #[error("it waits for approval")]
    Waits(Box<Approval>),
    /// Approvals are not at hand.
    #[error(transparent)]
    Approvals(ApprovalError),
    /// Access policies do not let the caller do it.
    #[error(transparent)]
    Refused(#[from] AccessRefusal),
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// Unknown client or wrong secret.
    #[error("unknown client or wrong secret")]
    InvalidClient,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The secret was not checked or hashed.
    #[error(transparent)]
    SecretHash(#[from] SecretHashError),
    /// The token failed.
    #[error(transparent)]
    Token(#[from] KeyStoreError),
}

impl AccessError {
    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::ClientExists => "client.exists",
            Self::Waits(_) => "approval.waits",
            Self::Approvals(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Internal(_) => "internal",
            Self::InvalidClient => "client.invalid",
            Self::Repository(_) => "database.failed",
            Self::SecretHash(_) => "client.secret_not_checked",
            Self::Token(_) => "token.failed",
        }
    }
}

impl Audited for AccessError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

/// The key that signs tokens is not the caller's business: what went wrong with it is.
impl From<KeyError> for AccessError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Audit(error) => error.into(),
            KeyError::Internal(what) => Self::Internal(what),
            KeyError::Repository(error) => error.into(),
            KeyError::Token(error) => error.into(),
            _ => Self::Internal("the key that signs access tokens cannot be made"),
        }
    }
}
