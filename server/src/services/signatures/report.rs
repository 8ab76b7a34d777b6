//! What is found out about a signature, one check after the other.

use std::sync::Arc;

use kunji_shared::{Certificate, UnixTime};

use super::{
    KeyError, Revocation, SignatureError, SignatureService, SignedContent, Trust,
    compact::CompactJws,
    cose, header_certificate,
    trust::{Judgement, Moment},
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

/// What came of a time-stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampCheck {
    /// There is none.
    None,
    /// It proves nothing; dates are judged now.
    Failed,
    /// The signature was there at this time.
    Proves(UnixTime),
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
    /// What came of the time-stamp.
    pub timestamp: TimestampCheck,
    /// Whether its certificate is within its validity, now or at the time that the time-stamp proves; `None` for own
    /// keys, whose signatures outlast them, but not for those of other domains.
    pub is_within_validity: Option<bool>,
    /// Whether the certificate is for a key of the server's own that is compromised, and no time-stamp predates that.
    pub is_compromised: bool,
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
        self.algorithm.is_some()
            && self.is_understood
            && self.timestamp != TimestampCheck::Failed
            && self.is_within_validity != Some(false)
            && !self.is_compromised
            && self.fits
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
    /// A time-stamp token (RFC 3161, DER) over the bytes of the signature.
    pub timestamp: Option<Vec<u8>>,
}

/// How a signature is looked at.
pub(super) struct Question<'a> {
    /// The own key whose certificates count, when neither object nor request have one.
    pub(super) alias: &'a KeyAlias,
    /// Whose key counts.
    pub(super) source: &'a CertificateSource,
    /// Whether the certificate's path is to be checked too.
    pub(super) validate_trust: bool,
    /// The trust domain of that check.
    pub(super) domain: Option<&'a str>,
    /// A time-stamp token over the bytes of the signature.
    pub(super) timestamp: Option<Vec<u8>>,
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
            let question = Question {
                alias: &alias,
                source: &request.source,
                validate_trust: request.validate_trust,
                domain: request.domain.as_deref(),
                timestamp: request.timestamp,
            };
            self.judge(evidence, question).await
        };
        self.auditor.audited(call, Operation::Verify, Some(&alias), judged, |_| None).await
    }

    /// Looks at everything, also when something was wrong before.
    pub(super) async fn judge(
        &self,
        evidence: Evidence,
        question: Question<'_>,
    ) -> Result<Report, SignatureError> {
        let Evidence { algorithm, is_understood, certificates, key_id, content, signature } = evidence;
        let Question { alias, source, validate_trust, domain, timestamp } = question;
        let mut certificates = certificates.into_iter();
        let (source, given) = match (source, certificates.next()) {
            (CertificateSource::HeaderOr(_), Some(found)) => (KeySource::Header, Some(found)),
            (CertificateSource::HeaderOr(Some(pem)), None) => (KeySource::Request, Some(read_pem(pem)?)),
            (CertificateSource::HeaderOr(None), None) | (CertificateSource::OwnKeys, _) => {
                (KeySource::OwnKey, None)
            }
        };
        let (timestamp, moment) = self.moment(timestamp, &signature).await?;
        let at = moment.judged_at();
        let (public_keys, is_within_validity, is_compromised) = if let Some(certificate) = &given {
            let public_key = certificate.public_key_der();
            let is_within_validity = certificate.not_before() <= at && at <= certificate.not_after();
            let is_compromised = self.is_compromised(public_key, moment).await?;
            (vec![public_key.into()], Some(is_within_validity), is_compromised)
        } else {
            let own = self.own_public_keys(alias, key_id.as_deref(), moment).await?;
            (own.public_keys, own.is_within_validity, false)
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
                self.trust_in(domain.to_owned(), given, certificates.collect(), moment).await?
            }
        };
        Ok(Report {
            algorithm,
            is_understood,
            source,
            timestamp,
            is_within_validity,
            is_compromised,
            fits,
            trust,
            revocation,
        })
    }

    /// When the signature is judged, and what came of its time-stamp.
    async fn moment(
        &self,
        timestamp: Option<Vec<u8>>,
        signature: &[u8],
    ) -> Result<(TimestampCheck, Moment), SignatureError> {
        let now = self.clock.now().to_unix();
        let Some(token) = timestamp else {
            return Ok((TimestampCheck::None, Moment { now, proven: None }));
        };
        let (store, signature) = (Arc::clone(&self.trust), signature.to_vec());
        let proven = tokio::task::spawn_blocking(move || store.time_of(&token, &signature, now)).await;
        let proven = proven.map_err(|_| KeyError::Internal("a check of a time-stamp ended early"))?;
        let proven = match proven {
            None => None,
            // The authority must be trusted today.
            Some((time, path)) => {
                let today = Moment { now, proven: None };
                (!self.has_compromised(&path, today).await?).then_some(time)
            }
        };
        let check = proven.map_or(TimestampCheck::Failed, TimestampCheck::Proves);
        Ok((check, Moment { now, proven }))
    }

    async fn trust_in(
        &self,
        domain: String,
        certificate: Certificate,
        others: Vec<Certificate>,
        moment: Moment,
    ) -> Result<(Trust, Revocation), SignatureError> {
        let store = Arc::clone(&self.trust);
        let judged = move || store.judge(&domain, &certificate, &others, moment);
        let judged = tokio::task::spawn_blocking(judged).await;
        let judged = judged.map_err(|_| KeyError::Internal("a check of trust ended early"))?;
        let Judgement { trust, revocation, public_keys } = judged;
        if self.has_compromised(&public_keys, moment).await? {
            return Ok((Trust::PathNotValid, Revocation::Revoked));
        }
        Ok((trust, revocation))
    }

    async fn has_compromised(&self, path: &[Vec<u8>], moment: Moment) -> Result<bool, KeyError> {
        for public_key in path {
            if self.is_compromised(public_key, moment).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the key (SubjectPublicKeyInfo, DER) is one of the server's own that was compromised at that moment.
    async fn is_compromised(&self, public_key: &[u8], moment: Moment) -> Result<bool, KeyError> {
        let since = self.compromised_keys.since(&self.directory, public_key).await?;
        Ok(since.is_some_and(|since| moment.is_after(since.to_unix())))
    }
}

fn is_long(content: &SignedContent) -> bool {
    matches!(content, SignedContent::Message(message) if message.len() > INLINE_MAX_BYTES)
}

/// Whether the signature is by one of these keys (SubjectPublicKeyInfo, DER). A key of another kind than the algorithm's
/// verifies nothing.
pub(super) fn fits(
    algorithm: SignatureAlgorithm,
    public_keys: &[Arc<[u8]>],
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
