//! `GET /v1/keymanager/getCertificateChain`

use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::{
    envelope::{Answer, Echo, Reply},
    faults::Fault,
    get_certificate::query_alias,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, ReadCertificate},
        openapi::Tag,
        wire::pkcs7_pem,
    },
    domain::{access::CallContext, time::Timestamp},
    services::Services,
};

/// `getCertificateChain`
pub(crate) struct GetCertificateChainApi {
    services: Services,
}

impl GetCertificateChainApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn read(
        &self,
        call: &CallContext,
        application: Option<&str>,
        reference: Option<&str>,
        now: Timestamp,
    ) -> Result<TrustPathAnswer, Refusal> {
        let alias = query_alias(application, reference)?;
        let chain = self.services.keys.certificate_chain(call, &alias).await?;
        let certificates_trust_path = pkcs7_pem(&chain.certificates).map_err(|_| Fault::Internal)?;
        Ok(TrustPathAnswer { certificates_trust_path, timestamp: now.to_text() })
    }
}

#[OpenApi]
impl GetCertificateChainApi {
    /// Read the current certificate with those above it
    ///
    /// Makes keys as `getCertificate` does.
    #[oai(
        path = "/v1/keymanager/getCertificateChain",
        method = "get",
        operation_id = "getCertificateChain",
        tag = "Tag::KeyManager"
    )]
    async fn get_certificate_chain(
        &self,
        caller: Authorized<ReadCertificate>,
        /// The application.
        #[oai(name = "applicationId")]
        application_id: Query<Option<String>>,
        /// The reference; blank or absent for the application's own (master) key.
        #[oai(name = "referenceId")]
        reference_id: Query<Option<String>>,
    ) -> Reply<TrustPathAnswer> {
        let now = self.services.clock.now();
        let outcome = self.read(&caller.call, application_id.as_deref(), reference_id.as_deref(), now).await;
        Reply::new(&Echo::default(), now, &caller.call.request_id, outcome)
    }
}

/// A certificate with those above it.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct TrustPathAnswer {
    /// PEM of the label `PKCS7`: the certificate first, its issuer after it, the root last.
    certificates_trust_path: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for TrustPathAnswer {
    fn length_hint(&self) -> usize {
        self.certificates_trust_path.len() * 2
    }
}
