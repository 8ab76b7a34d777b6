//! `POST /v1/keymanager/coseSign1`, `POST /v1/keymanager/coseVerify1`

use kunji_shared::encoding::{decode_hex, encode_hex};
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    cose_headers::CoseHeaders,
    envelope::{Answer, Enveloped, Reply},
    faults::Fault,
    jws_sign::wanted,
    jwt_sign::signing_alias,
    jwt_verify::JwtVerifyAnswer,
    members::{Violations, not_blank, required_bytes},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign, Verify},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::{access::CallContext, time::Timestamp},
    services::{
        Services,
        signatures::{CosePayload, CoseRequest, CoseVerifyRequest, SignatureService},
    },
};

/// `coseSign1` and `coseVerify1`
pub(crate) struct CoseApi {
    services: Services,
}

impl CoseApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl CoseApi {
    /// Sign bytes as a COSE_Sign1
    ///
    /// Over exactly the bytes sent, which stand in the result; PS256 with an RSA key where no algorithm is named. The
    /// headers take `includeCertificate`, `includeCertificateChain` (`x5chain`), `includeCertificateHash` (`x5t`),
    /// `certificateUrl` (`x5u`), `kid`, `crit`, `cty`, `iv`, `partial-iv`, and others as they are.
    #[oai(
        path = "/v1/keymanager/coseSign1",
        method = "post",
        operation_id = "coseSign1",
        tag = "Tag::KeyManager"
    )]
    async fn cose_sign1(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<CoseSignRequest>,
    ) -> Reply<CoseSignAnswer> {
        let now = self.services.clock.now();
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Verify a COSE_Sign1
    ///
    /// A signature that does not fit is an answer, not an error. The certificate is that of `x5chain` in the protected
    /// header, else in the other, else `certificateData`, else that of the key that application and reference name.
    #[oai(
        path = "/v1/keymanager/coseVerify1",
        method = "post",
        operation_id = "coseVerify1",
        tag = "Tag::KeyManager"
    )]
    async fn cose_verify1(
        &self,
        caller: Authorized<Verify>,
        body: Enveloped<CoseVerifyMembers>,
    ) -> Reply<JwtVerifyAnswer> {
        let outcome = verify(&self.services.signatures, &caller.call, body.request.check()).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// Signs what a request asks for, once it was read.
pub(super) async fn sign(
    signatures: &SignatureService,
    call: &CallContext,
    request: Result<CoseRequest, Refusal>,
    now: Timestamp,
) -> Result<CoseSignAnswer, Refusal> {
    let message = signatures.sign_cose(call, request?).await?;
    Ok(CoseSignAnswer { signed_data: encode_hex(&message), timestamp: now.to_text() })
}

/// Verifies what a request asks for, once it was read.
pub(super) async fn verify(
    signatures: &SignatureService,
    call: &CallContext,
    request: Result<CoseVerifyRequest, Refusal>,
) -> Result<JwtVerifyAnswer, Refusal> {
    Ok(signatures.verify_cose(call, request?).await?.into())
}

/// The message in a member of hexadecimal digits, which must be there.
///
/// # Errors
/// A [`Refusal`].
pub(super) fn required_message(member: Option<&str>) -> Result<Vec<u8>, Refusal> {
    let mut violations = Violations::default();
    violations.require_text("request.coseSignedData", member);
    violations.finish()?;
    let digits = member.unwrap_or_default().trim();
    decode_hex(digits, digits.len()).map_err(|_| Fault::CoseMalformed.into())
}

/// What to sign, and what the headers say.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CoseSignRequest {
    /// The bytes to sign.
    #[serde(default)]
    payload: Base64Member,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// Blank, the reference of a key on a curve, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// What stands in the protected header, beside the algorithm.
    #[serde(default)]
    protected_header: CoseHeaders,
    /// What stands in the other.
    #[serde(default)]
    unprotected_header: CoseHeaders,
    /// The algorithm; absent for PS256 with an RSA key, else that of the key's kind.
    algorithm: Option<String>,
}

impl CoseSignRequest {
    fn check(self) -> Result<CoseRequest, Refusal> {
        Ok(CoseRequest {
            payload: CosePayload::Bytes(required_bytes("request.payload", self.payload)?),
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: wanted(self.algorithm)?,
            protected: self.protected_header.check()?,
            unprotected: self.unprotected_header.check()?,
        })
    }
}

/// What to verify, and against what.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase", rename = "CoseVerifyRequest")]
struct CoseVerifyMembers {
    /// The COSE_Sign1, in hexadecimal digits.
    cose_signed_data: Option<String>,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// The reference within the application.
    reference_id: Option<String>,
    /// PEM of the certificate, when the headers have none.
    certificate_data: Option<String>,
    /// Whether the certificate's path is checked too.
    validate_trust: Option<bool>,
    /// The trust domain of that check.
    domain: Option<String>,
}

impl CoseVerifyMembers {
    fn check(self) -> Result<CoseVerifyRequest, Refusal> {
        Ok(CoseVerifyRequest {
            message: required_message(self.cose_signed_data.as_deref())?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            certificate: not_blank(self.certificate_data),
            validate_trust: self.validate_trust.unwrap_or_default(),
            domain: not_blank(self.domain),
            claims: None,
        })
    }
}

/// A signature.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct CoseSignAnswer {
    /// The message in CBOR, in lower-case hexadecimal digits.
    signed_data: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for CoseSignAnswer {
    fn length_hint(&self) -> usize {
        self.signed_data.len()
    }
}
