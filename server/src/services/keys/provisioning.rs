//! Keys on the token, made once however many servers start at once and wherever one of them is killed.
//!
//! The token keeps no id unique, so a lease in the database lets one server at a time make the object for a
//! *slot*; the id it will have is written down first (the intent), so that whoever comes after a crash finds
//! the object instead of making another. Should a lease run out under its holder, the database still accepts
//! only one successor: at worst an unused object stays on the token, never two current keys.
//!
//! A key becomes current only when every token has it. Until then its predecessor stays current, and whoever comes
//! next, here or on another server, goes on from the intent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kunji_shared::ModulusLength;
use x509_cert::name::Name;

use super::{
    KeyError, LISTED_VERSIONS, SubjectOverrides,
    cross::CrossCertificates,
    directory::KeyDirectory,
    issuing::{Issuer, Signer, subject_of},
    pending::{Awaited, Pending},
    policies::PolicyTable,
    recognition::{kek_label, known_pair, pair_label},
    wraps::Wraps,
};
use crate::{
    domain::{
        alias::{AliasRole, ApplicationId, KeyAlias},
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord, TokenKeyId},
        key_type::KeyType,
        policy::Cryptoperiod,
    },
    ports::{
        clock::Clock,
        entropy::Entropy,
        key_store::{KeyStore, KeyStoreError},
        repository::{Repository, RepositoryError},
    },
    services::auditor::Auditor,
};

/// Makes keys on the token.
pub(crate) struct Provisioner {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) crosses: CrossCertificates,
    pub(crate) directory: Arc<KeyDirectory>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) issuer: Issuer,
    /// Of RSA keys whose policy says nothing.
    pub(crate) modulus: ModulusLength,
    pub(crate) pending: Arc<Pending>,
    pub(crate) policies: Arc<PolicyTable>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) token: Arc<dyn KeyStore>,
    pub(crate) wraps: Wraps,
    /// Names this process in leases.
    pub(crate) holder: String,
    /// Leases are per process; these keep the tasks of this one apart. One for each key on the token.
    pub(crate) held: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// A lease that is held.
pub(crate) struct Lease {
    name: String,
    _local: tokio::sync::OwnedMutexGuard<()>,
}

/// How long a server may take to make one object before another may try.
const LEASE_SECONDS: i64 = 20;
/// How often a server that waits for a lease looks again, and how many times: a little longer than a lease.
const LEASE_POLL: Duration = Duration::from_millis(200);
const LEASE_POLLS: u32 = 150;

impl Provisioner {
    /// The current key of an alias that lives on the token; made, with its certificate, when there is none or
    /// the newest nears its end. For a module that can have base keys, its KEK too. While the token cannot make it, or
    /// not every token has it, the newest is the answer to its very end.
    pub(crate) async fn ensure(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        self.policies.periods(alias)?;
        let newest = self.directory.newest(alias).await?;
        if let Some(newest) = &newest
            && !self.needs_successor(newest).await?
        {
            return Ok(Arc::clone(newest));
        }
        let lasting = newest.clone().filter(|newest| self.is_current(newest, 0));
        if newest.is_some_and(|newest| !self.directory.states.is_active(&newest.id)) {
            // Asked for often, perhaps, while it is suspended: without the lease.
            match self.directory.newest_now(alias).await? {
                Some(newest) if !self.needs_successor(&newest).await? => return Ok(newest),
                Some(newest) => self.directory.states.check_renewable(&newest.id)?,
                None => {}
            }
        }
        if let Some(lasting) = &lasting
            && self.pending.contains(&Awaited::Pair(alias.clone()))
        {
            return Ok(Arc::clone(lasting));
        }
        // Boxed: what is rare need not be a part of every operation's state.
        match (Box::pin(self.renew(alias, subject)).await, lasting) {
            (Err(KeyError::Token(_)), Some(lasting)) => Ok(lasting),
            (made, _) => made,
        }
    }

