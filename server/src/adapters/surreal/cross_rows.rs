//! Rows of cross-certificates.

use async_trait::async_trait;
use surrealdb::types::{Bytes, SurrealValue};

use super::{SurrealRepository, error::Failure, integrity::Row, runner::Query};
use crate::{
    domain::{cross_certificate::CrossCertificate, key::KeyId, policy::Cryptoperiod, time::Timestamp},
    ports::repository::RepositoryError,
    ports::rotation::CrossCertificateRepository,
};

#[derive(SurrealValue)]
struct CrossCertificateRow {
    certificate: Bytes,
    issuer: String,
    not_before: i64,
    not_after: i64,
}

impl Row for CrossCertificateRow {
    const TABLE: &'static str = "cross_certificate";
}

impl From<&CrossCertificate> for CrossCertificateRow {
    fn from(cross: &CrossCertificate) -> Self {
        Self {
            certificate: Bytes::from(cross.certificate.clone()),
            issuer: cross.issuer.0.clone(),
            not_before: cross.period.not_before.millis(),
            not_after: cross.period.not_after.millis(),
        }
    }
}

impl From<(KeyId, CrossCertificateRow)> for CrossCertificate {
    fn from((key, row): (KeyId, CrossCertificateRow)) -> Self {
        Self {
            key,
            issuer: KeyId(row.issuer),
            certificate: row.certificate.to_vec(),
            period: Cryptoperiod {
                not_before: Timestamp::from_millis(row.not_before),
                not_after: Timestamp::from_millis(row.not_after),
            },
        }
    }
}

#[async_trait]
impl CrossCertificateRepository for SurrealRepository {
    async fn find_cross_certificate(&self, key: &KeyId) -> Result<Option<CrossCertificate>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::cross_rows::find_cross_certificate
            SELECT * FROM ONLY type::record('cross_certificate', $key);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("key", key.0.clone())).await?;
        let row = self.integrity.open::<CrossCertificateRow>(&key.0, row)?;
        Ok(row.map(|row| CrossCertificate::from((key.clone(), row))))
    }

    async fn insert_cross_certificate(&self, cross: &CrossCertificate) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::cross_rows::insert_cross_certificate
            BEGIN;
            CREATE ONLY type::record('cross_certificate', $key) CONTENT $cross RETURN NONE;
            COMMIT;";
        let key = cross.key.0.as_str();
        let query = Query::new(TEXT)
            .bind("key", key.to_owned())
            .bind("cross", self.integrity.seal(key, CrossCertificateRow::from(cross))?);
        let made = async { Ok(self.find_cross_certificate(&cross.key).await?.as_ref() == Some(cross)) };
        match self.settle(query, made).await {
            Err(Failure::Exists) => Err(RepositoryError::Conflict),
            outcome => Ok(outcome?),
        }
    }
}
