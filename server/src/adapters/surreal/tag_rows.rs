//! Rows of tags of keys.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{key::KeyId, key_tags::KeyTags},
    ports::{key_states::KeyTagRepository, repository::RepositoryError},
};

#[derive(SurrealValue)]
struct KeyTagsRow {
    tags: Vec<String>,
}

impl Row for KeyTagsRow {
    const TABLE: &'static str = "key_tags";
}

impl KeyTagsRow {
    fn read(self, key: &str) -> Result<KeyTags, RepositoryError> {
        KeyTags::parse(&self.tags).map_err(|_| inconsistent(Self::TABLE, key, "a tag is malformed"))
    }
}

#[async_trait]
impl KeyTagRepository for SurrealRepository {
    async fn find_tags(&self, keys: &[KeyId]) -> Result<Vec<KeyTags>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::tag_rows::find_tags
            $keys.map(|$key| (SELECT * FROM ONLY type::record('key_tags', $key)));";
        self.integrity.require()?;
        let ids: Vec<_> = keys.iter().map(|key| key.0.clone()).collect();
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("keys", ids)).await? else {
            return Err(unexpected_form());
        };
        if rows.len() != keys.len() {
            return Err(unexpected_form());
        }
        let read = |(key, row): (&KeyId, Value)| {
            let row = self.integrity.open::<KeyTagsRow>(&key.0, row);
            let tags = row.and_then(|row| row.map_or(Ok(KeyTags::default()), |row| row.read(&key.0)));
            tags.or_else(|error| untrusted(error).map(|(_, none)| none))
        };
        keys.iter().zip(rows).map(read).collect()
    }

    async fn put_tags(&self, key: &KeyId, tags: &KeyTags) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::tag_rows::put_tags
            BEGIN;
            UPSERT ONLY type::record('key_tags', $key) CONTENT $tags RETURN NONE;
            COMMIT;";
        let row = KeyTagsRow { tags: tags.as_slice().to_vec() };
        let query =
            Query::new(TEXT).bind("tags", self.integrity.seal(&key.0, row)?).bind("key", key.0.clone());
        let made = async { Ok(self.find_tags(std::slice::from_ref(key)).await?.first() == Some(tags)) };
        Ok(self.settle(query, made).await?)
    }

    async fn list_tagged(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<(KeyId, KeyTags)>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::tag_rows::list_tagged
            SELECT * FROM $range LIMIT $limit;";
        self.integrity.require()?;
        let query = Query::new(TEXT).page(KeyTagsRow::TABLE, after.map(|id| &*id.0), limit);
        let Value::Array(rows) = self.runner.read(query).await? else { return Err(unexpected_form()) };
        let read = |row| {
            let (key, row) = self.integrity.open_any::<KeyTagsRow>(row)?;
            let tags = row.read(&key)?;
            Ok((KeyId(key), tags))
        };
        rows.into_iter().map(|row| read(row).or_else(untrusted)).collect()
    }
}

/// A row that cannot be trusted, which is in the log, is as good as none: tags grant nothing, and hide no key.
fn untrusted(error: RepositoryError) -> Result<(KeyId, KeyTags), RepositoryError> {
    match &error {
        RepositoryError::Inconsistent { record, .. } => {
            KeyId::parse(record).map(|key| (key, KeyTags::default())).ok_or(error)
        }
        _ => Err(error),
    }
}