    /// Whether the newest key is valid for these days more, and nothing was decided against it.
    fn is_current(&self, newest: &KeyRecord, pre_expire_days: u32) -> bool {
        newest.period.is_current(self.clock.now(), pre_expire_days)
            && self.directory.states.is_active(&newest.id)
    }

    /// Makes the alias's next key, or goes on with it, unless somebody has; notes it as awaited if that fails for now.
    async fn renew(&self, alias: &KeyAlias, subject: &SubjectOverrides) -> Result<Arc<KeyRecord>, KeyError> {
        let lease = self.lease(&format!("key/{alias}")).await?;
        let made = self.ensure_leased(alias, subject).await;
        self.release(lease).await;
        // The next attempt would not know the subject that this caller asked for.
        if *subject == SubjectOverrides::default() {
            match (&made, alias.role()) {
                // Whoever asked keeps it in the records instead: waiting would not help.
                (Err(KeyError::Token(KeyStoreError::Unsupported(_))), AliasRole::Curve(_)) => {}
                _ => self.note(&Awaited::Pair(alias.clone()), &made),
            }
        }
        if let Err(KeyError::Token(KeyStoreError::Incomplete(_))) = &made {
            self.make_next_kek_ahead(alias).await?;
        }
        let made = made?;
        self.ensure_kek_of(&made).await?;
        Ok(made)
    }

    fn note<T>(&self, key: &Awaited, made: &Result<T, KeyError>) {
        match made {
            Err(KeyError::Token(error)) if self.pending.note(key) => {
                tracing::error!(%key, %error, "a key cannot be used yet; its predecessor, if any, stays current");
            }
            Ok(_) if self.pending.settle(key) => tracing::info!(%key, "a key that was waited for is current"),
            _ => {}
        }
    }

    /// Tries again to make whatever is awaited.
    pub(crate) async fn retry_pending(&self) {
        for key in self.pending.all() {
            let made = match &key {
                Awaited::Pair(alias) => self.renew(alias, &SubjectOverrides::default()).await.map(drop),
                Awaited::Kek(application, version) => self.make_kek(application, *version).await.map(drop),
            };
            if let Err(error) = made {
                tracing::debug!(%key, %error, "a key is still waited for");
            }
        }
    }

    /// Makes the objects of the alias's first key on the primary, so that they can be cloned all at once.
    pub(crate) async fn make_ahead(&self, alias: &KeyAlias) -> Result<(), KeyError> {
        let lease = self.lease(&format!("key/{alias}")).await?;
        let made = self.pair_on_primary(alias, 1).await;
        self.release(lease).await;
        made?;
        if has_keks(alias) { self.make_kek_ahead(&alias.application, 1).await } else { Ok(()) }
    }

    /// The same for the KEK that goes with the alias's next key, if there is to be one.
    pub(super) async fn make_next_kek_ahead(&self, alias: &KeyAlias) -> Result<(), KeyError> {
        if !has_keks(alias) {
            return Ok(());
        }
        let generation =
            self.directory.newest_now(alias).await?.map_or(1, |newest| newest.generation.saturating_add(1));
        let newest = self.repository.find_newest_kek(&alias.application).await?;
        let version = newest.map_or(1, |newest| newest.version.saturating_add(1));
        if version <= generation { self.make_kek_ahead(&alias.application, version).await } else { Ok(()) }
    }

    async fn make_kek_ahead(&self, application: &ApplicationId, version: u32) -> Result<(), KeyError> {
        let lease = self.lease(&format!("kek/{application}")).await?;
        let made = self.kek_on_primary(&kek_label(application, version)).await;
        self.release(lease).await;
        made.map(drop)
    }

    /// As [`Provisioner::ensure`], and makes the KEK too when a start was killed between key and KEK.
    pub(crate) async fn ensure_with_kek(&self, alias: &KeyAlias) -> Result<(), KeyError> {
        let key = self.ensure(alias, &SubjectOverrides::default()).await?;
        self.ensure_kek_of(&key).await
    }

