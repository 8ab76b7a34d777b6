//! A token and a database that die: from the nth call on, everything fails, as it does for a process that is
//! killed there. The real ones stay behind, as the next process finds them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use kunji_server::{
    domain::{
        alias::{ApplicationId, KeyAlias},
        authorization::approval::{Approval, ApprovalId},
        client::{ClientId, ClientRecord, Ending},
        cross_certificate::CrossCertificate,
        destruction::Watch,
        doctor::TokenObject,
        jose::SignatureAlgorithm,
        key::{KekRecord, KeyId, KeyRecord, KnownKey, TokenKeyId},
        key_tags::KeyTags,
        key_type::Curve,
        lifecycle::Transition,
        symmetric::SymmetricKeyRecord,
        time::Timestamp,
    },
    ports::{
        clock::Clock,
        key_ends::KeyEndRepository,
        key_policies::{KeyPolicyChange, KeyPolicyRecords, KeyPolicyRepository},
        key_states::{KeyStateRepository, KeyTagRepository},
        key_store::{KekStore, KeyStore, KeyStoreError, TokenSigner, TokenState, TokenView},
        repository::{
            AccessPolicyChange, AccessPolicyRecords, AccessPolicyRepository, ApprovalRepository,
            ClientRepository, KeyRepository, ProvisioningRepository, Repository, RepositoryError,
            RosterRepository, StoredRoster, SymmetricKeyRepository, SystemSecret,
        },
        rewrap::{RewrapRepository, RewrapRun},
        rotation::{AliasPlace, CrossCertificateRepository, NewestKeyRepository, NewestPage},
        wrap_counts::WrapCountRepository,
    },
};
use kunji_shared::{ModulusLength, Thumbprint};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// Calls until death, shared by all that dies together.
#[derive(Debug)]
pub struct Life {
    calls: AtomicI64,
    pause: Mutex<Option<(&'static str, Arc<Pause>)>>,
}

/// A call that waits, while others get ahead of whoever makes it.
#[derive(Debug, Default)]
pub struct Pause {
    come: Notify,
    over: Notify,
}

impl Pause {
    /// Waits until the call is made.
    pub async fn reached(&self) {
        self.come.notified().await;
    }

    /// Lets it go on.
    pub fn end(&self) {
        self.over.notify_one();
    }
}

impl Life {
    /// Dies after `calls` calls.
    pub fn of(calls: i64) -> Arc<Self> {
        Arc::new(Self { calls: AtomicI64::new(calls), pause: Mutex::default() })
    }

    /// Has the next call of this name wait.
    pub fn pause_at(&self, call: &'static str) -> Arc<Pause> {
        let pause = Arc::new(Pause::default());
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = Some((call, Arc::clone(&pause)));
        pause
    }

    async fn come_to(&self, call: &str) {
        let pause = {
            let mut next = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
            next.take_if(|(name, _)| *name == call)
        };
        if let Some((_, pause)) = pause {
            pause.come.notify_one();
            pause.over.notified().await;
        }
    }

    /// Lives on, for `calls` more calls: as the next process does, but for what this one remembers.
    pub fn go_on(&self, calls: i64) {
        self.calls.store(calls, Ordering::SeqCst);
    }

    /// Whether it died.
    pub fn is_over(&self) -> bool {
        self.calls.load(Ordering::SeqCst) < 0
    }

    fn goes_on(&self) -> bool {
        self.calls.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

/// A token or a database with a life.
pub struct Mortal<T: ?Sized> {
    /// The real one.
    pub real: Arc<T>,
    /// What is left of its life.
    pub life: Arc<Life>,
}

macro_rules! lives {
    ($self:ident, $dead:expr, $call:ident($($argument:expr),*)) => {{
        if !$self.life.goes_on() {
            return Err($dead);
        }
        $self.life.come_to(stringify!($call)).await;
        $self.real.$call($($argument),*).await
    }};
}

macro_rules! token {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        lives!($self, KeyStoreError::Unavailable("dead".to_owned()), $call($($argument),*))
    };
}

macro_rules! database {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        lives!($self, RepositoryError::Unavailable("dead".to_owned()), $call($($argument),*))
    };
}

#[async_trait]
impl TokenSigner for Mortal<dyn KeyStore> {
    async fn generate_signing_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        modulus: ModulusLength,
    ) -> Result<Vec<u8>, KeyStoreError> {
        token!(self.generate_signing_pair(id, label, modulus))
    }

