//! `POST /v1/keymanager/pdf/sign`

use kunji_shared::encoding::encode_base64url;
use poem_openapi::{Object, OpenApi};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{
    encrypt::DataAnswer,
    envelope::{Enveloped, Reply},
    faults::Fault,
    members::{Violations, bytes, not_blank},
    refusal::Refusal,
};
use crate::{
    api::{
        access::{Authorized, Sign},
        openapi::Tag,
        wire::{Base64Member, WireTime},
    },
    domain::{access::CallContext, alias::KeyAlias},
    services::{Services, signatures},
};

/// Longest reason, in characters.
const REASON_MAX_CHARACTERS: usize = 500;

/// `pdf/sign`
pub(crate) struct PdfSignApi {
    services: Services,
}

impl PdfSignApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn sign(&self, call: &CallContext, request: PdfSignRequest) -> Result<DataAnswer, Refusal> {
        let document = self.services.signatures.sign_pdf(call, request.check()?).await?;
        Ok(DataAnswer { data: encode_base64url(&document) })
    }
}

#[OpenApi]
impl PdfSignApi {
    /// Sign a PDF
    ///
    /// PAdES baseline B, appended to the document, so that signatures that it has stay valid; shown on the page in the
    /// rectangle, if that has an area. With `password` the document is written anew, encrypted (AES-256, revision 6).
    #[oai(
        path = "/v1/keymanager/pdf/sign",
        method = "post",
        operation_id = "pdfSign",
        tag = "Tag::KeyManager"
    )]
    async fn pdf_sign(&self, caller: Authorized<Sign>, body: Enveloped<PdfSignRequest>) -> Reply<DataAnswer> {
        let outcome = self.sign(&caller.call, body.request).await;
        Reply::new(&body.echo, self.services.clock.now(), &caller.call.request_id, outcome)
    }
}

/// What to sign, and where the signature is shown.
#[derive(Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct PdfSignRequest {
    /// The application whose key signs.
    application_id: Option<String>,
    /// Blank, `EC_SECP256R1_SIGN`, or `SIGN` with the application `KERNEL`.
    reference_id: Option<String>,
    /// A time; its value is not used.
    #[serde(default)]
    time_stamp: WireTime,
    /// The PDF, of at most 32 MiB.
    #[serde(default)]
    data: Base64Member,
    /// Left edge of the rectangle, in points from the page's origin; absent for 0.
    lower_left_x: Option<i32>,
    /// Its lower edge.
    lower_left_y: Option<i32>,
    /// Its right edge.
    upper_right_x: Option<i32>,
    /// Its upper edge.
    upper_right_y: Option<i32>,
    /// Why it is signed, in at most 500 characters.
    reason: Option<String>,
    /// The page that shows the signature, from 1; absent for 1.
    page_number: Option<i32>,
    /// Opens the result; absent or blank for one that is not encrypted.
    password: Option<String>,
}

impl PdfSignRequest {
    fn check(self) -> Result<signatures::PdfSignRequest, Refusal> {
        let password = self.password.map(SecretString::from);
        let mut violations = Violations::default();
        violations.require_time("request.timeStamp", self.time_stamp)?;
        violations.require_text("request.applicationId", self.application_id.as_deref());
        violations.require_base64("request.data", &self.data);
        violations.require_text("request.reason", self.reason.as_deref());
        violations.finish()?;
        let reason = not_blank(self.reason).unwrap_or_default();
        if reason.chars().count() > REASON_MAX_CHARACTERS {
            let message = "request.reason is too long: use at most 500 characters";
            return Err(Refusal::with_message(Fault::Invalid, message));
        }
        let alias = KeyAlias::parse(
            self.application_id.as_deref().unwrap_or_default(),
            self.reference_id.as_deref().unwrap_or_default(),
        )?;
        let mut document = bytes("request.data", self.data)?.unwrap_or_default();
        let corners = [self.lower_left_x, self.lower_left_y, self.upper_right_x, self.upper_right_y];
        Ok(signatures::PdfSignRequest {
            alias,
            document: std::mem::take(&mut *document),
            // There is no page 0, which is what it is told.
            page: u32::try_from(self.page_number.unwrap_or(1)).unwrap_or(0),
            rectangle: corners.map(Option::unwrap_or_default),
            reason,
            password: password.filter(|password| !password.expose_secret().trim().is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<signatures::PdfSignRequest, Refusal> {
        serde_json::from_str::<PdfSignRequest>(text).unwrap().check()
    }

    #[test]
    fn a_request_of_the_print_service_is_read() {
        let request = check(
            r#"{"applicationId":"KERNEL","referenceId":"SIGN","data":"JVBERg==","timeStamp":"2026-01-05T10:11:12.123Z",
                "lowerLeftX":400,"lowerLeftY":400,"upperRightX":500,"upperRightY":450,"reason":"signing","pageNumber":2,
                "password":null}"#,
        )
        .unwrap();
        assert_eq!((request.document.as_slice(), request.page), (b"%PDF".as_slice(), 2));
        assert_eq!(request.rectangle, [400, 400, 500, 450]);
        assert_eq!(request.reason, "signing");
        assert!(request.password.is_none());
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let request = check(
            r#"{"applicationId":"A","timeStamp":[2026,1,5,10,11],"data":"YQ","reason":"r","password":" "}"#,
        );
        let request = request.unwrap();
        assert_eq!((request.page, request.rectangle), (1, [0; 4]));
        assert!(request.password.is_none());
        let negative = r#"{"applicationId":"A","timeStamp":"2026-01-05T10:11:12Z","data":"YQ","reason":"r","pageNumber":-1}"#;
        assert_eq!(check(negative).unwrap().page, 0);
    }

    #[test]
    fn everything_that_is_missing_is_told() {
        let refusal = check("{}").unwrap_err();
        let names = ["timeStamp", "applicationId", "data", "reason"];
        assert_eq!(refusal.entries.len(), names.len());
        for (entry, name) in refusal.entries.iter().zip(names) {
            assert_eq!(entry.message, format!("request.{name} should not be null or empty"));
        }
        let long = "x".repeat(501);
        let long = format!(
            r#"{{"applicationId":"A","timeStamp":"2026-01-05T10:11:12Z","data":"YQ","reason":"{long}"}}"#
        );
        assert_eq!(check(&long).unwrap_err().entries[0].code, "KER-KMS-005");
    }
}
