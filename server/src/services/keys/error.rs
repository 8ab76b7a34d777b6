use crate::{
    domain::{
        authorization::approval::Approval,
        key_tags::TagFault,
        lifecycle::{ChangeRefusal, KeyState},
    },
    ports::{audit_sink::AuditError, key_store::KeyStoreError, repository::RepositoryError},
    services::authorization::{AccessRefusal, ApprovalError},
};

/// Why a key was not found or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The application can have no base keys (ROOT, KERNEL, PARTNER).
    #[error("no base key can be made for this application")]
    BaseKeyNotAllowed,
    /// Another request reads all keys.
    #[error("another request looks at all keys; try again when it has ended")]
    Busy,
    /// Approvals are not at hand.
    #[error(transparent)]
    Approvals(ApprovalError),
    /// The key's state is not changed so.
    #[error(transparent)]
    ChangeRefused(#[from] ChangeRefusal),
    /// This server's clock is behind.
    #[error("this server's clock is behind the newest decision about keys")]
    ClockBehind,
    /// The alias's key was revoked, and another one is made only when somebody asks for it.
    #[error("the key was revoked, and no other one is made until somebody asks for it")]
    Closed,
    /// The application can have no keys in the records, and the token does not take the curve.
    #[error("no key on this curve can be made for this application")]
    CurveNotAllowed,
    /// The reference is of no key on a curve.
    #[error("the reference is not of a key on a curve")]
    CurveReference,
    /// The key is the newest of its alias, or the KEK that of its application.
    #[error("the newest key is not destroyed: make its successor first")]
    Current,
    /// The alias has a current key.
    #[error("the alias has a current key")]
    Exists,
    /// The key that the caller means is not the newest one of its alias, or is not any more.
    #[error("the key has a successor already")]
    Forestalled,
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The module's key was never generated.
    #[error("the application's module key was not generated")]
    ModuleKeyMissing,
    /// The alias has no private key of the server's that a certificate could be for.
    #[error("the alias has no key of the server's that could be certified")]
    NothingToCertify,
    /// Something needs the key.
    #[error("the key is needed by {0}")]
    Needed(String),
    /// There is no such key, or the caller has no right to know.
    #[error("there is no such key")]
    NotFound,
    /// The key's state does not let it be used so.
    #[error("the key is {}", .0.name())]
    NotUsable(KeyState),
    /// The private part of the key was never here.
    #[error("the private part of the key is another domain's")]
    NothingToDestroy,
    /// The alias has no current key.
    #[error("the alias has no current key")]
    NothingToRevoke,
    /// No active policy allows keys for the application.
    #[error("no active policy for this application")]
    PolicyMissing,
    /// The caller made too many keys within the hour.
    #[error("the caller's key creation quota is used up")]
    QuotaExceeded,
    /// What is said about a change is too long.
    #[error("the reason is too long, or not one line")]
    ReasonInvalid,
    /// The reference does not fit the application's pattern.
    #[error("the reference does not fit the application's pattern")]
    ReferenceNotAllowed,
    /// Access policies do not let the caller do it.
    #[error(transparent)]
    Refused(#[from] AccessRefusal),
    /// The call is not for base keys.
    #[error("the reference is not supported for this call")]
    ReferenceNotSupported,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// Keys of this alias are not revoked by this call.
    #[error("keys of this alias are not revoked so")]
    RevocationNotAllowed,
    /// ROOT has no key to sign with.
    #[error("the root key was not generated")]
    RootKeyMissing,
    /// The subject has a member that cannot stand in a certificate.
    #[error("the subject has a member that cannot stand in a certificate")]
    SubjectNotAllowed,
    /// Texts are no tags.
    #[error(transparent)]
    Tags(#[from] TagFault),
    /// The token failed.
    #[error(transparent)]
    Token(#[from] KeyStoreError),
    /// It waits until others have approved it.
    #[error("it waits for approval")]
    Waits(Box<Approval>),
}

impl KeyError {
    /// Whether a change may have been made all the same.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Audit(error) => error.is_after_change(),
            Self::Repository(error) => matches!(error, RepositoryError::OutcomeUnknown(_)),
            _ => false,
        }
    }

    /// The stable name of the failure in the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::BaseKeyNotAllowed => "key.base_not_allowed",
            Self::Busy => "key.busy",
            Self::Approvals(error) => error.code(),
            Self::ChangeRefused(_) => "key.change_refused",
            Self::ClockBehind => "key.clock_behind",
            Self::Closed => "key.closed",
            Self::Current => "key.current",
            Self::Exists => "key.exists",
            Self::Forestalled => "key.forestalled",
            Self::CurveNotAllowed => "key.curve_not_allowed",
            Self::CurveReference => "key.curve_reference",
            Self::Internal(_) => "internal",
            Self::ModuleKeyMissing => "key.module_missing",
            Self::Needed(_) => "key.needed",
            Self::NotFound => "key.not_found",
            Self::NothingToCertify => "key.nothing_to_certify",
            Self::NotUsable(_) => "key.not_usable",
            Self::NothingToDestroy => "key.nothing_to_destroy",
            Self::NothingToRevoke => "key.nothing_to_revoke",
            Self::PolicyMissing => "key.policy_missing",
            Self::QuotaExceeded => "key.quota_exceeded",
            Self::ReasonInvalid => "key.reason_invalid",
            Self::Refused(refusal) => refusal.code(),
            Self::ReferenceNotAllowed => "key.reference_not_allowed",
            Self::ReferenceNotSupported => "key.reference_not_supported",
            Self::Repository(_) => "database.failed",
            Self::RevocationNotAllowed => "key.revocation_not_allowed",
            Self::RootKeyMissing => "key.root_missing",
            Self::SubjectNotAllowed => "key.subject_not_allowed",
            Self::Tags(_) => "key.tags_invalid",
            Self::Token(_) => "token.failed",
            Self::Waits(_) => "approval.waits",
        }
    }
}

/// What was read; `None` in place of a row that cannot be trusted, which is in the log. One such row hides no others.
pub(super) fn trusted<T, E: Into<KeyError>>(read: Result<T, E>) -> Result<Option<T>, KeyError> {
    match read.map_err(Into::into) {
        Err(KeyError::Repository(RepositoryError::Inconsistent { .. })) => Ok(None),
        read => read.map(Some),
    }
}
