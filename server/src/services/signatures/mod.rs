//! JSON Web Signatures (RFC 7515), RS256.

use std::sync::Arc;

use josekit::jws::{JwsHeader, RS256};
use kunji_shared::{Certificate, encoding::encode_base64url};

use super::{
    auditor::Auditor,
    authorization::{AccessRefusal, Authorizer},
    keys::{
        KeyError, KeyService, directory::KeyDirectory, policies::PolicyTable, provisioning::token_key_of,
    },
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, ApplicationId, KeyAlias, ReferenceId},
        digest::sha256,
        key::KeyRecord,
        lifecycle::{Allowance, KeyUse},
    },
    ports::{clock::Clock, key_store::KeyStore},
};

mod compact;
mod error;
mod header_certificate;

use compact::CompactJws;
pub use error::SignatureError;

/// What to sign, and what to say in the header.
#[derive(Clone, Debug)]
pub struct SignRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// The exact bytes to sign.
    pub payload: Vec<u8>,
    /// Whether the payload stands in the result; otherwise the result is detached (`header..signature`).
    pub include_payload: bool,
    /// Whether the header has the certificate (`x5c`).
    pub include_certificate: bool,
    /// Whether the header has the certificate's SHA-256 (`x5t#S256`).
    pub include_certificate_hash: bool,
    /// `x5u`, if any.
    pub certificate_url: Option<String>,
}

/// What to verify, and against what.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// `header.payload.signature` or `header..signature`.
    pub token: String,
    /// Replaces the payload part.
    pub payload: Option<Vec<u8>>,
    /// The own key whose certificates count, when neither header nor request has one; `None`: `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// PEM of the certificate to use when the header has none.
    pub certificate: Option<String>,
    /// Whether the certificate's path is to be checked too.
    pub validate_trust: bool,
    /// The trust domain of that check.
    pub domain: Option<String>,
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

/// JWS.
pub struct SignatureService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<KeyDirectory>,
    pub(crate) keys: Arc<KeyService>,
    pub(crate) policies: Arc<PolicyTable>,
    pub(crate) token: Arc<dyn KeyStore>,
}

/// Own keys tried when a token to verify does not say which one signed it.
const OWN_KEYS_TRIED: usize = 8;

