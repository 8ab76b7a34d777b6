//! Rows of keys, of the newest key of each alias, and of thumbprints.

use async_trait::async_trait;
use kunji_shared::{ModulusLength, Thumbprint, encoding::encode_hex};
use surrealdb::types::{Bytes, SurrealValue, Value};

use super::{
    SurrealRepository,
    error::Failure,
    integrity::{Row, inconsistent},
    runner::Query,
};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias, ReferenceId},
        digest::sha256,
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord, TokenKeyId, length_prefixed},
        policy::Cryptoperiod,
        time::Timestamp,
    },
    ports::repository::{KeyRepository, RepositoryError},
};

#[derive(SurrealValue)]
struct KeyRow {
    application: String,
    reference: String,
    alias: String,
    generation: u32,
    token_key: Option<String>,
    kek_version: Option<u32>,
    blob: Option<Bytes>,
    modulus_bits: u32,
    thumbprint: String,
    certificate: Bytes,
    issuer: String,
    not_before: i64,
    not_after: i64,
}

impl Row for KeyRow {
    const TABLE: &'static str = "key";
}

#[derive(SurrealValue)]
struct NewestKeyRow {
    key: String,
    generation: u32,
}

impl Row for NewestKeyRow {
    const TABLE: &'static str = "newest_key";
}

#[derive(SurrealValue)]
struct ThumbprintRow {
    key: String,
}

impl Row for ThumbprintRow {
    const TABLE: &'static str = "thumbprint";
}

impl From<&KeyRecord> for KeyRow {
    fn from(record: &KeyRecord) -> Self {
        let (token_key, kek_version, blob) = match &record.material {
            KeyMaterial::Token(id) => (Some(id.to_hex()), None, None),
            KeyMaterial::Wrapped { kek_version, blob } => {
                (None, Some(*kek_version), Some(Bytes::from(blob.clone())))
            }
        };
        Self {
            application: record.alias.application.as_str().to_owned(),
            reference: record.alias.reference.as_str().to_owned(),
            alias: alias_hash(&record.alias),
            generation: record.generation,
            token_key,
            kek_version,
            blob,
            modulus_bits: u32::try_from(record.modulus.bits()).unwrap_or(u32::MAX),
            thumbprint: record.thumbprint.to_string(),
            certificate: Bytes::from(record.certificate.clone()),
            issuer: record.issuer.0.clone(),
            not_before: record.period.not_before.millis(),
            not_after: record.period.not_after.millis(),
        }
    }
}

impl TryFrom<(String, KeyRow)> for KeyRecord {
    type Error = &'static str;

    fn try_from((id, row): (String, KeyRow)) -> Result<Self, &'static str> {
        let alias = KeyAlias {
            application: ApplicationId::parse_any(&row.application)
                .map_err(|_| "the application is malformed")?,
            reference: ReferenceId::parse(&row.reference).map_err(|_| "the reference is malformed")?,
        };
        if row.alias != alias_hash(&alias) {
            return Err("the alias is not that of application and reference");
        }
        let material = match (row.token_key, row.kek_version, row.blob) {
            (Some(id), None, None) => {
                KeyMaterial::Token(TokenKeyId::from_hex(&id).ok_or("the token id is malformed")?)
            }
            (None, Some(kek_version), Some(blob)) => {
                KeyMaterial::Wrapped { kek_version, blob: blob.to_vec() }
            }
            _ => return Err("the private part is in no place or in two"),
        };
        Ok(Self {
            id: KeyId(id),
            alias,
            generation: row.generation,
            material,
            modulus: usize::try_from(row.modulus_bits)
                .ok()
                .and_then(ModulusLength::from_bits)
                .ok_or("the modulus length is unknown")?,
            thumbprint: Thumbprint::from_hex(&row.thumbprint).map_err(|_| "the thumbprint is malformed")?,
            certificate: row.certificate.to_vec(),
            issuer: KeyId(row.issuer),
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(row.not_before),
                not_after: Timestamp::from_millis(row.not_after),
            },
        })
    }
}

/// Record id of the alias: hexadecimal `SHA-256` over both parts, length-prefixed.
fn alias_hash(alias: &KeyAlias) -> String {
    let parts =
        length_prefixed(&[alias.application.as_str().as_bytes(), alias.reference.as_str().as_bytes()]);
    encode_hex(&sha256(&parts))
}

