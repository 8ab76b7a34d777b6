//! `POST /v1/keymanager/jwtSign`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    members::{Violations, bytes, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::{access::CallContext, alias::KeyAlias, time::Timestamp},
    services::{Services, signatures::SignRequest},
};

/// `jwtSign`
pub(crate) struct JwtSignApi {
    services: Services,
}

impl JwtSignApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn sign(
        &self,
        call: &CallContext,
        request: JwtSignRequest,
        now: Timestamp,
    ) -> Result<JwtSignAnswer, Refusal> {
        let signed = self.services.signatures.jwt_sign(call, request.check()?).await?;
        Ok(JwtSignAnswer { jwt_signed_data: signed, timestamp: now.to_text() })
    }
}

#[OpenApi]
impl JwtSignApi {
    /// Sign bytes as a JSON Web Signature
    ///
    /// RS256 over exactly the bytes sent. Without an application the key is `KERNEL/SIGN`.
    #[oai(
        path = "/v1/keymanager/jwtSign",
        method = "post",
        operation_id = "jwtSign",
        tag = "Tag::KeyManager"
    )]
    async fn jwt_sign(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<JwtSignRequest>,
    ) -> Reply<JwtSignAnswer> {
        let now = self.services.clock.now();
        let outcome = self.sign(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// The key that a request to sign or verify names; `None` when it names no application.
///
/// # Errors
/// A [`Refusal`] when one of both is no name.
pub(super) fn signing_alias(
    application: Option<&str>,
    reference: Option<&str>,
) -> Result<Option<KeyAlias>, Refusal> {
    match application.filter(|application| !application.trim().is_empty()) {
        Some(application) => Ok(Some(KeyAlias::parse(application, reference.unwrap_or_default())?)),
        None => Ok(None),
    }
}

/// What to sign, and what to say in the header.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwtSignRequest {
    /// The bytes to sign.
    #[serde(default)]
    data_to_sign: Base64Member,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// Blank, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// Whether the payload stands in the result; otherwise it is detached.
    include_payload: Option<bool>,
    /// Whether the header has `x5c`.
    include_certificate: Option<bool>,
    /// Whether the header has `x5t#S256`.
    include_cert_hash: Option<bool>,
    /// `x5u` of the header.
    certificate_url: Option<String>,
}

impl JwtSignRequest {
    fn check(self) -> Result<SignRequest, Refusal> {
        let mut violations = Violations::default();
        violations.require_base64("request.dataToSign", &self.data_to_sign);
        violations.finish()?;
        let payload = bytes("request.dataToSign", self.data_to_sign)?;
        Ok(SignRequest {
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            payload: payload.map(|mut payload| std::mem::take(&mut *payload)).unwrap_or_default(),
            include_payload: self.include_payload.unwrap_or_default(),
            include_certificate: self.include_certificate.unwrap_or_default(),
            include_certificate_hash: self.include_cert_hash.unwrap_or_default(),
            certificate_url: not_blank(self.certificate_url),
        })
    }
}

/// A signature.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwtSignAnswer {
    /// The compact JWS.
    jwt_signed_data: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for JwtSignAnswer {
    fn length_hint(&self) -> usize {
        self.jwt_signed_data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<SignRequest, Refusal> {
        serde_json::from_str::<JwtSignRequest>(text).unwrap().check()
    }

    #[test]
    fn a_request_of_openg2p_is_read() {
        let request = check(
            r#"{"dataToSign":"eyJhIjoxfQ","applicationId":"ID_REPO","referenceId":"","includePayload":true,
                "includeCertificate":false,"includeCertHash":null}"#,
        )
        .unwrap();
        assert_eq!(request.payload, br#"{"a":1}"#);
        assert_eq!(request.alias.unwrap().to_string(), "ID_REPO/");
        assert!(request.include_payload && !request.include_certificate && !request.include_certificate_hash);
    }

    #[test]
    fn without_an_application_there_is_no_alias() {
        for text in
            [r#"{"dataToSign":"YQ=="}"#, r#"{"dataToSign":"YQ","applicationId":"","referenceId":"SIGN"}"#]
        {
            assert!(check(text).unwrap().alias.is_none());
        }
    }

    #[test]
    fn nothing_to_sign_is_refused() {
        for text in ["{}", r#"{"dataToSign":" "}"#] {
            assert_eq!(
                check(text).unwrap_err().entries[0].message,
                "request.dataToSign should not be null or empty"
            );
        }
        assert_eq!(check(r#"{"dataToSign":"*"}"#).unwrap_err().entries[0].code, "KER-CRY-003");
    }
}
