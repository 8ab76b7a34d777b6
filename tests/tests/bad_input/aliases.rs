//! Applications and references that do not exist, do not fit, or are for something else.

use kunji_tests::http::{Answer, b64};
use serde_json::{Value, json};

use crate::witness::{APPLICATION, NEVER_MADE, PLANTED, REFERENCE, Witness};

/// Names that are none: application and reference.
fn no_names() -> Vec<(String, String)> {
    let owned = |application: &str, reference: &str| (application.to_owned(), reference.to_owned());
    vec![
        (PLANTED.repeat(6), REFERENCE.to_owned()),
        (PLANTED.repeat(10_000), REFERENCE.to_owned()),
        (APPLICATION.to_owned(), PLANTED.repeat(19)),
        (APPLICATION.to_owned(), PLANTED.repeat(10_000)),
        owned("Pl4nt3d/x", REFERENCE),
        owned("Pl4nt3d x", REFERENCE),
        owned("Pl4nt3d\u{e9}", REFERENCE),
        owned("Pl4nt3d'; DELETE key; --", REFERENCE),
        owned(" REGISTRATION", REFERENCE),
        owned(APPLICATION, "Pl4nt3d\u{0}"),
        owned(APPLICATION, "Pl4nt3d/../x"),
        owned(APPLICATION, "Pl4nt3d\r\nx: y"),
        owned(APPLICATION, "Pl4nt3d*"),
        owned(APPLICATION, "Pl4nt3d$(id)"),
        owned(APPLICATION, "\u{202e}Pl4nt3d"),
        // The server's own application.
        owned("KUNJI", "ACCESS_TOKEN"),
        owned("kunji", ""),
    ]
}

/// Every byte percent-encoded.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |escaped, byte| escaped + &format!("%{byte:02X}"))
}

fn crypto(application: &str, reference: impl Into<Value>) -> Value {
    let reference: Value = reference.into();
    json!({
        "applicationId": application, "referenceId": reference, "timeStamp": [2026, 1, 5, 10, 11], "data": "YQ",
        "salt": b64([1; 12]), "aad": b64([2; 32]),
    })
}

/// A request to the binary routes; header values are limited to what HTTP can carry.
async fn octets(witness: &Witness, path: &str, application: &str, reference: Option<&str>) -> Answer {
    let mut request = witness
        .client
        .request(reqwest::Method::POST, path)
        .header("content-type", "application/octet-stream")
        .header("kunji-application", application)
        .header("kunji-salt", b64([1; 12]));
    if let Some(reference) = reference {
        request = request.header("kunji-reference", reference);
    }
    Answer::read(request.body("content").send().await.unwrap()).await
}

