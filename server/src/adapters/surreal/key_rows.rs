//! Rows of keys, and of what leads to them: generations, the newest of each alias, thumbprints.

use async_trait::async_trait;
use kunji_shared::{ModulusLength, Thumbprint, encoding::encode_hex};
use surrealdb::types::{Bytes, SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    runner::Query,
};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias, ReferenceId},
        digest::sha256,
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord, TokenKeyId, Upload, length_prefixed},
        key_type::{Curve, KeyType},
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
    /// Set where it is not `kek_version`.
    first_kek: Option<u32>,
    blob: Option<Bytes>,
    /// Set where the private part was destroyed.
    removed: Option<bool>,
    modulus_bits: Option<u32>,
    curve: Option<String>,
    thumbprint: String,
    certificate: Bytes,
    issuer: String,
    /// Set where others issued the certificate, as is `verified`.
    chain: Option<Vec<Bytes>>,
    verified: Option<bool>,
    not_before: i64,
    not_after: i64,
}

impl Row for KeyRow {
    const TABLE: &'static str = "key";
}

#[derive(SurrealValue)]
pub(super) struct NewestKeyRow {
    pub(super) key: String,
    pub(super) generation: u32,
    /// Whether a successor is made only when somebody asks for one.
    pub(super) closed: Option<bool>,
}

impl Row for NewestKeyRow {
    const TABLE: &'static str = "newest_key";
}

#[derive(SurrealValue)]
struct KeyVersionRow {
    key: String,
}

impl Row for KeyVersionRow {
    const TABLE: &'static str = "key_version";
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
        let (token_key, keks, blob, removed) = match &record.material {
            KeyMaterial::Token(id) => (Some(id.to_hex()), None, None, None),
            KeyMaterial::Wrapped { kek_version, first_kek, blob } => {
                (None, Some((*first_kek, *kek_version)), Some(Bytes::from(blob.clone())), None)
            }
            KeyMaterial::Elsewhere => (None, None, None, None),
            KeyMaterial::Removed { keks } => (None, *keks, None, Some(true)),
        };
        let (modulus_bits, curve) = match record.key_type {
            KeyType::Rsa(modulus) => (Some(u32::try_from(modulus.bits()).unwrap_or(u32::MAX)), None),
            KeyType::Curve(curve) => (None, Some(curve.name().to_owned())),
        };
        Self {
            application: record.alias.application.as_str().to_owned(),
            reference: record.alias.reference.as_str().to_owned(),
            alias: alias_hash(&record.alias),
            generation: record.generation,
            token_key,
            kek_version: keks.map(|(_, last)| last),
            first_kek: keks.filter(|(first, last)| first != last).map(|(first, _)| first),
            blob,
            removed,
            modulus_bits,
            curve,
            thumbprint: record.thumbprint.to_string(),
            certificate: Bytes::from(record.certificate.clone()),
            issuer: record.issuer.0.clone(),
            chain: record.upload.as_ref().map(|it| it.chain.iter().cloned().map(Bytes::from).collect()),
            verified: record.upload.as_ref().map(|it| it.is_verified),
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
        let keks = row.kek_version.map(|last| (row.first_kek.unwrap_or(last), last));
        let material = match (row.token_key, keks, row.blob, row.removed.unwrap_or(false)) {
            (Some(id), None, None, false) => {
                KeyMaterial::Token(TokenKeyId::from_hex(&id).ok_or("the token id is malformed")?)
            }
            (None, Some((first_kek, kek_version)), Some(blob), false) => {
                KeyMaterial::Wrapped { kek_version, first_kek, blob: blob.to_vec() }
            }
            (None, None, None, false) => KeyMaterial::Elsewhere,
            (None, keks, None, true) => KeyMaterial::Removed { keks },
            _ => return Err("the private part is in two places, or half in one"),
        };
        let upload = match (row.chain, row.verified) {
            (None, None) => None,
            (Some(chain), Some(is_verified)) => {
                Some(Upload { chain: chain.iter().map(|der| der.to_vec()).collect(), is_verified })
            }
            _ => return Err("the chain is there without its mark, or the mark without a chain"),
        };
        Ok(Self {
            id: KeyId(id),
            alias,
            generation: row.generation,
            material,
            key_type: key_type(row.modulus_bits, row.curve.as_deref()).ok_or("the kind of key is unknown")?,
            thumbprint: Thumbprint::from_hex(&row.thumbprint).map_err(|_| "the thumbprint is malformed")?,
            certificate: row.certificate.to_vec(),
            issuer: KeyId(row.issuer),
            upload,
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(row.not_before),
                not_after: Timestamp::from_millis(row.not_after),
            },
        })
    }
}

