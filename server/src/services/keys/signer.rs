//! Signing with a key wherever it is: on the token, or in the records.

use std::{borrow::Cow, sync::Arc};

use super::{KeyError, issuing::public_key_of, private_keys::PrivateKeys};
use crate::{
    domain::{
        jose::SignatureAlgorithm,
        key::{KeyMaterial, KeyRecord},
        signature::Verifier,
    },
    ports::key_store::KeyStore,
};

/// Messages up to this size are worked on where they are: it takes about as long as handing them over.
pub(crate) const INLINE_MAX_BYTES: usize = 256 * 1024;

/// Signs with private keys.
pub(crate) struct Signer {
    pub(crate) private_keys: Arc<PrivateKeys>,
    pub(crate) token: Arc<dyn KeyStore>,
}

impl Signer {
    /// A signature of the key over the message, by an algorithm of the key's kind.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn sign(
        &self,
        key: &Arc<KeyRecord>,
        algorithm: SignatureAlgorithm,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, KeyError> {
        let is_short = message.len() <= INLINE_MAX_BYTES;
        let digest = move || match algorithm.input(&message) {
            Cow::Owned(digest) => digest,
            Cow::Borrowed(_) => message,
        };
        let input = if is_short {
            digest()
        } else {
            let hashed = tokio::task::spawn_blocking(digest).await;
            hashed.map_err(|_| KeyError::Internal("hashing ended early"))?
        };
        self.sign_input(key, algorithm, input).await
    }

    /// The same over a message of which [`SignatureAlgorithm::input`] has made `input`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) async fn sign_input(
        &self,
        key: &Arc<KeyRecord>,
        algorithm: SignatureAlgorithm,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, KeyError> {
        let KeyMaterial::Token(id) = key.material else {
            let private = self.private_keys.load_signer(key).await?;
            let verifier = Verifier::new(algorithm, &public_key_of(&key.certificate)?);
            let verifier = verifier.ok_or(KeyError::Internal("a key does not sign like this"))?;
            let is_short = input.len() <= INLINE_MAX_BYTES;
            // A signature that a fault has changed can give away the key.
            let sign = move || {
                let signature = private.sign(&input).ok()?;
                verifier.verifies_input(&input, &signature).then_some(signature)
            };
            let signature =
                if is_short { sign() } else { tokio::task::spawn_blocking(sign).await.ok().flatten() };
            return signature.ok_or(KeyError::Internal("a signature does not verify"));
        };
        Ok(self.token.sign(id, algorithm, &input).await?)
    }
}
