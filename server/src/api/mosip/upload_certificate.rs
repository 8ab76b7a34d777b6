//! `POST /v1/keymanager/uploadCertificate` and `uploadOtherDomainCertificate`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, UploadCertificate, UploadOtherDomainCertificate},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::Services,
};

/// What certificate onboarding scripts look for.
const DONE: &str = "Upload Success";

/// `uploadCertificate` and `uploadOtherDomainCertificate`
pub(crate) struct UploadCertificateApi {
    services: Services,
}

impl UploadCertificateApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn own(
        &self,
        call: &CallContext,
        request: UploadRequest,
        now: Timestamp,
    ) -> Result<UploadAnswer, Refusal> {
        let (alias, pem) = request.check(Reference::MayBeBlank)?;
        self.services.keys.upload_certificate(call, &alias, &pem).await?;
        Ok(UploadAnswer::done(now))
    }

    async fn other_domain(
        &self,
        call: &CallContext,
        request: UploadRequest,
        now: Timestamp,
    ) -> Result<UploadAnswer, Refusal> {
        let (alias, pem) = request.check(Reference::Required)?;
        self.services.keys.upload_other_domain(call, &alias, &pem).await?;
        Ok(UploadAnswer::done(now))
    }
}

#[OpenApi]
impl UploadCertificateApi {
    /// Replace the certificate of the current key
    ///
    /// By one that others issued for the same key. Packets sealed for the old certificate still open. The certificates
    /// above it may stand after it; if they do not lead to this server's root, it is marked as unverified.
    #[oai(
        path = "/v1/keymanager/uploadCertificate",
        method = "post",
        operation_id = "uploadCertificate",
        tag = "Tag::KeyManager"
    )]
    async fn upload_certificate(
        &self,
        caller: Authorized<UploadCertificate>,
        body: Enveloped<UploadRequest>,
    ) -> Reply<UploadAnswer> {
        let now = self.services.clock.now();
        let outcome = self.own(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Store the certificate of another domain's key
    ///
    /// From then on it is what `getCertificate` answers with and `encrypt` seals for; this server cannot decrypt.
    #[oai(
        path = "/v1/keymanager/uploadOtherDomainCertificate",
        method = "post",
        operation_id = "uploadOtherDomainCertificate",
        tag = "Tag::KeyManager"
    )]
    async fn upload_other_domain_certificate(
        &self,
        caller: Authorized<UploadOtherDomainCertificate>,
        body: Enveloped<UploadRequest>,
    ) -> Reply<UploadAnswer> {
        let now = self.services.clock.now();
        let outcome = self.other_domain(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// A certificate, and which key it is for.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct UploadRequest {
    /// The application.
    application_id: Option<String>,
    /// The reference; for own keys, blank or absent is the application's own (master) key.
    reference_id: Option<String>,
    /// PEM: the certificate, perhaps with those above it after it.
    certificate_data: Option<String>,
}

/// Whether a reference must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reference {
    MayBeBlank,
    Required,
}

impl UploadRequest {
    fn check(self, reference: Reference) -> Result<(KeyAlias, String), Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", self.application_id.as_deref());
        if reference == Reference::Required {
            violations.require_text("request.referenceId", self.reference_id.as_deref());
        }
        violations.require_text("request.certificateData", self.certificate_data.as_deref());
        violations.finish()?;
        let application = self.application_id.unwrap_or_default();
        let alias = KeyAlias::parse(&application, self.reference_id.as_deref().unwrap_or_default())?;
        Ok((alias, self.certificate_data.unwrap_or_default()))
    }
}

/// That it was done.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct UploadAnswer {
    /// `Upload Success`.
    status: String,
    /// Time of the answer.
    timestamp: String,
}

impl UploadAnswer {
    fn done(now: Timestamp) -> Self {
        Self { status: DONE.to_owned(), timestamp: now.to_text() }
    }
}

impl Answer for UploadAnswer {}
