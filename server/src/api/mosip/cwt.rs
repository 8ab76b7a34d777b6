//! `POST /v1/keymanager/cwtSign`, `POST /v1/keymanager/cwtVerify`

use kunji_shared::encoding::decode_hex;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::{
    cose::{CoseSignAnswer, required_message, sign, verify},
    cose_headers::CoseHeaders,
    envelope::{Enveloped, Reply},
    faults::Fault,
    jws_sign::wanted,
    jwt_sign::signing_alias,
    jwt_verify::JwtVerifyAnswer,
    members::{bytes, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign, Verify},
        openapi::Tag,
        wire::Base64Member,
    },
    services::{
        Services,
        signatures::{ClaimsCheck, ClaimsRequest, CosePayload, CoseRequest, CoseVerifyRequest},
    },
};

/// `cwtSign` and `cwtVerify`
pub(crate) struct CwtApi {
    services: Services,
}

impl CwtApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl CwtApi {
    /// Sign claims as a CBOR Web Token
    ///
    /// `nbf` is now and `notBeforeDays`, `exp` is `expireDays` later, `cti` is `cwtid`, or random where that is `UUID`.
    /// Members of the payload are further claims; they replace none of these. Headers as in `coseSign1`.
    #[oai(
        path = "/v1/keymanager/cwtSign",
        method = "post",
        operation_id = "cwtSign",
        tag = "Tag::KeyManager"
    )]
    async fn cwt_sign(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<CwtSignRequest>,
    ) -> Reply<CoseSignAnswer> {
        let now = self.services.clock.now();
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Verify a CBOR Web Token
    ///
    /// As `coseVerify1`. Once the signature fits, `nbf` and `exp` must hold, and `iss` and `sub` be those given, if any.
    #[oai(
        path = "/v1/keymanager/cwtVerify",
        method = "post",
        operation_id = "cwtVerify",
        tag = "Tag::KeyManager"
    )]
    async fn cwt_verify(
        &self,
        caller: Authorized<Verify>,
        body: Enveloped<CwtVerifyRequest>,
    ) -> Reply<JwtVerifyAnswer> {
        let outcome = verify(&self.services.signatures, &caller.call, body.request.check()).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// What to claim, and what the headers say.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CwtSignRequest {
    /// A JSON object with further claims, at most 64 KiB.
    #[serde(default)]
    payload: Base64Member,
    /// Claim 169, in hexadecimal digits.
    #[serde(rename = "claim169Payload")]
    #[oai(rename = "claim169Payload")]
    claim_169: Option<String>,
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
    /// `iss`
    issuer: Option<String>,
    /// `sub`
    subject: Option<String>,
    /// `aud`
    audience: Option<String>,
    /// Days from `nbf` to `exp`; absent for a token without an end.
    expire_days: Option<i64>,
    /// Days from now to `nbf`.
    not_before_days: Option<i64>,
    /// `cti`; `UUID` for a random one.
    cwtid: Option<String>,
}

impl CwtSignRequest {
    fn check(self) -> Result<CoseRequest, Refusal> {
        let payload = bytes("request.payload", self.payload)?;
        let claim_169 = not_blank(self.claim_169)
            .map(|digits| decode_hex(digits.trim(), digits.len()))
            .transpose()
            .map_err(|_| Fault::ClaimsMalformed)?;
        let claims = ClaimsRequest {
            issuer: not_blank(self.issuer),
            subject: not_blank(self.subject),
            audience: not_blank(self.audience),
            expire_days: days("expireDays", self.expire_days)?,
            not_before_days: days("notBeforeDays", self.not_before_days)?.unwrap_or_default(),
            token_id: not_blank(self.cwtid),
            claim_169,
            payload: payload.map(|mut payload| std::mem::take(&mut *payload)),
        };
        Ok(CoseRequest {
            payload: CosePayload::Claims(claims),
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: wanted(self.algorithm)?,
            protected: self.protected_header.check()?,
            unprotected: self.unprotected_header.check()?,
        })
    }
}

fn days(name: &str, days: Option<i64>) -> Result<Option<u32>, Refusal> {
    match days {
        Some(days) if days < 0 => Err(Refusal::with_message(
            Fault::NegativeDays,
            format!("Negative values are not allowed for {name}."),
        )),
        Some(days) => u32::try_from(days).map(Some).map_err(|_| {
            Refusal::with_message(Fault::Invalid, format!("request.{name} must be below 4294967296"))
        }),
        None => Ok(None),
    }
}

/// What to verify, and against what.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CwtVerifyRequest {
    /// The CWT, in hexadecimal digits.
    cose_signed_data: Option<String>,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// The reference within the application.
    reference_id: Option<String>,
    /// PEM of the certificate, when the headers have none.
    certificate_data: Option<String>,
    /// What `iss` must be; absent for anything.
    issuer: Option<String>,
    /// What `sub` must be; absent for anything.
    subject: Option<String>,
    /// Whether the certificate's path is checked too.
    validate_trust: Option<bool>,
    /// The trust domain of that check.
    domain: Option<String>,
}

impl CwtVerifyRequest {
    fn check(self) -> Result<CoseVerifyRequest, Refusal> {
        Ok(CoseVerifyRequest {
            message: required_message(self.cose_signed_data.as_deref())?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            certificate: not_blank(self.certificate_data),
            validate_trust: self.validate_trust.unwrap_or_default(),
            domain: not_blank(self.domain),
            claims: Some(ClaimsCheck { issuer: not_blank(self.issuer), subject: not_blank(self.subject) }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<CoseRequest, Refusal> {
        serde_json::from_str::<CwtSignRequest>(text).unwrap().check()
    }

    #[test]
    fn days_are_not_negative() {
        for name in ["expireDays", "notBeforeDays"] {
            let refusal = check(&format!(r#"{{"{name}":-1}}"#)).unwrap_err();
            assert_eq!(refusal.entries[0].code, "KER-SIG-117");
            assert!(refusal.entries[0].message.contains(name));
            assert!(check(&format!(r#"{{"{name}":0}}"#)).is_ok());
        }
    }

    #[test]
    fn the_odd_name_of_the_token_id_is_read() {
        let request =
            check(r#"{"cwtid":"UUID","CWTId":"other","claim169Payload":"A0","issuer":" "}"#).unwrap();
        let CosePayload::Claims(claims) = request.payload else { panic!("no claims") };
        assert_eq!(claims.token_id.as_deref(), Some("UUID"));
        assert_eq!(claims.claim_169, Some(vec![0xa0]));
        assert_eq!(claims.issuer, None);
        assert_eq!(check(r#"{"claim169Payload":"x"}"#).unwrap_err().entries[0].code, "KER-SIG-114");
    }
}
