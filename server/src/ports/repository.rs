//! The records.
//!
//! Every method is atomic, and what it changed is durable when it returns. *Not found* is `None`. A change that
//! another server's change forestalled is [`RepositoryError::Conflict`]: read again and decide anew. While the
//! database is away every method fails at once with [`RepositoryError::Unavailable`]. Rows that
//! grant rights (keys, KEKs, clients, policies, access policies, approvals) carry an integrity tag; one whose tag is wrong is never
//! returned but reported as [`RepositoryError::Inconsistent`].

use std::time::Duration;

use async_trait::async_trait;
use kunji_shared::Thumbprint;

use super::{
    key_ends::KeyEndRepository,
    key_policies::KeyPolicyRepository,
    key_states::{KeyStateRepository, KeyTagRepository},
    rewrap::RewrapRepository,
    rotation::{AliasPlace, CrossCertificateRepository, NewestKeyRepository, NewestPage},
    wrap_counts::WrapCountRepository,
};
use crate::domain::{
    alias::{ApplicationId, KeyAlias},
    authorization::{
        PolicyText,
        approval::{Approval, ApprovalId},
    },
    client::{ClientId, ClientRecord, Ending},
    key::{KekRecord, KeyId, KeyRecord, TokenKeyId},
    symmetric::SymmetricKeyRecord,
    time::Timestamp,
};

/// Keys and KEKs.
#[async_trait]
pub trait KeyRepository: Send + Sync {
    /// The newest key of the alias.
    async fn find_newest(&self, alias: &KeyAlias) -> Result<Option<KeyRecord>, RepositoryError>;

    /// The key whose certificate has this thumbprint.
    async fn find_by_thumbprint(&self, thumbprint: &Thumbprint)
    -> Result<Option<KeyRecord>, RepositoryError>;

    /// The key of this id.
    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, RepositoryError>;

    /// All keys of the alias, newest first, at most `limit`.
    async fn list(&self, alias: &KeyAlias, limit: usize) -> Result<Vec<KeyRecord>, RepositoryError>;

    /// The same of those before the generation `before`.
    async fn list_older(
        &self,
        alias: &KeyAlias,
        before: u32,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError>;

    /// Inserts the alias's next key and makes it the newest, in one step.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the newest key now has generation `record.generation - 1`
    /// (none at all for 1), when the id or thumbprint is taken, and when the alias is closed (see
    /// [`KeyStateRepository::insert_transition`]).
    async fn insert_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError>;

    /// The newest KEK of the application.
    async fn find_newest_kek(
        &self,
        application: &ApplicationId,
    ) -> Result<Option<KekRecord>, RepositoryError>;

    /// The KEK of this version.
    async fn find_kek(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<Option<KekRecord>, RepositoryError>;

    /// Inserts the application's next KEK and makes it the newest, in one step.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the newest KEK now has version `record.version - 1`.
    async fn insert_kek_successor(&self, record: &KekRecord) -> Result<(), RepositoryError>;
}

/// What lets several servers make token keys without making them twice.
#[async_trait]
pub trait ProvisioningRepository: Send + Sync {
    /// Takes the lease `name` for `holder` until `until`; `false` when another holds it at `now`. Taking a
    /// lease one holds extends it. One held for longer than twice the time asked for counts as free: a clock was
    /// wrong when it was taken.
    async fn try_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, RepositoryError>;

    /// Gives the lease back, if `holder` still has it.
    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), RepositoryError>;

    /// The token id under which the object for `slot` (for example `sign/ROOT//1`) is being made.
    async fn find_intent(&self, slot: &str) -> Result<Option<TokenKeyId>, RepositoryError>;

    /// Writes down, before the token is asked, under which id the object for `slot` will be made; replaces an
    /// earlier intent.
    async fn put_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError>;

    /// All intents: slots, and the token ids of their latest.
    async fn list_intents(&self) -> Result<Vec<(String, TokenKeyId)>, RepositoryError>;

    /// Forgets the intent of the slot, if it is this one.
    async fn remove_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError>;

    /// A secret of the servers, wrapped by the token.
    async fn find_system_secret(&self, name: &str) -> Result<Option<SystemSecret>, RepositoryError>;

    /// Stores a secret of the servers; `false` when there is one of that name (which is kept).
    async fn insert_system_secret(&self, name: &str, secret: &SystemSecret) -> Result<bool, RepositoryError>;
}

/// A secret wrapped by a KEK of the token. It needs no integrity tag: the wrapping is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemSecret {
    /// The KEK on the token.
    pub kek: TokenKeyId,
    /// The wrapped secret.
    pub blob: Vec<u8>,
}

