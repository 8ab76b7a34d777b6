//! A private part under its application's newest KEK.

use super::{KeyError, base, provisioning::Provisioner};
use crate::{
    domain::key::{KekRecord, KeyMaterial, KeyRecord, wrapping_context},
    ports::repository::RepositoryError,
};

impl Provisioner {
    /// Wraps the private part of the key with this KEK, if another one does. The old wrapping stays until the new one is
    /// in the record, which has been unwrapped once. Returns whether this call did it.
    ///
    /// What is to be destroyed stays as it is, so that no further KEK has to be.
    pub(crate) async fn rewrap(&self, key: &KeyRecord, kek: &KekRecord) -> Result<bool, KeyError> {
        let KeyMaterial::Wrapped { kek_version, first_kek, blob } = &key.material else { return Ok(false) };
        let states = &self.directory.states;
        let is_scheduled = states.standing(&key.id).is_some_and(|standing| standing.schedule.is_some());
        if *kek_version >= kek.version || is_scheduled || states.is_ending(&key.id) {
            return Ok(false);
        }
        let old = self.repository.find_kek(&key.alias.application, *kek_version).await?;
        let old = old.ok_or(KeyError::Internal("the KEK of a stored key has no record"))?;
        let kek = self.counted(kek.clone()).await?;
        let context = |version| wrapping_context(&key.alias, &key.id, &key.thumbprint, version);
        let pkcs8 = self.token.unwrap(old.token_key, &context(*kek_version), blob).await?;
        let wrapped = base::wrap(self, &kek, &context(kek.version), pkcs8).await?;
        let KeyMaterial::Wrapped { blob, .. } = wrapped else {
            return Err(KeyError::Internal("a wrapped key is not wrapped"));
        };
        let material = KeyMaterial::Wrapped { kek_version: kek.version, first_kek: *first_kek, blob };
        let moved = KeyRecord { material, ..key.clone() };
        match self.repository.replace_wrapping(key, &moved).await {
            Ok(()) => {
                self.directory.forget(key).await;
                Ok(true)
            }
            // Another server moved it.
            Err(RepositoryError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
