//! `POST /v1/keymanager/generateSymmetricKey`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, GenerateSymmetricKey},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::Services,
};

/// `generateSymmetricKey`
pub(crate) struct GenerateSymmetricKeyApi {
    services: Services,
}

impl GenerateSymmetricKeyApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn generate(
        &self,
        call: &CallContext,
        request: SymmetricKeyRequest,
        now: Timestamp,
    ) -> Result<SymmetricKeyAnswer, Refusal> {
        let (alias, force) = request.check()?;
        let key = self.services.keys.generate_symmetric(call, &alias, force).await?;
        let status = if key.made { "Generation Success" } else { "Key Exists." };
        Ok(SymmetricKeyAnswer { status: status.to_owned(), timestamp: now.to_text() })
    }
}

#[OpenApi]
impl GenerateSymmetricKeyApi {
    /// Make a symmetric key
    ///
    /// AES-256, on the token. A current key is kept, unless another one is asked for.
    #[oai(
        path = "/v1/keymanager/generateSymmetricKey",
        method = "post",
        operation_id = "generateSymmetricKey",
        tag = "Tag::KeyManager"
    )]
    async fn generate_symmetric_key(
        &self,
        caller: Authorized<GenerateSymmetricKey>,
        body: Enveloped<SymmetricKeyRequest>,
    ) -> Reply<SymmetricKeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.generate(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// The key to make.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SymmetricKeyRequest {
    /// The application.
    application_id: Option<String>,
    /// The reference, which is of no key pair.
    reference_id: Option<String>,
    /// Whether to make a key even if there is a current one; false when absent.
    force: Option<bool>,
}

impl SymmetricKeyRequest {
    fn check(self) -> Result<(KeyAlias, bool), Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.finish()?;
        let application = self.application_id.unwrap_or_default();
        let alias = KeyAlias::parse(&application, self.reference_id.as_deref().unwrap_or_default())?;
        Ok((alias, self.force.unwrap_or_default()))
    }
}

/// What came of it.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SymmetricKeyAnswer {
    /// `Generation Success` or `Key Exists.`
    status: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for SymmetricKeyAnswer {}
