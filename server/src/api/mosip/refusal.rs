//! Which failure of a service is which fault. Exhaustive, without a catch-all arm.

use std::borrow::Cow;

use super::faults::Fault;
use crate::{
    api::{
        native::with_sources,
        transport::{RETRY_SECONDS, TransportError},
    },
    domain::{access::Operation, alias::AliasError, authorization::approval::Approval},
    services::{
        access::{AccessError, SecretHashError},
        authorization::ApprovalError,
        keys::{KeyError, UploadError},
        packets::PacketError,
        signatures::{PdfError, SignatureError},
    },
};

/// Why a request was not done, on its way into an envelope.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status; 200 for what the caller can mend.
    pub(crate) status: u16,
    /// At least one.
    pub(crate) entries: Vec<Entry>,
    /// What the log says and the caller does not learn.
    pub(crate) cause: Option<String>,
    /// Seconds after which the caller may try again.
    pub(crate) retry_after: Option<u32>,
}

/// One element of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The code.
    pub(crate) code: &'static str,
    /// The text.
    pub(crate) message: Cow<'static, str>,
}

impl Refusal {
    /// A fault with a text of its own.
    pub(crate) fn with_message(fault: Fault, message: impl Into<Cow<'static, str>>) -> Self {
        Self::of_entries(vec![Entry { code: fault.code(), message: message.into() }])
    }

    /// Several faults at once.
    pub(crate) const fn of_entries(entries: Vec<Entry>) -> Self {
        Self { status: 200, entries, cause: None, retry_after: None }
    }

    /// It waits for approval, and the text names the one.
    fn waiting(approval: &Approval) -> Self {
        let (fault, prefix) = match approval.operation {
            Operation::RevokeKey => (Fault::RevocationWaits, Fault::RevocationWaits.text()),
            _ => (Fault::RotationWaits, Fault::RotationWaits.text()),
        };
        Self::with_message(fault, format!("{prefix} Approval id: {}", approval.id.as_str()))
    }

    fn internal(cause: &dyn std::error::Error) -> Self {
        Self { status: 500, cause: Some(with_sources(cause)), ..Fault::Internal.into() }
    }

    fn unavailable(cause: &dyn std::error::Error) -> Self {
        Self {
            status: 503,
            cause: Some(with_sources(cause)),
            retry_after: Some(RETRY_SECONDS),
            ..Fault::Unavailable.into()
        }
    }

    fn unsettled(cause: &dyn std::error::Error) -> Self {
        let message = "Database or audit trail went away meanwhile, and whether this was done is not known. Look before trying again.";
        let refusal = Self::with_message(Fault::Unavailable, message);
        Self { status: 503, cause: Some(with_sources(cause)), ..refusal }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::with_message(fault, fault.text())
    }
}

impl From<AliasError> for Refusal {
    fn from(error: AliasError) -> Self {
        Self::with_message(Fault::Invalid, error.to_string())
    }
}

impl From<TransportError> for Refusal {
    fn from(error: TransportError) -> Self {
        let (status, code, message) = transport_entry(error);
        Self { status, entries: vec![Entry { code, message }], cause: None, retry_after: error.retry_after() }
    }
}

/// Status, code and text of a failure that has nothing to do with the operation.
pub(crate) fn transport_entry(error: TransportError) -> (u16, &'static str, Cow<'static, str>) {
    let (code, message) = match error {
        TransportError::Body => ("KER-KMS-400", error.to_string().into()),
        TransportError::Forbidden => (Fault::Forbidden.code(), Fault::Forbidden.text().into()),
        TransportError::ForeignOrigin => (Fault::Forbidden.code(), error.to_string().into()),
        TransportError::Internal => (Fault::Internal.code(), Fault::Internal.text().into()),
        TransportError::MediaType { .. } => ("KER-KMS-415", error.to_string().into()),
        TransportError::MethodNotAllowed => ("KER-KMS-405", error.to_string().into()),
        TransportError::NotFound => ("KER-KMS-404", error.to_string().into()),
        TransportError::Overloaded | TransportError::Unavailable => {
            (Fault::Unavailable.code(), error.to_string().into())
        }
        TransportError::Parameter { .. } => (Fault::Invalid.code(), error.to_string().into()),
        TransportError::Timeout => ("KER-KMS-408", error.to_string().into()),
        TransportError::TooLarge { .. } => ("KER-KMS-413", error.to_string().into()),
        TransportError::RateExceeded { .. } | TransportError::TooManyFailures { .. } => {
            ("KER-KMS-429", error.to_string().into())
        }
        TransportError::UriTooLong => ("KER-KMS-414", error.to_string().into()),
        TransportError::TokenRefused | TransportError::Unauthenticated => {
            (Fault::AuthenticationFailed.code(), Fault::AuthenticationFailed.text().into())
        }
    };
    // What the caller can mend in the request itself is HTTP 200 here.
    let status =
        if matches!(error, TransportError::Parameter { .. }) { 200 } else { error.status_code().as_u16() };
    (status, code, message)
}