    async fn generate_curve_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        curve: Curve,
    ) -> Result<Vec<u8>, KeyStoreError> {
        token!(self.generate_curve_pair(id, label, curve))
    }

    async fn find_signing_pair(&self, id: TokenKeyId) -> Result<Option<Vec<u8>>, KeyStoreError> {
        token!(self.find_signing_pair(id))
    }

    async fn sign(
        &self,
        id: TokenKeyId,
        algorithm: SignatureAlgorithm,
        input: &[u8],
    ) -> Result<Vec<u8>, KeyStoreError> {
        token!(self.sign(id, algorithm, input))
    }
}

#[async_trait]
impl KekStore for Mortal<dyn KeyStore> {
    async fn generate_kek(&self, id: TokenKeyId, label: &str) -> Result<(), KeyStoreError> {
        token!(self.generate_kek(id, label))
    }

    async fn has_kek(&self, id: TokenKeyId) -> Result<bool, KeyStoreError> {
        token!(self.has_kek(id))
    }

    async fn wrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, KeyStoreError> {
        token!(self.wrap(kek, context, secret))
    }

    async fn unwrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        token!(self.unwrap(kek, context, wrapped))
    }
}

#[async_trait]
impl KeyStore for Mortal<dyn KeyStore> {
    async fn check_health(&self) -> Result<(), KeyStoreError> {
        token!(self.check_health())
    }

    async fn was_made_as(&self, id: TokenKeyId, label: &str) -> Result<bool, KeyStoreError> {
        token!(self.was_made_as(id, label))
    }

    async fn examine(&self) -> Vec<TokenState> {
        self.real.examine().await
    }

    async fn recognise(&self, keys: Vec<KnownKey>) -> Result<(), KeyStoreError> {
        token!(self.recognise(keys))
    }

    async fn confirm(&self, key: KnownKey) -> Result<(), KeyStoreError> {
        token!(self.confirm(key))
    }

    async fn list_objects(&self) -> Result<Vec<TokenObject>, KeyStoreError> {
        token!(self.list_objects())
    }

    async fn show(&self, keys: &[KnownKey]) -> Vec<TokenView> {
        self.real.show(keys).await
    }

    async fn destroy(&self, id: TokenKeyId, labels: &[String]) -> Result<(), KeyStoreError> {
        token!(self.destroy(id, labels))
    }
}

#[async_trait]
impl KeyRepository for Mortal<dyn Repository> {
    async fn find_newest(&self, alias: &KeyAlias) -> Result<Option<KeyRecord>, RepositoryError> {
        database!(self.find_newest(alias))
    }

    async fn find_by_thumbprint(
        &self,
        thumbprint: &Thumbprint,
    ) -> Result<Option<KeyRecord>, RepositoryError> {
        database!(self.find_by_thumbprint(thumbprint))
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, RepositoryError> {
        database!(self.find(id))
    }

    async fn list(&self, alias: &KeyAlias, limit: usize) -> Result<Vec<KeyRecord>, RepositoryError> {
        database!(self.list(alias, limit))
    }

    async fn list_older(
        &self,
        alias: &KeyAlias,
        before: u32,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        database!(self.list_older(alias, before, limit))
    }

    async fn insert_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError> {
        database!(self.insert_successor(record))
    }

    async fn find_newest_kek(
        &self,
        application: &ApplicationId,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        database!(self.find_newest_kek(application))
    }

    async fn find_kek(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        database!(self.find_kek(application, version))
    }

    async fn insert_kek_successor(&self, record: &KekRecord) -> Result<(), RepositoryError> {
        database!(self.insert_kek_successor(record))
    }
}

#[async_trait]
impl KeyStateRepository for Mortal<dyn Repository> {
    /// Takes nothing of its life: servers ask this again and again, and when one dies must not depend on time.
    async fn newest_transition(&self) -> Result<u64, RepositoryError> {
        if self.life.is_over() {
            return Err(RepositoryError::Unavailable("dead".to_owned()));
        }
        self.real.newest_transition().await
    }

