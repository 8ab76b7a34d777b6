//! `POST /v1/keymanager/sign`, `POST /v1/keymanager/validate`: the oldest calls, with `KERNEL/SIGN` alone.

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    faults::Fault,
    members::Violations,
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign, Verify},
        openapi::Tag,
        wire::WireTime,
    },
    domain::{access::CallContext, jose::SignatureAlgorithm, time::Timestamp},
    services::{
        Services,
        signatures::{AlgorithmChoice, CertificateSource, HeaderRequest, JwsRequest, VerifyRequest},
    },
};

/// `sign` and `validate`
pub(crate) struct SignApi {
    services: Services,
}

impl SignApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn sign(
        &self,
        call: &CallContext,
        request: SignRequest,
        now: Timestamp,
    ) -> Result<SignAnswer, Refusal> {
        let signature = self.services.signatures.sign_jws(call, request.check()?).await?;
        Ok(SignAnswer { signature, timestamp: now.to_text() })
    }

    async fn validate(
        &self,
        call: &CallContext,
        request: ValidateRequest,
    ) -> Result<ValidateAnswer, Refusal> {
        let outcome = self.services.signatures.verify_jws(call, request.check()?).await?;
        if !outcome.valid {
            return Err(Fault::ValidationFailed.into());
        }
        Ok(ValidateAnswer { status: "success".to_owned(), message: "Validation Successful".to_owned() })
    }
}

#[OpenApi]
impl SignApi {
    /// Sign a text with `KERNEL/SIGN`
    ///
    /// RS256 over the text's UTF-8 bytes, detached. Newer clients use `jwtSign`.
    #[oai(path = "/v1/keymanager/sign", method = "post", operation_id = "sign", tag = "Tag::KeyManager")]
    async fn sign_call(&self, caller: Authorized<Sign>, body: Enveloped<SignRequest>) -> Reply<SignAnswer> {
        let now = self.services.clock.now();
        let outcome = self.sign(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Verify a signature of `sign`
    ///
    /// By the keys of `KERNEL/SIGN`, also by earlier ones; certificates in the signature's header do not count. A
    /// signature that does not fit is an error.
    #[oai(
        path = "/v1/keymanager/validate",
        method = "post",
        operation_id = "validate",
        tag = "Tag::KeyManager"
    )]
    async fn validate_call(
        &self,
        caller: Authorized<Verify>,
        body: Enveloped<ValidateRequest>,
    ) -> Reply<ValidateAnswer> {
        let outcome = self.validate(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// What to sign.
#[derive(Debug, Deserialize, Object)]
struct SignRequest {
    /// The text to sign.
    data: Option<String>,
}

impl SignRequest {
    fn check(self) -> Result<JwsRequest, Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.data", self.data.as_deref());
        violations.finish()?;
        Ok(JwsRequest {
            alias: None,
            payload: self.data.unwrap_or_default().into_bytes(),
            algorithm: AlgorithmChoice::Named(SignatureAlgorithm::Rs256),
            must_be_json: false,
            header: HeaderRequest::default(),
            include_payload: false,
            encode_payload: true,
        })
    }
}

/// A signature and what it is of.
#[derive(Debug, Deserialize, Object)]
struct ValidateRequest {
    /// The detached signature: `header..signature`.
    signature: Option<String>,
    /// The text that was signed.
    data: Option<String>,
    /// A time; its value does not count.
    #[serde(default)]
    timestamp: WireTime,
}

impl ValidateRequest {
    fn check(self) -> Result<VerifyRequest, Refusal> {
        let mut violations = Violations::default();
        violations.require_text("request.signature", self.signature.as_deref());
        violations.require_text("request.data", self.data.as_deref());
        violations.require_time("request.timestamp", self.timestamp)?;
        violations.finish()?;
        Ok(VerifyRequest {
            token: self.signature.unwrap_or_default(),
            payload: Some(self.data.unwrap_or_default().into_bytes()),
            alias: None,
            source: CertificateSource::OwnKeys,
            validate_trust: false,
            domain: None,
        })
    }
}

/// A signature.
#[derive(Serialize, Object)]
struct SignAnswer {
    /// The detached JWS.
    signature: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for SignAnswer {}

/// The outcome of a verification.
#[derive(Serialize, Object)]
struct ValidateAnswer {
    /// `success`
    status: String,
    /// `Validation Successful`
    message: String,
}

impl Answer for ValidateAnswer {}
