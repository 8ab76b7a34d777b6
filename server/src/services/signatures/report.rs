//! What is found out about a signature, one check after the other.

use std::sync::Arc;

use kunji_shared::{Certificate, UnixTime};

use super::{
    KeyError, Revocation, SignatureError, SignatureService, SignedContent, Trust,
    compact::CompactJws,
    cose, header_certificate,
    verify::{CertificateSource, read_pem},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        jose::SignatureAlgorithm,
        signature::Verifier,
    },
    services::keys::signer::INLINE_MAX_BYTES,
};

/// A signature, with what it says of itself; nothing of that is verified.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The algorithm; `None` for one that is not verified here.
    pub algorithm: Option<SignatureAlgorithm>,
    /// Whether everything that it calls critical is understood here.
    pub is_understood: bool,
    /// The certificates that it brings along, its own first.
    pub certificates: Vec<Certificate>,
    /// The name of the key.
    pub key_id: Option<String>,
    /// What was signed.
    pub content: SignedContent,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Where the public key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The certificate in the signature's header.
    Header,
    /// One of the alias's own keys.
    OwnKey,
    /// The certificate in the request.
    Request,
}

/// What was found out about a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The algorithm, if it is one that is verified here.
    pub algorithm: Option<SignatureAlgorithm>,
    /// Whether everything that it calls critical is understood here.
    pub is_understood: bool,
    /// Where the public key came from.
    pub source: KeySource,
    /// Whether its certificate is within its validity; `None` for own keys, whose signatures outlast them.
    pub is_within_validity: Option<bool>,
    /// Whether the signature fits content and key, by this algorithm.
    pub fits: bool,
    /// Whether the certificate is trusted.
    pub trust: Trust,
    /// What is known of its revocation.
    pub revocation: Revocation,
}

impl Report {
    /// Whether every check has passed, that of trust not counted.
    pub fn is_valid(&self) -> bool {
        self.algorithm.is_some() && self.is_understood && self.is_within_validity != Some(false) && self.fits
    }
}

/// What to verify.
#[derive(Clone, Debug)]
pub enum SignedObject {
    /// A signature over bytes or a digest.
    Bytes {
        /// What was signed.
        content: SignedContent,
        /// The signature.
        signature: Vec<u8>,
        /// The algorithm.
        algorithm: SignatureAlgorithm,
    },
    /// A COSE_Sign1, or a CWT around one, whose claims are not looked at.
    Cose(Vec<u8>),
    /// A compact JWS, and its payload if it is detached.
    Jws(String, Option<Vec<u8>>),
}

impl SignedObject {
    fn evidence(self) -> Result<Evidence, SignatureError> {
        match self {
            Self::Bytes { content, signature, algorithm } => Ok(Evidence {
                algorithm: Some(algorithm),
                is_understood: true,
                certificates: Vec::new(),
                key_id: None,
                content,
                signature,
            }),
            Self::Cose(message) => cose::evidence(&message),
            Self::Jws(token, payload) => of_jws(&token, payload.as_deref(), true),
        }
    }
}

/// What to find out.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// What to verify.
    pub object: SignedObject,
    /// The own key whose certificates count, when neither object nor request have one; `None`: `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// Whose key counts.
    pub source: CertificateSource,
    /// Whether the certificate's path is to be checked too.
    pub validate_trust: bool,
    /// The trust domain of that check.
    pub domain: Option<String>,
}

/// What a compact JWS says, and its certificate if that counts.
pub(super) fn of_jws(
    token: &str,
    payload: Option<&[u8]>,
    with_certificate: bool,
) -> Result<Evidence, SignatureError> {
    let token = CompactJws::parse(token)?;
    Ok(Evidence {
        algorithm: token.algorithm(),
        is_understood: token.is_understood(),
        certificates: if with_certificate { header_certificate::read(&token.header)? } else { Vec::new() },
        key_id: token.key_id().map(ToOwned::to_owned),
        content: SignedContent::Message(token.signing_input(payload)),
        signature: token.signature,
    })
}

