//! `generateCSR`

use kunji_tests::{
    http::{b64, unb64},
    peer,
    site::Site,
};
use serde_json::{Value, json};

use crate::{
    Openssl, client,
    elsewhere::{Elsewhere, Usage},
    shared,
};

/// What OpenSSL says of a request, after it verified the signature: its subject, its public key.
fn verified(openssl: &Openssl, pem: &Value) -> (String, String) {
    openssl.write("request.pem", pem.as_str().unwrap());
    let shown = ["req", "-in", "request.pem", "-noout", "-verify", "-subject", "-nameopt", "RFC2253"];
    let output = openssl.run(&shown);
    assert!(output.status.success(), "{output:?}");
    let subject = String::from_utf8(output.stdout).unwrap();
    let subject = subject.lines().find_map(|line| line.strip_prefix("subject=")).unwrap().trim().to_owned();
    (subject, openssl.print(&["req", "-in", "request.pem", "-noout", "-pubkey"]))
}

fn public_key(openssl: &Openssl, certificate: &str) -> String {
    openssl.write("certificate.pem", certificate);
    openssl.print(&["x509", "-in", "certificate.pem", "-noout", "-pubkey"])
}

#[tokio::test]
async fn keys_of_every_kind_ask_for_certificates_and_sign_for_themselves() {
    let shared = shared();
    let maker = client(&shared.server, &["key-administrator"]).await;
    let openssl = Openssl::new();
    for (application, reference) in [
        ("ROOT", Some("")),
        ("REGISTRATION", None),
        ("KERNEL", Some("SIGN")),
        ("REGISTRATION", Some("10001_csr")),
    ] {
        let request = json!({ "applicationId": application, "referenceId": reference });
        let answer = maker.call("/generateCSR", request).await;
        let response = answer.response();
        let members: Vec<_> = response.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["certificate", "certSignRequest", "issuedAt", "expiryAt", "timestamp"]);
        assert_eq!(response["certificate"], Value::Null);
        let (subject, key) = verified(&openssl, &response["certSignRequest"]);
        // RFC 2253 prints what comes last first.
        assert_eq!(subject, "C=IN,ST=KA,L=Bengaluru,O=Kunji,OU=Key Management,CN=kunji");
        // Read after the request: it made the key.
        let certificate = maker.certificate(application, reference.unwrap_or_default()).await;
        assert_eq!(key, public_key(&openssl, &certificate), "{application}/{reference:?}");
    }
}

#[tokio::test]
async fn the_subject_is_what_the_caller_gives() {
    let shared = shared();
    let maker = client(&shared.server, &["key-administrator"]).await;
    let openssl = Openssl::new();
    let request = json!({
        "applicationId": "REGISTRATION", "referenceId": "10001_csr", "commonName": "Centre (north)", "organizationUnit": "u",
        "organization": "o", "location": " ", "state": "s", "country": "KE",
    });
    let answer = maker.call("/generateCSR", request).await;
    let (subject, _) = verified(&openssl, &answer.response()["certSignRequest"]);
    assert_eq!(subject, "C=KE,ST=s,L=Bengaluru,O=o,OU=u,CN=Centre (north)");
    for (member, value) in [("country", "KEN"), ("commonName", "a\nb"), ("state", &*"x".repeat(65))] {
        let mut request = json!({ "applicationId": "REGISTRATION" });
        request[member] = json!(value);
        maker.call("/generateCSR", request).await.envelope_error(200, "KER-KMS-005");
    }
}

#[tokio::test]
async fn what_has_no_key_pair_asks_for_nothing() {
    let shared = shared();
    let maker = client(&shared.server, &["key-administrator"]).await;
    for (application, reference, code) in [
        ("KERNEL", "IDENTITY_CACHE", "KER-KMS-022"),
        ("KERNEL", "other", "KER-KMS-016"),
        ("PARTNER", "nobody", "KER-KMS-016"),
        ("NONE", "", "KER-KMS-002"),
        ("", "", "KER-KMS-005"),
    ] {
        let request = json!({ "applicationId": application, "referenceId": reference });
        maker.call("/generateCSR", request).await.envelope_error(200, code);
    }
    let reader = client(&shared.server, &["encryptor"]).await;
    let request = json!({ "applicationId": "REGISTRATION", "referenceId": "" });
    reader.call("/generateCSR", request).await.envelope_error(403, "KER-ATH-403");
}

#[tokio::test]
async fn larger_base_keys_do_all_that_smaller_ones_do() {
    let site = Site::new()
        .with("KUNJI_RSA_BITS", "3072")
        .with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION")
        .with("KUNJI_KEY_CACHE_SECONDS", "0");
    let server = site.start();
    let maker = client(&server, &["key-administrator", "encryptor", "decryptor"]).await;
    let openssl = Openssl::new();
    let names = json!({ "applicationId": "REGISTRATION", "referenceId": "10001_csr" });
    let answer = maker.call("/generateCSR", names.clone()).await;
    let csr = &answer.response()["certSignRequest"];
    verified(&openssl, csr);
    let old = maker.certificate("REGISTRATION", "10001_csr").await;
    let new = Elsewhere::new().certify(csr.as_str().unwrap(), 400, Usage::Seal);
    let mut upload = names.clone();
    upload["certificateData"] = json!(new);
    maker.call("/uploadCertificate", upload).await.response();
    let crypto = |data: String| {
        let mut request = names.clone();
        request["timeStamp"] = json!("2026-01-05T10:11:12.123Z");
        request["data"] = json!(data);
        request
    };
    let sealed = maker.call("/encrypt", crypto(b64(b"content"))).await.response()["data"].clone();
    let mut packets = vec![sealed.as_str().unwrap().to_owned()];
    packets.extend([old, new].map(|pem| b64(peer::seal_self_contained(&pem, b"content"))));
    for packet in packets {
        let opened = maker.call("/decrypt", crypto(packet)).await;
        assert_eq!(unb64(&opened.response()["data"]), b"content");
    }
    let text = openssl.print(&["req", "-in", "request.pem", "-noout", "-text"]);
    assert!(text.contains("3072 bit") && text.contains("sha256WithRSAEncryption"), "{text}");
}
