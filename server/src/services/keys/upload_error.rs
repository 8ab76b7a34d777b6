use kunji_shared::certificate::CertificateError;

use super::KeyError;
use crate::{
    ports::{audit_sink::AuditError, key_store::KeyStoreError, repository::RepositoryError},
    services::{auditor::Audited, authorization::AccessRefusal},
};

/// Why a certificate that others issued was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Its validity, or that of the key that it is for, does not allow it.
    #[error(transparent)]
    Dates(#[from] DatesFault),
    /// It was uploaded before.
    #[error("the certificate was uploaded before")]
    Known,
    /// The keys could not be read or changed, or the caller may not.
    #[error(transparent)]
    Key(KeyError),
    /// It is for another key than the alias's current one.
    #[error("the certificate is for another key")]
    KeyDiffers,
    /// It is for a kind or size of key that the server does not use.
    #[error("the certificate's key is of a kind or size that is not used here")]
    KeyUnsupported,
    /// The alias has no key that a certificate could be for.
    #[error("the alias has no current key")]
    NoCurrentKey,
    /// The alias is another domain's, whose certificates are uploaded by another call.
    #[error("the alias is another domain's")]
    OtherDomain,
    /// The alias has a key of its own, which the server has the private part of.
    #[error("the server has a private key of this name")]
    OwnKey,
    /// The alias has a key of its own on the token.
    #[error("the token has a key of this name")]
    OwnTokenKey,
    /// The alias had a key of its own on the token.
    #[error("the token had a key of this name")]
    OwnTokenKeyEnded,
    /// The bytes are no request for a certificate.
    #[error("it is no PKCS#10 request in PEM")]
    RequestUnreadable,
    /// The request is not signed by the key that it names.
    #[error("the request is not signed by the key that it names, or by an algorithm that is not used here")]
    RequestUnproven,
    /// The alias is one of a key that signs for the server.
    #[error("the name is that of a key that signs for the server")]
    SigningName,
    /// The reference is one of keys on elliptic curves that sign for the application.
    #[error("the reference is that of a signing key of the application")]
    SigningReference,
    /// The bytes are no certificate.
    #[error(transparent)]
    Unreadable(#[from] CertificateError),
    /// It does not allow what the key is for.
    #[error("the certificate does not allow what the key is for")]
    Usage,
}

/// What is wrong with the dates of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatesFault {
    /// It begins later.
    #[error("it is not yet valid; upload it when it is")]
    NotYetValid,
    /// It has ended.
    #[error("it has expired; have one issued that is valid now")]
    Expired,
    /// Its key would be replaced at once.
    #[error(
        "it ends within {days} days, the time before its end in which a key is replaced; have one issued that lasts longer"
    )]
    EndsTooSoon {
        /// Days before the end from which a successor is made.
        days: u32,
    },
}

impl UploadError {
    /// The stable name of the failure in the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::Dates(_) => "upload.dates",
            Self::Known => "upload.known",
            Self::Key(error) => error.code(),
            Self::KeyDiffers => "upload.key_differs",
            Self::KeyUnsupported => "upload.key_unsupported",
            Self::NoCurrentKey => "upload.no_current_key",
            Self::OtherDomain => "upload.other_domain",
            Self::OwnKey => "upload.own_key",
            Self::OwnTokenKey => "upload.own_token_key",
            Self::OwnTokenKeyEnded => "upload.own_token_key_ended",
            Self::RequestUnreadable => "certificate_request.unreadable",
            Self::RequestUnproven => "certificate_request.unproven",
            Self::SigningName => "upload.signing_name",
            Self::SigningReference => "upload.signing_reference",
            Self::Unreadable(error) => error.code(),
            Self::Usage => "upload.usage",
        }
    }
}

impl From<KeyError> for UploadError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<AccessRefusal> for UploadError {
    fn from(refusal: AccessRefusal) -> Self {
        Self::Key(refusal.into())
    }
}

impl From<KeyStoreError> for UploadError {
    fn from(error: KeyStoreError) -> Self {
        Self::Key(error.into())
    }
}

impl From<RepositoryError> for UploadError {
    fn from(error: RepositoryError) -> Self {
        Self::Key(error.into())
    }
}

impl Audited for UploadError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}
