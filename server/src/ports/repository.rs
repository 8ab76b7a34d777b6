//! The records.
//!
//! Every method is atomic, and what it changed is durable when it returns. *Not found* is `None`. A change that
//! another server's change forestalled is [`RepositoryError::Conflict`]: read again and decide anew. Rows that
//! grant rights (keys, KEKs, clients, policies) carry an integrity tag; one whose tag is wrong is never
//! returned but reported as [`RepositoryError::Inconsistent`].

use async_trait::async_trait;
use kunji_shared::Thumbprint;

use crate::domain::{
    alias::{ApplicationId, KeyAlias},
    client::{ClientId, ClientRecord},
    key::{KekRecord, KeyId, KeyRecord, TokenKeyId},
    policy::KeyPolicy,
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

    /// Inserts the alias's next key and makes it the newest, in one step.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the newest key now has generation `record.generation - 1`
    /// (none at all for 1), and when the id or thumbprint is taken.
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
}

/// Policies.
#[async_trait]
pub trait PolicyRepository: Send + Sync {
    /// All policies, by application.
    async fn list_policies(&self) -> Result<Vec<KeyPolicy>, RepositoryError>;

    /// Inserts a policy; `false` when the application has one (which is kept).
    async fn insert_policy(&self, policy: &KeyPolicy) -> Result<bool, RepositoryError>;
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

/// A database with everything the services need.
#[async_trait]
pub trait Repository:
    KeyRepository + ProvisioningRepository + ClientRepository + PolicyRepository + RosterRepository
{
    /// Whether the database answers now.
    async fn check_health(&self) -> Result<(), RepositoryError>;

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
    /// The database did not answer or failed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
}
