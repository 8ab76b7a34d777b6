//! Rows of symmetric keys and of the newest one of each alias.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::{alias_hash, parts, unexpected_form, version_name},
    newest_rows::newest_page,
    runner::Query,
};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias, ReferenceId},
        key::{KeyId, TokenKeyId},
        policy::Cryptoperiod,
        symmetric::SymmetricKeyRecord,
        time::Timestamp,
    },
    ports::{
        repository::{RepositoryError, SymmetricKeyRepository},
        rotation::{AliasPlace, NewestPage},
    },
};

/// Most symmetric keys that are read; far above the number of any installation.
const LIMIT: usize = 100_000;

#[derive(SurrealValue)]
struct SymmetricKeyRow {
    key: String,
    application: String,
    reference: String,
    generation: u32,
    token_key: String,
    not_before: i64,
    not_after: i64,
}

impl Row for SymmetricKeyRow {
    const TABLE: &'static str = "symmetric_key";
}

#[derive(SurrealValue)]
struct NewestSymmetricKeyRow {
    generation: u32,
}

impl Row for NewestSymmetricKeyRow {
    const TABLE: &'static str = "newest_symmetric_key";
}

impl From<&SymmetricKeyRecord> for SymmetricKeyRow {
    fn from(record: &SymmetricKeyRecord) -> Self {
        Self {
            key: record.id.0.clone(),
            application: record.alias.application.as_str().to_owned(),
            reference: record.alias.reference.as_str().to_owned(),
            generation: record.generation,
            token_key: record.token_key.to_hex(),
            not_before: record.period.not_before.millis(),
            not_after: record.period.not_after.millis(),
        }
    }
}

impl TryFrom<SymmetricKeyRow> for SymmetricKeyRecord {
    type Error = &'static str;

    fn try_from(row: SymmetricKeyRow) -> Result<Self, &'static str> {
        Ok(Self {
            id: KeyId(row.key),
            alias: KeyAlias {
                application: ApplicationId::parse_any(&row.application)
                    .map_err(|_| "the application is malformed")?,
                reference: ReferenceId::parse(&row.reference).map_err(|_| "the reference is malformed")?,
            },
            generation: row.generation,
            token_key: TokenKeyId::from_hex(&row.token_key).ok_or("the token id is malformed")?,
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(row.not_before),
                not_after: Timestamp::from_millis(row.not_after),
            },
        })
    }
}

