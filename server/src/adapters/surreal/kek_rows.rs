//! Rows of KEKs and of the newest KEK of each application.

use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::parts,
    runner::Query,
};
use crate::{
    domain::{
        alias::ApplicationId,
        key::{KekRecord, TokenKeyId},
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

#[derive(SurrealValue)]
struct KekRow {
    application: String,
    version: u32,
    token_key: String,
    created_at: i64,
}

impl Row for KekRow {
    const TABLE: &'static str = "kek";
}

#[derive(SurrealValue)]
struct NewestKekRow {
    version: u32,
}

impl Row for NewestKekRow {
    const TABLE: &'static str = "newest_kek";
}

impl From<&KekRecord> for KekRow {
    fn from(record: &KekRecord) -> Self {
        Self {
            application: record.application.as_str().to_owned(),
            version: record.version,
            token_key: record.token_key.to_hex(),
            created_at: record.created_at.millis(),
        }
    }
}

impl TryFrom<KekRow> for KekRecord {
    type Error = &'static str;

    fn try_from(row: KekRow) -> Result<Self, &'static str> {
        Ok(Self {
            application: ApplicationId::parse_any(&row.application)
                .map_err(|_| "the application is malformed")?,
            version: row.version,
            token_key: TokenKeyId::from_hex(&row.token_key).ok_or("the token id is malformed")?,
            created_at: Timestamp::from_millis(row.created_at),
        })
    }
}

/// Record id of a KEK. An application's name has no colon.
pub(super) fn kek_name(application: &ApplicationId, version: u32) -> String {
    format!("{application}:{version}")
}

impl SurrealRepository {
    /// The pointer, the KEK that it names, and whether there is a next version, in one snapshot, as with keys.
    pub(super) async fn read_newest_kek(
        &self,
        application: &ApplicationId,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::kek_rows::read_newest_kek
            {
                LET $pointer = SELECT * FROM ONLY type::record('newest_kek', $application);
                LET $version = $pointer.version ?? 0;
                LET $named = string::concat($application, ':', <string> $version);
                LET $next = string::concat($application, ':', <string> ($version + 1));
                RETURN [
                    $pointer,
                    (SELECT * FROM ONLY type::record('kek', $named)),
                    (SELECT * FROM ONLY type::record('kek', $next))
                ];
            };";
        self.integrity.require()?;
        let name = application.as_str();
        let answer = self.runner.read(Query::new(TEXT).bind("application", name.to_owned())).await?;
        let [pointer, kek, next] = parts(answer)?;
        let pointer = self.integrity.open::<NewestKekRow>(name, pointer)?;
        if next != Value::None {
            return Err(inconsistent(NewestKekRow::TABLE, name, "there is a newer KEK"));
        }
        let Some(pointer) = pointer else { return Ok(None) };
        match self.open_kek(application, pointer.version, kek)? {
            Some(kek) => Ok(Some(kek)),
            None => Err(inconsistent(NewestKekRow::TABLE, name, "it does not name the newest KEK")),
        }
    }

    pub(super) async fn read_kek(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::kek_rows::read_kek
            SELECT * FROM ONLY type::record('kek', $id);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("id", kek_name(application, version))).await?;
        self.open_kek(application, version, row)
    }

    pub(super) async fn write_kek_successor(&self, record: &KekRecord) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::kek_rows::write_kek_successor
            BEGIN;
            LET $newest = (SELECT VALUE version FROM ONLY type::record('newest_kek', $application)) ?? 0;
            IF $newest != $predecessor { THROW 'superseded' };
            CREATE ONLY type::record('kek', $id) CONTENT $kek RETURN NONE;
            UPSERT ONLY type::record('newest_kek', $application) CONTENT $pointer RETURN NONE;
            COMMIT;";
        let name = record.application.as_str();
        let id = kek_name(&record.application, record.version);
        let query = Query::new(TEXT)
            .bind("predecessor", i64::from(record.version) - 1)
            .bind("kek", self.integrity.seal(&id, KekRow::from(record))?)
            .bind("pointer", self.integrity.seal(name, NewestKekRow { version: record.version })?)
            .bind("id", id)
            .bind("application", name.to_owned());
        let made =
            async { Ok(self.read_kek(&record.application, record.version).await?.as_ref() == Some(record)) };
        Ok(self.settle(query, made).await?)
    }

    fn open_kek(
        &self,
        application: &ApplicationId,
        version: u32,
        row: Value,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        let id = kek_name(application, version);
        let Some(row) = self.integrity.open::<KekRow>(&id, row)? else { return Ok(None) };
        match KekRecord::try_from(row) {
            Ok(kek) if kek.application == *application && kek.version == version => Ok(Some(kek)),
            Ok(_) => Err(inconsistent(KekRow::TABLE, &id, "it is another KEK")),
            Err(reason) => Err(inconsistent(KekRow::TABLE, &id, reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let record = KekRecord {
            application: ApplicationId::internal(),
            version: 2,
            token_key: TokenKeyId([5; 16]),
            created_at: Timestamp::from_millis(-1),
        };
        assert_eq!(KekRecord::try_from(KekRow::from(&record)), Ok(record.clone()));
        let nonsense = KekRow { token_key: "0".to_owned(), ..KekRow::from(&record) };
        assert!(KekRecord::try_from(nonsense).is_err());
    }
}