impl SignatureService {
    /// Signs; the result is a compact JWS.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn jwt_sign(&self, call: &CallContext, request: SignRequest) -> Result<String, SignatureError> {
        let alias = request.alias.clone().map_or_else(default_alias, Ok)?;
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            let token = self.sign(&key, &request).await?;
            Ok::<_, SignatureError>((key, token))
        };
        let (_, token) = self
            .auditor
            .audited(call, Operation::Sign, Some(&alias), signed, |(key, _)| Some(&key.id))
            .await?;
        Ok(token)
    }

    async fn signing_key(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Arc<KeyRecord>, SignatureError> {
        // Before anything is told of the alias.
        self.authorizer.check(call, Operation::Sign, alias).map_err(|refusal| match refusal {
            AccessRefusal::Forbidden => SignatureError::AccessListed,
            AccessRefusal::RateExceeded { .. } => SignatureError::Refused(refusal),
        })?;
        // ROOT signs certificates and nothing else.
        if !matches!(alias.role(), AliasRole::Module | AliasRole::Sign) {
            return Err(SignatureError::EncryptionKey);
        }
        if !self.policies.admits(&alias.application, &call.principal.name) {
            return Err(SignatureError::AccessListed);
        }
        Ok(self.keys.current(call, alias).await?)
    }

    async fn sign(&self, key: &KeyRecord, request: &SignRequest) -> Result<String, SignatureError> {
        if request.payload.is_empty() {
            return Err(SignatureError::Empty);
        }
        let mut header = JwsHeader::new();
        if request.include_certificate {
            header.set_x509_certificate_chain(&vec![&key.certificate]);
        }
        if request.include_certificate_hash {
            header.set_x509_certificate_sha256_thumbprint(key.thumbprint.as_bytes());
        }
        if let Some(url) = &request.certificate_url {
            header.set_x509_url(url);
        }
        header.set_key_id(key.kid());
        header.set_algorithm(RS256.to_string());
        let header = encode_base64url(header.to_string().as_bytes());
        let payload = encode_base64url(&request.payload);
        let signing_input = format!("{header}.{payload}");
        let digest = sha256(signing_input.as_bytes());
        let signature = self.token.sign_digest(token_key_of(key)?, digest).await.map_err(KeyError::from)?;
        let signature = encode_base64url(&signature);
        Ok(if request.include_payload {
            format!("{signing_input}.{signature}")
        } else {
            format!("{header}..{signature}")
        })
    }

    /// Verifies. A signature that does not fit is an answer, not an error.
    ///
    /// The certificate is that of the header (`x5c`), else the request's, else those of the alias's own keys,
    /// old ones too; the first two must be valid now. Members of the header that point elsewhere (`jku`, `x5u`,
    /// `jwk`) are never followed.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn jwt_verify(
        &self,
        call: &CallContext,
        request: VerifyRequest,
    ) -> Result<Verification, SignatureError> {
        let alias = request.alias.clone().map_or_else(default_alias, Ok)?;
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
        let given = match header_certificate::read(&token.header)? {
            Some(certificate) => Some(certificate),
            None => request.certificate.as_deref().map(read_pem).transpose()?,
        };
        let signing_input = token.signing_input(request.payload.as_deref());
        let candidates = match &given {
            Some(certificate) => {
                let now = self.clock.now().to_unix();
                if now < certificate.not_before() || certificate.not_after() < now {
                    return Err(SignatureError::Certificate);
                }
                vec![certificate.public_key_der().to_vec()]
            }
            None => self.own_public_keys(alias, token.key_id()).await?,
        };
        let valid = token.is_rs256_without_extensions()
            && candidates
                .iter()
                .any(|public_key| fits(public_key, signing_input.as_bytes(), &token.signature));
        let domain = request.domain.as_deref().map(str::trim).filter(|domain| !domain.is_empty());
        let trust = match (request.validate_trust, domain, &given) {
            (false, ..) | (true, Some(_), None) => Trust::NotVerified,
            (true, None, _) => Trust::NoDomain,
            // No trust domain has anchors until partner certificates can be uploaded.
            (true, Some(_), Some(_)) => Trust::PathNotValid,
        };
        Ok(Verification { valid, trust })
    }

    /// Whether what was decided about the key lets its signatures be believed.
    fn may_verify(&self, key: &KeyRecord) -> bool {
        self.directory.states.allows(&key.id, KeyUse::Verify) == Allowance::Allowed
    }

    /// SubjectPublicKeyInfo (DER) of the alias's keys that may verify, the one named by `kid` alone when there is one.
    async fn own_public_keys(
        &self,
        alias: &KeyAlias,
        key_id: Option<&str>,
    ) -> Result<Vec<Vec<u8>>, SignatureError> {
        let keys = self.directory.list(alias, OWN_KEYS_TRIED).await.map_err(KeyError::from)?;
        if keys.is_empty() {
            return Err(KeyError::ModuleKeyMissing.into());
        }
        let keys: Vec<_> = keys.into_iter().filter(|key| self.may_verify(key)).collect();
        let named = keys.iter().find(|key| key_id == Some(key.kid().as_str()));
        named
            .map_or(keys.as_slice(), std::slice::from_ref)
            .iter()
            .map(|key| Ok(super::keys::issuing::public_key_of(&key.certificate)?))
            .collect()
    }
}

/// `KERNEL/SIGN`, for callers who name no key.
fn default_alias() -> Result<KeyAlias, SignatureError> {
    KeyAlias::parse(ApplicationId::KERNEL, ReferenceId::SIGN)
        .map_err(|_| KeyError::Internal("KERNEL/SIGN is no alias").into())
}

fn read_pem(pem: &str) -> Result<Certificate, SignatureError> {
    Certificate::from_pem(pem).map_err(|_| SignatureError::Certificate)
}

fn fits(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    use josekit::jws::JwsVerifier;
    RS256.verifier_from_der(public_key).is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
}
