//! The records of wrapping private keys anew.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::{
    key::{KeyId, KeyRecord},
    time::Timestamp,
};

/// Private keys that move to newer KEKs, and how far that has come.
#[async_trait]
pub trait RewrapRepository: Send + Sync {
    /// The newest run.
    async fn find_rewrap(&self) -> Result<Option<RewrapRun>, RepositoryError>;

    /// Puts `run` in the place of the state before it.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the version now is `run.version - 1` (none at all for 1).
    async fn put_rewrap(&self, run: &RewrapRun) -> Result<(), RepositoryError>;

    /// Puts `to`, the same key with its private part under another KEK, in the place of `from`.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless the private part now is that of `from`.
    async fn replace_wrapping(&self, from: &KeyRecord, to: &KeyRecord) -> Result<(), RepositoryError>;
}

/// A walk over all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewrapRun {
    /// 1 for the first walk, one more for each later one.
    pub run: u64,
    /// 1 for the first state of the first walk, one more for each later one.
    pub version: u64,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// By whom.
    pub started_by: String,
    /// The last key that was looked at, in the order of their ids.
    pub after: Option<KeyId>,
    /// Keys that were looked at.
    pub examined: u64,
    /// Keys that were moved.
    pub moved: u64,
    /// Keys that could not be; the log names them.
    pub failed: u64,
    /// When it came to its end.
    pub ended_at: Option<Timestamp>,
}
