//! Unwrapped private keys of the records, few and for a short time.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use zeroize::Zeroizing;

use super::{KeyError, directory::KeyDirectory};
use crate::{
    domain::{
        key::{KeyId, KeyMaterial, KeyRecord, TokenKeyId, kek_id, wrapping_context},
        key_type::KeyType,
    },
    ports::{
        key_store::{KeyStore, KeyStoreError},
        repository::Repository,
        software_keys::{DecryptionKey, SigningKey, SoftwareKeys},
    },
};

/// Unwraps base private keys through the token and keeps the most used for a set time.
pub(crate) struct PrivateKeys {
    directory: Arc<KeyDirectory>,
    repository: Arc<dyn Repository>,
    software: Arc<dyn SoftwareKeys>,
    token: Arc<dyn KeyStore>,
    /// Token ids of KEKs, which never change.
    keks: Cache<(String, u32), TokenKeyId>,
    /// `None`: every use unwraps in the token.
    unwrapped: Option<Cache<KeyId, Arc<dyn DecryptionKey>>>,
    /// The same for keys that sign.
    signers: Option<Cache<KeyId, Arc<dyn SigningKey>>>,
}

impl PrivateKeys {
    pub(crate) fn new(
        directory: Arc<KeyDirectory>,
        repository: Arc<dyn Repository>,
        software: Arc<dyn SoftwareKeys>,
        token: Arc<dyn KeyStore>,
        lifetime: Duration,
        entries: u64,
    ) -> Self {
        let unwrapped = (!lifetime.is_zero())
            .then(|| Cache::builder().max_capacity(entries).time_to_live(lifetime).build());
        let signers = (!lifetime.is_zero())
            .then(|| Cache::builder().max_capacity(entries).time_to_live(lifetime).build());
        Self { directory, repository, software, token, keks: Cache::new(10_000), unwrapped, signers }
    }

    /// The private key of a base key. Several calls for one key that is not at hand share one unwrapping.
    pub(crate) async fn load(&self, key: &Arc<KeyRecord>) -> Result<Arc<dyn DecryptionKey>, KeyError> {
        let Some(unwrapped) = &self.unwrapped else { return self.unwrap(key).await };
        if let Some(private) = unwrapped.get(&key.id).await {
            return Ok(private);
        }
        // Boxed: what is rare need not be a part of every operation's state.
        let made = Box::pin(unwrapped.try_get_with_by_ref(&key.id, self.unwrap(key))).await;
        made.map_err(|error| shared_failure(&error))
    }

    /// The private key of a signing key that is kept in the records.
    pub(crate) async fn load_signer(&self, key: &Arc<KeyRecord>) -> Result<Arc<dyn SigningKey>, KeyError> {
        let Some(signers) = &self.signers else { return self.unwrap_signer(key).await };
        if let Some(private) = signers.get(&key.id).await {
            return Ok(private);
        }
        let made = Box::pin(signers.try_get_with_by_ref(&key.id, self.unwrap_signer(key))).await;
        made.map_err(|error| shared_failure(&error))
    }

    /// Drops the private part of a key that is being destroyed.
    pub(crate) async fn forget(&self, key: &KeyId) {
        if let Some(unwrapped) = &self.unwrapped {
            unwrapped.invalidate(key).await;
        }
        if let Some(signers) = &self.signers {
            signers.invalidate(key).await;
        }
    }

    /// Drops what is past its time. Without it a key that nobody uses any more would stay.
    pub(crate) async fn expire(&self) {
        if let Some(unwrapped) = &self.unwrapped {
            unwrapped.run_pending_tasks().await;
        }
        if let Some(signers) = &self.signers {
            signers.run_pending_tasks().await;
        }
    }

    async fn unwrap(&self, key: &Arc<KeyRecord>) -> Result<Arc<dyn DecryptionKey>, KeyError> {
        let pkcs8 = self.pkcs8(key).await?;
        self.software.load(&pkcs8).map_err(|_| UNUSABLE)
    }

    async fn unwrap_signer(&self, key: &Arc<KeyRecord>) -> Result<Arc<dyn SigningKey>, KeyError> {
        let KeyType::Curve(curve) = key.key_type else { return Err(UNUSABLE) };
        let pkcs8 = self.pkcs8(key).await?;
        self.software.load_on_curve(&pkcs8, curve).map_err(|_| UNUSABLE)
    }

    /// A private key as it was stored, for what is done with it once.
    pub(super) async fn pkcs8(&self, key: &KeyRecord) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        if let KeyMaterial::Wrapped { kek_version, .. } = &key.material
            && self.directory.states.is_ending(&kek_id(&key.alias.application, *kek_version))
        {
            // What is at hand is from before the private part was wrapped anew.
            self.directory.forget(key).await;
            let now = self.repository.find(&key.id).await?.ok_or(KeyError::NotFound)?;
            return self.unwrap_pkcs8(&now).await;
        }
        self.unwrap_pkcs8(key).await
    }

    async fn unwrap_pkcs8(&self, key: &KeyRecord) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let KeyMaterial::Wrapped { kek_version, blob, .. } = &key.material else {
            return Err(KeyError::Internal("a token key stands where a base key must"));
        };
        let context = wrapping_context(&key.alias, &key.id, &key.thumbprint, *kek_version);
        let kek = self.kek(key, *kek_version).await?;
        Ok(self.token.unwrap(kek, &context, blob).await?)
    }

    async fn kek(&self, key: &KeyRecord, version: u32) -> Result<TokenKeyId, KeyError> {
        let application = &key.alias.application;
        let name = (application.to_string(), version);
        if let Some(id) = self.keks.get(&name).await {
            return Ok(id);
        }
        let record = self.repository.find_kek(application, version).await?;
        let id = record.ok_or(KeyError::Internal("the KEK of a stored key has no record"))?.token_key;
        self.keks.insert(name, id).await;
        Ok(id)
    }
}

const UNUSABLE: KeyError = KeyError::Internal("a stored private key cannot be used");

/// What each of the callers that shared a failed unwrapping is told.
fn shared_failure(error: &KeyError) -> KeyError {
    match error {
        KeyError::Token(KeyStoreError::Busy) => KeyStoreError::Busy.into(),
        KeyError::Internal(what) => KeyError::Internal(what),
        other => KeyStoreError::Unavailable(other.to_string()).into(),
    }
}
