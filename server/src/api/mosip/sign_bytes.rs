//! `POST /v1/keymanager/signV2`, `POST /v1/keymanager/signRawData`

use kunji_shared::encoding::encode_base64url;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Serialize};

use super::{
    envelope::{Answer, Enveloped, Reply},
    faults::Fault,
    get_certificate::certificate_pem,
    jws_sign::wanted,
    jwt_sign::signing_alias,
    members::{not_blank, required_bytes},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign},
        openapi::Tag,
        wire::Base64Member,
    },
    domain::{access::CallContext, time::Timestamp},
    services::{
        Services,
        signatures::{BytesRequest, BytesSignature, SignedContent},
    },
};

/// `signV2` and `signRawData`
pub(crate) struct SignBytesApi {
    services: Services,
}

impl SignBytesApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn sign(
        &self,
        call: &CallContext,
        request: SignBytesRequest,
    ) -> Result<(String, BytesSignature), Refusal> {
        let (format, request) = request.check()?;
        let signed = self.services.signatures.sign_bytes(call, request).await?;
        Ok((format.encode(&signed.signature), signed))
    }

    async fn sign_v2(
        &self,
        call: &CallContext,
        request: SignBytesRequest,
        now: Timestamp,
    ) -> Result<SignV2Answer, Refusal> {
        let (signature, _) = self.sign(call, request).await?;
        Ok(SignV2Answer { signature, timestamp: now.to_text() })
    }

    async fn sign_raw(
        &self,
        call: &CallContext,
        request: SignBytesRequest,
        now: Timestamp,
    ) -> Result<SignRawDataAnswer, Refusal> {
        let (signed_data, made) = self.sign(call, request).await?;
        Ok(SignRawDataAnswer {
            signed_data,
            key_id: made.key.kid(),
            certificate: certificate_pem(&made.key),
            signature_algorithm: made.algorithm.name().to_owned(),
            timestamp: now.to_text(),
        })
    }
}

#[OpenApi]
impl SignBytesApi {
    /// Sign bytes
    ///
    /// Over exactly the bytes sent; PS256 with an RSA key where no algorithm is named. ECDSA signatures are r and s, one
    /// after the other. With a blank reference, whose key issues certificates, the bytes cannot be one whole SEQUENCE of
    /// ASN.1.
    #[oai(path = "/v1/keymanager/signV2", method = "post", operation_id = "signV2", tag = "Tag::KeyManager")]
    async fn sign_v2_call(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<SignBytesRequest>,
    ) -> Reply<SignV2Answer> {
        let now = self.services.clock.now();
        let outcome = self.sign_v2(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }

    /// Sign bytes, and tell with which key
    ///
    /// As `signV2`.
    #[oai(
        path = "/v1/keymanager/signRawData",
        method = "post",
        operation_id = "signRawData",
        tag = "Tag::KeyManager"
    )]
    async fn sign_raw_data(
        &self,
        caller: Authorized<Sign>,
        body: Enveloped<SignBytesRequest>,
    ) -> Reply<SignRawDataAnswer> {
        let now = self.services.clock.now();
        let outcome = self.sign_raw(&caller.call, body.request, now).await;
        Reply::new(&body.echo, now, &caller.call.request_id, outcome)
    }
}

/// What to sign, and how.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SignBytesRequest {
    /// The bytes to sign.
    #[serde(default)]
    data_to_sign: Base64Member,
    /// The application; absent for `KERNEL/SIGN`.
    application_id: Option<String>,
    /// Blank, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// `base58btc`, which is multibase and the default, or `base64url`.
    response_encoding_format: Option<String>,
    /// The algorithm; absent for PS256 with an RSA key, else that of the key's kind.
    sign_algorithm: Option<String>,
}

impl SignBytesRequest {
    fn check(self) -> Result<(Format, BytesRequest), Refusal> {
        let message = required_bytes("request.dataToSign", self.data_to_sign)?;
        let format = Format::parse(not_blank(self.response_encoding_format).as_deref())?;
        let request = BytesRequest {
            alias: signing_alias(self.application_id.as_deref(), self.reference_id.as_deref())?,
            content: SignedContent::Message(message),
            algorithm: wanted(self.sign_algorithm)?,
        };
        Ok((format, request))
    }
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Multibase: `z`, then base58 with Bitcoin's alphabet.
    Base58Btc,
    /// Without padding.
    Base64Url,
}

impl Format {
    fn parse(name: Option<&str>) -> Result<Self, Refusal> {
        match name.map(str::trim) {
            None | Some("base58btc") => Ok(Self::Base58Btc),
            Some("base64url") => Ok(Self::Base64Url),
            Some(_) => Err(Fault::SignatureFormat.into()),
        }
    }

    fn encode(self, signature: &[u8]) -> String {
        match self {
            Self::Base58Btc => format!("z{}", bs58::encode(signature).into_string()),
            Self::Base64Url => encode_base64url(signature),
        }
    }
}

/// A signature.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SignV2Answer {
    /// The signature.
    signature: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for SignV2Answer {}

/// A signature, and what it was made with.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct SignRawDataAnswer {
    /// The signature.
    signed_data: String,
    /// The key, as in `kid` and in `getAllCertificates`.
    key_id: String,
    /// The key's certificate, PEM.
    certificate: String,
    /// The algorithm.
    signature_algorithm: String,
    /// Time of the answer.
    timestamp: String,
}

impl Answer for SignRawDataAnswer {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(Format, BytesRequest), Refusal> {
        serde_json::from_str::<SignBytesRequest>(text).unwrap().check()
    }

    #[test]
    fn formats_are_known_by_their_names() {
        let format = |text: &str| check(&format!(r#"{{"dataToSign":"YQ","responseEncodingFormat":{text}}}"#));
        for (text, expected) in [
            ("null", Format::Base58Btc),
            (r#""""#, Format::Base58Btc),
            (r#""base58btc""#, Format::Base58Btc),
            (r#""base64url""#, Format::Base64Url),
        ] {
            assert_eq!(format(text).unwrap().0, expected);
        }
        assert_eq!(format(r#""hex""#).unwrap_err().entries[0].code, "KER-KMS-036");
    }

    /// The example of the multibase draft, in base58btc.
    #[test]
    fn base58_is_that_of_bitcoin() {
        assert_eq!(
            Format::Base58Btc.encode(b"Multibase is awesome! \\o/"),
            "zYAjKoNbau5KiqmHPmSxYCvn66dA1vLmwbt"
        );
        assert_eq!(Format::Base58Btc.encode(&[0, 0, 1]), "z112");
        assert_eq!(Format::Base64Url.encode(&[0xfb, 0xff]), "-_8");
    }
}
