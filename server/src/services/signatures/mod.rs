//! Signatures: made, and verified.

use std::sync::Arc;

use super::{
    auditor::Auditor,
    authorization::{AccessRefusal, Authorizer},
    keys::{KeyError, KeyService, directory::KeyDirectory, policies::PolicyTable, signer::Signer},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        jose::SignatureAlgorithm,
        key::KeyRecord,
        lifecycle::{Allowance, KeyUse},
    },
    ports::{clock::Clock, entropy::Entropy, key_store::KeyStoreError, pdf::PdfSigning},
};

mod algorithm;
mod bytes;
mod certifying;
mod cms;
mod compact;
mod compromised;
mod cose;
mod error;
mod header_certificate;
mod jws;
mod key_set;
mod own_keys;
mod pdf;
mod report;
mod trust;
#[cfg(test)]
mod vectors;
mod verify;

pub use crate::ports::pdf::PdfError;
pub use algorithm::AlgorithmChoice;
pub use bytes::{BytesRequest, BytesSignature, SignedContent};
use certifying::could_certify;
pub(crate) use compromised::CompromisedKeys;
pub use cose::{ClaimsCheck, ClaimsRequest, CoseHeaderRequest, CosePayload, CoseRequest, CoseVerifyRequest};
pub use error::SignatureError;
pub use jws::{HeaderCertificates, HeaderRequest, JwsRequest};
pub(crate) use key_set::KeySets;
pub(crate) use own_keys::OwnKeys;
pub use pdf::PdfSignRequest;
pub use report::{Evidence, KeySource, Report, ReportRequest, SignedObject, TimestampCheck};
pub use trust::{Revocation, TrustAnchors, TrustStore};
pub use verify::{CertificateSource, Trust, Verification, VerifyRequest};

/// Signatures.
pub struct SignatureService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<KeyDirectory>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) keys: Arc<KeyService>,
    pub(crate) key_sets: KeySets,
    pub(crate) own_keys: OwnKeys,
    pub(crate) pdf: Arc<dyn PdfSigning>,
    pub(crate) policies: Arc<PolicyTable>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) compromised_keys: CompromisedKeys,
    pub(crate) trust: Arc<TrustStore>,
}

impl SignatureService {
    async fn signing_key(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
    ) -> Result<Arc<KeyRecord>, SignatureError> {
        // Before anything is told of the alias.
        self.authorizer.check(call, Operation::Sign, alias).map_err(|refusal| match refusal {
            AccessRefusal::Forbidden => SignatureError::AccessListed,
            AccessRefusal::Ended(_) | AccessRefusal::RateExceeded { .. } => SignatureError::Refused(refusal),
        })?;
        // ROOT signs certificates and nothing else.
        if !matches!(alias.role(), AliasRole::Curve(_) | AliasRole::Module | AliasRole::Sign) {
            return Err(SignatureError::EncryptionKey);
        }
        if !self.policies.admits(&alias.application, &call.principal.name) {
            return Err(SignatureError::AccessListed);
        }
        let key = self.keys.current(call, alias).await?;
        // However the key was found: what was decided about it counts.
        if self.directory.states.allows(&key.id, KeyUse::Sign) != Allowance::Allowed {
            return Err(KeyError::NotUsable(self.directory.states.decided(&key.id)).into());
        }
        Ok(key)
    }

    /// A signature of the key.
    async fn produce(
        &self,
        key: &Arc<KeyRecord>,
        algorithm: SignatureAlgorithm,
        content: SignedContent,
    ) -> Result<Vec<u8>, SignatureError> {
        if could_certify(key.alias.role(), &content) {
            return Err(SignatureError::Certifying);
        }
        let signed = match content {
            SignedContent::Message(message) => self.signer.sign(key, algorithm, message).await,
            SignedContent::Digest(digest) if algorithm.digest_length() == Some(digest.len()) => {
                self.signer.sign_input(key, algorithm, digest).await
            }
            SignedContent::Digest(_) => return Err(SignatureError::Digest),
        };
        match signed {
            Err(KeyError::Token(KeyStoreError::Unsupported(cause))) => {
                tracing::warn!(algorithm = algorithm.name(), cause, "the token does not sign like this");
                Err(SignatureError::Algorithm)
            }
            signature => Ok(signature?),
        }
    }
}