impl SignatureService {
    /// Verifies, and tells what came of each check. Whatever is wrong with the signature is an answer.
    ///
    /// # Errors
    /// [`SignatureError`] when what is to be verified, or a certificate, cannot be read.
    pub async fn report(&self, call: &CallContext, request: ReportRequest) -> Result<Report, SignatureError> {
        let alias = request.alias.unwrap_or_else(KeyAlias::kernel_sign);
        let judged = async {
            self.authorizer.check(call, Operation::Verify, &alias).map_err(SignatureError::Refused)?;
            let evidence = request.object.evidence()?;
            let domain = request.domain.as_deref();
            self.judge(&alias, evidence, &request.source, request.validate_trust, domain).await
        };
        self.auditor.audited(call, Operation::Verify, Some(&alias), judged, |_| None).await
    }

    /// Looks at everything, also when something was wrong before.
    pub(super) async fn judge(
        &self,
        alias: &KeyAlias,
        evidence: Evidence,
        source: &CertificateSource,
        validate_trust: bool,
        domain: Option<&str>,
    ) -> Result<Report, SignatureError> {
        let Evidence { algorithm, is_understood, certificates, key_id, content, signature } = evidence;
        let mut certificates = certificates.into_iter();
        let (source, given) = match (source, certificates.next()) {
            (CertificateSource::HeaderOr(_), Some(found)) => (KeySource::Header, Some(found)),
            (CertificateSource::HeaderOr(Some(pem)), None) => (KeySource::Request, Some(read_pem(pem)?)),
            (CertificateSource::HeaderOr(None), None) | (CertificateSource::OwnKeys, _) => {
                (KeySource::OwnKey, None)
            }
        };
        let now = self.clock.now().to_unix();
        let is_within_validity =
            given.as_ref().map(|found| found.not_before() <= now && now <= found.not_after());
        let public_keys = match &given {
            Some(certificate) => vec![certificate.public_key_der().to_vec()],
            None => self.own_public_keys(alias, key_id.as_deref()).await?,
        };
        let fits = match algorithm {
            None => false,
            Some(algorithm) if is_long(&content) => {
                tokio::task::spawn_blocking(move || fits(algorithm, &public_keys, &content, &signature))
                    .await
                    .map_err(|_| KeyError::Internal("a verification ended early"))?
            }
            Some(algorithm) => fits(algorithm, &public_keys, &content, &signature),
        };
        let domain = domain.map(str::trim).filter(|domain| !domain.is_empty());
        let (trust, revocation) = match (validate_trust, domain, given) {
            (false, ..) | (true, Some(_), None) => (Trust::NotVerified, Revocation::NotChecked),
            (true, None, _) => (Trust::NoDomain, Revocation::NotChecked),
            (true, Some(domain), Some(given)) => {
                self.trust_in(domain.to_owned(), given, certificates.collect(), now).await?
            }
        };
        Ok(Report { algorithm, is_understood, source, is_within_validity, fits, trust, revocation })
    }

    async fn trust_in(
        &self,
        domain: String,
        certificate: Certificate,
        others: Vec<Certificate>,
        now: UnixTime,
    ) -> Result<(Trust, Revocation), SignatureError> {
        let store = Arc::clone(&self.trust);
        let judged = move || store.judge(&domain, &certificate, &others, now);
        let judged = tokio::task::spawn_blocking(judged).await;
        Ok(judged.map_err(|_| KeyError::Internal("a check of trust ended early"))?)
    }
}

fn is_long(content: &SignedContent) -> bool {
    matches!(content, SignedContent::Message(message) if message.len() > INLINE_MAX_BYTES)
}

/// Whether the signature is by one of these keys (SubjectPublicKeyInfo, DER). A key of another kind than the algorithm's
/// verifies nothing.
pub(super) fn fits(
    algorithm: SignatureAlgorithm,
    public_keys: &[Vec<u8>],
    content: &SignedContent,
    signature: &[u8],
) -> bool {
    let input = match content {
        SignedContent::Message(message) => algorithm.input(message),
        SignedContent::Digest(digest) if algorithm.digest_length() == Some(digest.len()) => digest.into(),
        SignedContent::Digest(_) => return false,
    };
    public_keys.iter().any(|key| {
        Verifier::new(algorithm, key).is_some_and(|verifier| verifier.verifies_input(&input, signature))
    })
}
