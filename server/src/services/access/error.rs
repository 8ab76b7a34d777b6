use crate::{
    domain::authorization::approval::{Approval, ApprovalId},
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
    /// Its client was disabled, deleted or given other roles since it was issued, or all its secrets were replaced.
    #[error("token ended with its client")]
    Ended,
    /// Its time is over.
    #[error("token expired")]
    Expired,
    /// It is no token of this issuer for this audience, or its signature does not fit.
    #[error("token not valid")]
    Invalid,
    /// The database has been away for so long that the keys which verify tokens may have been replaced.
    #[error("the keys that verify tokens were not confirmed for too long")]
    Unconfirmed,
    /// The records, which would tell, do not answer.
    #[error("the client cannot be looked up")]
    Unknown,
}

impl TokenRefusal {
    /// The stable name in the audit trail.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended => "access.token_ended",
            Self::Expired => "access.token_expired",
            Self::Invalid => "access.token_invalid",
            Self::Unconfirmed => "access.token_unconfirmed",
            Self::Unknown => "access.client_unknown",
        }
    }
}

/// Why no token was issued or no client made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The client is not in the state that the caller knows, or others change it all the time.
    #[error("the client was changed meanwhile")]
    ClientChanged,
    /// The secret is right, and the client is disabled.
    #[error("the client is disabled")]
    ClientDisabled,
    /// The client id is taken.
    #[error("the client id is taken")]
    ClientExists,
    /// There is no such client.
    #[error("there is no such client")]
    ClientNotFound,
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
    /// Without the client nobody could administer this installation.
    #[error("it is the last administrator")]
    LastAdministrator,
    /// A client that is disabled is enabled by others.
    #[error("nobody enables the client that they are")]
    OwnClient,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The secret was not checked or hashed.
    #[error(transparent)]
    SecretHash(#[from] SecretHashError),
    /// As many former secrets as there may be are still good.
    #[error("too many former secrets are still good")]
    SecretsInForce,
    /// The token failed.
    #[error(transparent)]
    Token(#[from] KeyStoreError),
}

impl AccessError {
    /// Whether a change may have been made all the same.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Audit(error) => error.is_after_change(),
            Self::Repository(error) => matches!(error, RepositoryError::OutcomeUnknown(_)),
            _ => false,
        }
    }

    /// The stable name of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::ClientChanged => "client.changed",
            Self::ClientDisabled => "client.disabled",
            Self::ClientExists => "client.exists",
            Self::ClientNotFound => "client.not_found",
            Self::Waits(_) => "approval.waits",
            Self::Approvals(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Internal(_) => "internal",
            Self::InvalidClient => "client.invalid",
            Self::LastAdministrator => "client.last_administrator",
            Self::OwnClient => "client.own",
            Self::Repository(_) => "database.failed",
            Self::SecretHash(_) => "client.secret_not_checked",
            Self::SecretsInForce => "client.secrets_in_force",
            Self::Token(_) => "token.failed",
        }
    }
}

impl Audited for AccessError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }

    fn waits_for(&self) -> Option<&ApprovalId> {
        match self {
            Self::Waits(approval) => Some(&approval.id),
            _ => None,
        }
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
