//! `POST /v1/keymanager/jwtVerify`, `POST /v1/keymanager/jwtVerify/v2`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    jwt_sign::signing_alias,
    members::{Violations, bytes, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Verify},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::access::CallContext,
    services::{
        Services,
        signatures::{CertificateSource, Trust, Verification, VerifyRequest},
    },
};

/// `jwtVerify`
pub(crate) struct JwtVerifyApi {
    services: Services,
}

impl JwtVerifyApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn verify(
        &self,
        call: &CallContext,
        request: JwtVerifyRequest,
    ) -> Result<JwtVerifyAnswer, Refusal> {
        Ok(self.services.signatures.verify_jws(call, request.check()?).await?.into())
    }
}

#[OpenApi]
impl JwtVerifyApi {
    /// Verify a JSON Web Signature
    ///
    /// A signature that does not fit is an answer, not an error. The certificate is that of the header's `x5c`,
    /// else of `certificateData`, else of the key that application and reference name.
    #[oai(
        path = "/v1/keymanager/jwtVerify",
        method = "post",
        operation_id = "jwtVerify",
        tag = "Tag::KeyManager"
    )]
    async fn jwt_verify(
        &self,
        caller: Authorized<Verify>,
        body: Enveloped<JwtVerifyRequest>,
    ) -> Reply<JwtVerifyAnswer> {
        let outcome = self.verify(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }

    /// Verify a JSON Web Signature (second version)
    ///
    /// The same as `jwtVerify`.
    #[oai(
        path = "/v1/keymanager/jwtVerify/v2",
        method = "post",
        operation_id = "jwtVerifyV2",
        tag = "Tag::KeyManager"
    )]
    async fn jwt_verify_v2(
        &self,
        caller: Authorized<Verify>,
        body: Enveloped<JwtVerifyRequest>,
    ) -> Reply<JwtVerifyAnswer> {
        let outcome = self.verify(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// What to verify, and against what.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwtVerifyRequest {
    /// `header.payload.signature` or `header..signature`.
    jwt_signature_data: Option<String>,
    /// Replaces the payload.
    #[serde(default)]
    actual_data: Base64Member,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// The reference within the application.
    reference_id: Option<String>,
    /// PEM of the certificate, when the header has none.
    certificate_data: Option<String>,
    /// Whether the certificate's path is checked too.
    validate_trust: Option<bool>,
    /// The trust domain of that check.
    domain: Option<String>,
}

impl JwtVerifyRequest {
    fn check(self) -> Result<VerifyRequest, Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.jwtSignatureData", self.jwt_signature_data.as_deref());
        violations.finish()?;
        let payload = bytes("request.actualData", self.actual_data)?;
        Ok(VerifyRequest {
            token: self.jwt_signature_data.unwrap_or_default(),
            payload: payload.map(|mut payload| std::mem::take(&mut *payload)),
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            source: CertificateSource::HeaderOr(not_blank(self.certificate_data)),
            validate_trust: self.validate_trust.unwrap_or_default(),
            domain: not_blank(self.domain),
        })
    }
}

/// The outcome of a verification.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct JwtVerifyAnswer {
    /// Whether the signature fits.
    signature_valid: bool,
    /// `Validation Successful` or `Validation Failed`.
    message: String,
    /// `TRUST_CERT_PATH_VALID`, `TRUST_CERT_PATH_NOT_VALID`, `TRUST_NOT_VERIFIED` or
    /// `TRUST_NOT_VERIFIED_NO_DOMAIN`.
    trust_valid: String,
}

impl Answer for JwtVerifyAnswer {}

impl From<Verification> for JwtVerifyAnswer {
    fn from(outcome: Verification) -> Self {
        let message = if outcome.valid { "Validation Successful" } else { "Validation Failed" };
        let trust = match outcome.trust {
            Trust::PathValid => "TRUST_CERT_PATH_VALID",
            Trust::PathNotValid => "TRUST_CERT_PATH_NOT_VALID",
            Trust::NotVerified => "TRUST_NOT_VERIFIED",
            Trust::NoDomain => "TRUST_NOT_VERIFIED_NO_DOMAIN",
        };
        Self { signature_valid: outcome.valid, message: message.to_owned(), trust_valid: trust.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<VerifyRequest, Refusal> {
        serde_json::from_str::<JwtVerifyRequest>(text).unwrap().check()
    }

    #[test]
    fn a_request_of_the_openg2p_library_is_read() {
        let request = check(
            r#"{"jwtSignatureData":"a..b","actualData":null,"applicationId":"SPAR","referenceId":"PARTNER_PBMS_1",
                "certificateData":"","validateTrust":false,"domain":""}"#,
        )
        .unwrap();
        assert_eq!(request.token, "a..b");
        assert_eq!(request.alias.unwrap().to_string(), "SPAR/PARTNER_PBMS_1");
        assert!(
            request.payload.is_none()
                && request.source == CertificateSource::HeaderOr(None)
                && request.domain.is_none()
        );
    }

    #[test]
    fn a_token_is_needed() {
        assert_eq!(check("{}").unwrap_err().entries[0].code, "KER-KMS-005");
    }

    #[test]
    fn words_are_those_of_the_reference() {
        let answer = JwtVerifyAnswer::from(Verification { valid: false, trust: Trust::NoDomain });
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"signatureValid":false,"message":"Validation Failed","trustValid":"TRUST_NOT_VERIFIED_NO_DOMAIN"}"#
        );
    }
}
