//! Verifying a JWS.

use kunji_shared::Certificate;

use super::{
    Report, SignatureError, SignatureService,
    report::{Question, of_jws},
};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
};

/// What to verify, and against what.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// `header.payload.signature` or `header..signature`.
    pub token: String,
    /// Replaces the payload part.
    pub payload: Option<Vec<u8>>,
    /// The own key whose certificates count, when neither header nor request has one; `None`: `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// Whose key counts.
    pub source: CertificateSource,
    /// Whether the certificate's path is to be checked too.
    pub validate_trust: bool,
    /// The trust domain of that check.
    pub domain: Option<String>,
}

/// Where the public key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// The certificate in the header, else this one (PEM), else those of the alias's own keys, old ones too.
    HeaderOr(Option<String>),
    /// The certificates of the alias's own keys alone, old ones too.
    OwnKeys,
}

/// The outcome of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether the signature fits.
    pub valid: bool,
    /// Whether the certificate is trusted.
    pub trust: Trust,
}

impl TryFrom<Report> for Verification {
    type Error = SignatureError;

    /// A certificate that is not valid now is an error where there is no report.
    fn try_from(report: Report) -> Result<Self, SignatureError> {
        if report.is_within_validity == Some(false) {
            return Err(SignatureError::Certificate);
        }
        Ok(Self { valid: report.is_valid(), trust: report.trust })
    }
}

/// Whether a certificate's path was checked, and with what result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It leads to a trust anchor of the domain.
    PathValid,
    /// It does not.
    PathNotValid,
    /// It was not asked for, or there was no certificate.
    NotVerified,
    /// It was asked for without a domain.
    NoDomain,
}

impl SignatureService {
    /// Verifies. A signature that does not fit is an answer, not an error; so is one by an algorithm that is not
    /// verified here, or with a critical extension that is not understood.
    ///
    /// A certificate that the header or the request has must be valid now. Members of the header that point elsewhere
    /// (`jku`, `x5u`, `jwk`) are never followed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn verify_jws(
        &self,
        call: &CallContext,
        request: VerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let alias = request.alias.clone().unwrap_or_else(KeyAlias::kernel_sign);
        let verified = async {
            self.authorizer.check(call, Operation::Verify, &alias).map_err(SignatureError::Refused)?;
            self.verify(&alias, &request).await
        };
        self.auditor.audited(call, Operation::Verify, Some(&alias), verified, |_| None).await
    }

    async fn verify(
        &self,
        alias: &KeyAlias,
        request: &VerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let with_certificate = request.source != CertificateSource::OwnKeys;
        let evidence = of_jws(&request.token, request.payload.as_deref(), with_certificate)?;
        let question = Question {
            alias,
            source: &request.source,
            validate_trust: request.validate_trust,
            domain: request.domain.as_deref(),
            timestamp: None,
        };
        self.judge(evidence, question).await?.try_into()
    }
}

pub(super) fn read_pem(pem: &str) -> Result<Certificate, SignatureError> {
    Certificate::from_pem(pem).map_err(|_| SignatureError::Certificate)
}