impl From<KeyError> for Refusal {
    fn from(error: KeyError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            KeyError::Approvals(ApprovalError::Full) => Fault::ApprovalsFull.into(),
            KeyError::Approvals(_) | KeyError::Audit(_) | KeyError::Repository(_) | KeyError::Token(_) => {
                Self::unavailable(&error)
            }
            KeyError::BaseKeyNotAllowed => Fault::BaseKeyNotAllowed.into(),
            KeyError::ChangeRefused(_) | KeyError::NotFound | KeyError::NothingToRevoke => {
                Fault::NothingToRevoke.into()
            }
            KeyError::Closed => Fault::KeyClosed.into(),
            KeyError::CurveNotAllowed => Fault::CurveNotAllowed.into(),
            KeyError::CurveReference => Fault::CurveReference.into(),
            KeyError::Exists | KeyError::Forestalled => Fault::Forestalled.into(),
            // No call under the envelope destroys keys.
            KeyError::Busy
            | KeyError::ClockBehind
            | KeyError::Current
            | KeyError::Internal(_)
            | KeyError::Needed(_)
            | KeyError::NothingToDestroy => Self::internal(&error),
            KeyError::ModuleKeyMissing => Fault::ModuleKeyMissing.into(),
            KeyError::NotUsable(_) => Fault::KeyNotUsable.into(),
            KeyError::NothingToCertify => Fault::RequestNotAllowed.into(),
            KeyError::PolicyMissing => Fault::ApplicationUnknown.into(),
            KeyError::QuotaExceeded => Fault::QuotaExceeded.into(),
            KeyError::ReasonInvalid | KeyError::Tags(_) => Fault::Invalid.into(),
            KeyError::Refused(refusal) => TransportError::from(refusal).into(),
            KeyError::ReferenceNotAllowed => Fault::ReferenceNotAllowed.into(),
            KeyError::ReferenceNotSupported => Fault::ReferenceNotSupported.into(),
            KeyError::RevocationNotAllowed => Fault::RevocationNotAllowed.into(),
            KeyError::RootKeyMissing => Fault::RootKeyMissing.into(),
            KeyError::SubjectNotAllowed => Fault::SubjectNotAllowed.into(),
            KeyError::Waits(approval) => Self::waiting(&approval),
        }
    }
}

impl From<UploadError> for Refusal {
    fn from(error: UploadError) -> Self {
        let fault = match error {
            UploadError::Audit(ref unrecorded) if unrecorded.is_after_change() => {
                return Self::unsettled(&error);
            }
            UploadError::Audit(_) => return Self::unavailable(&error),
            UploadError::Key(error) => return error.into(),
            UploadError::Dates(fault) => {
                let message = format!("Certificate is not valid: {fault}.");
                return Self::with_message(Fault::UploadNotValid, message);
            }
            UploadError::Unreadable(fault) => {
                let message = format!("Certificate Parsing Error. request.certificateData: {fault}.");
                return Self::with_message(Fault::UploadUnreadable, message);
            }
            UploadError::Known => Fault::UploadKnown,
            UploadError::KeyDiffers => Fault::UploadKeyDiffers,
            UploadError::KeyUnsupported => Fault::UploadKeyUnsupported,
            UploadError::NoCurrentKey => Fault::NoCurrentKey,
            UploadError::OtherDomain => Fault::UploadForOtherDomain,
            UploadError::OwnKey => Fault::UploadOwnKey,
            UploadError::OwnTokenKey => Fault::UploadOwnTokenKey,
            UploadError::OwnTokenKeyEnded => Fault::UploadOwnTokenKeyEnded,
            // No call under the envelope takes requests.
            UploadError::RequestUnreadable | UploadError::RequestUnproven => Fault::UploadUnreadable,
            UploadError::SigningName => Fault::UploadSigningName,
            UploadError::SigningReference => Fault::UploadSigningReference,
            UploadError::Usage => Fault::UploadNotValid,
        };
        fault.into()
    }
}