    async fn list_transitions(&self, after: u64) -> Result<Vec<Transition>, RepositoryError> {
        database!(self.list_transitions(after))
    }

    async fn find_transition(&self, number: u64) -> Result<Option<Transition>, RepositoryError> {
        database!(self.find_transition(number))
    }

    async fn insert_transition(
        &self,
        transition: &Transition,
        closing: Option<&KeyRecord>,
    ) -> Result<(), RepositoryError> {
        database!(self.insert_transition(transition, closing))
    }

    async fn insert_requested_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError> {
        database!(self.insert_requested_successor(record))
    }

    async fn list_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        database!(self.list_keys(after, limit))
    }

    async fn examine_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Result<KeyRecord, RepositoryError>>, RepositoryError> {
        database!(self.examine_keys(after, limit))
    }
}

#[async_trait]
impl KeyTagRepository for Mortal<dyn Repository> {
    async fn find_tags(&self, keys: &[KeyId]) -> Result<Vec<KeyTags>, RepositoryError> {
        database!(self.find_tags(keys))
    }

    async fn put_tags(&self, key: &KeyId, tags: &KeyTags) -> Result<(), RepositoryError> {
        database!(self.put_tags(key, tags))
    }

    async fn list_tagged(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<(KeyId, KeyTags)>, RepositoryError> {
        database!(self.list_tagged(after, limit))
    }
}

#[async_trait]
impl KeyEndRepository for Mortal<dyn Repository> {
    async fn note_key_use(&self, key: &KeyId, at: Timestamp) -> Result<(), RepositoryError> {
        database!(self.note_key_use(key, at))
    }

    async fn find_key_use(&self, key: &KeyId) -> Result<Option<Timestamp>, RepositoryError> {
        database!(self.find_key_use(key))
    }

    async fn remove_private_part(
        &self,
        record: &KeyRecord,
        destroying: u64,
        tombstone: &str,
    ) -> Result<(), RepositoryError> {
        database!(self.remove_private_part(record, destroying, tombstone))
    }

    async fn bury_kek(&self, kek: &KeyId, destroying: u64, tombstone: &str) -> Result<(), RepositoryError> {
        database!(self.bury_kek(kek, destroying, tombstone))
    }

    async fn find_tombstone(&self, id: &KeyId) -> Result<Option<String>, RepositoryError> {
        database!(self.find_tombstone(id))
    }

    async fn find_watch(&self) -> Result<Option<Watch>, RepositoryError> {
        database!(self.find_watch())
    }

    async fn put_watch(&self, watch: &Watch) -> Result<(), RepositoryError> {
        database!(self.put_watch(watch))
    }
}

#[async_trait]
impl RewrapRepository for Mortal<dyn Repository> {
    /// Takes nothing of its life: servers ask this again and again, and when one dies must not depend on time.
    async fn find_rewrap(&self) -> Result<Option<RewrapRun>, RepositoryError> {
        if self.life.is_over() {
            return Err(RepositoryError::Unavailable("dead".to_owned()));
        }
        self.real.find_rewrap().await
    }

    async fn put_rewrap(&self, run: &RewrapRun) -> Result<(), RepositoryError> {
        database!(self.put_rewrap(run))
    }

    async fn replace_wrapping(&self, from: &KeyRecord, to: &KeyRecord) -> Result<(), RepositoryError> {
        database!(self.replace_wrapping(from, to))
    }
}

#[async_trait]
impl WrapCountRepository for Mortal<dyn Repository> {
    async fn find_wraps(&self, kek: &KekRecord) -> Result<u64, RepositoryError> {
        database!(self.find_wraps(kek))
    }