fn key_type(modulus_bits: Option<u32>, curve: Option<&str>) -> Option<KeyType> {
    match (modulus_bits, curve) {
        (Some(bits), None) => ModulusLength::from_bits(usize::try_from(bits).ok()?).map(KeyType::Rsa),
        (None, Some(curve)) => Curve::parse(curve).map(KeyType::Curve),
        _ => None,
    }
}

/// Record id of the alias's key of this generation.
pub(super) fn version_name(alias: &str, generation: u32) -> String {
    format!("{alias}:{generation}")
}

/// Record id of the alias: hexadecimal `SHA-256` over both parts, length-prefixed.
pub(super) fn alias_hash(alias: &KeyAlias) -> String {
    let parts =
        length_prefixed(&[alias.application.as_str().as_bytes(), alias.reference.as_str().as_bytes()]);
    encode_hex(&sha256(&parts))
}

#[async_trait]
impl KeyRepository for SurrealRepository {
    /// The pointer, the key that it names, and whether there is a next generation, in one snapshot: a pointer
    /// that was set back or taken away is found out.
    async fn find_newest(&self, alias: &KeyAlias) -> Result<Option<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::find_newest
            {
                LET $pointer = SELECT * FROM ONLY type::record('newest_key', $alias);
                LET $key = IF $pointer = NONE { NONE } ELSE {
                    SELECT * FROM ONLY type::record('key', $pointer.key)
                };
                LET $next = string::concat($alias, ':', <string> (($pointer.generation ?? 0) + 1));
                RETURN [$pointer, $key, (SELECT * FROM ONLY type::record('key_version', $next))];
            };";
        self.integrity.require()?;
        let hash = alias_hash(alias);
        let answer = self.runner.read(Query::new(TEXT).bind("alias", hash.clone())).await?;
        let [pointer, key, next] = parts(answer)?;
        let pointer = self.integrity.open::<NewestKeyRow>(&hash, pointer)?;
        if next != Value::None {
            return Err(inconsistent(NewestKeyRow::TABLE, &hash, "there is a newer key"));
        }
        let Some(pointer) = pointer else { return Ok(None) };
        match self.open_key(&KeyId(pointer.key), key)? {
            Some(key) if key.alias == *alias && key.generation == pointer.generation => Ok(Some(key)),
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
        let answer = self.runner.read(Query::new(TEXT).bind("thumbprint", hex.clone())).await?;
        let [mapping, key] = parts(answer)?;
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

    /// Generations have no gaps, so the newest one says which there are.
    async fn list(&self, alias: &KeyAlias, limit: usize) -> Result<Vec<KeyRecord>, RepositoryError> {
        let newest = self.find_newest(alias).await?.map_or(0, |key| key.generation);
        self.read_versions(alias, (1..=newest).rev().take(limit).collect()).await
    }

    async fn list_older(
        &self,
        alias: &KeyAlias,
        before: u32,
        limit: usize,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        self.read_versions(alias, (1..before).rev().take(limit).collect()).await
    }

    async fn insert_successor(&self, record: &KeyRecord) -> Result<(), RepositoryError> {
        self.write_successor(record, false).await
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
    /// Inserts a successor. `requested`: also for an alias that is closed, which it opens.
    pub(super) async fn write_successor(
        &self,
        record: &KeyRecord,
        requested: bool,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::write_successor
            BEGIN;
            LET $newest = SELECT * FROM ONLY type::record('newest_key', $alias);
            IF ($newest.generation ?? 0) != $predecessor OR (($newest.closed ?? false) AND !$requested) {
                THROW 'superseded'
            };
            CREATE ONLY type::record('key', $id) CONTENT $key RETURN NONE;
            CREATE ONLY type::record('key_version', $version) CONTENT $by_version RETURN NONE;
            IF $by_thumbprint != NONE {
                CREATE ONLY type::record('thumbprint', $thumbprint) CONTENT $by_thumbprint RETURN NONE
            };
            UPSERT ONLY type::record('newest_key', $alias) CONTENT $pointer RETURN NONE;
            COMMIT;";
        let id = record.id.0.as_str();
        let alias = alias_hash(&record.alias);
        let thumbprint = record.thumbprint.to_string();
        let version = version_name(&alias, record.generation);
        let by_version = KeyVersionRow { key: id.to_owned() };
        // Another domain may use one certificate under several names, and no packet is opened with it here.
        let by_thumbprint = (!record.is_elsewhere())
            .then(|| self.integrity.seal(&thumbprint, ThumbprintRow { key: id.to_owned() }))
            .transpose()?;
        let pointer = NewestKeyRow { key: id.to_owned(), generation: record.generation, closed: None };
        let query = Query::new(TEXT)
            .bind("predecessor", i64::from(record.generation) - 1)
            .bind("requested", requested)
            .bind("key", self.seal_key(record)?)
            .bind("by_version", self.integrity.seal(&version, by_version)?)
            .bind("by_thumbprint", by_thumbprint.unwrap_or_default())
            .bind("pointer", self.integrity.seal(&alias, pointer)?)
            .bind("id", id.to_owned())
            .bind("alias", alias)
            .bind("version", version)
            .bind("thumbprint", thumbprint);
        let made = async { Ok(self.find(&record.id).await?.as_ref() == Some(record)) };
        Ok(self.settle(query, made).await?)
    }

    /// Keys in the order of their ids, each as far as it can be trusted.
    pub(super) async fn read_keys(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Vec<Result<KeyRecord, RepositoryError>>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::read_keys
            SELECT * FROM $range LIMIT $limit;";
        self.integrity.require()?;
        let query = Query::new(TEXT).page(KeyRow::TABLE, after.map(|id| &*id.0), limit);
        let Value::Array(rows) = self.runner.read(query).await? else { return Err(unexpected_form()) };
        let open = |row| {
            let (id, row) = self.integrity.open_any::<KeyRow>(row)?;
            KeyRecord::try_from((id.clone(), row)).map_err(|reason| inconsistent(KeyRow::TABLE, &id, reason))
        };
        Ok(rows.into_iter().map(open).collect())
    }

    /// The alias's keys of these generations, each of which there must be.
    async fn read_versions(
        &self,
        alias: &KeyAlias,
        generations: Vec<u32>,
    ) -> Result<Vec<KeyRecord>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::key_rows::read_versions
            $versions.map(|$version| {
                LET $mapping = SELECT * FROM ONLY type::record('key_version', $version);
                LET $key = IF $mapping = NONE { NONE } ELSE {
                    SELECT * FROM ONLY type::record('key', $mapping.key)
                };
                RETURN [$mapping, $key];
            });";
        self.integrity.require()?;
        let hash = alias_hash(alias);
        let versions: Vec<_> =
            generations.iter().map(|generation| version_name(&hash, *generation)).collect();
        let answer = self.runner.read(Query::new(TEXT).bind("versions", versions.clone())).await?;
        let Value::Array(rows) = answer else { return Err(unexpected_form()) };
        if rows.len() != versions.len() {
            return Err(unexpected_form());
        }
        let mut keys = Vec::with_capacity(rows.len());
        for ((row, version), generation) in rows.into_iter().zip(&versions).zip(generations) {
            let [mapping, key] = parts(row)?;
            let key = match self.integrity.open::<KeyVersionRow>(version, mapping)? {
                Some(mapping) => self.open_key(&KeyId(mapping.key), key)?,
                None => None,
            };
            match key {
                Some(key) if key.alias == *alias && key.generation == generation => keys.push(key),
                _ => return Err(inconsistent(KeyVersionRow::TABLE, version, "it does not name the key")),
            }
        }
        Ok(keys)
    }

    /// The row of a key, with its tag.
    pub(super) fn seal_key(&self, record: &KeyRecord) -> Result<Value, RepositoryError> {
        self.integrity.seal(&record.id.0, KeyRow::from(record))
    }

    pub(super) fn open_key(&self, id: &KeyId, row: Value) -> Result<Option<KeyRecord>, RepositoryError> {
        let Some(row) = self.integrity.open::<KeyRow>(&id.0, row)? else { return Ok(None) };
        KeyRecord::try_from((id.0.clone(), row))
            .map(Some)
            .map_err(|reason| inconsistent(KeyRow::TABLE, &id.0, reason))
    }
}

/// The parts of an answer that has so many.
pub(super) fn parts<const N: usize>(answer: Value) -> Result<[Value; N], RepositoryError> {
    let Value::Array(values) = answer else { return Err(unexpected_form()) };
    values.into_vec().try_into().map_err(|_| unexpected_form())
}

/// The database answers something else than it was asked.
pub(super) fn unexpected_form() -> RepositoryError {
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
            material: KeyMaterial::Wrapped { kek_version: 3, first_kek: 1, blob: vec![1, 2, 3] },
            key_type: KeyType::Rsa(ModulusLength::Rsa3072),
            thumbprint: Thumbprint::from_bytes([9; 32]),
            certificate: vec![4, 5],
            issuer: KeyId("issuer".to_owned()),
            upload: None,
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(1000),
                not_after: Timestamp::from_millis(2000),
            },
        }
    }

    #[test]
    fn records_survive_rows() {
        let token = KeyRecord { material: KeyMaterial::Token(TokenKeyId([7; 16])), ..record() };
        let upload = Some(Upload { chain: vec![vec![1], vec![2, 3]], is_verified: true });
        let uploaded = KeyRecord { upload, ..record() };
        let upload = Some(Upload { chain: Vec::new(), is_verified: false });
        let elsewhere = KeyRecord { material: KeyMaterial::Elsewhere, upload, ..record() };
        let curve = KeyRecord { key_type: KeyType::Curve(Curve::Ed25519), ..record() };
        let removed = |keks| KeyRecord { material: KeyMaterial::Removed { keks }, ..record() };
        let (removed, buried) = (removed(Some((1, 3))), removed(None));
        for record in [record(), token, uploaded, elsewhere, curve, removed, buried] {
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
        assert!(fails(|row| row.removed = Some(true)));
        assert!(fails(|row| row.verified = Some(true)));
        assert!(fails(|row| row.chain = Some(Vec::new())));
        assert!(fails(|row| row.modulus_bits = Some(1024)));
        assert!(fails(|row| row.modulus_bits = None));
        assert!(fails(|row| row.curve = Some("P-256".to_owned())));
        assert!(fails(|row| row.thumbprint = "00".to_owned()));
    }

    #[test]
    fn the_parts_of_an_alias_do_not_run_into_each_other() {
        let hash = |a: &str, r: &str| alias_hash(&KeyAlias::parse(a, r).unwrap());
        assert_ne!(hash("AB", "C"), hash("A", "BC"));
        assert_eq!(hash("AB", "C").len(), 64);
    }
}
