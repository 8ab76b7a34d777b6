//! The newest keys of all aliases, page by page.

use async_trait::async_trait;
use surrealdb::types::Value;

use super::{
    SurrealRepository,
    integrity::{Row as _, inconsistent},
    key_rows::{NewestKeyRow, alias_hash, parts, unexpected_form},
    runner::Query,
};
use crate::{
    domain::key::{KeyId, KeyRecord},
    ports::{
        repository::RepositoryError,
        rotation::{AliasPlace, NewestKeyRepository, NewestPage},
    },
};

#[async_trait]
impl NewestKeyRepository for SurrealRepository {
    async fn list_newest(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::newest_rows::list_newest
            {
                LET $pointers = SELECT * FROM $range LIMIT $limit;
                RETURN $pointers.map(|$pointer| [
                    record::id($pointer.id), $pointer, (SELECT * FROM ONLY type::record('key', $pointer.key))
                ]);
            };";
        self.integrity.require()?;
        let query = Query::new(TEXT).page(NewestKeyRow::TABLE, after.map(AliasPlace::as_str), limit);
        let open = |place: &str, pointer, key| self.open_newest(place, pointer, key);
        newest_page(self.runner.read(query).await?, limit, open)
    }
}

/// A page of newest keys: `answer` has the id of each pointer, the pointer, and the key that it names; `open` reads those.
pub(super) fn newest_page<K>(
    answer: Value,
    limit: usize,
    open: impl Fn(&str, Value, Value) -> Result<K, RepositoryError>,
) -> Result<NewestPage<K>, RepositoryError> {
    let Value::Array(rows) = answer else { return Err(unexpected_form()) };
    let is_full = rows.len() >= limit;
    let mut page = NewestPage::default();
    for row in rows {
        let [place, pointer, key] = parts(row)?;
        let Value::String(place) = place else { return Err(unexpected_form()) };
        page.next = AliasPlace::parse(&place);
        match open(&place, pointer, key) {
            Ok(key) => page.keys.push(key),
            // It was reported; the other aliases are none the worse.
            Err(RepositoryError::Inconsistent { .. }) => page.untrusted += 1,
            Err(error) => return Err(error),
        }
    }
    page.next = page.next.filter(|_| is_full);
    Ok(page)
}

impl SurrealRepository {
    fn open_newest(&self, place: &str, pointer: Value, key: Value) -> Result<KeyRecord, RepositoryError> {
        let distrust = || inconsistent(NewestKeyRow::TABLE, place, "it does not name the newest key");
        let pointer = self.integrity.open::<NewestKeyRow>(place, pointer)?.ok_or_else(distrust)?;
        match self.open_key(&KeyId(pointer.key), key)? {
            Some(key) if alias_hash(&key.alias) == place && key.generation == pointer.generation => Ok(key),
            _ => Err(distrust()),
        }
    }
}
