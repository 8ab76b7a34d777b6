use crate::{
    domain::authorization::{
        PolicyFault,
        approval::{Approval, ApprovalId},
    },
    ports::{audit_sink::AuditError, repository::RepositoryError},
    services::{access::TokenRefusal, auditor::Audited, authorization::ApprovalError},
};

/// Why a caller may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    /// What the caller has shown counts no more, since the request took long to come.
    #[error(transparent)]
    Ended(#[from] TokenRefusal),
    /// No policy allows it, or one denies it.
    #[error("no access policy allows it")]
    Forbidden,
    /// A policy limits how often.
    #[error("too many requests of this caller; wait for {seconds} s")]
    RateExceeded {
        /// Seconds until the next is heard.
        seconds: u32,
    },
}

impl AccessRefusal {
    /// The stable name in the audit trail.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended(refusal) => refusal.code(),
            Self::Forbidden => "access.forbidden",
            Self::RateExceeded { .. } => "access.rate_exceeded",
        }
    }
}

/// Why a policy was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessPolicyError {
    /// The change was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// It waits until others have approved it.
    #[error("the change waits for approval")]
    Waits(Box<Approval>),
    /// Approvals are not at hand.
    #[error(transparent)]
    Approvals(ApprovalError),
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The policy makes no sense.
    #[error(transparent)]
    Invalid(#[from] PolicyFault),
    /// Whoever changes it could not change it back.
    #[error("the change would take from its author the right to change access policies")]
    Lockout,
    /// No policy of that name is stored.
    #[error("no policy of this name is stored")]
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
}

impl AccessPolicyError {
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
            Self::Audit(_) => "audit.unavailable",
            Self::Waits(_) => "approval.waits",
            Self::Approvals(error) => error.code(),
            Self::Internal(_) => "internal",
            Self::Invalid(_) => "access.policy_invalid",
            Self::Lockout => "access.lockout",
            Self::NotFound => "access.policy_not_found",
            Self::PreconditionFailed => "access.precondition_failed",
            Self::Repository(_) => "database.failed",
            Self::TooMany => "access.too_many_policies",
        }
    }
}

impl Audited for AccessPolicyError {
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
