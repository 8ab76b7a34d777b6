use crate::{
    domain::{
        authorization::approval::{Approval, ApprovalId},
        key_policies::KeyPolicyFault,
    },
    ports::{audit_sink::AuditError, repository::RepositoryError},
    services::{auditor::Audited, authorization::ApprovalError},
};

/// Why a key policy was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyPolicyError {
    /// Approvals are not at hand.
    #[error(transparent)]
    Approvals(ApprovalError),
    /// The change was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The policy makes no sense among the others.
    #[error(transparent)]
    Invalid(#[from] KeyPolicyFault),
    /// The server's own keys need the policy.
    #[error("the server's own keys need this policy")]
    Needed,
    /// The application has no policy.
    #[error("the application has no key policy")]
    NotFound,
    /// The policy is not as the caller thinks.
    #[error("the policy is not the one that the caller has seen")]
    PreconditionFailed,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// There are as many as one may store.
    #[error("no more policies can be stored")]
    TooMany,
    /// It waits until others have approved it.
    #[error("the change waits for approval")]
    Waits(Box<Approval>),
}

impl KeyPolicyError {
    /// Whether a change may have been made all the same.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Audit(error) => error.is_after_change(),
            Self::Repository(error) => matches!(error, RepositoryError::OutcomeUnknown(_)),
            _ => false,
        }
    }

    /// The stable name of the failure.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Approvals(error) => error.code(),
            Self::Audit(_) => "audit.unavailable",
            Self::Invalid(_) => "policy.invalid",
            Self::Needed => "policy.needed",
            Self::NotFound => "policy.not_found",
            Self::PreconditionFailed => "policy.changed",
            Self::Repository(_) => "database.failed",
            Self::TooMany => "policy.too_many",
            Self::Waits(_) => "approval.waits",
        }
    }
}

impl Audited for KeyPolicyError {
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
