//! What needs a key, so that it is not destroyed.

use std::sync::Arc;

use super::{KeyError, issuing::public_key_of, provisioning::Provisioner};
use crate::{
    domain::{
        alias::{AliasRole, ApplicationId},
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord},
        lifecycle::KeyState,
    },
    ports::repository::RepositoryError,
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
    ///
    /// # Errors
    /// [`RepositoryError::Inconsistent`] when there is none and rows of keys are missing: in a backup they may be there,
    /// and open with this KEK only.
    pub(crate) async fn wrapped_by(&self, kek: &KekRecord) -> Result<Option<KeyRecord>, KeyError> {
        // First: keys that are made meanwhile are then too many, not too few.
        let least = self.generations(&kek.application).await?;
        let mut found = 0_u64;
        let is_wrapped = |key: &KeyRecord| {
            let by_it = matches!(
                key.material,
                KeyMaterial::Wrapped { kek_version, .. } if kek_version == kek.version
            );
            let is_of_application = key.alias.application == kek.application;
            found += u64::from(is_of_application);
            by_it && is_of_application
        };
        match self.find_key(is_wrapped).await? {
            None if found < least => Err(rows_missing(&kek.application)),
            key => Ok(key),
        }
    }

    /// How many keys an application has by what its newest ones say: their generations have no gaps.
    async fn generations(&self, application: &ApplicationId) -> Result<u64, KeyError> {
        let (mut sum, mut after) = (0, None);
        loop {
            let page = self.repository.list_newest(after.as_ref(), PIECE).await?;
            if page.untrusted > 0 {
                return Err(rows_missing(application));
            }
            let of_application = page.keys.iter().filter(|key| key.alias.application == *application);
            sum += of_application.map(|key| u64::from(key.generation)).sum::<u64>();
            after = page.next;
            if after.is_none() {
                return Ok(sum);
            }
        }
    }

    /// The first key that fits, of all there are.
    async fn find_key(
        &self,
        mut fits: impl FnMut(&KeyRecord) -> bool,
    ) -> Result<Option<KeyRecord>, KeyError> {
        let mut after: Option<KeyId> = None;
        loop {
            let keys = self.repository.list_keys(after.as_ref(), PIECE).await?;
            let is_end = keys.len() < PIECE;
            after = keys.last().map(|key| key.id.clone());
            match keys.into_iter().find(&mut fits) {
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

fn rows_missing(application: &ApplicationId) -> KeyError {
    let reason = "rows of keys, or what names the newest ones, are missing or cannot be trusted";
    RepositoryError::Inconsistent { table: "key", record: application.to_string(), reason }.into()
}