/// Clients.
#[async_trait]
pub trait ClientRepository: Send + Sync {
    /// The client of this id.
    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, RepositoryError>;

    /// Inserts a client.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] when the id is taken.
    async fn insert_client(&self, record: &ClientRecord) -> Result<(), RepositoryError>;

    /// Whether there is any client.
    async fn has_clients(&self) -> Result<bool, RepositoryError>;

    /// Clients in the order of their ids (by bytes), those after `after`, at most `limit`.
    async fn list_clients(
        &self,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, RepositoryError>;

    /// Puts `record` in the place of the client's state before it and, in the same step, writes down `ending`.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the client's version now is `record.version - 1` and the newest ending
    /// has the number `ending.number - 1`.
    async fn replace_client(
        &self,
        record: &ClientRecord,
        ending: Option<&Ending>,
    ) -> Result<(), RepositoryError>;

    /// Removes the client and, in the same step, writes down `ending`.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the client's version now is `record.version`, it is the one that was made
    /// at `record.created_at`, and the newest ending has the number `ending.number - 1`.
    async fn remove_client(&self, record: &ClientRecord, ending: &Ending) -> Result<(), RepositoryError>;

    /// The number of the newest ending, 0 when there was none yet.
    async fn newest_ending(&self) -> Result<u64, RepositoryError>;

    /// The endings after number `after` that are kept, oldest first.
    async fn list_endings(&self, after: u64) -> Result<Vec<Ending>, RepositoryError>;

    /// Forgets endings whose time is over at `now`, in the order of their numbers and up to the first whose is not;
    /// a bounded number of them.
    async fn forget_endings(&self, now: Timestamp) -> Result<(), RepositoryError>;
}

/// Access policies. All together have a version, 0 while none was ever stored; each change makes the next.
#[async_trait]
pub trait AccessPolicyRepository: Send + Sync {
    /// The version.
    async fn access_policies_version(&self) -> Result<u64, RepositoryError>;

    /// All of them, by name, with their version. That one is missing, or in an earlier state, is
    /// [`RepositoryError::Inconsistent`].
    async fn list_access_policies(&self) -> Result<AccessPolicyRecords, RepositoryError>;

    /// Makes a change, and with it version `from + 1`.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the version is `from` now.
    async fn change_access_policies(
        &self,
        from: u64,
        change: AccessPolicyChange<'_>,
    ) -> Result<(), RepositoryError>;
}

/// All access policies at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessPolicyRecords {
    /// The version.
    pub version: u64,
    /// By name.
    pub policies: Vec<AccessPolicyRecord>,
}

/// A stored access policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicyRecord {
    /// As it was written.
    pub text: PolicyText,
    /// The version that storing it made.
    pub version: u64,
    /// When it was stored.
    pub changed_at: Timestamp,
    /// By whom.
    pub changed_by: String,
}

