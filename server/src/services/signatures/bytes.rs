//! Signatures over bytes, without a form around them.

use std::sync::Arc;

use super::{AlgorithmChoice, SignatureError, SignatureService};
use crate::domain::{
    access::{CallContext, Operation},
    alias::KeyAlias,
    jose::SignatureAlgorithm,
    key::KeyRecord,
};

/// What to sign, and with which key.
#[derive(Clone, Debug)]
pub struct BytesRequest {
    /// The key; `None` means `KERNEL/SIGN`.
    pub alias: Option<KeyAlias>,
    /// The exact bytes to sign.
    pub message: Vec<u8>,
    /// The algorithm.
    pub algorithm: AlgorithmChoice,
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
    /// Signs bytes.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn sign_bytes(
        &self,
        call: &CallContext,
        request: BytesRequest,
    ) -> Result<BytesSignature, SignatureError> {
        let alias = request.alias.unwrap_or_else(KeyAlias::kernel_sign);
        let signed = async {
            let key = self.signing_key(call, &alias).await?;
            if request.message.is_empty() {
                return Err(SignatureError::Empty);
            }
            let algorithm = request.algorithm.for_key(&key)?;
            let signature = self.produce(&key, algorithm, request.message).await?;
            Ok(BytesSignature { signature, algorithm, key })
        };
        self.auditor.audited(call, Operation::Sign, Some(&alias), signed, |made| Some(&made.key.id)).await
    }
}
