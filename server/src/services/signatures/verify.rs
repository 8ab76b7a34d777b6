//! Verifying a JWS.

use kunji_shared::Certificate;

use super::{KeyError, SignatureError, SignatureService, compact::CompactJws, header_certificate};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    signature::Verifier,
};

/// Own keys tried when a token to verify does not say which one signed it.
const OWN_KEYS_TRIED: usize = 8;

/// Messages up to this size are hashed where they are: it takes about as long as handing them over.
const INLINE_MAX_BYTES: usize = 256 * 1024;

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
    /// A certificate that the header or the request has must be valid now. Members of the header that point elsewhere (`jku`, `x5u`,
    /// `jwk`) are never followed.
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
        let token = CompactJws::parse(&request.token)?;
        let given = match (&request.source, header_certificate::read(&token.header)) {
            (CertificateSource::OwnKeys, _) => None,
            (CertificateSource::HeaderOr(other), found) => {
                found?.map_or_else(|| other.as_deref().map(read_pem).transpose(), |found| Ok(Some(found)))?
            }
        };
        let candidates = match &given {
            Some(certificate) => vec![self.valid_now(certificate)?.public_key_der().to_vec()],
            None => self.own_public_keys(alias, token.key_id()).await?,
        };
        let signing_input = token.signing_input(request.payload.as_deref());
        let valid = match token.algorithm() {
            Some(algorithm) => {
                self.fits_one(algorithm, candidates, signing_input, token.signature.clone()).await?
            }
            None => false,
        };
        let trust = trust(request.validate_trust, request.domain.as_deref(), given.as_ref());
        Ok(Verification { valid, trust })
    }

    /// Whether the signature is by one of these keys (SubjectPublicKeyInfo, DER).
    pub(super) async fn fits_one(
        &self,
        algorithm: SignatureAlgorithm,
        public_keys: Vec<Vec<u8>>,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<bool, SignatureError> {
        if message.len() <= INLINE_MAX_BYTES {
            return Ok(fits(algorithm, &public_keys, &message, &signature));
        }
        tokio::task::spawn_blocking(move || fits(algorithm, &public_keys, &message, &signature))
            .await
            .map_err(|_| KeyError::Internal("a verification ended early").into())
    }

    /// The certificate, if it is within its validity.
    pub(super) fn valid_now<'a>(
        &self,
        certificate: &'a Certificate,
    ) -> Result<&'a Certificate, SignatureError> {
        let now = self.clock.now().to_unix();
        let is_valid = certificate.not_before() <= now && now <= certificate.not_after();
        is_valid.then_some(certificate).ok_or(SignatureError::Certificate)
    }

    /// SubjectPublicKeyInfo (DER) of the alias's keys, the one named by `kid` alone when there is one.
    pub(super) async fn own_public_keys(
        &self,
        alias: &KeyAlias,
        key_id: Option<&str>,
    ) -> Result<Vec<Vec<u8>>, SignatureError> {
        let keys = self.directory.list(alias, OWN_KEYS_TRIED).await.map_err(KeyError::from)?;
        if keys.is_empty() {
            return Err(KeyError::ModuleKeyMissing.into());
        }
        let named = keys.iter().find(|key| key_id == Some(key.kid().as_str()));
        named
            .map_or(keys.as_slice(), std::slice::from_ref)
            .iter()
            .map(|key| Ok(crate::services::keys::issuing::public_key_of(&key.certificate)?))
            .collect()
    }
}

pub(super) fn trust(validate: bool, domain: Option<&str>, given: Option<&Certificate>) -> Trust {
    let domain = domain.map(str::trim).filter(|domain| !domain.is_empty());
    match (validate, domain, given) {
        (false, ..) | (true, Some(_), None) => Trust::NotVerified,
        (true, None, _) => Trust::NoDomain,
        // No trust domain has anchors until partner certificates can be uploaded.
        (true, Some(_), Some(_)) => Trust::PathNotValid,
    }
}

pub(super) fn read_pem(pem: &str) -> Result<Certificate, SignatureError> {
    Certificate::from_pem(pem).map_err(|_| SignatureError::Certificate)
}

/// Whether the signature is by one of these keys (SubjectPublicKeyInfo, DER). A key of another kind than the algorithm's
/// verifies nothing.
fn fits(algorithm: SignatureAlgorithm, public_keys: &[Vec<u8>], message: &[u8], signature: &[u8]) -> bool {
    let input = algorithm.input(message);
    public_keys.iter().any(|key| {
        Verifier::new(algorithm, key).is_some_and(|verifier| verifier.verifies_input(&input, signature))
    })
}
