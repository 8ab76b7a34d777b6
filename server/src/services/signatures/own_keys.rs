//! The server's own keys, for signatures that bring no certificate along.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use super::{KeyError, SignatureError, SignatureService, trust::Moment};
use crate::{
    domain::{
        alias::KeyAlias,
        key::KeyId,
        lifecycle::{Allowance, KeyUse},
    },
    services::keys::issuing::public_key_of,
};

/// Own keys tried when a token to verify does not say which one signed it.
const TRIED: usize = 8;
/// Keys at hand, and how long.
const KEPT_MAX: u64 = 10_000;
const KEPT: Duration = Duration::from_mins(1);

/// Own keys at hand by alias and `kid`, each as the records had it under that name: a name that no key has is never
/// kept, and whether a key may verify is asked each time.
pub(crate) struct OwnKeys(Cache<(KeyAlias, String), OwnKey>);

impl Default for OwnKeys {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build())
    }
}

#[derive(Clone)]
struct OwnKey {
    id: KeyId,
    /// SubjectPublicKeyInfo (DER).
    public_key: Arc<[u8]>,
}

impl SignatureService {
    /// SubjectPublicKeyInfo (DER) of the alias's keys that may verify what was signed at that moment, the one named by
    /// `kid` alone when there is one.
    pub(super) async fn own_public_keys(
        &self,
        alias: &KeyAlias,
        key_id: Option<&str>,
        moment: Moment,
    ) -> Result<Vec<Arc<[u8]>>, SignatureError> {
        let name = key_id.map(|kid| (alias.clone(), kid.to_owned()));
        if let Some(name) = &name
            && let Some(key) = self.own_keys.0.get(name).await
        {
            self.directory.check_standby().map_err(KeyError::from)?;
            return Ok(self.may_verify(&key, moment).then_some(key.public_key).into_iter().collect());
        }
        let records = self.directory.list(alias, TRIED).await.map_err(KeyError::from)?;
        if records.is_empty() {
            return Err(KeyError::ModuleKeyMissing.into());
        }
        let mut keys = Vec::new();
        for record in records {
            let public_key = public_key_of(&record.certificate)?.into();
            let key = OwnKey { id: record.id.clone(), public_key };
            match name {
                Some(name) if name.1 == record.kid() => {
                    self.own_keys.0.insert(name, key.clone()).await;
                    return Ok(self.may_verify(&key, moment).then_some(key.public_key).into_iter().collect());
                }
                _ => keys.push(key),
            }
        }
        Ok(keys.into_iter().filter(|key| self.may_verify(key, moment)).map(|key| key.public_key).collect())
    }

    fn may_verify(&self, key: &OwnKey, moment: Moment) -> bool {
        let states = &self.directory.states;
        match states.compromised_since(&key.id) {
            Some(since) => !moment.is_after(since.to_unix()),
            None => states.allows(&key.id, KeyUse::Verify) == Allowance::Allowed,
        }
    }
}
