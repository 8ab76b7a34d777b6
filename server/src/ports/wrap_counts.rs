//! How often KEKs have wrapped.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::key::KekRecord;

/// The numbers of the wrappings by each KEK, from 0, which servers take before they wrap.
#[async_trait]
pub trait WrapCountRepository: Send + Sync {
    /// How many numbers are taken.
    async fn find_wraps(&self, kek: &KekRecord) -> Result<u64, RepositoryError>;

    /// Takes the numbers from `from` up to but not including `to`. When this fails they may be taken all the same.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] unless `from` numbers are taken now.
    async fn take_wraps(&self, kek: &KekRecord, from: u64, to: u64) -> Result<(), RepositoryError>;
}