#[tokio::test]
async fn what_is_no_name_is_refused_unseen() {
    let witness = Witness::new().await;
    let client = &witness.client;
    for (application, reference) in no_names() {
        let names = json!({ "applicationId": application, "referenceId": reference });
        let merge = |other: Value| {
            let mut request = other;
            request.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
            request
        };
        for (path, request) in [
            ("/encrypt", crypto("", Value::Null)),
            ("/decrypt", crypto("", Value::Null)),
            ("/jwtSign", json!({ "dataToSign": "YQ" })),
            ("/jwtVerify", json!({ "jwtSignatureData": "e30..AAAA" })),
            ("/generateMasterKey/CERTIFICATE", json!({})),
            ("/generateMasterKey/CSR", json!({})),
            ("/generateCSR", json!({})),
            ("/generateSymmetricKey", json!({})),
            ("/uploadCertificate", json!({ "certificateData": "x" })),
            ("/uploadOtherDomainCertificate", json!({ "certificateData": "x" })),
        ] {
            let answer = client.call(path, merge(request)).await;
            answer.envelope_error(200, "KER-KMS-005");
            answer.assert_hides(PLANTED);
        }
        if application.len() + reference.len() > 10_000 {
            continue;
        }
        for path in ["getCertificate", "getCertificateChain", "getAllCertificates"] {
            let query =
                format!("applicationId={}&referenceId={}", escaped(&application), escaped(&reference));
            let answer = client.get(&format!("/v1/keymanager/{path}?{query}")).await;
            answer.envelope_error(200, "KER-KMS-005");
            answer.assert_hides(PLANTED);
        }
        // What HTTP can carry in a header; it takes blanks around a value away.
        let carried =
            |text: &str| text.trim() == text && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if carried(&application) && carried(&reference) {
            for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
                let answer = octets(&witness, path, &application, Some(&reference)).await;
                answer.problem(400, "alias.invalid");
                answer.assert_hides(PLANTED);
            }
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn unknown_applications_have_no_keys() {
    let witness = Witness::new().await;
    let client = &witness.client;
    for (path, request, code) in [
        ("/encrypt", crypto(PLANTED, REFERENCE), "KER-KMS-002"),
        ("/decrypt", crypto(PLANTED, REFERENCE), "KER-CRY-012"),
        ("/jwtSign", json!({ "dataToSign": "YQ", "applicationId": PLANTED }), "KER-JWS-108"),
        ("/jwtVerify", json!({ "jwtSignatureData": "e30..AAAA", "applicationId": PLANTED }), "KER-KMS-012"),
        ("/generateMasterKey/CERTIFICATE", json!({ "applicationId": PLANTED }), "KER-KMS-002"),
        ("/generateMasterKey/CSR", json!({ "applicationId": PLANTED }), "KER-KMS-002"),
        ("/generateCSR", json!({ "applicationId": PLANTED }), "KER-KMS-002"),
        ("/generateSymmetricKey", json!({ "applicationId": PLANTED }), "KER-KMS-002"),
    ] {
        let answer = client.call(path, request).await;
        answer.envelope_error(200, code);
        answer.assert_hides(PLANTED);
    }
    for path in ["getCertificate", "getCertificateChain", "getAllCertificates"] {
        for reference in ["", "&referenceId=", "&referenceId=x"] {
            let target = format!("/v1/keymanager/{path}?applicationId={PLANTED}{reference}");
            let answer = client.get(&target).await;
            answer.envelope_error(200, "KER-KMS-002");
            answer.assert_hides(PLANTED);
        }
    }
    let answer = octets(&witness, "/v1/packets/encrypt", PLANTED, Some(REFERENCE)).await;
    answer.problem(404, "application.unknown");
    answer.assert_hides(PLANTED);
    let answer = octets(&witness, "/v1/packets/decrypt", PLANTED, Some(REFERENCE)).await;
    answer.problem(403, "access.policy");
    answer.assert_hides(PLANTED);
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_missing_application_is_asked_for() {
    let witness = Witness::new().await;
    for path in ["getCertificate", "getCertificateChain", "getAllCertificates"] {
        for query in ["", "?applicationId=", "?applicationId=%20", "?referenceId=x", "?applicationid=ROOT"] {
            let answer = witness.client.get(&format!("/v1/keymanager/{path}{query}")).await;
            let text = answer.envelope_error(200, "KER-KMS-005");
            assert_eq!(text, "applicationId should not be null or empty");
        }
    }
    for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
        let request = witness
            .client
            .request(reqwest::Method::POST, path)
            .header("content-type", "application/octet-stream")
            .body("x");
        let answer = Answer::read(request.send().await.unwrap()).await;
        answer.problem(400, "request.invalid");
        octets(&witness, path, "", None).await.problem(400, "alias.invalid");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn keys_do_only_what_they_are_for() {
    let witness = Witness::new().await;
    let client = &witness.client;
    // A blank reference is the master key, which does not encrypt.
    for reference in [Value::Null, json!(""), json!("  ")] {
        client.call("/encrypt", crypto(APPLICATION, reference)).await.envelope_error(200, "KER-CRY-011");
    }
    client.call("/encrypt", crypto("KERNEL", "SIGN")).await.envelope_error(200, "KER-CRY-011");
    for reference in [None, Some(""), Some(" ")] {
        let answer = octets(&witness, "/v1/packets/encrypt", APPLICATION, reference).await;
        answer.problem(409, "alias.signing_key");
    }
    for application in ["ROOT", "KERNEL"] {
        let answer = client.call("/encrypt", crypto(application, REFERENCE)).await;
        answer.envelope_error(200, "KER-KMS-016");
        let query = format!("applicationId={application}&referenceId={REFERENCE}");
        let answer = client.get(&format!("/v1/keymanager/getCertificate?{query}")).await;
        answer.envelope_error(200, "KER-KMS-016");
    }
    // Encryption keys and ROOT do not sign.
    for (application, reference) in [(APPLICATION, REFERENCE), (APPLICATION, NEVER_MADE), ("ROOT", "")] {
        let request = json!({ "dataToSign": "YQ", "applicationId": application, "referenceId": reference });
        client.call("/jwtSign", request).await.envelope_error(200, "KER-KMS-020");
    }
    // Base keys are made by reading them.
    for object in ["CERTIFICATE", "csr"] {
        let request = json!({ "applicationId": APPLICATION, "referenceId": NEVER_MADE });
        let answer = client.call(&format!("/generateMasterKey/{object}"), request).await;
        answer.envelope_error(200, "KER-KMS-010");
    }
    let request = json!({ "applicationId": APPLICATION });
    let answer = client.call(&format!("/generateMasterKey/{PLANTED}"), request).await;
    answer.envelope_error(200, "KER-KMS-009");
    answer.assert_hides(PLANTED);
    let request = json!({ "applicationId": APPLICATION, "force": "yes" });
    client.call("/generateMasterKey/CERTIFICATE", request).await.envelope_error(200, "KER-KMS-005");
    let request = json!({ "applicationId": APPLICATION, "force": true, "country": PLANTED });
    client.call("/generateMasterKey/CERTIFICATE", request).await.envelope_error(200, "KER-KMS-005");
    for (member, value) in [("country", "Pl4nt3d"), ("country", "I"), ("commonName", "Pl4nt3d\u{0}")] {
        let request = json!({ "applicationId": APPLICATION, member: value });
        let answer = client.call("/generateMasterKey/CSR", request).await;
        answer.envelope_error(200, "KER-KMS-005");
        answer.assert_hides(PLANTED);
    }
    let request = json!({ "applicationId": APPLICATION, "organization": PLANTED.repeat(1_000) });
    let answer = client.call("/generateMasterKey/CSR", request).await;
    answer.envelope_error(200, "KER-KMS-005");
    answer.assert_hides(PLANTED);
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn references_of_a_form_that_is_not_allowed_get_no_key() {
    let witness = Witness::new().await;
    // A name, but not of the pattern: a blank inside, and another beginning.
    for reference in ["Pl4nt3d x", "-Pl4nt3d", ".Pl4nt3d", ":Pl4nt3d"] {
        let answer = witness.client.call("/encrypt", crypto(APPLICATION, reference)).await;
        answer.envelope_error(200, "KER-KMS-016");
        answer.assert_hides(PLANTED);
        let answer = octets(&witness, "/v1/packets/encrypt", APPLICATION, Some(reference)).await;
        answer.problem(422, "alias.reference_not_allowed");
        answer.assert_hides(PLANTED);
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn public_certificates_are_read_and_never_made() {
    let witness = Witness::new().await;
    let anonymous = witness.anonymous();
    for (path, status, code) in [
        ("/v1/certificates/REGISTRATION/99999_999999", 404, "certificate.not_found"),
        ("/v1/certificates/Pl4nt3d/x", 404, "certificate.not_found"),
        ("/v1/certificates/RESIDENT/x", 404, "certificate.not_found"),
        ("/v1/certificates/ROOT/x", 404, "certificate.not_found"),
        ("/v1/certificates/REGISTRATION/Pl4nt3d%2Fx", 401, "access.unauthenticated"),
        ("/v1/certificates/REGISTRATION/Pl4nt3d%00", 401, "access.unauthenticated"),
        ("/v1/certificates/KUNJI/ACCESS_TOKEN", 401, "access.unauthenticated"),
    ] {
        let answer = anonymous.get(path).await;
        answer.problem(status, code);
        answer.assert_hides(PLANTED);
    }
    witness.assert_unchanged().await;
}
