//! Rows of clients.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{
        access::Role,
        client::{ClientId, ClientRecord, Ending, FormerSecret, TokenEpoch},
        time::Timestamp,
    },
    ports::repository::{ClientRepository, RepositoryError},
};

#[derive(SurrealValue)]
struct ClientRow {
    secret_hash: String,
    former_secret_hashes: Option<Vec<String>>,
    former_secret_ends: Option<Vec<i64>>,
    roles: Vec<String>,
    disabled_at: Option<i64>,
    /// `None` in rows of schema version 1, as is `version`.
    epoch: Option<String>,
    version: Option<u32>,
    created_at: i64,
    created_by: Option<String>,
}

impl Row for ClientRow {
    const TABLE: &'static str = "client";
}

impl From<&ClientRecord> for ClientRow {
    fn from(record: &ClientRecord) -> Self {
        let former = |secrets: &[FormerSecret]| (!secrets.is_empty()).then(|| secrets.to_vec());
        Self {
            secret_hash: record.secret_hash.clone(),
            former_secret_hashes: former(&record.former_secrets)
                .map(|secrets| secrets.into_iter().map(|former| former.hash).collect()),
            former_secret_ends: former(&record.former_secrets)
                .map(|secrets| secrets.iter().map(|former| former.until.millis()).collect()),
            disabled_at: record.disabled_at.map(Timestamp::millis),
            epoch: Some(record.epoch.to_text()),
            version: Some(record.version),
            roles: record.roles.iter().map(|role| role.name().to_owned()).collect(),
            created_at: record.created_at.millis(),
            created_by: record.created_by.clone(),
        }
    }
}

impl TryFrom<(String, ClientRow)> for ClientRecord {
    type Error = &'static str;

    fn try_from((id, row): (String, ClientRow)) -> Result<Self, &'static str> {
        let id = ClientId::parse(&id).ok_or("the client id is malformed")?;
        let created_at = Timestamp::from_millis(row.created_at);
        let hashes = row.former_secret_hashes.unwrap_or_default();
        let ends = row.former_secret_ends.unwrap_or_default();
        if hashes.len() != ends.len() {
            return Err("not every former secret has an end");
        }
        Ok(Self {
            former_secrets: hashes
                .into_iter()
                .zip(ends)
                .map(|(hash, end)| FormerSecret { hash, until: Timestamp::from_millis(end) })
                .collect(),
            disabled_at: row.disabled_at.map(Timestamp::from_millis),
            epoch: match row.epoch {
                Some(text) => TokenEpoch::parse(&text).ok_or("the epoch is malformed")?,
                None => TokenEpoch::of_old_client(&id, created_at),
            },
            version: row.version.unwrap_or(1),
            id,
            secret_hash: row.secret_hash,
            roles: row
                .roles
                .iter()
                .map(|name| Role::parse(name))
                .collect::<Option<_>>()
                .ok_or("a role is unknown")?,
            created_at,
            created_by: row.created_by,
        })
    }
}

