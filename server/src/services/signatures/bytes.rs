//! Signatures over bytes or digests, without a form around them, also many at once.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::{AlgorithmChoice, SignatureError, SignatureService};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    key::KeyRecord,
};

/// How many of one call are under way at once: enough to keep a token's workers busy, and to leave room for others.
const AT_ONCE: usize = 16;

/// What to sign, and with which key.
#[derive(Clone, Debug)]
pub struct BytesRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// What to sign.
    pub content: SignedContent,
    /// The algorithm.
    pub algorithm: AlgorithmChoice,
}

/// What a signature is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedContent {
    /// A message, by the digest of the algorithm's hash function.
    Digest(Vec<u8>),
    /// Exactly these bytes.
    Message(Vec<u8>),
}

impl SignedContent {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Digest(bytes) | Self::Message(bytes) => bytes.is_empty(),
        }
    }
}

/// A signature, and what it was made with.
#[derive(Clone, Debug)]
pub struct BytesSignature {
    /// As [`crate::domain::signature::Verifier`] takes it.
    pub signature: Vec<u8>,
    /// The algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The key.
    pub key: Arc<KeyRecord>,
}

impl SignatureService {
    /// Signs bytes, or a message by its digest.
    ///
    /// # Errors
    /// [`SignatureError`]; [`SignatureError::Digest`] when the digest is not one of the algorithm,
    /// [`SignatureError::Certifying`] when the signature could be that of a certificate.
    pub async fn sign_bytes(
        &self,
        call: &CallContext,
        request: BytesRequest,
    ) -> Result<BytesSignature, SignatureError> {
        let alias = request.alias.unwrap_or_else(KeyAlias::kernel_sign);
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            if request.content.is_empty() {
                return Err(SignatureError::Empty);
            }
            let algorithm = request.algorithm.for_key(&key)?;
            let signature = self.produce(&key, algorithm, request.content).await?;
            Ok(BytesSignature { signature, algorithm, key })
        };
        self.auditor.audited(call, Operation::Sign, Some(&alias), signed, |made| Some(&made.key.id)).await
    }

    /// The same for each of several, in their order; one that fails does not keep the others.
    pub async fn sign_many(
        &self,
        call: &CallContext,
        requests: Vec<BytesRequest>,
    ) -> Vec<Result<BytesSignature, SignatureError>> {
        let signed = requests.into_iter().map(|request| self.sign_bytes(call, request));
        stream::iter(signed).buffered(AT_ONCE).collect().await
    }
}