#[async_trait]
impl SymmetricKeyRepository for SurrealRepository {
    /// The pointer, the key that it names, and whether there is a next generation, in one snapshot, as with key pairs.
    async fn find_newest_symmetric(
        &self,
        alias: &KeyAlias,
    ) -> Result<Option<SymmetricKeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::symmetric_rows::find_newest_symmetric
            {
                LET $pointer = SELECT * FROM ONLY type::record('newest_symmetric_key', $alias);
                LET $generation = $pointer.generation ?? 0;
                LET $named = string::concat($alias, ':', <string> $generation);
                LET $next = string::concat($alias, ':', <string> ($generation + 1));
                RETURN [
                    $pointer,
                    (SELECT * FROM ONLY type::record('symmetric_key', $named)),
                    (SELECT * FROM ONLY type::record('symmetric_key', $next))
                ];
            };";
        const POINTER: &str = NewestSymmetricKeyRow::TABLE;
        self.integrity.require()?;
        let hash = alias_hash(alias);
        let answer = self.runner.read(Query::new(TEXT).bind("alias", hash.clone())).await?;
        let [pointer, key, next] = parts(answer)?;
        let pointer = self.integrity.open::<NewestSymmetricKeyRow>(&hash, pointer)?;
        if next != Value::None {
            return Err(inconsistent(POINTER, &hash, "there is a newer key"));
        }
        let Some(pointer) = pointer else { return Ok(None) };
        if key == Value::None {
            return Err(inconsistent(POINTER, &hash, "it does not name the newest key"));
        }
        let key = self.open_symmetric(key)?;
        if key.alias == *alias && key.generation == pointer.generation {
            Ok(Some(key))
        } else {
            Err(inconsistent(POINTER, &hash, "it names another key"))
        }
    }

    async fn list_symmetric(&self) -> Result<Vec<SymmetricKeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::symmetric_rows::list_symmetric
            SELECT * FROM symmetric_key ORDER BY id LIMIT $limit;";
        self.integrity.require()?;
        let limit = i64::try_from(LIMIT + 1).unwrap_or(i64::MAX);
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("limit", limit)).await? else {
            return Err(unexpected_form());
        };
        if rows.len() > LIMIT {
            return Err(inconsistent(SymmetricKeyRow::TABLE, "?", "there are more keys than can be meant"));
        }
        rows.into_iter().map(|row| self.open_symmetric(row)).collect()
    }

    async fn list_newest_symmetric(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage<SymmetricKeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::symmetric_rows::list_newest_symmetric
            {
                LET $pointers = SELECT * FROM $range LIMIT $limit;
                RETURN $pointers.map(|$pointer| [
                    record::id($pointer.id),
                    $pointer,
                    (SELECT * FROM ONLY type::record(
                        'symmetric_key',
                        string::concat(record::id($pointer.id), ':', <string> $pointer.generation)
                    ))
                ]);
            };";
        self.integrity.require()?;
        let after = after.map(AliasPlace::as_str);
        let query = Query::new(TEXT).page(NewestSymmetricKeyRow::TABLE, after, limit);
        let open = |place: &str, pointer, key| self.open_newest_symmetric(place, pointer, key);
        newest_page(self.runner.read(query).await?, limit, open)
    }

    async fn insert_symmetric_successor(&self, record: &SymmetricKeyRecord) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::symmetric_rows::insert_symmetric_successor
            BEGIN;
            LET $newest = (SELECT VALUE generation FROM ONLY type::record('newest_symmetric_key', $alias)) ?? 0;
            IF $newest != $predecessor { THROW 'superseded' };
            CREATE ONLY type::record('symmetric_key', $id) CONTENT $key RETURN NONE;
            UPSERT ONLY type::record('newest_symmetric_key', $alias) CONTENT $pointer RETURN NONE;
            COMMIT;";
        let alias = alias_hash(&record.alias);
        let id = version_name(&alias, record.generation);
        let pointer = NewestSymmetricKeyRow { generation: record.generation };
        let query = Query::new(TEXT)
            .bind("predecessor", i64::from(record.generation) - 1)
            .bind("key", self.integrity.seal(&id, SymmetricKeyRow::from(record))?)
            .bind("pointer", self.integrity.seal(&alias, pointer)?)
            .bind("id", id)
            .bind("alias", alias);
        let made = async { Ok(self.find_newest_symmetric(&record.alias).await?.as_ref() == Some(record)) };
        Ok(self.settle(query, made).await?)
    }
}

impl SurrealRepository {
    fn open_newest_symmetric(
        &self,
        place: &str,
        pointer: Value,
        key: Value,
    ) -> Result<SymmetricKeyRecord, RepositoryError> {
        let distrust =
            || inconsistent(NewestSymmetricKeyRow::TABLE, place, "it does not name the newest key");
        let pointer = self.integrity.open::<NewestSymmetricKeyRow>(place, pointer)?.ok_or_else(distrust)?;
        if key == Value::None {
            return Err(distrust());
        }
        let key = self.open_symmetric(key)?;
        if alias_hash(&key.alias) == place && key.generation == pointer.generation {
            Ok(key)
        } else {
            Err(distrust())
        }
    }

    /// The key in a row, which must have the name of that key.
    fn open_symmetric(&self, row: Value) -> Result<SymmetricKeyRecord, RepositoryError> {
        let (id, row) = self.integrity.open_any::<SymmetricKeyRow>(row)?;
        let refused = |reason| inconsistent(SymmetricKeyRow::TABLE, &id, reason);
        let key = SymmetricKeyRecord::try_from(row).map_err(refused)?;
        let named = version_name(&alias_hash(&key.alias), key.generation);
        if id == named { Ok(key) } else { Err(refused("it is another key")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let record = SymmetricKeyRecord {
            id: KeyId("id".to_owned()),
            alias: KeyAlias::parse("KERNEL", "IDENTITY_CACHE").unwrap(),
            generation: 2,
            token_key: TokenKeyId([5; 16]),
            period: Cryptoperiod::starting(Timestamp::from_millis(7_000), 10, None),
        };
        assert_eq!(SymmetricKeyRecord::try_from(SymmetricKeyRow::from(&record)), Ok(record.clone()));
        let nonsense = SymmetricKeyRow { token_key: "0".to_owned(), ..SymmetricKeyRow::from(&record) };
        assert!(SymmetricKeyRecord::try_from(nonsense).is_err());
    }
}
