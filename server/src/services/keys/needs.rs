//! What needs a key, so that it is not destroyed.

use std::sync::Arc;

use super::{KeyError, issuing::public_key_of, provisioning::Provisioner};
use crate::domain::{
    alias::AliasRole,
    key::{KekRecord, KeyId, KeyMaterial, KeyRecord},
    lifecycle::KeyState,
};

/// Keys that are read at once.
const PIECE: usize = 500;

impl Provisioner {
    /// The other records of the key's alias that have the same private part: a key whose certificate was replaced by an
    /// upload is several.
    pub(crate) async fn twins(&self, key: &KeyRecord) -> Result<Vec<KeyRecord>, KeyError> {
        let public_key = public_key_of(&key.certificate)?;
        let mut twins = Vec::new();
        let mut page = self.repository.list(&key.alias, PIECE).await?;
        loop {
            let last = page.last().filter(|_| page.len() == PIECE).map(|last| last.generation);
            for other in page {
                let is_other = other.id != key.id && !other.is_elsewhere();
                if is_other && public_key_of(&other.certificate)? == public_key {
                    twins.push(other);
                }
            }
            let Some(last) = last else { return Ok(twins) };
            page = self.repository.list_older(&key.alias, last, PIECE).await?;
        }
    }

    /// Whether the key can have signed a certificate that has not ended; certificates end with their issuer's.
    pub(crate) fn may_have_children(&self, issuer: &KeyRecord) -> bool {
        matches!(issuer.alias.role(), AliasRole::Root | AliasRole::Module)
            && self.clock.now() <= issuer.period.not_after
    }

    /// A key whose certificate the issuer has signed, and that has not ended.
    pub(crate) async fn living_child(&self, issuer: &KeyRecord) -> Result<Option<KeyRecord>, KeyError> {
        if !self.may_have_children(issuer) {
            return Ok(None);
        }
        let now = self.clock.now();
        let is_child =
            |key: &KeyRecord| key.id != issuer.id && key.issuer == issuer.id && now <= key.period.not_after;
        self.find_key(is_child).await
    }

    /// A key whose private part the KEK has wrapped.
    pub(crate) async fn wrapped_by(&self, kek: &KekRecord) -> Result<Option<KeyRecord>, KeyError> {
        let is_wrapped = |key: &KeyRecord| {
            let by_it = matches!(
                key.material,
                KeyMaterial::Wrapped { kek_version, .. } if kek_version == kek.version
            );
            by_it && key.alias.application == kek.application
        };
        self.find_key(is_wrapped).await
    }

    /// The first key that fits, of all there are.
    async fn find_key(&self, fits: impl Fn(&KeyRecord) -> bool) -> Result<Option<KeyRecord>, KeyError> {
        let mut after: Option<KeyId> = None;
        loop {
            let keys = self.repository.list_keys(after.as_ref(), PIECE).await?;
            let is_end = keys.len() < PIECE;
            after = keys.last().map(|key| key.id.clone());
            match keys.into_iter().find(&fits) {
                Some(key) => return Ok(Some(key)),
                None if is_end => return Ok(None),
                None => {}
            }
        }
    }

    /// The first version of the application's KEK, of those that wrapped the key, that is not destroyed.
    pub(crate) fn living_kek(&self, key: &KeyRecord) -> Option<KeyId> {
        let KeyMaterial::Removed { keks: Some((first, last)) } = key.material else { return None };
        (first..=last)
            .map(|version| crate::domain::key::kek_id(&key.alias.application, version))
            .find(|kek| self.directory.states.decided(kek) != KeyState::Destroyed)
    }

    /// The key as the database has it now, whatever is at hand.
    pub(crate) async fn key_now(&self, id: &KeyId) -> Result<Arc<KeyRecord>, KeyError> {
        self.repository.find(id).await?.map(Arc::new).ok_or(KeyError::NotFound)
    }
}
