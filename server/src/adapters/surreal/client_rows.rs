//! Rows of clients.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    error::Failure,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{
        access::Role,
        client::{ClientId, ClientRecord},
        time::Timestamp,
    },
    ports::repository::{ClientRepository, RepositoryError},
};

#[derive(SurrealValue)]
struct ClientRow {
    secret_hash: String,
    roles: Vec<String>,
    created_at: i64,
    created_by: Option<String>,
}

impl Row for ClientRow {
    const TABLE: &'static str = "client";
}

impl From<&ClientRecord> for ClientRow {
    fn from(record: &ClientRecord) -> Self {
        Self {
            secret_hash: record.secret_hash.clone(),
            roles: record.roles.iter().map(|role| role.name().to_owned()).collect(),
            created_at: record.created_at.millis(),
            created_by: record.created_by.clone(),
        }
    }
}

impl TryFrom<(String, ClientRow)> for ClientRecord {
    type Error = &'static str;

    fn try_from((id, row): (String, ClientRow)) -> Result<Self, &'static str> {
        Ok(Self {
            id: ClientId::parse(&id).ok_or("the client id is malformed")?,
            secret_hash: row.secret_hash,
            roles: row
                .roles
                .iter()
                .map(|name| Role::parse(name))
                .collect::<Option<_>>()
                .ok_or("a role is unknown")?,
            created_at: Timestamp::from_millis(row.created_at),
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
            Some(row) => ClientRecord::try_from((id.as_str().to_owned(), row))
                .map(Some)
                .map_err(|reason| inconsistent(ClientRow::TABLE, id.as_str(), reason)),
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
        let outcome = self.runner.change(query).await;
        if matches!(outcome, Err(Failure::Unavailable(_)))
            && self.find_client(&record.id).await?.as_ref() == Some(record)
        {
            return Ok(());
        }
        Ok(outcome?)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let record = ClientRecord {
            id: ClientId::parse("regproc").unwrap(),
            secret_hash: "$argon2id$".to_owned(),
            roles: vec![Role::Decryptor, Role::Encryptor],
            created_at: Timestamp::from_millis(1),
            created_by: Some("admin".to_owned()),
        };
        let row = || ClientRow::from(&record);
        assert_eq!(ClientRecord::try_from(("regproc".to_owned(), row())), Ok(record.clone()));
        assert!(ClientRecord::try_from(("a b".to_owned(), row())).is_err());
        let nonsense = ClientRow { roles: vec!["a b".to_owned()], ..row() };
        assert!(ClientRecord::try_from(("regproc".to_owned(), nonsense)).is_err());
    }
}
