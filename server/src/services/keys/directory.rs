//! Records at hand: what was read stays for a short while, so that the hot paths ask no database.

use std::{sync::Arc, time::Duration};

use kunji_shared::Thumbprint;
use moka::future::Cache;

use crate::{
    domain::{
        alias::KeyAlias,
        key::{KeyId, KeyRecord},
    },
    ports::repository::{Repository, RepositoryError},
};

/// Reads key records through two caches. Which key is newest may be stale for the set time, after another
/// server made a successor; what a thumbprint or an id names never changes.
pub(crate) struct KeyDirectory {
    repository: Arc<dyn Repository>,
    newest: Cache<KeyAlias, Arc<KeyRecord>>,
    by_thumbprint: Cache<Thumbprint, Arc<KeyRecord>>,
}

/// Most records kept of either kind.
const ENTRIES: u64 = 100_000;

impl KeyDirectory {
    pub(crate) fn new(repository: Arc<dyn Repository>, staleness: Duration) -> Self {
        Self {
            repository,
            newest: Cache::builder().max_capacity(ENTRIES).time_to_live(staleness).build(),
            by_thumbprint: Cache::builder().max_capacity(ENTRIES).build(),
        }
    }

    /// The newest key of the alias, possibly as it was a moment ago.
    pub(crate) async fn newest(&self, alias: &KeyAlias) -> Result<Option<Arc<KeyRecord>>, RepositoryError> {
        match self.newest.get(alias).await {
            Some(record) => Ok(Some(record)),
            None => self.newest_now(alias).await,
        }
    }

    /// The newest key of the alias, as the database has it.
    pub(crate) async fn newest_now(
        &self,
        alias: &KeyAlias,
    ) -> Result<Option<Arc<KeyRecord>>, RepositoryError> {
        let Some(record) = self.repository.find_newest(alias).await?.map(Arc::new) else { return Ok(None) };
        self.keep(&record).await;
        Ok(Some(record))
    }

    /// The key whose certificate has this thumbprint. That there is none is never remembered: another server
    /// may make it any moment.
    pub(crate) async fn by_thumbprint(
        &self,
        thumbprint: &Thumbprint,
    ) -> Result<Option<Arc<KeyRecord>>, RepositoryError> {
        if let Some(record) = self.by_thumbprint.get(thumbprint).await {
            return Ok(Some(record));
        }
        let Some(record) = self.repository.find_by_thumbprint(thumbprint).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.by_thumbprint.insert(*thumbprint, Arc::clone(&record)).await;
        Ok(Some(record))
    }

    /// The key of this id.
    pub(crate) async fn by_id(&self, id: &KeyId) -> Result<Option<KeyRecord>, RepositoryError> {
        self.repository.find(id).await
    }

    /// All keys of the alias, newest first.
    pub(crate) async fn list(
        &self,
        alias: &KeyAlias,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        self.repository.list(alias, limit).await
    }

    /// Inserts a successor and keeps it at hand.
    pub(crate) async fn insert(&self, record: KeyRecord) -> Result<Arc<KeyRecord>, RepositoryError> {
        self.repository.insert_successor(&record).await?;
        let record = Arc::new(record);
        self.keep(&record).await;
        Ok(record)
    }

    async fn keep(&self, record: &Arc<KeyRecord>) {
        self.newest.insert(record.alias.clone(), Arc::clone(record)).await;
        self.by_thumbprint.insert(record.thumbprint, Arc::clone(record)).await;
    }
}
