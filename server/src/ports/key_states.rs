//! The states and tags of keys in the records, and keys in the order of their ids.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::{
    key::{KeyId, KeyRecord},
    key_tags::KeyTags,
    lifecycle::Transition,
};

/// Transitions of keys. All together have numbers without gaps; one that is missing is
/// [`RepositoryError::Inconsistent`].
#[async_trait]
pub trait KeyStateRepository: Send + Sync {
    /// The number of the newest transition, 0 while there is none.
    async fn newest_transition(&self) -> Result<u64, RepositoryError>;

    /// The transitions after number `after`, oldest first.
    async fn list_transitions(&self, after: u64) -> Result<Vec<Transition>, RepositoryError>;

    /// The transition of this number.
    async fn find_transition(&self, number: u64) -> Result<Option<Transition>, RepositoryError>;

    /// Writes a transition down. One that closes its key's alias names the key as `closing`:
    /// [`KeyRepository::insert_successor`](super::repository::KeyRepository::insert_successor) then fails for the
    /// alias until a successor was [asked for](Self::insert_requested_successor).
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the newest transition has the number `transition.number - 1` and `closing`
    /// is the newest key of its alias.
    async fn insert_transition(
        &self,
        transition: &Transition,
        closing: Option<&KeyRecord>,
    ) -> Result<(), RepositoryError>;

    /// As [`insert_successor`](super::repository::KeyRepository::insert_successor), also for an alias that is closed,
    /// which it opens.
    ///
    /// # Errors
    /// The same.
    async fn insert_requested_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError>;

    /// Keys of all aliases in the order of their ids, those after `after`, at most `limit`.
    async fn list_keys(&self, after: Option<&KeyId>, limit: usize)
    -> Result<Vec<KeyRecord>, RepositoryError>;

    /// The same, where a row that cannot be trusted is an error of its own, and the others come all the same.
    async fn examine_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Result<KeyRecord, RepositoryError>>, RepositoryError>;
}

/// Tags of keys.
#[async_trait]
pub trait KeyTagRepository: Send + Sync {
    /// The tags of each of these keys, in their order. Of a row that cannot be trusted there are none, and the log says
    /// so.
    async fn find_tags(&self, keys: &[KeyId]) -> Result<Vec<KeyTags>, RepositoryError>;

    /// Puts these in the place of the key's tags. Of several at once, the last one counts.
    async fn put_tags(&self, key: &KeyId, tags: &KeyTags) -> Result<(), RepositoryError>;

    /// Keys that have tags, or had some, in the order of their ids, those after `after`, at most `limit`. Tags in a row
    /// that cannot be trusted are left out, as in [`find_tags`](Self::find_tags).
    async fn list_tagged(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<(KeyId, KeyTags)>, RepositoryError>;
}
