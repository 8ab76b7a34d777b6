//! Rows that count how often KEKs have wrapped. What cannot be shown is that one is missing or of an earlier state: then
//! a KEK wraps more often, by as much, than its policy says.

use async_trait::async_trait;
use surrealdb::types::SurrealValue;

use super::{SurrealRepository, integrity::Row, kek_rows::kek_name, runner::Query};
use crate::{
    domain::key::KekRecord,
    ports::{repository::RepositoryError, wrap_counts::WrapCountRepository},
};

#[derive(SurrealValue)]
struct WrapsRow {
    taken: u64,
}

impl Row for WrapsRow {
    const TABLE: &'static str = "kek_wraps";
}

#[async_trait]
impl WrapCountRepository for SurrealRepository {
    async fn find_wraps(&self, kek: &KekRecord) -> Result<u64, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::wrap_rows::find_wraps
            SELECT * FROM ONLY type::record('kek_wraps', $kek);";
        self.integrity.require()?;
        let name = kek_name(&kek.application, kek.version);
        let row = self.runner.read(Query::new(TEXT).bind("kek", name.clone())).await?;
        Ok(self.integrity.open::<WrapsRow>(&name, row)?.map_or(0, |row| row.taken))
    }

    async fn take_wraps(&self, kek: &KekRecord, from: u64, to: u64) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::wrap_rows::take_wraps
            BEGIN;
            LET $found = (SELECT VALUE taken FROM ONLY type::record('kek_wraps', $kek)) ?? 0;
            IF $found != $from { THROW 'superseded' };
            UPSERT ONLY type::record('kek_wraps', $kek) CONTENT $wraps RETURN NONE;
            COMMIT;";
        let name = kek_name(&kek.application, kek.version);
        let query = Query::new(TEXT)
            .bind("from", from)
            .bind("wraps", self.integrity.seal(&name, WrapsRow { taken: to })?)
            .bind("kek", name);
        // Not found out by reading when the answer is lost: another server may have taken the same numbers.
        Ok(self.runner.change(query).await?)
    }
}
