//! What is told of keys that are not as asked for.

use super::{Problem, ProblemKind};
use crate::{
    api::transport::TransportError,
    services::{
        key_policies::KeyPolicyError,
        keys::{KeyError, UploadError, revocation::RevocationListError},
    },
};

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            KeyError::Approvals(error) => error.into(),
            KeyError::Busy => Self::too_often(1),
            KeyError::Audit(_) | KeyError::Repository(_) | KeyError::Token(_) => Self::unavailable(&error),
            KeyError::ChangeRefused(refusal) => Self::new(ProblemKind::KeyChangeRefused, refusal.to_string()),
            KeyError::ClockBehind => Self::new(
                ProblemKind::Unavailable,
                "the clock of this server, or of the one that changed a key last, is wrong; nothing was done; have the \
                 clocks set",
            ),
            KeyError::Closed => Self::new(
                ProblemKind::KeyClosed,
                "have an administrator make a new one: POST /v1/keys, or kunji keys create",
            ),
            KeyError::Current => Self::new(
                ProblemKind::KeyCurrent,
                "make its successor first: POST /v1/keys/{id}/rotate, or kunji rotate",
            ),
            KeyError::Needed(_) => Self::new(
                ProblemKind::KeyNeeded,
                format!(
                    "{error}: wait for the end of that one, rotate it, or have it wrapped by a newer KEK"
                ),
            ),
            KeyError::NothingToDestroy => {
                Self::new(ProblemKind::KeyNothingToDestroy, "have the other domain destroy it")
            }
            KeyError::Exists => Self::new(ProblemKind::KeyExists, "rotate it, if you want another one"),
            KeyError::Forestalled => Self::new(
                ProblemKind::KeyForestalled,
                "somebody made a newer key of the alias; read which one is current before trying again",
            ),
            KeyError::NotFound => {
                Self::new(ProblemKind::KeyNotFound, "check its id; GET /v1/keys lists them")
            }
            KeyError::NothingToRevoke | KeyError::RevocationNotAllowed => {
                Self::new(ProblemKind::KeyChangeRefused, error.to_string())
            }
            KeyError::NotUsable(state) => Self::new(
                ProblemKind::KeyNotUsable,
                format!("an administrator decided that it is {}; GET /v1/keys tells more", state.name()),
            ),
            KeyError::Tags(fault) => Self::new(ProblemKind::RequestInvalid, fault.to_string()),
            KeyError::ReasonInvalid => Self::new(
                ProblemKind::RequestInvalid,
                "reason must be one line of at most 512 bytes, and not blank where a key is destroyed",
            ),
            KeyError::BaseKeyNotAllowed => Self::new(
                ProblemKind::BaseKeyNotAllowed,
                "ROOT, KERNEL and PARTNER have no encryption keys of their own; the certificates of other domains are \
                 uploaded",
            ),
            KeyError::Internal(_) | KeyError::Waits(_) => Self::internal(&error),
            KeyError::ModuleKeyMissing => Self::new(
                ProblemKind::ModuleKeyMissing,
                "generate the application's master key first: POST /v1/keymanager/generateMasterKey/CERTIFICATE \
                 with a blank referenceId",
            ),
            KeyError::NothingToCertify => Self::new(
                ProblemKind::ReferenceNotAllowed,
                "the key of that name is symmetric or another domain's: use the name of a key pair of this server",
            ),
            KeyError::PolicyMissing => Self::new(
                ProblemKind::ApplicationUnknown,
                "use an application that the server has an active policy for, or have one added",
            ),
            KeyError::QuotaExceeded => {
                Self::new(ProblemKind::QuotaExceeded, "use references that have keys, or try again later")
                    .with_retry_after(3600)
            }
            KeyError::Refused(refusal) => TransportError::from(refusal).into(),
            KeyError::ReferenceNotAllowed => Self::new(
                ProblemKind::ReferenceNotAllowed,
                "use a reference of the form that the server's settings allow for the application",
            ),
            KeyError::ReferenceNotSupported => {
                Self::new(ProblemKind::ReferenceNotAllowed, "this call is for master keys, not for base keys")
            }
            KeyError::CurveNotAllowed => Self::new(
                ProblemKind::ReferenceNotAllowed,
                "use an application that can have keys outside the HSM: not ROOT, KERNEL or PARTNER",
            ),
            KeyError::CurveReference => {
                Self::new(ProblemKind::ReferenceNotAllowed, "use the reference of a key on a curve")
            }
            KeyError::RootKeyMissing => Self::new(
                ProblemKind::RootKeyMissing,
                "generate the key of the application ROOT first, with a blank referenceId",
            ),
            KeyError::SubjectNotAllowed => Self::new(
                ProblemKind::RequestInvalid,
                "the subject has a member that cannot stand in a certificate",
            ),
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Audit(ref unrecorded) if unrecorded.is_after_change() => Self::unsettled(&error),
            UploadError::Audit(_) => Self::unavailable(&error),
            UploadError::Key(error) => error.into(),
            UploadError::KeyUnsupported => Self::new(
                ProblemKind::CertificateRequestInvalid,
                "the key must be RSA of 2048, 3072 or 4096 bits with the exponent 65537",
            ),
            UploadError::RequestUnreadable => Self::new(
                ProblemKind::CertificateRequestInvalid,
                "send one PKCS#10 request as PEM, with its BEGIN CERTIFICATE REQUEST and END lines",
            ),
            UploadError::RequestUnproven => Self::new(
                ProblemKind::CertificateRequestInvalid,
                "have it signed by the key that it names, with RSA (PKCS #1 v1.5) and SHA-256, SHA-384 or SHA-512",
            ),
            UploadError::OwnKey | UploadError::OwnTokenKey | UploadError::OwnTokenKeyEnded => Self::new(
                ProblemKind::NameTaken,
                "this server has a key of its own of this application and reference: use another reference",
            ),
            UploadError::SigningName | UploadError::SigningReference => Self::new(
                ProblemKind::NameTaken,
                "it is the name of keys that sign for this server: use another reference",
            ),
            UploadError::Dates(_)
            | UploadError::Known
            | UploadError::KeyDiffers
            | UploadError::NoCurrentKey
            | UploadError::OtherDomain
            | UploadError::Unreadable(_)
            | UploadError::Usage => Self::internal(&error),
        }
    }
}

