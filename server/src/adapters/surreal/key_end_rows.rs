//! Rows of what ends keys: their last uses, and tombstones.

use async_trait::async_trait;
use surrealdb::types::SurrealValue;

use super::{SurrealRepository, integrity::Row, runner::Query};
use crate::{
    domain::{
        destruction::Watch,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::KeyState,
        time::Timestamp,
    },
    ports::{key_ends::KeyEndRepository, repository::RepositoryError},
};

#[derive(SurrealValue)]
struct KeyUseRow {
    last: i64,
}

impl Row for KeyUseRow {
    const TABLE: &'static str = "key_use";
}

#[derive(SurrealValue)]
struct TombstoneRow {
    statement: String,
}

impl Row for TombstoneRow {
    const TABLE: &'static str = "tombstone";
}

const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct WatchRow {
    version: u64,
    looked_at: i64,
    seen: u64,
    counts_from: Option<i64>,
}

impl Row for WatchRow {
    const TABLE: &'static str = "destruction_watch";
}

impl From<&Watch> for WatchRow {
    fn from(watch: &Watch) -> Self {
        Self {
            version: watch.version,
            looked_at: watch.looked_at.millis(),
            seen: watch.seen,
            counts_from: watch.counts_from.map(Timestamp::millis),
        }
    }
}

impl From<WatchRow> for Watch {
    fn from(row: WatchRow) -> Self {
        Self {
            version: row.version,
            looked_at: Timestamp::from_millis(row.looked_at),
            seen: row.seen,
            counts_from: row.counts_from.map(Timestamp::from_millis),
        }
    }
}

#[async_trait]
impl KeyEndRepository for SurrealRepository {
    async fn note_key_use(&self, key: &KeyId, at: Timestamp) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::note_key_use
            BEGIN;
            LET $found = (SELECT VALUE last FROM ONLY type::record('key_use', $key));
            IF $found = NONE OR $found < $last {
                UPSERT ONLY type::record('key_use', $key) CONTENT $use RETURN NONE
            };
            COMMIT;";
        let row = KeyUseRow { last: at.millis() };
        let query = Query::new(TEXT)
            .bind("use", self.integrity.seal(&key.0, row)?)
            .bind("last", at.millis())
            .bind("key", key.0.clone());
        let made = async { Ok(self.find_key_use(key).await?.is_some_and(|last| last >= at)) };
        Ok(self.settle(query, made).await?)
    }

    async fn find_key_use(&self, key: &KeyId) -> Result<Option<Timestamp>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::find_key_use
            SELECT * FROM ONLY type::record('key_use', $key);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("key", key.0.clone())).await?;
        let row = self.integrity.open::<KeyUseRow>(&key.0, row)?;
        Ok(row.map(|row| Timestamp::from_millis(row.last)))
    }

    async fn remove_private_part(
        &self,
        record: &KeyRecord,
        destroying: u64,
        tombstone: &str,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::remove_private_part
            BEGIN;
            LET $decided = SELECT * FROM ONLY type::record('key_transition', $transition);
            IF $decided.key != $id OR $decided.to_state != $destroying { THROW 'not destroying' };
            LET $wrapped_by = SELECT VALUE kek_version FROM ONLY type::record('key', $id);
            IF $wrapped_by != $kek { THROW 'wrapped anew' };
            CREATE ONLY type::record('tombstone', $id) CONTENT $tombstone RETURN NONE;
            UPDATE ONLY type::record('key', $id) CONTENT $key RETURN NONE;
            DELETE type::record('key_use', $id) RETURN NONE;
            COMMIT;";
        let kek = match record.material {
            KeyMaterial::Removed { keks } => keks.map(|(_, last)| last),
            _ => return Err(RepositoryError::Conflict),
        };
        let query = self.burial(TEXT, &record.id, destroying, tombstone)?.bind("kek", kek);
        self.bury(query.bind("key", self.seal_key(record)?), &record.id, tombstone).await
    }

    async fn bury_kek(&self, kek: &KeyId, destroying: u64, tombstone: &str) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::bury_kek
            BEGIN;
            LET $decided = SELECT * FROM ONLY type::record('key_transition', $transition);
            IF $decided.key != $id OR $decided.to_state != $destroying { THROW 'not destroying' };
            CREATE ONLY type::record('tombstone', $id) CONTENT $tombstone RETURN NONE;
            COMMIT;";
        self.bury(self.burial(TEXT, kek, destroying, tombstone)?, kek, tombstone).await
    }

    async fn find_tombstone(&self, id: &KeyId) -> Result<Option<String>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::find_tombstone
            SELECT * FROM ONLY type::record('tombstone', $id);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("id", id.0.clone())).await?;
        Ok(self.integrity.open::<TombstoneRow>(&id.0, row)?.map(|row| row.statement))
    }

    async fn find_watch(&self) -> Result<Option<Watch>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::find_watch
            SELECT * FROM ONLY type::record('destruction_watch', $current);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("current", CURRENT.to_owned())).await?;
        Ok(self.integrity.open::<WatchRow>(CURRENT, row)?.map(Watch::from))
    }

    async fn put_watch(&self, watch: &Watch) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_end_rows::put_watch
            BEGIN;
            LET $found = (SELECT VALUE version FROM ONLY type::record('destruction_watch', $current)) ?? 0;
            IF $found != $before { THROW 'superseded' };
            UPSERT ONLY type::record('destruction_watch', $current) CONTENT $watch RETURN NONE;
            COMMIT;";
        let before = watch.version.checked_sub(1).ok_or(RepositoryError::Conflict)?;
        let query = Query::new(TEXT)
            .bind("current", CURRENT.to_owned())
            .bind("before", before)
            .bind("watch", self.integrity.seal(CURRENT, WatchRow::from(watch))?);
        let made = async { Ok(self.find_watch().await?.as_ref() == Some(watch)) };
        Ok(self.settle(query, made).await?)
    }
}

impl SurrealRepository {
    /// What every burial is told: transitions stay as they are, so that reading this one guards the change.
    fn burial(
        &self,
        text: &'static str,
        id: &KeyId,
        destroying: u64,
        tombstone: &str,
    ) -> Result<Query, RepositoryError> {
        let row = TombstoneRow { statement: tombstone.to_owned() };
        Ok(Query::new(text)
            .bind("tombstone", self.integrity.seal(&id.0, row)?)
            .bind("transition", destroying.to_string())
            .bind("destroying", KeyState::Destroying.name().to_owned())
            .bind("id", id.0.clone()))
    }

    async fn bury(&self, burial: Query, id: &KeyId, tombstone: &str) -> Result<(), RepositoryError> {
        let made = async { Ok(self.find_tombstone(id).await?.as_deref() == Some(tombstone)) };
        Ok(self.settle(burial, made).await?)
    }
}
