//! `POST /v1/keymanager/jwtSign`, `POST /v1/keymanager/jwtSign/v2`

use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    header_members::AdditionalHeaders,
    members::{not_blank, required_bytes},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::{access::CallContext, alias::KeyAlias, jose::SignatureAlgorithm, time::Timestamp},
    services::{
        Services,
        signatures::{AlgorithmChoice, HeaderCertificates, HeaderRequest, JwsRequest, SignatureService},
    },
};

/// `jwtSign`
pub(crate) struct JwtSignApi {
    services: Services,
}

impl JwtSignApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl JwtSignApi {
    /// Sign bytes as a JSON Web Signature
    ///
    /// Over exactly the bytes sent: RS256 with an RSA key, else the algorithm of the key's kind. Without an application
    /// the key is `KERNEL/SIGN`.
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
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Sign bytes as a JSON Web Signature, with a chain of certificates and further headers
    ///
    /// As `jwtSign`. `x5c` has the certificates up to ROOT; `kid` in `additionalHeaders` is put before the key's own,
    /// with `#` between them.
    #[oai(
        path = "/v1/keymanager/jwtSign/v2",
        method = "post",
        operation_id = "jwtSignV2",
        tag = "Tag::KeyManager"
    )]
    async fn jwt_sign_v2(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<JwtSignV2Request>,
    ) -> Reply<JwtSignAnswer> {
        let now = self.services.clock.now();
        let outcome = sign(&self.services.signatures, &caller.call, body.request.check(), now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// Signs what a request asks for, once it was read.
pub(super) async fn sign(
    signatures: &SignatureService,
    call: &CallContext,
    request: Result<JwsRequest, Refusal>,
    now: Timestamp,
) -> Result<JwtSignAnswer, Refusal> {
    let jwt_signed_data = signatures.sign_jws(call, request?).await?;
    Ok(JwtSignAnswer { jwt_signed_data, timestamp: now.to_text() })
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
    fn check(self) -> Result<JwsRequest, Refusal> {
        Ok(JwsRequest {
            payload: required_bytes("request.dataToSign", self.data_to_sign)?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Rs256 },
            must_be_json: false,
            header: HeaderRequest {
                certificates: leaf(self.include_certificate),
                certificate_hash: self.include_cert_hash.unwrap_or_default(),
                certificate_url: not_blank(self.certificate_url),
                key_id: true,
                added: Vec::new(),
            },
            include_payload: self.include_payload.unwrap_or_default(),
            encode_payload: true,
        })
    }
}

/// What to sign, and what to say in the header.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct JwtSignV2Request {
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
}

impl JwtSignV2Request {
    fn check(self) -> Result<JwsRequest, Refusal> {
        Ok(JwsRequest {
            payload: required_bytes("request.dataToSign", self.data_to_sign)?,
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            algorithm: AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Rs256 },
            must_be_json: false,
            header: HeaderRequest {
                certificates: chain(self.include_certificate_chain),
                certificate_hash: self.include_cert_hash.unwrap_or_default(),
                certificate_url: not_blank(self.certificate_url),
                key_id: true,
                added: self.additional_headers.0,
            },
            include_payload: self.include_payload.unwrap_or_default(),
            encode_payload: true,
        })
    }
}

/// `x5c` as the first versions of the calls ask for it.
pub(super) fn leaf(include: Option<bool>) -> HeaderCertificates {
    if include == Some(true) { HeaderCertificates::Leaf } else { HeaderCertificates::None }
}

/// `x5c` as the second versions ask for it.
pub(super) fn chain(include: Option<bool>) -> HeaderCertificates {
    if include == Some(true) { HeaderCertificates::Chain } else { HeaderCertificates::None }
}

/// A signature.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct JwtSignAnswer {
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

    fn check(text: &str) -> Result<JwsRequest, Refusal> {
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
        assert!(request.include_payload && request.encode_payload && !request.must_be_json);
        assert_eq!(request.header.certificates, HeaderCertificates::None);
        assert!(!request.header.certificate_hash);
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

    #[test]
    fn the_second_version_has_a_chain_and_more_headers() {
        let text = r#"{"dataToSign":"YQ","applicationId":"ID_REPO","referenceId":null,
            "includeCertificateChain":true,"additionalHeaders":{"typ":"JWT","kid":"did:web:x"}}"#;
        let request = serde_json::from_str::<JwtSignV2Request>(text).unwrap().check().unwrap();
        assert_eq!(request.header.certificates, HeaderCertificates::Chain);
        assert_eq!(request.alias.unwrap().to_string(), "ID_REPO/");
        assert_eq!(request.header.added[1], ("kid".to_owned(), "did:web:x".to_owned()));
    }
}