    /// A module that can have base keys has a KEK of at least its key's generation.
    pub(super) async fn ensure_kek_of(&self, key: &KeyRecord) -> Result<(), KeyError> {
        if has_keks(&key.alias) {
            self.ensure_kek(&key.alias.application, key.generation).await?;
        }
        Ok(())
    }

    async fn ensure_leased(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let newest = self.directory.newest_now(alias).await?;
        if let Some(newest) = &newest
            && !self.needs_successor(newest).await?
        {
            return Ok(Arc::clone(newest));
        }
        if let Some(newest) = &newest {
            self.directory.states.check_renewable(&newest.id)?;
        }
        let record = self.make_successor(alias, subject, newest.as_deref()).await?;
        match self.directory.insert(record).await {
            Ok(record) => {
                self.auditor.own("key.create", Some(alias.clone()), Some(record.id.clone())).await?;
                tracing::info!(alias = %alias, generation = record.generation, "made a key on the token");
                Ok(record)
            }
            // The lease ran out and another server was faster: its key counts.
            Err(RepositoryError::Conflict) => self.forestalled(alias, newest.as_deref()).await,
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn make_successor(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
        previous: Option<&KeyRecord>,
    ) -> Result<KeyRecord, KeyError> {
        let (validity_days, _) = self.policies.periods(alias)?;
        let generation = previous.map_or(1, |previous| previous.generation.saturating_add(1));
        let root = self.root_for(alias).await?;
        let name = match previous {
            Some(previous) if *subject == SubjectOverrides::default() => self.own_subject(previous).await?,
            _ => self.issuer.module_subject(alias, subject)?,
        };
        let (token_key, public_key) = self.signing_pair(alias, generation).await?;
        let id = self.key_id()?;
        let period =
            Cryptoperiod::starting(self.clock.now(), validity_days, root.as_ref().map(|root| root.period));
        let signer = match &root {
            Some(root) => Signer::Other(root),
            None => Signer::Itself(token_key),
        };
        let issued = self.issuer.certify(alias.role(), name.clone(), &public_key, period, signer).await?;
        if let (None, Some(previous)) = (&root, previous) {
            self.cross_certify(previous, &id, name, &public_key).await?;
        }
        Ok(KeyRecord {
            issuer: root.map_or_else(|| id.clone(), |root| root.id.clone()),
            id,
            alias: alias.clone(),
            generation,
            material: KeyMaterial::Token(token_key),
            // Not what the policy says: it may have changed meanwhile.
            key_type: KeyType::of_public_key(&public_key)
                .ok_or(KeyError::Internal("the token made a key of another kind"))?,
            thumbprint: issued.thumbprint,
            certificate: issued.der,
            upload: None,
            period,
        })
    }

    /// The subject of the newest certificate up to this one that was issued here: others may put any name into theirs,
    /// one of another authority's too. ROOT keeps whatever it has, so that its cross-certificate is self-issued.
    pub(super) async fn own_subject(&self, previous: &KeyRecord) -> Result<Name, KeyError> {
        if previous.upload.is_none() || previous.alias.role() == AliasRole::Root {
            return subject_of(&previous.certificate);
        }
        let versions = self.directory.list(&previous.alias, LISTED_VERSIONS).await?;
        match versions.iter().find(|key| key.upload.is_none()) {
            Some(own) => subject_of(&own.certificate),
            None => self.issuer.module_subject(&previous.alias, &SubjectOverrides::default()),
        }
    }

    /// The key that signs the alias's certificate; `None` for ROOT, which signs its own.
    async fn root_for(&self, alias: &KeyAlias) -> Result<Option<Arc<KeyRecord>>, KeyError> {
        if alias.role() == AliasRole::Root {
            return Ok(None);
        }
        let root = root_alias()?;
        if self.directory.newest(&root).await?.is_none() {
            return Err(KeyError::RootKeyMissing);
        }
        // Renewed in time, so that what it signs is not cut short by its end.
        Box::pin(self.ensure(&root, &SubjectOverrides::default())).await.map(Some)
    }

    /// The pair for this generation of the alias, which every token has.
    async fn signing_pair(
        &self,
        alias: &KeyAlias,
        generation: u32,
    ) -> Result<(TokenKeyId, Vec<u8>), KeyError> {
        let (id, public_key) = self.pair_on_primary(alias, generation).await?;
        self.token.confirm(known_pair(id, alias, generation, public_key.clone())).await?;
        Ok((id, public_key))
    }

    /// The pair for this generation of the alias: the one an earlier attempt made, or a new one.
    async fn pair_on_primary(
        &self,
        alias: &KeyAlias,
        generation: u32,
    ) -> Result<(TokenKeyId, Vec<u8>), KeyError> {
        let slot = pair_label(alias, generation);
        let key_type = self.key_type(alias);
        if let Some(intended) = self.intended(&slot).await?
            && let Some(public_key) = self.token.find_signing_pair(intended).await?
            && KeyType::of_public_key(&public_key) == Some(key_type)
        {
            return Ok((intended, public_key));
        }
        let id = self.token_key_id()?;
        self.repository.put_intent(&slot, id).await?;
        let public_key = match key_type {
            KeyType::Rsa(modulus) => self.token.generate_signing_pair(id, &slot, modulus).await?,
            KeyType::Curve(curve) => self.token.generate_curve_pair(id, &slot, curve).await?,
        };
        Ok((id, public_key))
    }

    /// The kind of key that the alias's next one is of.
    pub(super) fn key_type(&self, alias: &KeyAlias) -> KeyType {
        match alias.role() {
            AliasRole::Curve(curve) => KeyType::Curve(curve),
            _ => KeyType::Rsa(self.policies.modulus(alias).unwrap_or(self.modulus)),
        }
    }

    /// The id under which an earlier attempt made the object for the slot. The row alone is not believed: it could
    /// have been changed to name another key, so that two purposes share one.
    async fn intended(&self, slot: &str) -> Result<Option<TokenKeyId>, KeyError> {
        let Some(id) = self.repository.find_intent(slot).await? else { return Ok(None) };
        Ok(self.token.was_made_as(id, slot).await?.then_some(id))
    }

    /// The application's KEK of at least `version`; made when there is none. While that cannot be, its predecessor.
    pub(crate) async fn ensure_kek(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<KekRecord, KeyError> {
        let newest = self.repository.find_newest_kek(application).await?;
        if let Some(newest) = &newest
            && (newest.version >= version
                || self.pending.contains(&Awaited::Kek(application.clone(), version)))
        {
            return Ok(newest.clone());
        }
        match (self.make_kek(application, version).await, newest) {
            (Err(KeyError::Token(_)), Some(newest)) => Ok(newest),
            (made, _) => made,
        }
    }

    async fn make_kek(&self, application: &ApplicationId, version: u32) -> Result<KekRecord, KeyError> {
        let lease = self.lease(&format!("kek/{application}")).await?;
        let made = self.ensure_kek_leased(application, version).await;
        self.release(lease).await;
        self.note(&Awaited::Kek(application.clone(), version), &made);
        made
    }

    async fn ensure_kek_leased(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<KekRecord, KeyError> {
        loop {
            let newest = self.repository.find_newest_kek(application).await?;
            if let Some(newest) = &newest
                && newest.version >= version
            {
                return Ok(newest.clone());
            }
            let next = newest.map_or(1, |newest| newest.version.saturating_add(1));
            let slot = kek_label(application, next);
            let record = KekRecord {
                application: application.clone(),
                version: next,
                token_key: self.kek_object(&slot).await?,
                created_at: self.clock.now(),
            };
            match self.repository.insert_kek_successor(&record).await {
                Ok(()) | Err(RepositoryError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The KEK object for the slot, which every token has. The caller holds the lease.
    pub(crate) async fn kek_object(&self, slot: &str) -> Result<TokenKeyId, KeyError> {
        let id = self.kek_on_primary(slot).await?;
        self.token.confirm(self.known_kek(id, slot).await?).await?;
        Ok(id)
    }

    /// The KEK object for the slot: the one an earlier attempt made, or a new one. The caller holds the lease.
    async fn kek_on_primary(&self, slot: &str) -> Result<TokenKeyId, KeyError> {
        if let Some(intended) = self.intended(slot).await?
            && self.token.has_kek(intended).await?
        {
            return Ok(intended);
        }
        let id = self.token_key_id()?;
        self.repository.put_intent(slot, id).await?;
        self.token.generate_kek(id, slot).await?;
        Ok(id)
    }

    /// Takes a lease for a work of this server's, or extends it, without waiting. Returns whether it is held.
    pub(crate) async fn holds(&self, name: &str, seconds: i64) -> Result<bool, KeyError> {
        let now = self.clock.now();
        match self.repository.try_lease(name, &self.holder, now, now.plus_seconds(seconds)).await {
            Err(RepositoryError::Conflict) => Ok(false),
            outcome => Ok(outcome?),
        }
    }

    /// Waits until this task alone, of all tasks of all servers, holds the lease.
    pub(crate) async fn lease(&self, name: &str) -> Result<Lease, KeyError> {
        let local = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(held.entry(name.to_owned()).or_default())
        };
        let guard = local.lock_owned().await;
        for _ in 0..LEASE_POLLS {
            let now = self.clock.now();
            let until = now.plus_seconds(LEASE_SECONDS);
            match self.repository.try_lease(name, &self.holder, now, until).await {
                Ok(true) => return Ok(Lease { name: name.to_owned(), _local: guard }),
                Ok(false) | Err(RepositoryError::Conflict) => tokio::time::sleep(LEASE_POLL).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(KeyError::Internal("another server holds a provisioning lease and does not end"))
    }

    /// Gives a lease back. What was done under it counts even when that fails: the lease then runs out by itself.
    pub(crate) async fn release(&self, lease: Lease) {
        if let Err(error) = self.repository.release_lease(&lease.name, &self.holder).await {
            tracing::warn!(lease = lease.name, %error, "a lease could not be given back; it runs out in time");
        }
    }

    pub(crate) fn key_id(&self) -> Result<KeyId, KeyError> {
        let TokenKeyId(bytes) = self.token_key_id()?;
        Ok(KeyId(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
    }

    fn token_key_id(&self) -> Result<TokenKeyId, KeyError> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes).map_err(|_| KeyError::Internal("randomness"))?;
        Ok(TokenKeyId(bytes))
    }
}

/// The alias of the key that everything is certified by.
pub(crate) fn root_alias() -> Result<KeyAlias, KeyError> {
    let root =
        ApplicationId::parse(ApplicationId::ROOT).map_err(|_| KeyError::Internal("ROOT is no name"))?;
    Ok(KeyAlias::master(root))
}

/// Whether the application of this module key has KEKs.
fn has_keks(alias: &KeyAlias) -> bool {
    alias.role() == AliasRole::Module && alias.application.may_have_base_keys()
}

/// The token object of a key that lives on the token.
pub(crate) fn token_key_of(key: &KeyRecord) -> Result<TokenKeyId, KeyError> {
    match key.material {
        KeyMaterial::Token(id) => Ok(id),
        KeyMaterial::Elsewhere | KeyMaterial::Removed { .. } | KeyMaterial::Wrapped { .. } => {
            Err(KeyError::Internal("a base key stands where a token key must"))
        }
    }
}