impl From<PacketError> for Refusal {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::AccessListed => Fault::AccessListed.into(),
            PacketError::Audit(_) => Self::unavailable(&error),
            PacketError::Body(_) => TransportError::Body.into(),
            PacketError::Busy => TransportError::Overloaded.into(),
            PacketError::DecryptionFailed => Fault::DecryptionFailed.into(),
            PacketError::Empty => Fault::NoContent.into(),
            PacketError::ForeignKey => Fault::ForeignKey.into(),
            PacketError::Internal(_) => Self::internal(&error),
            PacketError::Key(error) => error.into(),
            PacketError::Malformed(error) => Self::with_message(
                Fault::MalformedPacket,
                format!("data sent to decrypt is without key splitter or invalid: {error}"),
            ),
            PacketError::OtherDomain => Fault::OtherDomainsKey.into(),
            PacketError::Refused(refusal) => TransportError::from(refusal).into(),
            PacketError::SigningKey => Fault::SigningKey.into(),
            PacketError::TooLarge { limit } => TransportError::TooLarge { limit }.into(),
            PacketError::UnknownKey => Fault::UnknownKey.into(),
        }
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::AccessListed => Fault::SigningNotAllowed.into(),
            SignatureError::Algorithm => Fault::AlgorithmNotSupported.into(),
            SignatureError::Audit(_) => Self::unavailable(&error),
            SignatureError::Certificate => Fault::CertificateNotValid.into(),
            SignatureError::Certifying => Fault::CertifyingKey.into(),
            SignatureError::ClaimMismatch(claim) => Self::with_message(
                Fault::ClaimMismatch,
                format!("Provided {claim} Claim value not matched with CWT."),
            ),
            SignatureError::ClaimMissing(claim) => {
                Self::with_message(Fault::ClaimMissing, format!("{claim} Claim not found in the CWT Token."))
            }
            SignatureError::ClaimsNotJson => Fault::ClaimsMalformed.into(),
            SignatureError::CoseMessage => Fault::CoseMalformed.into(),
            SignatureError::CwtMessage => Fault::CwtMalformed.into(),
            // A digest is of no request here.
            SignatureError::Digest => Self::internal(&error),
            SignatureError::Empty => Fault::NothingToSign.into(),
            SignatureError::EncryptionKey => Fault::EncryptionKey.into(),
            SignatureError::Expired => Fault::CwtExpired.into(),
            SignatureError::HeaderMember => Fault::HeaderMember.into(),
            SignatureError::Key(error) => error.into(),
            SignatureError::NotJson => Fault::NotJson.into(),
            SignatureError::NotYetValid => Fault::CwtNotYetValid.into(),
            SignatureError::PayloadUnencodable => Fault::PayloadUnencodable.into(),
            SignatureError::Pdf(error) => error.into(),
            SignatureError::Refused(refusal) => TransportError::from(refusal).into(),
            SignatureError::Token => Fault::SignatureMalformed.into(),
        }
    }
}

impl From<PdfError> for Refusal {
    fn from(error: PdfError) -> Self {
        match error {
            PdfError::Busy => TransportError::Overloaded.into(),
            PdfError::Certified => Fault::PdfCertified.into(),
            PdfError::Complex => Fault::PdfComplex.into(),
            PdfError::Encrypted => Fault::PdfEncrypted.into(),
            PdfError::Malformed(what) => Self::with_message(
                Fault::PdfMalformed,
                format!("{} More exactly: {what}.", Fault::PdfMalformed.text()),
            ),
            PdfError::Page(pages) => Self::with_message(
                Fault::PageUnknown,
                format!(
                    "request.pageNumber is not one of the document's {pages} pages, which are counted from 1"
                ),
            ),
            PdfError::Password => Fault::PasswordUnfit.into(),
            PdfError::Signed => Fault::PdfSigned.into(),
            PdfError::TooLong(_) => Fault::PdfTooLong.into(),
            PdfError::Unavailable(_) => Self::unavailable(&error),
        }
    }
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        match error {
            error if error.is_unsettled() => Self::unsettled(&error),
            AccessError::Audit(_)
            | AccessError::Repository(_)
            | AccessError::SecretHash(SecretHashError::Busy)
            | AccessError::Token(_) => Self::unavailable(&error),
            AccessError::ClientChanged
            | AccessError::ClientExists
            | AccessError::ClientNotFound
            | AccessError::Internal(_)
            | AccessError::LastAdministrator
            | AccessError::OwnClient
            | AccessError::SecretHash(SecretHashError::Failed)
            | AccessError::SecretsInForce
            | AccessError::Waits(_)
            | AccessError::Approvals(_) => Self::internal(&error),
            AccessError::Refused(refusal) => TransportError::from(refusal).into(),
            AccessError::ClientDisabled | AccessError::InvalidClient => {
                TransportError::Unauthenticated.into()
            }
        }
    }
}