#[async_trait]
impl KeyRepository for SurrealRepository {
    /// The pointer and the key of the highest generation, in one snapshot: a pointer set back, or taken away, is
    /// found out.
    async fn find_newest(&self, alias: &KeyAlias) -> Result<Option<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::find_newest
            {
                LET $pointer = SELECT * FROM ONLY type::record('newest_key', $alias);
                LET $keys = SELECT * FROM key WHERE alias = $alias ORDER BY generation DESC LIMIT 1;
                RETURN [$pointer, $keys[0]];
            };";
        self.integrity.require()?;
        let hash = alias_hash(alias);
        let (pointer, key) = pair(self.runner.read(Query::new(TEXT).bind("alias", hash.clone())).await?)?;
        let pointer = self.integrity.open::<NewestKeyRow>(&hash, pointer)?;
        let key = self.open_newest_candidate(key)?;
        match (pointer, key) {
            (None, None) => Ok(None),
            (Some(pointer), Some(key))
                if pointer.key == key.id.0 && pointer.generation == key.generation && key.alias == *alias =>
            {
                Ok(Some(key))
            }
            _ => Err(inconsistent(NewestKeyRow::TABLE, &hash, "it does not name the newest key")),
        }
    }

    async fn find_by_thumbprint(
        &self,
        thumbprint: &Thumbprint,
    ) -> Result<Option<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::find_by_thumbprint
            {
                LET $mapping = SELECT * FROM ONLY type::record('thumbprint', $thumbprint);
                LET $key = IF $mapping = NONE { NONE } ELSE {
                    SELECT * FROM ONLY type::record('key', $mapping.key)
                };
                RETURN [$mapping, $key];
            };";
        self.integrity.require()?;
        let hex = thumbprint.to_string();
        let (mapping, key) = pair(self.runner.read(Query::new(TEXT).bind("thumbprint", hex.clone())).await?)?;
        let Some(mapping) = self.integrity.open::<ThumbprintRow>(&hex, mapping)? else { return Ok(None) };
        match self.open_key(&KeyId(mapping.key), key)? {
            Some(key) if key.thumbprint == *thumbprint => Ok(Some(key)),
            _ => Err(inconsistent(ThumbprintRow::TABLE, &hex, "it does not name the key of the certificate")),
        }
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::find
            SELECT * FROM ONLY type::record('key', $id);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("id", id.0.clone())).await?;
        self.open_key(id, row)
    }

    async fn list(&self, alias: &KeyAlias, limit: usize) -> Result<Vec<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::list
            SELECT * FROM key WHERE alias = $alias ORDER BY generation DESC LIMIT $limit;";
        self.integrity.require()?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = Query::new(TEXT).bind("alias", alias_hash(alias)).bind("limit", limit);
        let Value::Array(rows) = self.runner.read(query).await? else { return Err(no_rows()) };
        rows.into_iter().map(|row| self.open_any_key(row)).collect()
    }

    async fn insert_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::insert_successor
            BEGIN;
            LET $newest = (SELECT VALUE generation FROM ONLY type::record('newest_key', $alias)) ?? 0;
            IF $newest != $predecessor { THROW 'superseded' };
            CREATE ONLY type::record('key', $id) CONTENT $key RETURN NONE;
            CREATE ONLY type::record('thumbprint', $thumbprint) CONTENT $mapping RETURN NONE;
            UPSERT ONLY type::record('newest_key', $alias) CONTENT $pointer RETURN NONE;
            COMMIT;";
        let id = record.id.0.as_str();
        let alias = alias_hash(&record.alias);
        let thumbprint = record.thumbprint.to_string();
        let mapping = ThumbprintRow { key: id.to_owned() };
        let pointer = NewestKeyRow { key: id.to_owned(), generation: record.generation };
        let query = Query::new(TEXT)
            .bind("predecessor", i64::from(record.generation) - 1)
            .bind("key", self.integrity.seal(id, KeyRow::from(record))?)
            .bind("mapping", self.integrity.seal(&thumbprint, mapping)?)
            .bind("pointer", self.integrity.seal(&alias, pointer)?)
            .bind("id", id.to_owned())
            .bind("alias", alias)
            .bind("thumbprint", thumbprint);
        let outcome = self.runner.change(query).await;
        if matches!(outcome, Err(Failure::Unavailable(_)))
            && self.find(&record.id).await?.as_ref() == Some(record)
        {
            return Ok(());
        }
        Ok(outcome?)
    }

    async fn find_newest_kek(
        &self,
        application: &ApplicationId,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        self.read_newest_kek(application).await
    }

    async fn find_kek(
        &self,
        application: &ApplicationId,
        version: u32,
    ) -> Result<Option<KekRecord>, RepositoryError> {
        self.read_kek(application, version).await
    }

    async fn insert_kek_successor(&self, record: &KekRecord) -> Result<(), RepositoryError> {
        self.write_kek_successor(record).await
    }
}

