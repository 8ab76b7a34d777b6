//! The server's own keys, for signatures that bring no certificate along.

use std::{sync::Arc, time::Duration};

use kunji_shared::UnixTime;
use moka::future::Cache;

use super::{KeyError, SignatureError, SignatureService, trust::Moment};
use crate::{
    domain::{
        alias::KeyAlias,
        key::{KeyId, KeyRecord},
        lifecycle::{Allowance, KeyUse},
        policy::Cryptoperiod,
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
    /// When another domain's certificate counts; `None` for keys of the server's own, which signed while they could.
    period: Option<Cryptoperiod>,
}

impl OwnKey {
    fn of(record: &KeyRecord) -> Result<Self, KeyError> {
        Ok(Self {
            id: record.id.clone(),
            public_key: public_key_of(&record.certificate)?.into(),
            period: record.is_elsewhere().then_some(record.period),
        })
    }

    fn is_within_validity(&self, at: UnixTime) -> bool {
        self.period.is_none_or(|period| period.not_before.to_unix() <= at && at <= period.not_after.to_unix())
    }
}

/// Keys of an alias that a signature may be by.
#[derive(Debug)]
pub(super) struct OwnPublicKeys {
    /// SubjectPublicKeyInfo (DER).
    pub(super) public_keys: Vec<Arc<[u8]>>,
    /// Whether the certificates are within their validity; `None` where there are keys of the server's own alone.
    pub(super) is_within_validity: Option<bool>,
}

impl OwnPublicKeys {
    /// Those within their validity, or all if none is.
    fn of(keys: Vec<OwnKey>, at: UnixTime) -> Self {
        let has_others = keys.iter().any(|key| key.period.is_some());
        let (valid, ended): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.is_within_validity(at));
        let is_within_validity = has_others.then_some(!valid.is_empty());
        let keys = if valid.is_empty() { ended } else { valid };
        Self { public_keys: keys.into_iter().map(|key| key.public_key).collect(), is_within_validity }
    }
}

impl SignatureService {
    /// The alias's keys that may verify what was signed at that moment, the one named by `kid` alone when there is one.
    /// The certificates of other domains count like one that the caller sends.
    pub(super) async fn own_public_keys(
        &self,
        alias: &KeyAlias,
        key_id: Option<&str>,
        moment: Moment,
    ) -> Result<OwnPublicKeys, SignatureError> {
        let mut keys = self.candidates(alias, key_id).await?;
        keys.retain(|key| self.may_verify(key, moment));
        Ok(OwnPublicKeys::of(keys, moment.judged_at()))
    }

    async fn candidates(
        &self,
        alias: &KeyAlias,
        key_id: Option<&str>,
    ) -> Result<Vec<OwnKey>, SignatureError> {
        let name = key_id.map(|kid| (alias.clone(), kid.to_owned()));
        if let Some(name) = &name
            && let Some(key) = self.own_keys.0.get(name).await
        {
            self.directory.check_standby().map_err(KeyError::from)?;
            return Ok(vec![key]);
        }
        let records = self.directory.list(alias, TRIED).await.map_err(KeyError::from)?;
        if records.is_empty() {
            return Err(KeyError::ModuleKeyMissing.into());
        }
        let mut keys = Vec::new();
        for record in records {
            let key = OwnKey::of(&record)?;
            match name {
                Some(name) if name.1 == record.kid() => {
                    self.own_keys.0.insert(name, key.clone()).await;
                    return Ok(vec![key]);
                }
                _ => keys.push(key),
            }
        }
        Ok(keys)
    }

    fn may_verify(&self, key: &OwnKey, moment: Moment) -> bool {
        let states = &self.directory.states;
        match states.compromised_since(&key.id) {
            Some(since) => !moment.is_after(since.to_unix()),
            None => states.allows(&key.id, KeyUse::Verify) == Allowance::Allowed,
        }
    }
}
