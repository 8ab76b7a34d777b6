//! How keys end in the records.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::{
    destruction::Watch,
    key::{KeyId, KeyRecord},
    time::Timestamp,
};

/// Ends of keys and KEKs. What stays of one is its tombstone: while it has none, its private part may still be there.
#[async_trait]
pub trait KeyEndRepository: Send + Sync {
    /// Writes down that the key was used, unless a later use is written down already.
    async fn note_key_use(&self, key: &KeyId, at: Timestamp) -> Result<(), RepositoryError>;

    /// When the key was last used, as far as is written down.
    async fn find_key_use(&self, key: &KeyId) -> Result<Option<Timestamp>, RepositoryError>;

    /// Removes the private part from the key's record, which becomes `record`, and stores its tombstone, in one step.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the transition of the number `destroying` leads this key to the state
    /// `destroying`, when there is a tombstone already, and when another KEK wraps the private part than `record` says.
    async fn remove_private_part(
        &self,
        record: &KeyRecord,
        destroying: u64,
        tombstone: &str,
    ) -> Result<(), RepositoryError>;

    /// Stores the tombstone of a KEK.
    ///
    /// # Errors
    /// As [`KeyEndRepository::remove_private_part`].
    async fn bury_kek(&self, kek: &KeyId, destroying: u64, tombstone: &str) -> Result<(), RepositoryError>;

    /// The tombstone of a key or a KEK, one line of JSON.
    async fn find_tombstone(&self, id: &KeyId) -> Result<Option<String>, RepositoryError>;

    /// When it was last looked which keys are due.
    async fn find_watch(&self) -> Result<Option<Watch>, RepositoryError>;

    /// Puts a look in the place of the one before.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the version now is `watch.version - 1` (none at all for 1).
    async fn put_watch(&self, watch: &Watch) -> Result<(), RepositoryError>;
}