impl From<RevocationListError> for Problem {
    fn from(error: RevocationListError) -> Self {
        match error {
            RevocationListError::Busy => Self::too_often(1),
            RevocationListError::Key(error) => error.into(),
            RevocationListError::NotFound => Self::new(
                ProblemKind::RevocationListNotFound,
                "use the address that certificates name, or /crl/, the id of the key that signed them, and .crl",
            ),
            RevocationListError::Overdue => Self::unavailable(&error),
        }
    }
}

impl From<KeyPolicyError> for Problem {
    fn from(error: KeyPolicyError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            KeyPolicyError::Audit(_) | KeyPolicyError::Repository(_) => Self::unavailable(&error),
            KeyPolicyError::Approvals(error) => error.into(),
            KeyPolicyError::Waits(_) => Self::internal(&error),
            KeyPolicyError::Invalid(fault) => Self::new(ProblemKind::KeyPolicyInvalid, fault.to_string()),
            KeyPolicyError::Needed => Self::new(
                ProblemKind::KeyPolicyNeeded,
                "ROOT, KERNEL and BASE keep their policies: store another in its place",
            ),
            KeyPolicyError::NotFound => Self::new(
                ProblemKind::KeyPolicyNotFound,
                "use an application that has a key policy; GET /v1/policies lists all",
            ),
            KeyPolicyError::PreconditionFailed => Self::new(
                ProblemKind::KeyPolicyChanged,
                "read the policy again, and send the ETag that it has now",
            ),
            KeyPolicyError::TooMany => {
                Self::new(ProblemKind::KeyPoliciesFull, "remove policies of applications that are not used")
            }
        }
    }
}
