//! `POST /v1/keymanager/jwsSign`, `POST /v1/keymanager/jwsSign/v2`

use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::{
    envelope::{Enveloped, Reply},
    header_members::AdditionalHeaders,
    jwt_sign::{JwtSignAnswer, chain, leaf, sign, signing_alias},
    members::{algorithm, not_blank, required_bytes},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::jose::SignatureAlgorithm,
    services::{
        Services,
        signatures::{AlgorithmChoice, HeaderRequest, JwsRequest},
    },
};

/// `jwsSign`
pub(crate) struct JwsSignApi {
    services: Services,
}

impl JwsSignApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl JwsSignApi {
    /// Sign bytes as a JSON Web Signature, with a choice of algorithm and of the payload's form
    ///
    /// Over exactly the bytes sent, unless `b64JWSHeaderParam` is true: then over their base64url text, as usual. The
    /// header says which (RFC 7797). PS256 with an RSA key where no algorithm is named.
    #[oai(
        path = "/v1/keymanager/jwsSign",
        method = "post",
        operation_id = "jwsSign",
        tag = "Tag::KeyManager"
    )]
    async fn jws_sign(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<JwsSignRequest>,
    ) -> Reply<JwtSignAnswer> {
        let now = self.services.clock.now();
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Sign bytes as a JSON Web Signature, with a chain of certificates and further headers
    ///
    /// As `jwsSign`. `x5c` has the certificates up to ROOT; `kid` in `additionalHeaders` is put before the key's own,
    /// with `#` between them.
    #[oai(
        path = "/v1/keymanager/jwsSign/v2",
        method = "post",
        operation_id = "jwsSignV2",
        tag = "Tag::KeyManager"
    )]
    async fn jws_sign_v2(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<JwsSignV2Request>,
    ) -> Reply<JwtSignAnswer> {
        let now = self.services.clock.now();
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// What to sign, how, and what to say in the header.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwsSignRequest {
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
    /// Whether the payload must be JSON.
    validate_json: Option<bool>,
    /// Whether base64url of the payload is signed; otherwise the payload itself, and the header has `b64` false.
    #[serde(rename = "b64JWSHeaderParam")]
    #[oai(rename = "b64JWSHeaderParam")]
    b64_header: Option<bool>,
    /// The algorithm; absent for PS256 with an RSA key, else that of the key's kind.
    sign_algorithm: Option<String>,
}

impl JwsSignRequest {
    fn check(self) -> Result<JwsRequest, Refusal> {
        Ok(JwsRequest {
            payload: required_bytes("request.dataToSign", self.data_to_sign)?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: wanted(self.sign_algorithm)?,
            must_be_json: self.validate_json.unwrap_or_default(),
            header: HeaderRequest {
                certificates: leaf(self.include_certificate),
                certificate_hash: self.include_cert_hash.unwrap_or_default(),
                certificate_url: not_blank(self.certificate_url),
                key_id: true,
                added: Vec::new(),
            },
            include_payload: self.include_payload.unwrap_or_default(),
            encode_payload: self.b64_header.unwrap_or_default(),
        })
    }
}

/// What to sign, how, and what to say in the header.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwsSignV2Request {
    /// The bytes to sign.
    #[serde(default)]
    data_to_sign: Base64Member,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// Blank, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// Whether the payload stands in the result; otherwise it is detached.
    include_payload: Option<bool>,
    /// Whether the header has `x5c`, with all certificates up to ROOT.
    include_certificate_chain: Option<bool>,
    /// Whether the header has `x5t#S256`.
    include_cert_hash: Option<bool>,
    /// `x5u` of the header.
    certificate_url: Option<String>,
    /// Further members of the header.
    #[serde(default)]
    additional_headers: AdditionalHeaders,
    /// Whether the payload must be JSON.
    validate_json: Option<bool>,
    /// Whether base64url of the payload is signed; otherwise the payload itself, and the header has `b64` false.
    #[serde(rename = "b64JWSHeaderParam")]
    #[oai(rename = "b64JWSHeaderParam")]
    b64_header: Option<bool>,
    /// The algorithm; absent for PS256 with an RSA key, else that of the key's kind.
    sign_algorithm: Option<String>,
}

impl JwsSignV2Request {
    fn check(self) -> Result<JwsRequest, Refusal> {
        Ok(JwsRequest {
            payload: required_bytes("request.dataToSign", self.data_to_sign)?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: wanted(self.sign_algorithm)?,
            must_be_json: self.validate_json.unwrap_or_default(),
            header: HeaderRequest {
                certificates: chain(self.include_certificate_chain),
                certificate_hash: self.include_cert_hash.unwrap_or_default(),
                certificate_url: not_blank(self.certificate_url),
                key_id: true,
                added: self.additional_headers.0,
            },
            include_payload: self.include_payload.unwrap_or_default(),
            encode_payload: self.b64_header.unwrap_or_default(),
        })
    }
}

/// The algorithm of this name, else PS256 for RSA keys.
///
/// # Errors
/// A [`Refusal`] when no algorithm has this name.
pub(super) fn wanted(name: Option<String>) -> Result<AlgorithmChoice, Refusal> {
    let usual = AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Ps256 };
    Ok(algorithm(name)?.map_or(usual, AlgorithmChoice::Named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<JwsRequest, Refusal> {
        serde_json::from_str::<JwsSignRequest>(text).unwrap().check()
    }

    #[test]
    fn a_request_of_the_credential_service_is_read() {
        let request = check(
            r#"{"dataToSign":"YS5i","includePayload":false,"b64JWSHeaderParam":false,"validateJson":false,
                "signAlgorithm":"PS256"}"#,
        )
        .unwrap();
        assert!(request.alias.is_none() && !request.include_payload && !request.encode_payload);
        assert_eq!(request.payload, b"a.b");
        assert_eq!(request.algorithm, AlgorithmChoice::Named(SignatureAlgorithm::Ps256));
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let request = check(r#"{"dataToSign":"YQ","validateJson":null}"#).unwrap();
        assert!(!request.must_be_json && !request.encode_payload && !request.include_payload);
        assert_eq!(request.algorithm, AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Ps256 });
        let refusal = check(r#"{"dataToSign":"YQ","signAlgorithm":"HS256"}"#).unwrap_err();
        assert_eq!(refusal.entries[0].code, "KER-SIG-113");
    }
}
