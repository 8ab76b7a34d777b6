//! Rows of wrapping private keys anew.

use async_trait::async_trait;
use surrealdb::types::{Bytes, SurrealValue};

use super::{SurrealRepository, integrity::Row, runner::Query};
use crate::{
    domain::{
        key::{KeyId, KeyMaterial, KeyRecord},
        time::Timestamp,
    },
    ports::{
        repository::{KeyRepository, RepositoryError},
        rewrap::{RewrapRepository, RewrapRun},
    },
};

const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct RewrapRow {
    run: u64,
    version: u64,
    started_at: i64,
    started_by: String,
    after: Option<String>,
    examined: u64,
    moved: u64,
    failed: u64,
    ended_at: Option<i64>,
}

impl Row for RewrapRow {
    const TABLE: &'static str = "rewrap";
}

impl From<&RewrapRun> for RewrapRow {
    fn from(run: &RewrapRun) -> Self {
        Self {
            run: run.run,
            version: run.version,
            started_at: run.started_at.millis(),
            started_by: run.started_by.clone(),
            after: run.after.as_ref().map(|id| id.0.clone()),
            examined: run.examined,
            moved: run.moved,
            failed: run.failed,
            ended_at: run.ended_at.map(Timestamp::millis),
        }
    }
}

impl From<RewrapRow> for RewrapRun {
    fn from(row: RewrapRow) -> Self {
        Self {
            run: row.run,
            version: row.version,
            started_at: Timestamp::from_millis(row.started_at),
            started_by: row.started_by,
            after: row.after.map(KeyId),
            examined: row.examined,
            moved: row.moved,
            failed: row.failed,
            ended_at: row.ended_at.map(Timestamp::from_millis),
        }
    }
}

#[async_trait]
impl RewrapRepository for SurrealRepository {
    async fn find_rewrap(&self) -> Result<Option<RewrapRun>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::rewrap_rows::find_rewrap
            SELECT * FROM ONLY type::record('rewrap', $current);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("current", CURRENT.to_owned())).await?;
        Ok(self.integrity.open::<RewrapRow>(CURRENT, row)?.map(RewrapRun::from))
    }

    async fn put_rewrap(&self, run: &RewrapRun) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::rewrap_rows::put_rewrap
            BEGIN;
            LET $found = (SELECT VALUE version FROM ONLY type::record('rewrap', $current)) ?? 0;
            IF $found != $before { THROW 'superseded' };
            UPSERT ONLY type::record('rewrap', $current) CONTENT $run RETURN NONE;
            COMMIT;";
        let before = run.version.checked_sub(1).ok_or(RepositoryError::Conflict)?;
        let query = Query::new(TEXT)
            .bind("current", CURRENT.to_owned())
            .bind("before", before)
            .bind("run", self.integrity.seal(CURRENT, RewrapRow::from(run))?);
        let made = async { Ok(self.find_rewrap().await?.as_ref() == Some(run)) };
        Ok(self.settle(query, made).await?)
    }

    async fn replace_wrapping(&self, from: &KeyRecord, to: &KeyRecord) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::rewrap_rows::replace_wrapping
            BEGIN;
            LET $found = SELECT * FROM ONLY type::record('key', $id);
            IF $found.kek_version != $kek OR $found.blob != $blob { THROW 'another wrapping' };
            UPDATE ONLY type::record('key', $id) CONTENT $key RETURN NONE;
            COMMIT;";
        let KeyMaterial::Wrapped { kek_version, blob, .. } = &from.material else {
            return Err(RepositoryError::Conflict);
        };
        if from.id != to.id {
            return Err(RepositoryError::Conflict);
        }
        let query = Query::new(TEXT)
            .bind("id", from.id.0.clone())
            .bind("kek", *kek_version)
            .bind("blob", Bytes::from(blob.clone()))
            .bind("key", self.seal_key(to)?);
        let made = async { Ok(KeyRepository::find(self, &to.id).await?.as_ref() == Some(to)) };
        Ok(self.settle(query, made).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_survive_rows() {
        let begun = RewrapRun {
            run: 2,
            version: 9,
            started_at: Timestamp::from_millis(-1),
            started_by: "keeper".to_owned(),
            after: None,
            examined: 4,
            moved: 3,
            failed: 1,
            ended_at: None,
        };
        let ended = RewrapRun {
            after: Some(KeyId("x".to_owned())),
            ended_at: Some(Timestamp::from_millis(5)),
            ..begun.clone()
        };
        for run in [begun, ended] {
            assert_eq!(RewrapRun::from(RewrapRow::from(&run)), run);
        }
    }
}
