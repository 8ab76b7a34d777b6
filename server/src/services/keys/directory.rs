//! Records at hand: what was read stays for a short while, so that the hot paths ask no database; and for a longer one
//! in case that it goes away.

use std::{sync::Arc, time::Duration};

use kunji_shared::Thumbprint;
use moka::future::Cache;
use tokio::time::{sleep, timeout};

use super::{last_uses::LastUses, states::KeyStates};
use crate::{
    domain::{
        alias::KeyAlias,
        key::{KeyId, KeyRecord},
    },
    ports::repository::{Repository, RepositoryError},
};

/// Reads key records through copies in memory. Which key is newest may be stale for a set time, after another server
/// made a successor; what a thumbprint or an id names never changes.
///
/// While the database is away its copies stand in for it, those of what can change for a set time since each was last
/// confirmed, those of the rest for the same time since the database last answered.
pub(crate) struct KeyDirectory {
    /// What was decided about keys.
    pub(crate) states: KeyStates,
    /// What was used that is to be destroyed.
    pub(super) uses: LastUses,
    pub(super) repository: Arc<dyn Repository>,
    newest: Cache<KeyAlias, Arc<KeyRecord>>,
    /// What was newest when it was last read.
    confirmed: Cache<KeyAlias, Arc<KeyRecord>>,
    /// Lists of a few keys, as they were last read.
    confirmed_lists: Cache<(KeyAlias, usize), Vec<KeyRecord>>,
    by_thumbprint: Cache<Thumbprint, Arc<KeyRecord>>,
    by_id: Cache<KeyId, Arc<KeyRecord>>,
    /// How long copies stand in for the database.
    standby: Duration,
}

/// Most records kept of each kind.
const ENTRIES: u64 = 100_000;
/// Most of them that can stand in for the database: each is read again now and then.
const COPIES: u64 = 10_000;
/// Most lists kept, and the longest that are.
const LISTS: u64 = 1_000;
const LISTED_KEYS: usize = 16;
/// How long the database has for its answer before a copy stands in for it.
const PATIENCE: Duration = Duration::from_millis(500);
/// Rounds of confirming all copies while one of them may stand in.
const ROUNDS: u32 = 4;

impl KeyDirectory {
    /// `staleness`: how long a copy of what is newest is used without asking; `standby`: and how long, at most, when
    /// the database is away.
    pub(crate) fn new(repository: Arc<dyn Repository>, staleness: Duration, standby: Duration) -> Self {
        Self {
            states: KeyStates::new(Arc::clone(&repository)),
            uses: LastUses::default(),
            repository,
            newest: Cache::builder().max_capacity(ENTRIES).time_to_live(staleness).build(),
            confirmed: Cache::builder().max_capacity(COPIES).time_to_live(standby).build(),
            confirmed_lists: Cache::builder().max_capacity(LISTS).time_to_live(standby).build(),
            by_thumbprint: Cache::builder().max_capacity(ENTRIES).build(),
            by_id: Cache::builder().max_capacity(ENTRIES).build(),
            standby,
        }
    }

