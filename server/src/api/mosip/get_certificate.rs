//! `GET /v1/keymanager/getCertificate`, and the answer that it shares with `generateMasterKey`.

use kunji_shared::pem;
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::{
    envelope::{Answer, Echo, Reply},
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, ReadCertificate},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, key::KeyRecord, time::Timestamp},
    services::Services,
};

/// `getCertificate`
pub(crate) struct GetCertificateApi {
    services: Services,
}

impl GetCertificateApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn read(
        &self,
        call: &CallContext,
        application: Option<&str>,
        reference: Option<&str>,
        now: Timestamp,
    ) -> Result<KeyAnswer, Refusal> {
        let alias = query_alias(application, reference)?;
        let key = self.services.keys.certificate(call, &alias).await?;
        Ok(KeyAnswer::of_certificate(&key, now))
    }
}

#[OpenApi]
impl GetCertificateApi {
    /// Read the current certificate
    ///
    /// Makes the key of a new reference, and the successor of a key that nears its end.
    #[oai(
        path = "/v1/keymanager/getCertificate",
        method = "get",
        operation_id = "getCertificate",
        tag = "Tag::KeyManager"
    )]
    async fn get_certificate(
        &self,
        caller: Authorized<ReadCertificate>,
        /// The application.
        #[oai(name = "applicationId")]
        application_id: Query<Option<String>>,
        /// The reference; blank or absent for the application's own (master) key.
        #[oai(name = "referenceId")]
        reference_id: Query<Option<String>>,
    ) -> Reply<KeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.read(&caller.call, application_id.as_deref(), reference_id.as_deref(), now).await;
        Reply::new(&Echo::default(), now, &caller.call.request_id, outcome)
    }
}

/// The alias that a query names.
///
/// # Errors
/// A [`Refusal`] when the application is missing, or one of both is no name.
pub(super) fn query_alias(application: Option<&str>, reference: Option<&str>) -> Result<KeyAlias, Refusal> {
    let mut violations = Violations::default();
    violations.require_text("applicationId", application);
    violations.finish()?;
    Ok(KeyAlias::parse(application.unwrap_or_default(), reference.unwrap_or_default())?)
}

/// A certificate, or a request for one.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyAnswer {
    /// PEM; null when a certificate signing request was asked for.
    certificate: Option<String>,
    /// PEM of the PKCS#10 request; null when a certificate was asked for.
    cert_sign_request: Option<String>,
    /// Start of the certificate's validity.
    issued_at: String,
    /// End of the certificate's validity.
    expiry_at: String,
    /// Time of the answer.
    timestamp: String,
}

impl KeyAnswer {
    pub(super) fn of_certificate(key: &KeyRecord, now: Timestamp) -> Self {
        Self { certificate: Some(certificate_pem(key)), ..Self::empty(key, now) }
    }

    pub(super) fn of_request(key: &KeyRecord, request: &[u8], now: Timestamp) -> Self {
        let request = pem::encode("CERTIFICATE REQUEST", request);
        Self { cert_sign_request: Some(request), ..Self::empty(key, now) }
    }

    fn empty(key: &KeyRecord, now: Timestamp) -> Self {
        Self {
            certificate: None,
            cert_sign_request: None,
            issued_at: key.period.not_before.to_text(),
            expiry_at: key.period.not_after.to_text(),
            timestamp: now.to_text(),
        }
    }
}

impl Answer for KeyAnswer {}

/// The certificate of a key, PEM with LF line ends.
pub(super) fn certificate_pem(key: &KeyRecord) -> String {
    pem::encode("CERTIFICATE", &key.certificate)
}
