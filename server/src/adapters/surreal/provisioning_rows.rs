//! Rows of leases, intents and system secrets. They carry no tag: a lease or an intent grants nothing, and a
//! secret's wrapping is authenticated.

use async_trait::async_trait;
use surrealdb::types::{Bytes, SurrealValue, Value};

use super::{
    SurrealRepository, error::Failure, integrity::inconsistent, key_rows::unexpected_form, runner::Query,
};
use crate::{
    domain::{key::TokenKeyId, time::Timestamp},
    ports::repository::{ProvisioningRepository, RepositoryError, SystemSecret},
};

const LEASE: &str = "lease";
const INTENT: &str = "intent";
const SYSTEM_SECRET: &str = "system_secret";

#[derive(PartialEq, SurrealValue)]
struct LeaseRow {
    holder: String,
    until: i64,
}

#[derive(SurrealValue)]
struct IntentRow {
    token_key: String,
}

#[derive(SurrealValue)]
struct ListedIntentRow {
    slot: String,
    token_key: String,
}

#[derive(SurrealValue)]
struct SystemSecretRow {
    kek: String,
    blob: Bytes,
}

impl From<&SystemSecret> for SystemSecretRow {
    fn from(secret: &SystemSecret) -> Self {
        Self { kek: secret.kek.to_hex(), blob: Bytes::from(secret.blob.clone()) }
    }
}

impl TryFrom<SystemSecretRow> for SystemSecret {
    type Error = &'static str;

    fn try_from(row: SystemSecretRow) -> Result<Self, &'static str> {
        let kek = TokenKeyId::from_hex(&row.kek).ok_or("the token id is malformed")?;
        Ok(Self { kek, blob: row.blob.to_vec() })
    }
}

#[async_trait]
impl ProvisioningRepository for SurrealRepository {
    async fn try_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::try_lease
            BEGIN;
            LET $held = SELECT * FROM ONLY type::record('lease', $name);
            IF $held != NONE AND $held.holder != $lease.holder AND $held.until > $now
                AND $held.until <= $longest { THROW 'held' };
            UPSERT ONLY type::record('lease', $name) CONTENT $lease RETURN NONE;
            COMMIT;";
        let lease = || LeaseRow { holder: holder.to_owned(), until: until.millis() };
        // One that runs much longer than anybody asks for was taken by a clock that was wrong.
        let longest =
            now.millis().saturating_add(until.millis().saturating_sub(now.millis()).saturating_mul(2));
        let query = Query::new(TEXT)
            .bind("name", name.to_owned())
            .bind("lease", lease())
            .bind("now", now.millis())
            .bind("longest", longest);
        let made = async { Ok(self.find_lease(name).await? == Some(lease())) };
        match self.settle(query, made).await {
            Ok(()) => Ok(true),
            Err(Failure::Refused) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn release_lease(&self, name: &str, holder: &str) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::release_lease
            BEGIN;
            DELETE type::record('lease', $name) WHERE holder = $holder RETURN NONE;
            COMMIT;";
        let query = Query::new(TEXT).bind("name", name.to_owned()).bind("holder", holder.to_owned());
        let made = async { Ok(self.find_lease(name).await?.is_none_or(|lease| lease.holder != holder)) };
        Ok(self.settle(query, made).await?)
    }

    async fn find_intent(&self, slot: &str) -> Result<Option<TokenKeyId>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::find_intent
            SELECT * FROM ONLY type::record('intent', $slot);";
        let row = self.runner.read(Query::new(TEXT).bind("slot", slot.to_owned())).await?;
        let Some(row) = decode::<IntentRow>(INTENT, slot, row)? else { return Ok(None) };
        TokenKeyId::from_hex(&row.token_key)
            .map(Some)
            .ok_or_else(|| inconsistent(INTENT, slot, "the token id is malformed"))
    }

    async fn put_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::put_intent
            BEGIN;
            UPSERT ONLY type::record('intent', $slot) CONTENT $intent RETURN NONE;
            COMMIT;";
        let query = Query::new(TEXT)
            .bind("slot", slot.to_owned())
            .bind("intent", IntentRow { token_key: id.to_hex() });
        let made = async { Ok(self.find_intent(slot).await? == Some(id)) };
        Ok(self.settle(query, made).await?)
    }

    async fn list_intents(&self) -> Result<Vec<(String, TokenKeyId)>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::list_intents
            SELECT record::id(id) AS slot, token_key FROM intent;";
        let Value::Array(rows) = self.runner.read(Query::new(TEXT)).await? else {
            return Err(unexpected_form());
        };
        let malformed = || inconsistent(INTENT, "?", "a field is missing or malformed");
        rows.into_iter()
            .map(|row| {
                let row = ListedIntentRow::from_value(row).map_err(|_| malformed())?;
                let id = TokenKeyId::from_hex(&row.token_key).ok_or_else(malformed)?;
                Ok((row.slot, id))
            })
            .collect()
    }

    async fn remove_intent(&self, slot: &str, id: TokenKeyId) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::remove_intent
            BEGIN;
            DELETE type::record('intent', $slot) WHERE token_key = $token_key RETURN NONE;
            COMMIT;";
        let query = Query::new(TEXT).bind("slot", slot.to_owned()).bind("token_key", id.to_hex());
        let made = async { Ok(self.find_intent(slot).await? != Some(id)) };
        Ok(self.settle(query, made).await?)
    }

    async fn find_system_secret(&self, name: &str) -> Result<Option<SystemSecret>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::find_system_secret
            SELECT * FROM ONLY type::record('system_secret', $name);";
        let row = self.runner.read(Query::new(TEXT).bind("name", name.to_owned())).await?;
        let Some(row) = decode::<SystemSecretRow>(SYSTEM_SECRET, name, row)? else { return Ok(None) };
        SystemSecret::try_from(row).map(Some).map_err(|reason| inconsistent(SYSTEM_SECRET, name, reason))
    }

    async fn insert_system_secret(&self, name: &str, secret: &SystemSecret) -> Result<bool, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::insert_system_secret
            BEGIN;
            CREATE ONLY type::record('system_secret', $name) CONTENT $secret RETURN NONE;
            COMMIT;";
        let query =
            Query::new(TEXT).bind("name", name.to_owned()).bind("secret", SystemSecretRow::from(secret));
        let made = async { Ok(self.find_system_secret(name).await?.as_ref() == Some(secret)) };
        match self.settle(query, made).await {
            Ok(()) => Ok(true),
            Err(Failure::Exists) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl SurrealRepository {
    async fn find_lease(&self, name: &str) -> Result<Option<LeaseRow>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::provisioning_rows::find_lease
            SELECT * FROM ONLY type::record('lease', $name);";
        let row = self.runner.read(Query::new(TEXT).bind("name", name.to_owned())).await?;
        decode(LEASE, name, row)
    }
}

fn decode<R: SurrealValue>(
    table: &'static str,
    record: &str,
    row: Value,
) -> Result<Option<R>, RepositoryError> {
    if row == Value::None {
        return Ok(None);
    }
    R::from_value(row).map(Some).map_err(|_| inconsistent(table, record, "a field is missing or malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_survive_rows() {
        let secret = SystemSecret { kek: TokenKeyId([3; 16]), blob: vec![1, 2] };
        assert_eq!(SystemSecret::try_from(SystemSecretRow::from(&secret)), Ok(secret.clone()));
        let nonsense = SystemSecretRow { kek: "0".to_owned(), ..SystemSecretRow::from(&secret) };
        assert!(SystemSecret::try_from(nonsense).is_err());
    }
}