impl SurrealRepository {
    fn open_key(&self, id: &KeyId, row: Value) -> Result<Option<KeyRecord>, RepositoryError> {
        match self.integrity.open::<KeyRow>(&id.0, row)? {
            Some(row) => sensible((id.0.clone(), row)).map(Some),
            None => Ok(None),
        }
    }

    fn open_any_key(&self, row: Value) -> Result<KeyRecord, RepositoryError> {
        sensible(self.integrity.open_any::<KeyRow>(row)?)
    }

    fn open_newest_candidate(&self, row: Value) -> Result<Option<KeyRecord>, RepositoryError> {
        if row == Value::None { Ok(None) } else { self.open_any_key(row).map(Some) }
    }
}

fn sensible((id, row): (String, KeyRow)) -> Result<KeyRecord, RepositoryError> {
    KeyRecord::try_from((id.clone(), row)).map_err(|reason| inconsistent(KeyRow::TABLE, &id, reason))
}

/// The two values of an answer that has two.
pub(super) fn pair(answer: Value) -> Result<(Value, Value), RepositoryError> {
    let Value::Array(values) = answer else { return Err(no_rows()) };
    let mut values = values.into_iter();
    match (values.next(), values.next(), values.next()) {
        (Some(first), Some(second), None) => Ok((first, second)),
        _ => Err(no_rows()),
    }
}

/// The database answers something else than it was asked.
pub(super) fn no_rows() -> RepositoryError {
    RepositoryError::Unavailable("the answer has another form than the query asks for".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> KeyRecord {
        KeyRecord {
            id: KeyId("id".to_owned()),
            alias: KeyAlias::parse("REGISTRATION", "10001_110011").unwrap(),
            generation: 2,
            material: KeyMaterial::Wrapped { kek_version: 3, blob: vec![1, 2, 3] },
            modulus: ModulusLength::Rsa3072,
            thumbprint: Thumbprint::from_bytes([9; 32]),
            certificate: vec![4, 5],
            issuer: KeyId("issuer".to_owned()),
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(1000),
                not_after: Timestamp::from_millis(2000),
            },
        }
    }

    #[test]
    fn records_survive_rows() {
        let token = KeyRecord { material: KeyMaterial::Token(TokenKeyId([7; 16])), ..record() };
        for record in [record(), token] {
            assert_eq!(KeyRecord::try_from((record.id.0.clone(), KeyRow::from(&record))), Ok(record));
        }
    }

    #[test]
    fn nonsense_rows_are_no_records() {
        let fails = |change: fn(&mut KeyRow)| {
            let mut row = KeyRow::from(&record());
            change(&mut row);
            KeyRecord::try_from(("id".to_owned(), row)).is_err()
        };
        assert!(fails(|row| row.application = "A/B".to_owned()));
        assert!(fails(|row| row.reference = "a\nb".to_owned()));
        assert!(fails(|row| row.reference = "OTHER".to_owned()));
        assert!(fails(|row| row.token_key = Some("00".repeat(16))));
        assert!(fails(|row| row.blob = None));
        assert!(fails(|row| row.modulus_bits = 1024));
        assert!(fails(|row| row.thumbprint = "00".to_owned()));
    }

    #[test]
    fn the_parts_of_an_alias_do_not_run_into_each_other() {
        let hash = |a: &str, r: &str| alias_hash(&KeyAlias::parse(a, r).unwrap());
        assert_ne!(hash("AB", "C"), hash("A", "BC"));
        assert_eq!(hash("AB", "C").len(), 64);
    }
}
