//! Revocation lists: one of each key that issues certificates, read by whoever wants to know.
//!
//! Lists are made ahead of those who read them: reading one that is known asks neither the token nor the database,
//! however often it is done. A list whose key the token does not have now, or that the database cannot be asked about,
//! stays until its end.

mod encoding;
mod ledger;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use self::ledger::{Authority, Decided, Ledger};
use super::{
    KeyError, LISTED_VERSIONS,
    provisioning::{Provisioner, root_alias},
};
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::KeyState,
        revocation::{Edition, hour_of},
        time::Timestamp,
    },
    ports::repository::RepositoryError,
    services::following,
};

pub(crate) use encoding::named_at;

/// How often, all callers together, this server looks for an issuer that it does not know.
const LOOKED_FOR_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// How long it leaves the token alone after that could not make a list.
const PAUSE: Duration = Duration::from_secs(5);

/// A signed list.
#[derive(Clone)]
pub struct RevocationList {
    /// DER.
    pub der: bytes::Bytes,
    edition: Edition,
}

impl RevocationList {
    /// Tells this list from others of the same issuer.
    pub const fn number(&self) -> u128 {
        self.edition.number
    }
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationListError {
    /// Too many asked for lists of unknown keys.
    #[error("too many ask for lists of keys that are not known")]
    Busy,
    /// The list could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no key of that id that issues certificates now.
    #[error("there is no such issuer")]
    NotFound,
    /// The last list has ended, and the next one could not be made.
    #[error("the list could not be made in time")]
    Overdue,
}

/// Makes the lists and has them at hand.
pub struct RevocationLists {
    provisioner: Arc<Provisioner>,
    known: RwLock<HashMap<KeyId, Known>>,
    /// Held while lists are made, so that each is made once.
    ledger: tokio::sync::Mutex<Ledger>,
    looked_for: DefaultDirectRateLimiter,
}

/// An issuer whose lists are made.
#[derive(Clone)]
struct Known {
    key: Arc<KeyRecord>,
    authority: Authority,
    list: Option<Arc<RevocationList>>,
}

impl RevocationLists {
    pub(crate) fn new(provisioner: Arc<Provisioner>) -> Self {
        Self {
            provisioner,
            known: RwLock::default(),
            ledger: tokio::sync::Mutex::default(),
            looked_for: RateLimiter::direct(Quota::per_second(LOOKED_FOR_PER_SECOND)),
        }
    }

    /// The list of the key of this id, which issues certificates, or did and still has some that have not ended.
    ///
    /// # Errors
    /// [`RevocationListError`].
    pub async fn read(&self, issuer: &KeyId) -> Result<Arc<RevocationList>, RevocationListError> {
        if let Some(list) = self.find_known(issuer).and_then(|known| known.list) {
            return self.in_time(list);
        }
        if self.looked_for.check().is_err() {
            return Err(RevocationListError::Busy);
        }
        let record = self.provisioner.directory.by_id(issuer).await.map_err(KeyError::from)?;
        let record = record.filter(|key| self.issues(key)).ok_or(RevocationListError::NotFound)?;
        let mut ledger = self.ledger.lock().await;
        if let Some(list) = self.find_known(issuer).and_then(|known| known.list) {
            return self.in_time(list);
        }
        ledger.update(&self.provisioner, false).await?;
        let known = Known { authority: Authority::of(&record.certificate)?, key: record, list: None };
        let list = self.renewed(&ledger, &known).await?;
        self.keep(Known { list: Some(Arc::clone(&list)), ..known });
        Ok(list)
    }

    fn find_known(&self, issuer: &KeyId) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned()
    }

    fn keep(&self, known: Known) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(known.key.id.clone(), known);
    }

    fn in_time(&self, list: Arc<RevocationList>) -> Result<Arc<RevocationList>, RevocationListError> {
        let is_good = self.provisioner.clock.now() < list.edition.next_update;
        is_good.then_some(list).ok_or(RevocationListError::Overdue)
    }

    /// Whether the key issues certificates, or has issued some that may not have ended. In whichever state: a list
    /// vouches for nothing, and keeping it back would only hide what was revoked.
    fn issues(&self, key: &KeyRecord) -> bool {
        matches!(key.alias.role(), AliasRole::Root | AliasRole::Module)
            && matches!(key.material, KeyMaterial::Token(_))
            && key.period.is_current(self.provisioner.clock.now(), 0)
            && !matches!(
                self.provisioner.directory.states.decided(&key.id),
                KeyState::Destroying | KeyState::Destroyed
            )
    }

    /// The list as it is to be now: the one at hand, or a new one.
    async fn renewed(&self, ledger: &Ledger, known: &Known) -> Result<Arc<RevocationList>, KeyError> {
        let nothing = Decided::default();
        let decided = ledger.of(known.authority).unwrap_or(&nothing);
        let edition = decided.edition(self.provisioner.clock.now());
        if let Some(list) = known.list.as_ref().filter(|list| list.edition == edition) {
            return Ok(Arc::clone(list));
        }
        // A server that does not learn of revocations must not say that it knows them all.
        self.provisioner.directory.check_standby()?;
        let entries = decided.entries(edition);
        let der = encoding::signed(&self.provisioner.issuer, &known.key, &edition, entries).await?;
        Ok(Arc::new(RevocationList { der: der.into(), edition }))
    }

    /// Keeps the lists of those issuers fresh that are known, and of all from the beginning when certificates name them;
    /// never ends.
    pub(crate) async fn keep_fresh(&self) {
        let looked = tokio::sync::Mutex::new(None);
        let failing = "a revocation list could not be made; the one before stays until its end";
        following::follow(failing, || async {
            let renewed = self.renew_all(&mut *looked.lock().await).await;
            if renewed.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
            renewed
        })
        .await;
    }

    /// `looked`: the hour in which issuers were looked for.
    async fn renew_all(&self, looked: &mut Option<Timestamp>) -> Result<(), KeyError> {
        let hour = hour_of(self.provisioner.clock.now());
        let is_new_hour = *looked != Some(hour);
        if is_new_hour {
            self.look_for_issuers().await?;
            *looked = Some(hour);
        }
        let mut ledger = self.ledger.lock().await;
        let all: Vec<_> =
            self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        if all.is_empty() {
            return Ok(());
        }
        ledger.update(&self.provisioner, is_new_hour).await?;
        let mut outcome = Ok(());
        for known in all {
            match self.renewed(&ledger, &known).await {
                Ok(list) if known.list.as_ref().is_some_and(|before| Arc::ptr_eq(before, &list)) => {}
                Ok(list) => self.keep(Known { list: Some(list), ..known }),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    async fn look_for_issuers(&self) -> Result<(), KeyError> {
        self.known.write().unwrap_or_else(PoisonError::into_inner).retain(|_, known| self.issues(&known.key));
        if self.provisioner.issuer.public_url.is_none() {
            return Ok(());
        }
        let modules = self.provisioner.policies.applications().into_iter().map(KeyAlias::master);
        for alias in std::iter::once(root_alias()?).chain(modules) {
            let keys = match self.provisioner.directory.list(&alias, LISTED_VERSIONS).await {
                Err(error @ RepositoryError::Inconsistent { .. }) => {
                    tracing::error!(%alias, %error, "issuers whose revocation lists are to be made are not known");
                    continue;
                }
                keys => keys?,
            };
            for key in keys {
                if self.issues(&key) && self.find_known(&key.id).is_none() {
                    let authority = Authority::of(&key.certificate)?;
                    self.keep(Known { key: Arc::new(key), authority, list: None });
                }
            }
        }
        Ok(())
    }
}