    async fn take_wraps(&self, kek: &KekRecord, from: u64, to: u64) -> Result<(), RepositoryError> {
        database!(self.take_wraps(kek, from, to))
    }
}

#[async_trait]
impl ProvisioningRepository for Mortal<dyn Repository> {
    async fn try_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, RepositoryError> {
        database!(self.try_lease(name, holder, now, until))
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), RepositoryError> {
        database!(self.release_lease(name, holder))
    }

    async fn find_intent(&self, slot: &str) -> Result<Option<TokenKeyId>, RepositoryError> {
        database!(self.find_intent(slot))
    }

    async fn put_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError> {
        database!(self.put_intent(slot, id))
    }

    async fn list_intents(&self) -> Result<Vec<(String, TokenKeyId)>, RepositoryError> {
        database!(self.list_intents())
    }

    async fn remove_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError> {
        database!(self.remove_intent(slot, id))
    }

    async fn find_system_secret(&self, name: &str) -> Result<Option<SystemSecret>, RepositoryError> {
        database!(self.find_system_secret(name))
    }

    async fn insert_system_secret(&self, name: &str, secret: &SystemSecret) -> Result<bool, RepositoryError> {
        database!(self.insert_system_secret(name, secret))
    }
}

#[async_trait]
impl ClientRepository for Mortal<dyn Repository> {
    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, RepositoryError> {
        database!(self.find_client(id))
    }

    async fn insert_client(&self, record: &ClientRecord) -> Result<(), RepositoryError> {
        database!(self.insert_client(record))
    }

    async fn has_clients(&self) -> Result<bool, RepositoryError> {
        database!(self.has_clients())
    }

    async fn list_clients(
        &self,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, RepositoryError> {
        database!(self.list_clients(after, limit))
    }

    async fn replace_client(
        &self,
        record: &ClientRecord,
        ending: Option<&Ending>,
    ) -> Result<(), RepositoryError> {
        database!(self.replace_client(record, ending))
    }

    async fn remove_client(&self, record: &ClientRecord, ending: &Ending) -> Result<(), RepositoryError> {
        database!(self.remove_client(record, ending))
    }

    async fn newest_ending(&self) -> Result<u64, RepositoryError> {
        database!(self.newest_ending())
    }

    async fn list_endings(&self, after: u64) -> Result<Vec<Ending>, RepositoryError> {
        database!(self.list_endings(after))
    }

    async fn forget_endings(&self, now: Timestamp) -> Result<(), RepositoryError> {
        database!(self.forget_endings(now))
    }
}

#[async_trait]
impl KeyPolicyRepository for Mortal<dyn Repository> {
    /// Takes nothing of its life: servers ask this again and again, and when one dies must not depend on time.
    async fn key_policies_version(&self) -> Result<u64, RepositoryError> {
        if self.life.is_over() {
            return Err(RepositoryError::Unavailable("dead".to_owned()));
        }
        self.real.key_policies_version().await
    }

    async fn list_key_policies(&self) -> Result<KeyPolicyRecords, RepositoryError> {
        database!(self.list_key_policies())
    }

    async fn change_key_policies(
        &self,
        from: u64,
        change: KeyPolicyChange<'_>,
    ) -> Result<(), RepositoryError> {
        database!(self.change_key_policies(from, change))
    }
}

#[async_trait]
impl CrossCertificateRepository for Mortal<dyn Repository> {
    async fn find_cross_certificate(&self, key: &KeyId) -> Result<Option<CrossCertificate>, RepositoryError> {
        database!(self.find_cross_certificate(key))
    }

    async fn insert_cross_certificate(&self, cross: &CrossCertificate) -> Result<(), RepositoryError> {
        database!(self.insert_cross_certificate(cross))
    }
}

#[async_trait]
impl NewestKeyRepository for Mortal<dyn Repository> {
    async fn list_newest(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage, RepositoryError> {
        database!(self.list_newest(after, limit))
    }
}

#[async_trait]
impl AccessPolicyRepository for Mortal<dyn Repository> {
    /// Takes nothing of its life: servers ask this again and again, and when one dies must not depend on time.
    async fn access_policies_version(&self) -> Result<u64, RepositoryError> {
        if self.life.is_over() {
            return Err(RepositoryError::Unavailable("dead".to_owned()));
        }
        self.real.access_policies_version().await
    }