/// A change of access policies.
#[derive(Clone, Copy, Debug)]
pub enum AccessPolicyChange<'a> {
    /// Stores this one, whose version is the next, in place of one of the same name.
    Put(&'a AccessPolicyRecord),
    /// Removes the one of this name.
    Remove(&'a str),
}

/// Requests that wait for approval.
#[async_trait]
pub trait ApprovalRepository: Send + Sync {
    /// The request of this name.
    async fn find_approval(&self, id: &ApprovalId) -> Result<Option<Approval>, RepositoryError>;

    /// All of them, by name.
    async fn list_approvals(&self) -> Result<Vec<Approval>, RepositoryError>;

    /// Stores a request, in place of that of the same name.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless what is stored now has the generation `approval.generation - 1` (none at
    /// all for 1).
    async fn put_approval(&self, approval: &Approval) -> Result<(), RepositoryError>;

    /// Removes a request.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless what is stored now has its generation.
    async fn remove_approval(&self, approval: &Approval) -> Result<(), RepositoryError>;
}

/// The roster of the servers' audit logs.
#[async_trait]
pub trait RosterRepository: Send + Sync {
    /// The newest roster.
    async fn find_roster(&self) -> Result<Option<StoredRoster>, RepositoryError>;

    /// Puts a roster in place of the one of version `expected` (`None`: of none).
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] when there is another one by now.
    async fn replace_roster(
        &self,
        expected: Option<u64>,
        roster: &StoredRoster,
    ) -> Result<(), RepositoryError>;
}

/// A roster as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRoster {
    /// Its version.
    pub version: u64,
    /// The signed statement, one line of JSON.
    pub statement: String,
}

/// Symmetric keys of applications.
#[async_trait]
pub trait SymmetricKeyRepository: Send + Sync {
    /// The newest symmetric key of the alias.
    async fn find_newest_symmetric(
        &self,
        alias: &KeyAlias,
    ) -> Result<Option<SymmetricKeyRecord>, RepositoryError>;

    /// All symmetric keys there are.
    async fn list_symmetric(&self) -> Result<Vec<SymmetricKeyRecord>, RepositoryError>;

    /// The newest symmetric keys of at most `limit` aliases (at least 1), in an order that stays the same, those after
    /// `after`. As of [`NewestKeyRepository::list_newest`], rows that cannot be trusted are reported and left out, and
    /// [`find_newest_symmetric`](Self::find_newest_symmetric) finds out more.
    async fn list_newest_symmetric(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage<SymmetricKeyRecord>, RepositoryError>;

    /// Inserts the alias's next symmetric key and makes it the newest, in one step.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the newest one now has generation `record.generation - 1` (none at all
    /// for 1).
    async fn insert_symmetric_successor(&self, record: &SymmetricKeyRecord) -> Result<(), RepositoryError>;
}

/// A database with everything the services need.
#[async_trait]
pub trait Repository:
    KeyRepository
    + SymmetricKeyRepository
    + KeyStateRepository
    + KeyTagRepository
    + KeyEndRepository
    + RewrapRepository
    + WrapCountRepository
    + ProvisioningRepository
    + ClientRepository
    + KeyPolicyRepository
    + CrossCertificateRepository
    + NewestKeyRepository
    + AccessPolicyRepository
    + ApprovalRepository
    + RosterRepository
{
    /// Whether the database answers now.
    async fn check_health(&self) -> Result<(), RepositoryError>;

    /// How long ago the database last answered, when it is away; `None` when it is there, as far as is known. Costs
    /// no query.
    fn away_for(&self) -> Option<Duration>;

    /// Gives the key of the integrity tags (HMAC-SHA-256, 32 bytes). Before it, every method that reads or
    /// writes tagged rows fails with [`RepositoryError::Unavailable`]. A second call is ignored.
    fn install_integrity_key(&self, key: zeroize::Zeroizing<[u8; 32]>);
}

/// Why the records were not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// Something else came first.
    #[error("another change came first")]
    Conflict,
    /// A row makes no sense, or its integrity tag is wrong.
    #[error("row {table}:{record} cannot be trusted: {reason}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The record's id.
        record: String,
        /// What is wrong; never a value of the row.
        reason: &'static str,
    },
    /// The database went away while the change was made, and the change is not to be seen: it was not made, or it
    /// still will be. Read before deciding anew.
    #[error("the database went away, and what came of the change is not known: {0}")]
    OutcomeUnknown(String),
    /// The database did not answer or failed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
}