#[async_trait]
impl ClientRepository for SurrealRepository {
    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::client_rows::find_client
            SELECT * FROM ONLY type::record('client', $id);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("id", id.as_str().to_owned())).await?;
        match self.integrity.open::<ClientRow>(id.as_str(), row)? {
            Some(row) => record_of(id.as_str(), row).map(Some),
            None => Ok(None),
        }
    }

    async fn insert_client(&self, record: &ClientRecord) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::client_rows::insert_client
            BEGIN;
            CREATE ONLY type::record('client', $id) CONTENT $client RETURN NONE;
            COMMIT;";
        let id = record.id.as_str();
        let query = Query::new(TEXT)
            .bind("id", id.to_owned())
            .bind("client", self.integrity.seal(id, ClientRow::from(record))?);
        let made = async { Ok(self.find_client(&record.id).await?.as_ref() == Some(record)) };
        Ok(self.settle(query, made).await?)
    }

    async fn has_clients(&self) -> Result<bool, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::client_rows::has_clients
            SELECT * FROM client LIMIT 1;";
        self.integrity.require()?;
        let Value::Array(rows) = self.runner.read(Query::new(TEXT)).await? else {
            return Err(unexpected_form());
        };
        match rows.into_iter().next() {
            Some(row) => self.integrity.open_any::<ClientRow>(row).map(|_| true),
            None => Ok(false),
        }
    }

    async fn list_clients(
        &self,
        after: Option<&ClientId>,
        limit: usize,
    ) -> Result<Vec<ClientRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::client_rows::list_clients
            SELECT * FROM $range LIMIT $limit;";
        self.integrity.require()?;
        let query = Query::new(TEXT).page(ClientRow::TABLE, after.map(ClientId::as_str), limit);
        let Value::Array(rows) = self.runner.read(query).await? else { return Err(unexpected_form()) };
        rows.into_iter()
            .map(|row| {
                let (id, row) = self.integrity.open_any::<ClientRow>(row)?;
                record_of(&id, row)
            })
            .collect()
    }

    async fn replace_client(
        &self,
        record: &ClientRecord,
        ending: Option<&Ending>,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::client_rows::replace_client
            BEGIN;
            LET $row = SELECT * FROM ONLY type::record('client', $id);
            IF $row = NONE OR $row.created_at != $created_at OR ($row.version ?? 1) != $predecessor {
                THROW 'superseded'
            };
            UPSERT ONLY type::record('client', $id) CONTENT $client RETURN NONE;
            COMMIT;";
        const TEXT_AND_ENDING: &str = concat!(
            "
            -- kunji_server::adapters::surreal::client_rows::replace_client
            BEGIN;
            LET $row = SELECT * FROM ONLY type::record('client', $id);
            IF $row = NONE OR $row.created_at != $created_at OR ($row.version ?? 1) != $predecessor {
                THROW 'superseded'
            };
            UPSERT ONLY type::record('client', $id) CONTENT $client RETURN NONE;",
            write_ending!(),
            "
            COMMIT;"
        );
        let id = record.id.as_str();
        let query = Query::new(if ending.is_some() { TEXT_AND_ENDING } else { TEXT })
            .bind("id", id.to_owned())
            .bind("predecessor", i64::from(record.version) - 1)
            .bind("created_at", record.created_at.millis())
            .bind("client", self.integrity.seal(id, ClientRow::from(record))?);
        let query = match ending {
            Some(ending) => self.bind_ending(query, ending).await?,
            None => query,
        };
        let made = async { Ok(self.find_client(&record.id).await?.as_ref() == Some(record)) };
        Ok(self.settle(query, made).await?)
    }

    async fn remove_client(&self, record: &ClientRecord, ending: &Ending) -> Result<(), RepositoryError> {
        const TEXT: &str = concat!(
            "
            -- kunji_server::adapters::surreal::client_rows::remove_client
            BEGIN;
            LET $row = SELECT * FROM ONLY type::record('client', $id);
            IF $row = NONE OR $row.created_at != $created_at OR ($row.version ?? 1) != $version {
                THROW 'superseded'
            };
            DELETE type::record('client', $id) RETURN NONE;",
            write_ending!(),
            "
            COMMIT;"
        );
        let query = Query::new(TEXT)
            .bind("id", record.id.as_str().to_owned())
            .bind("version", i64::from(record.version))
            .bind("created_at", record.created_at.millis());
        let query = self.bind_ending(query, ending).await?;
        let made = async { Ok(self.list_endings(ending.number.saturating_sub(1)).await?.contains(ending)) };
        Ok(self.settle(query, made).await?)
    }

    async fn newest_ending(&self) -> Result<u64, RepositoryError> {
        self.kept_endings().await.map(|kept| kept.newest)
    }

    async fn list_endings(&self, after: u64) -> Result<Vec<Ending>, RepositoryError> {
        self.read_endings(after).await
    }

    async fn forget_endings(&self, now: Timestamp) -> Result<(), RepositoryError> {
        self.remove_endings(now).await
    }
}

fn record_of(id: &str, row: ClientRow) -> Result<ClientRecord, RepositoryError> {
    ClientRecord::try_from((id.to_owned(), row)).map_err(|reason| inconsistent(ClientRow::TABLE, id, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let record = ClientRecord {
            id: ClientId::parse("regproc").unwrap(),
            secret_hash: "$argon2id$".to_owned(),
            former_secrets: vec![FormerSecret {
                hash: "$argon2id$old".to_owned(),
                until: Timestamp::from_millis(7),
            }],
            roles: vec![Role::Decryptor, Role::Encryptor],
            disabled_at: Some(Timestamp::from_millis(5)),
            epoch: TokenEpoch::from_bytes([3; 16]),
            version: 4,
            created_at: Timestamp::from_millis(1),
            created_by: Some("admin".to_owned()),
        };
        let row = || ClientRow::from(&record);
        assert_eq!(ClientRecord::try_from(("regproc".to_owned(), row())), Ok(record.clone()));
        assert!(ClientRecord::try_from(("a b".to_owned(), row())).is_err());
        let nonsense = ClientRow { roles: vec!["a b".to_owned()], ..row() };
        assert!(ClientRecord::try_from(("regproc".to_owned(), nonsense)).is_err());
        let endless = ClientRow { former_secret_ends: None, ..row() };
        assert!(ClientRecord::try_from(("regproc".to_owned(), endless)).is_err());
        let shouted = ClientRow { epoch: Some("0A".repeat(16)), ..row() };
        assert!(ClientRecord::try_from(("regproc".to_owned(), shouted)).is_err());
    }

    #[test]
    fn rows_of_the_first_schema_are_whole_records() {
        let row = || ClientRow {
            secret_hash: "$argon2id$".to_owned(),
            former_secret_hashes: None,
            former_secret_ends: None,
            roles: vec!["signer".to_owned()],
            disabled_at: None,
            epoch: None,
            version: None,
            created_at: 1,
            created_by: None,
        };
        let read = |id: &str| ClientRecord::try_from((id.to_owned(), row())).unwrap();
        assert_eq!((read("a").version, read("a").disabled_at), (1, None));
        assert_eq!(read("a").epoch, read("a").epoch);
        assert_ne!(read("a").epoch, read("b").epoch);
    }
}
