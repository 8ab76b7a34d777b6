//! `GET /v1/keymanager/getAllCertificates`

use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::{
    envelope::{Answer, Echo, Reply},
    get_certificate::{certificate_pem, query_alias},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, ReadCertificates},
        openapi::Tag,
    },
    domain::{access::CallContext, key::KeyRecord, time::Timestamp},
    services::Services,
};

/// `getAllCertificates`
pub(crate) struct GetAllCertificatesApi {
    services: Services,
}

impl GetAllCertificatesApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn read(
        &self,
        call: &CallContext,
        application: Option<&str>,
        reference: Option<&str>,
    ) -> Result<AllCertificatesAnswer, Refusal> {
        let alias = query_alias(application, reference)?;
        let keys = self.services.keys.certificates(call, &alias).await?;
        let answer = |key: &KeyRecord| CertificateAnswer::of(key, self.services.keys.ends_at(key));
        Ok(AllCertificatesAnswer { all_certificates: keys.iter().map(answer).collect() })
    }
}

#[OpenApi]
impl GetAllCertificatesApi {
    /// Read the certificates of all versions of a key
    ///
    /// Expired ones too, newest first. Makes no key.
    #[oai(
        path = "/v1/keymanager/getAllCertificates",
        method = "get",
        operation_id = "getAllCertificates",
        tag = "Tag::KeyManager"
    )]
    async fn get_all_certificates(
        &self,
        caller: Authorized<ReadCertificates>,
        /// The application.
        #[oai(name = "applicationId")]
        application_id: Query<Option<String>>,
        /// The reference; blank or absent for the application's own (master) key.
        #[oai(name = "referenceId")]
        reference_id: Query<Option<String>>,
    ) -> Reply<AllCertificatesAnswer> {
        let outcome = self.read(&caller.call, application_id.as_deref(), reference_id.as_deref()).await;
        Reply::new(&Echo::default(), self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// The certificates of all versions of a key.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct AllCertificatesAnswer {
    /// Newest first.
    all_certificates: Vec<CertificateAnswer>,
}

impl Answer for AllCertificatesAnswer {
    fn length_hint(&self) -> usize {
        self.all_certificates.len() * 4096
    }
}

/// The certificate of one version of a key.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CertificateAnswer {
    /// PEM.
    certificate_data: String,
    /// Start of the certificate's validity.
    issued_at: String,
    /// End of the certificate's validity, or when the key was revoked.
    expiry_at: String,
    /// The `kid` that signatures of this key have in their header.
    key_id: String,
}

impl CertificateAnswer {
    fn of(key: &KeyRecord, ends_at: Timestamp) -> Self {
        Self {
            certificate_data: certificate_pem(key),
            issued_at: key.period.not_before.to_text(),
            expiry_at: ends_at.to_text(),
            key_id: key.kid(),
        }
    }
}
