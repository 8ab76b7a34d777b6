//! The row of the audit logs' roster.

use async_trait::async_trait;
use surrealdb::types::SurrealValue;

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    runner::Query,
};
use crate::ports::repository::{RepositoryError, RosterRepository, StoredRoster};

/// The one record of the table.
const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct RosterRow {
    version: i64,
    statement: String,
}

impl Row for RosterRow {
    const TABLE: &'static str = "audit_roster";
}

#[async_trait]
impl RosterRepository for SurrealRepository {
    async fn find_roster(&self) -> Result<Option<StoredRoster>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::roster_rows::find_roster
            SELECT * FROM ONLY type::record('audit_roster', $id);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("id", CURRENT.to_owned())).await?;
        let row = self.integrity.open::<RosterRow>(CURRENT, row)?;
        let Some(RosterRow { version, statement }) = row else { return Ok(None) };
        let version = u64::try_from(version)
            .map_err(|_| inconsistent(RosterRow::TABLE, CURRENT, "the version is malformed"))?;
        Ok(Some(StoredRoster { version, statement }))
    }

    async fn replace_roster(
        &self,
        expected: Option<u64>,
        roster: &StoredRoster,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::roster_rows::replace_roster
            BEGIN;
            LET $found = SELECT VALUE version FROM ONLY type::record('audit_roster', $id);
            IF ($found ?? 0) != $expected { THROW 'superseded' };
            UPSERT ONLY type::record('audit_roster', $id) CONTENT $roster RETURN NONE;
            COMMIT;";
        let number = |version: u64| i64::try_from(version).unwrap_or(i64::MAX);
        let row = RosterRow { version: number(roster.version), statement: roster.statement.clone() };
        let query = Query::new(TEXT)
            .bind("id", CURRENT.to_owned())
            .bind("expected", number(expected.unwrap_or(0)))
            .bind("roster", self.integrity.seal(CURRENT, row)?);
        let made = async { Ok(self.find_roster().await?.as_ref() == Some(roster)) };
        Ok(self.settle(query, made).await?)
    }
}
