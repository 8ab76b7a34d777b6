//! `PUT /v1/keymanager/revokeKey`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, RevokeKey},
        openapi::Tag,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::Services,
};

/// `revokeKey`
pub(crate) struct RevokeKeyApi {
    services: Services,
}

impl RevokeKeyApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn revoke(
        &self,
        call: &CallContext,
        request: RevokeKeyRequest,
        now: Timestamp,
    ) -> Result<RevokeKeyAnswer, Refusal> {
        let (alias, closes) = request.check()?;
        self.services.keys.revoke_current(call, &alias, closes).await?;
        Ok(RevokeKeyAnswer { status: "Key Revoked".to_owned(), timestamp: now.to_text() })
    }
}

#[OpenApi]
impl RevokeKeyApi {
    /// Revoke the current key of a reference
    ///
    /// It is handed out no more, by any server within 2 seconds. What was encrypted with it can still be decrypted. The
    /// next `getCertificate` makes a new key, unless `disableAutoGen` is true.
    #[oai(
        path = "/v1/keymanager/revokeKey",
        method = "put",
        operation_id = "revokeKey",
        tag = "Tag::KeyManager"
    )]
    async fn revoke_key(
        &self,
        caller: Authorized<RevokeKey>,
        body: Enveloped<RevokeKeyRequest>,
    ) -> Reply<RevokeKeyAnswer> {
        let now = self.services.clock.now();
        let outcome = self.revoke(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// The key to revoke.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct RevokeKeyRequest {
    /// The application.
    application_id: Option<String>,
    /// The reference; not blank.
    reference_id: Option<String>,
    /// Whether no new key is made until an administrator asks for one; false when null or absent.
    disable_auto_gen: Option<bool>,
}

impl RevokeKeyRequest {
    /// The alias, and whether it is closed.
    fn check(self) -> Result<(KeyAlias, bool), Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.require_text("request.referenceId", self.reference_id.as_deref());
        violations.finish()?;
        let alias = KeyAlias::parse(
            self.application_id.as_deref().unwrap_or_default(),
            self.reference_id.as_deref().unwrap_or_default(),
        )?;
        Ok((alias, self.disable_auto_gen.unwrap_or(false)))
    }
}

/// That it was revoked.
#[derive(Serialize, Object)]
struct RevokeKeyAnswer {
    /// `Key Revoked`
    status: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for RevokeKeyAnswer {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(KeyAlias, bool), Refusal> {
        serde_json::from_str::<RevokeKeyRequest>(text).unwrap().check()
    }

    #[test]
    fn both_names_are_needed_and_auto_generation_is_on() {
        let refusal = check(r#"{"referenceId":" "}"#).unwrap_err();
        let codes: Vec<_> = refusal.entries.iter().map(|entry| entry.code).collect();
        assert_eq!(codes, ["KER-KMS-005", "KER-KMS-005"]);
        let request = r#"{"applicationId":"REGISTRATION","referenceId":"10001","disableAutoGen":null}"#;
        assert!(!check(request).unwrap().1);
    }
}