    async fn list_access_policies(&self) -> Result<AccessPolicyRecords, RepositoryError> {
        database!(self.list_access_policies())
    }

    async fn change_access_policies(
        &self,
        from: u64,
        change: AccessPolicyChange<'_>,
    ) -> Result<(), RepositoryError> {
        database!(self.change_access_policies(from, change))
    }
}

#[async_trait]
impl ApprovalRepository for Mortal<dyn Repository> {
    async fn find_approval(&self, id: &ApprovalId) -> Result<Option<Approval>, RepositoryError> {
        database!(self.find_approval(id))
    }

    async fn list_approvals(&self) -> Result<Vec<Approval>, RepositoryError> {
        database!(self.list_approvals())
    }

    async fn put_approval(&self, approval: &Approval) -> Result<(), RepositoryError> {
        database!(self.put_approval(approval))
    }

    async fn remove_approval(&self, approval: &Approval) -> Result<(), RepositoryError> {
        database!(self.remove_approval(approval))
    }
}

#[async_trait]
impl SymmetricKeyRepository for Mortal<dyn Repository> {
    async fn find_newest_symmetric(
        &self,
        alias: &KeyAlias,
    ) -> Result<Option<SymmetricKeyRecord>, RepositoryError> {
        database!(self.find_newest_symmetric(alias))
    }

    async fn list_symmetric(&self) -> Result<Vec<SymmetricKeyRecord>, RepositoryError> {
        database!(self.list_symmetric())
    }

    async fn list_newest_symmetric(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage<SymmetricKeyRecord>, RepositoryError> {
        database!(self.list_newest_symmetric(after, limit))
    }

    async fn insert_symmetric_successor(&self, record: &SymmetricKeyRecord) -> Result<(), RepositoryError> {
        database!(self.insert_symmetric_successor(record))
    }
}

#[async_trait]
impl RosterRepository for Mortal<dyn Repository> {
    async fn find_roster(&self) -> Result<Option<StoredRoster>, RepositoryError> {
        database!(self.find_roster())
    }

    async fn replace_roster(
        &self,
        expected: Option<u64>,
        roster: &StoredRoster,
    ) -> Result<(), RepositoryError> {
        database!(self.replace_roster(expected, roster))
    }
}

#[async_trait]
impl Repository for Mortal<dyn Repository> {
    async fn check_health(&self) -> Result<(), RepositoryError> {
        database!(self.check_health())
    }

    fn away_for(&self) -> Option<Duration> {
        self.real.away_for()
    }

    fn install_integrity_key(&self, key: Zeroizing<[u8; 32]>) {
        self.real.install_integrity_key(key);
    }
}

/// A clock that only the test moves.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicU64,
    pauses: Notify,
}

impl ManualClock {
    /// Stands at this instant, milliseconds since the epoch.
    pub fn at(millis: u64) -> Self {
        Self { millis: AtomicU64::new(millis), pauses: Notify::new() }
    }

    /// Ends the pauses of whoever pauses now; they have no other end.
    pub fn end_pauses(&self) {
        self.pauses.notify_waiters();
    }

    /// Moves on.
    pub fn advance_days(&self, days: u64) {
        self.millis.fetch_add(days * 86_400_000, Ordering::SeqCst);
    }

    /// Goes back, as a clock does that is set right.
    pub fn set_back_seconds(&self, seconds: u64) {
        self.millis.fetch_sub(seconds * 1000, Ordering::SeqCst);
    }

    /// Moves on.
    pub fn advance_seconds(&self, seconds: u64) {
        self.millis.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.millis.load(Ordering::SeqCst)).unwrap())
    }

    async fn pause(&self, _time: Duration) {
        self.pauses.notified().await;
    }
}