    /// Fails when the database has been away for longer than memory may stand in for it.
    pub(crate) fn check_standby(&self) -> Result<(), RepositoryError> {
        match self.repository.away_for() {
            Some(time) if time >= self.standby => {
                Err(RepositoryError::Unavailable("it has been away for too long".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// How long, in seconds, a server goes on that the database does not answer.
    pub(crate) fn standby_seconds(&self) -> i64 {
        i64::try_from(self.standby.as_secs()).unwrap_or(i64::MAX)
    }

    /// The newest key of the alias, possibly as it was a moment ago.
    pub(crate) async fn newest(&self, alias: &KeyAlias) -> Result<Option<Arc<KeyRecord>>, RepositoryError> {
        if let Some(record) = self.newest.get(alias).await {
            self.check_standby()?;
            return Ok(Some(record));
        }
        let confirmed = self.confirmed.get(alias).await;
        or_copy(self.newest_now(alias), confirmed.map(Some)).await
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
            self.check_standby()?;
            return Ok(Some(record));
        }
        let Some(record) = self.repository.find_by_thumbprint(thumbprint).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.by_thumbprint.insert(*thumbprint, Arc::clone(&record)).await;
        Ok(Some(record))
    }

    /// The key of this id. That there is none is never remembered either.
    pub(crate) async fn by_id(&self, id: &KeyId) -> Result<Option<Arc<KeyRecord>>, RepositoryError> {
        if let Some(record) = self.by_id.get(id).await {
            self.check_standby()?;
            return Ok(Some(record));
        }
        let Some(record) = self.repository.find(id).await?.map(Arc::new) else { return Ok(None) };
        self.by_id.insert(id.clone(), Arc::clone(&record)).await;
        Ok(Some(record))
    }

    /// All keys of the alias, newest first; a few may be those of an earlier answer while the database is away.
    pub(crate) async fn list(
        &self,
        alias: &KeyAlias,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        let name = (alias.clone(), limit);
        let copy = self.confirmed_lists.get(&name).await;
        let now = async {
            let keys = self.repository.list(alias, limit).await?;
            if limit <= LISTED_KEYS && !keys.is_empty() {
                self.confirmed_lists.insert(name, keys.clone()).await;
            }
            Ok(keys)
        };
        or_copy(now, copy).await
    }

    /// Inserts a successor and keeps it at hand.
    pub(crate) async fn insert(&self, record: KeyRecord) -> Result<Arc<KeyRecord>, RepositoryError> {
        self.repository.insert_successor(&record).await?;
        Ok(self.keep_inserted(record).await)
    }

    /// Inserts a successor that somebody asks for, and keeps it at hand.
    pub(super) async fn insert_requested(
        &self,
        record: KeyRecord,
    ) -> Result<Arc<KeyRecord>, RepositoryError> {
        self.repository.insert_requested_successor(&record).await?;
        Ok(self.keep_inserted(record).await)
    }

    /// Keeps nothing of a key whose record has changed.
    pub(crate) async fn forget(&self, record: &KeyRecord) {
        self.by_id.invalidate(&record.id).await;
        self.by_thumbprint.invalidate(&record.thumbprint).await;
        self.newest.invalidate(&record.alias).await;
        self.confirmed.invalidate(&record.alias).await;
        let alias = record.alias.clone();
        for (name, _) in &self.confirmed_lists {
            if name.0 == alias {
                self.confirmed_lists.invalidate(&*name).await;
            }
        }
    }

    async fn keep_inserted(&self, record: KeyRecord) -> Arc<KeyRecord> {
        let record = Arc::new(record);
        self.keep(&record).await;
        record
    }

    async fn keep(&self, record: &Arc<KeyRecord>) {
        if self.confirmed.get(&record.alias).await.is_some_and(|known| known.generation > record.generation) {
            // It was read before its successor was made here.
            return;
        }
        self.newest.insert(record.alias.clone(), Arc::clone(record)).await;
        self.confirmed.insert(record.alias.clone(), Arc::clone(record)).await;
        if !record.is_elsewhere() {
            self.by_thumbprint.insert(record.thumbprint, Arc::clone(record)).await;
        }
    }

    /// Reads again, one after the other and without haste, what is newest of each alias at hand, so that every copy was
    /// confirmed lately when the database goes away. Never ends.
    pub(crate) async fn confirm(&self) {
        loop {
            let aliases: Vec<_> = self.confirmed.iter().map(|(alias, _)| alias).collect();
            let turns = u32::try_from(aliases.len()).unwrap_or(u32::MAX).saturating_add(1);
            let pause = (self.standby / ROUNDS / turns).max(Duration::from_millis(1));
            for alias in aliases {
                sleep(pause).await;
                if self.repository.away_for().is_none()
                    && let Err(error) = self.newest_now(&alias).await
                {
                    tracing::debug!(%alias, %error, "a copy of the newest key could not be confirmed");
                }
            }
            sleep(pause).await;
        }
    }
}

/// What the database says, or the copy when it does not answer.
async fn or_copy<T>(
    now: impl Future<Output = Result<T, RepositoryError>>,
    copy: Option<T>,
) -> Result<T, RepositoryError> {
    let Some(copy) = copy else { return now.await };
    match timeout(PATIENCE, now).await {
        Ok(Err(RepositoryError::Unavailable(_))) | Err(_) => Ok(copy),
        Ok(answer) => answer,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_copy_stands_in_only_for_an_answer_that_does_not_come() {
        let away = || Err(RepositoryError::Unavailable("away".to_owned()));
        assert_eq!(or_copy(ready(Ok(1)), Some(2)).await.unwrap(), 1);
        assert_eq!(or_copy(ready(away()), Some(2)).await.unwrap(), 2);
        assert_eq!(or_copy(pending(), Some(2)).await.unwrap(), 2);
        assert!(or_copy::<u32>(ready(away()), None).await.is_err());
        let distrusted = RepositoryError::Inconsistent { table: "key", record: "r".to_owned(), reason: "x" };
        assert!(or_copy(ready(Err(distrusted)), Some(2)).await.is_err());
    }
}
