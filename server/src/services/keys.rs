//! Keys and certificates: read, made on first use, generated on request.

use std::sync::Arc;

use crate::{
    domain::{access::CallContext, alias::KeyAlias, key::KeyRecord},
    ports::{audit_sink::AuditError, repository::RepositoryError},
};

/// Members of a distinguished name that a caller may set; `None` or blank takes the configured default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectOverrides {
    /// CN
    pub common_name: Option<String>,
    /// OU
    pub organization_unit: Option<String>,
    /// O
    pub organization: Option<String>,
    /// L
    pub location: Option<String>,
    /// ST
    pub state: Option<String>,
    /// C
    pub country: Option<String>,
}

/// A certificate with its issuers.
#[derive(Clone, Debug)]
pub struct CertificateChain {
    /// The key.
    pub key: Arc<KeyRecord>,
    /// DER, leaf first, up to and including ROOT.
    pub certificates: Vec<Vec<u8>>,
}

/// Keys and certificates.
pub struct KeyService {}

impl KeyService {
    /// The current key of the alias. A base key is made when there is none or the newest one nears its end.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificate(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let _ = (call, alias);
        todo!()
    }

    /// All keys of the alias, newest first; makes none. Empty when there are none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn certificates(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Vec<KeyRecord>, KeyError> {
        let _ = (call, alias);
        todo!()
    }

    /// The current module key (or `KERNEL/SIGN`); made when there is none.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::ReferenceNotSupported`] for the alias of a base key.
    pub async fn generate_master(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let _ = (call, alias, subject);
        todo!()
    }

    /// A PKCS#10 request (DER) for the current module key, made when there is none, with that key.
    ///
    /// # Errors
    /// As [`KeyService::generate_master`].
    pub async fn certificate_request(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<(Arc<KeyRecord>, Vec<u8>), KeyError> {
        let _ = (call, alias, subject);
        todo!()
    }

    /// The current key of an alias that the settings mark public, with its chain; `None` when it is not public
    /// or has no key. Makes none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn public_certificate(&self, alias: &KeyAlias) -> Result<Option<CertificateChain>, KeyError> {
        let _ = alias;
        todo!()
    }
}

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
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The module's key was never generated.
    #[error("the application's module key was not generated")]
    ModuleKeyMissing,
    /// No active policy allows keys for the application.
    #[error("no active policy for this application")]
    PolicyMissing,
    /// The caller made too many keys within the hour.
    #[error("the caller's key creation quota is used up")]
    QuotaExceeded,
    /// The reference does not fit the application's pattern.
    #[error("the reference does not fit the application's pattern")]
    ReferenceNotAllowed,
    /// The call is not for base keys.
    #[error("the reference is not supported for this call")]
    ReferenceNotSupported,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// ROOT has no key to sign with.
    #[error("the root key was not generated")]
    RootKeyMissing,
    /// The subject has a member that cannot stand in a certificate.
    #[error("the subject has a member that cannot stand in a certificate")]
    SubjectNotAllowed,
    /// The token failed.
    #[error(transparent)]
    Token(#[from] crate::ports::key_store::KeyStoreError),
}
