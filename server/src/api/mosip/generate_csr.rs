//! `POST /v1/keymanager/generateCSR`

use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::{
    envelope::{Enveloped, Reply},
    get_certificate::KeyAnswer,
    members::{Violations, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, RequestCertificate},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::{Services, keys::SubjectOverrides},
};

/// `generateCSR`
pub(crate) struct GenerateCsrApi {
    services: Services,
}

impl GenerateCsrApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn generate(
        &self,
        call: &CallContext,
        request: CsrRequest,
        now: Timestamp,
    ) -> Result<KeyAnswer, Refusal> {
        let (alias, subject) = request.check()?;
        let (key, request) = self.services.keys.request_certificate(call, &alias, &subject).await?;
        Ok(KeyAnswer::of_request(&key, &request, now))
    }
}

#[OpenApi]
impl GenerateCsrApi {
    /// Make a certificate signing request
    ///
    /// For the current key of any kind, which is made as `getCertificate` makes it.
    #[oai(
        path = "/v1/keymanager/generateCSR",
        method = "post",
        operation_id = "generateCSR",
        tag = "Tag::KeyManager"
    )]
    async fn generate_csr(
        &self,
        caller: Authorized<RequestCertificate>,
        body: Enveloped<CsrRequest>,
    ) -> Reply<KeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.generate(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// The key to be certified, and the subject to ask for: a member that is blank or absent has the server's default.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CsrRequest {
    /// The application.
    application_id: Option<String>,
    /// The reference; blank or absent for the application's own (master) key.
    reference_id: Option<String>,
    /// CN
    common_name: Option<String>,
    /// OU
    organization_unit: Option<String>,
    /// O
    organization: Option<String>,
    /// L
    location: Option<String>,
    /// ST
    state: Option<String>,
    /// C, two letters
    country: Option<String>,
}

impl CsrRequest {
    fn check(self) -> Result<(KeyAlias, SubjectOverrides), Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.finish()?;
        let application = self.application_id.unwrap_or_default();
        let alias = KeyAlias::parse(&application, self.reference_id.as_deref().unwrap_or_default())?;
        let subject = SubjectOverrides {
            common_name: not_blank(self.common_name),
            organization_unit: not_blank(self.organization_unit),
            organization: not_blank(self.organization),
            location: not_blank(self.location),
            state: not_blank(self.state),
            country: not_blank(self.country),
        };
        Ok((alias, subject))
    }
}
