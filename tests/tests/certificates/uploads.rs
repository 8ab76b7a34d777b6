//! `uploadCertificate`

use kunji_tests::{
    http::{Http, b64, unb64},
    peer,
    site::Site,
};
use openssl::x509::X509;
use serde_json::{Value, json};

use crate::{
    Openssl, client,
    elsewhere::{Elsewhere, Usage, rsa},
    shared,
};

const APPLICATION: &str = "REGISTRATION";
const RECORD: &[u8] = b"Asha, born 1992";
const ROLES: [&str; 4] = ["key-administrator", "encryptor", "decryptor", "signer"];

async fn request(http: &Http, application: &str, reference: &str) -> String {
    let names = json!({ "applicationId": application, "referenceId": reference });
    let answer = http.call("/generateCSR", names).await;
    answer.response()["certSignRequest"].as_str().unwrap().to_owned()
}

async fn upload(http: &Http, application: &str, reference: &str, pem: &str) -> kunji_tests::http::Answer {
    let request = json!({ "applicationId": application, "referenceId": reference, "certificateData": pem });
    http.call("/uploadCertificate", request).await
}

async fn opens(http: &Http, reference: &str, packet: &[u8]) {
    let request = json!({
        "applicationId": APPLICATION, "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(packet),
    });
    let answer = http.call("/decrypt", request).await;
    assert_eq!(unb64(&answer.response()["data"]), RECORD);
}

async fn versions(http: &Http, application: &str, reference: &str) -> Vec<Value> {
    let query = format!("applicationId={application}&referenceId={reference}");
    let answer = http.get(&format!("/v1/keymanager/getAllCertificates?{query}")).await;
    answer.response()["allCertificates"].as_array().unwrap().clone()
}

#[tokio::test]
async fn packets_for_the_old_certificate_and_for_the_new_one_open_also_after_a_restart() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let http = client(&server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let reference = "10001_upload";
    let csr = request(&http, APPLICATION, reference).await;
    let old = http.certificate(APPLICATION, reference).await;
    let old_packet = peer::seal_self_contained(&old, RECORD);
    let new = elsewhere.certify(&csr, 400, Usage::Seal);
    let chain = format!("{new}{}", elsewhere.pem());
    for _ in 0..2 {
        // The second time it changes nothing.
        let answer = upload(&http, APPLICATION, reference, &chain).await;
        assert_eq!(answer.response()["status"], "Upload Success");
        assert_eq!(answer.response().as_object().unwrap().len(), 2);
    }
    assert_eq!(http.certificate(APPLICATION, reference).await, new);
    let listed = versions(&http, APPLICATION, reference).await;
    let pems: Vec<_> = listed.iter().map(|it| it["certificateData"].as_str().unwrap()).collect();
    assert_eq!(pems, [new.as_str(), old.as_str()]);
    assert_ne!(listed[0]["keyId"], listed[1]["keyId"]);

    let answer = http
        .get(&format!(
            "/v1/keymanager/getCertificateChain?applicationId={APPLICATION}&referenceId={reference}"
        ))
        .await;
    let openssl = Openssl::new();
    openssl.write("chain.p7b", answer.response()["certificatesTrustPath"].as_str().unwrap());
    let printed = openssl.print(&["pkcs7", "-in", "chain.p7b", "-print_certs"]);
    let found = kunji_shared::Certificate::chain_from_pem(&printed).unwrap();
    assert_eq!(found, kunji_shared::Certificate::chain_from_pem(&chain).unwrap());

    let sealed = json!({
        "applicationId": APPLICATION, "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(RECORD),
    });
    let sealed = unb64(&http.call("/encrypt", sealed).await.response()["data"]);
    let thumbprint = kunji_shared::Certificate::from_pem(&new).unwrap().thumbprint();
    assert_eq!(&sealed[6..38], thumbprint.as_bytes());
    let packets = [old_packet, peer::seal_self_contained(&new, RECORD), sealed];
    for packet in &packets {
        opens(&http, reference, packet).await;
    }
    server.stop();

    let server = site.start();
    let http = client(&server, &ROLES).await;
    assert_eq!(http.certificate(APPLICATION, reference).await, new);
    for packet in &packets {
        opens(&http, reference, packet).await;
    }
    // That nobody here vouches for it is on record.
    let auditor = client(&server, &["auditor"]).await;
    let events = auditor.get("/v1/audit/events?operation=key.upload_certificate").await;
    let events = events.body["events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
    let details = json!({ "thumbprint": thumbprint.to_string(), "verified": false });
    assert_eq!((&events[0]["details"], &events[0]["outcome"]), (&details, &json!("succeeded")));
}

/// Whoever reads it again, at the next start too, is stricter than most (RFC 5280, 4.1.2.2).
#[tokio::test]
async fn a_certificate_with_too_long_a_serial_number_is_refused() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let (elsewhere, reference) = (Elsewhere::new(), "10001_serial");
    let csr = request(&http, APPLICATION, reference).await;
    let before = http.certificate(APPLICATION, reference).await;
    let long = elsewhere.certify_as(&csr, &[0x11; 30], Usage::Seal);
    upload(&http, APPLICATION, reference, &long).await.envelope_error(200, "KER-KMS-013");
    assert_eq!(http.certificate(APPLICATION, reference).await, before);
    let above = elsewhere.certify(&csr, 900, Usage::Seal) + &long;
    upload(&http, APPLICATION, reference, &above).await.envelope_error(200, "KER-KMS-013");
    let longest = elsewhere.certify_as(&csr, &[0x11; 20], Usage::Seal);
    assert_eq!(upload(&http, APPLICATION, reference, &longest).await.response()["status"], "Upload Success");
}

#[tokio::test]
async fn a_name_that_others_chose_is_not_certified_by_root() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let http = client(&server, &ROLES).await;
    let subject = |pem: String| X509::from_pem(pem.as_bytes()).unwrap().subject_name().to_der().unwrap();
    let own = subject(http.certificate(APPLICATION, "").await);
    let csr = request(&http, APPLICATION, "").await;
    let pem = Elsewhere::new().certify_named(&csr, "the authority of another", Usage::Issue);
    assert_eq!(upload(&http, APPLICATION, "", &pem).await.response()["status"], "Upload Success");
    assert_ne!(subject(http.certificate(APPLICATION, "").await), own);
    let force = json!({ "applicationId": APPLICATION, "referenceId": "", "force": true });
    http.call("/generateMasterKey/CERTIFICATE", force).await.response();
    let rotated = http.certificate(APPLICATION, "").await;
    assert_ne!(rotated, pem);
    assert_eq!(subject(rotated), own);
}

#[tokio::test]
async fn what_a_module_issues_follows_its_new_certificate() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let http = client(&server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let before = http.certificate(APPLICATION, "before").await;
    let sign = json!({ "dataToSign": "YQ", "applicationId": APPLICATION, "referenceId": "", "includePayload": true });
    let signed = http.call("/jwtSign", sign).await.response()["jwtSignedData"].clone();
    for (application, reference) in [("ROOT", ""), (APPLICATION, ""), ("KERNEL", "SIGN")] {
        let csr = request(&http, application, reference).await;
        let usage = if application == "KERNEL" { Usage::Sign } else { Usage::Issue };
        let pem = elsewhere.certify(&csr, 2_500, usage) + &elsewhere.pem();
        assert_eq!(upload(&http, application, reference, &pem).await.response()["status"], "Upload Success");
    }
    let openssl = Openssl::new();
    openssl.write("anchor.pem", &elsewhere.pem());
    openssl.write("module.pem", &http.certificate(APPLICATION, "").await);
    openssl.write("after.pem", &http.certificate(APPLICATION, "after").await);
    openssl.print(&["verify", "-CAfile", "anchor.pem", "-untrusted", "module.pem", "after.pem"]);
    let answer = http
        .get(&format!("/v1/keymanager/getCertificateChain?applicationId={APPLICATION}&referenceId=after"))
        .await;
    openssl.write("chain.p7b", answer.response()["certificatesTrustPath"].as_str().unwrap());
    let printed = openssl.print(&["pkcs7", "-in", "chain.p7b", "-print_certs"]);
    assert_eq!(printed.matches("BEGIN CERTIFICATE").count(), 3, "{printed}");
    // What was issued before goes on as before.
    assert_eq!(http.certificate(APPLICATION, "before").await, before);
    opens(&http, "before", &peer::seal_self_contained(&before, RECORD)).await;
    let verify = json!({ "jwtSignatureData": signed, "applicationId": APPLICATION, "referenceId": "" });
    assert_eq!(http.call("/jwtVerify", verify).await.response()["signatureValid"], true);
    server.stop();
    let server = site.start();
    let http = client(&server, &ROLES).await;
    http.certificate(APPLICATION, "later").await;
    let sign = json!({ "dataToSign": "YQ", "includePayload": true });
    let signed = http.call("/jwtSign", sign).await.response()["jwtSignedData"].clone();
    let verify = json!({ "jwtSignatureData": signed });
    assert_eq!(http.call("/jwtVerify", verify).await.response()["signatureValid"], true);
}

#[tokio::test]
async fn what_is_not_for_the_current_key_changes_nothing() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let reference = "10001_refused";
    let csr = request(&http, APPLICATION, reference).await;
    let good = elsewhere.certify(&csr, 400, Usage::Seal);
    let master = request(&http, APPLICATION, "").await;
    let cases = [
        (reference, "nonsense".to_owned(), "KER-KMS-013"),
        (reference, good.replace("MII", "MI"), "KER-KMS-013"),
        (reference, elsewhere.certify_key("x", &rsa(), (-60, 40_000_000)), "KER-KMS-014"),
        (reference, elsewhere.certify_for(&csr, (-600, -60), Usage::Seal), "KER-KMS-001"),
        (reference, elsewhere.certify_for(&csr, (3_600, 40_000_000), Usage::Seal), "KER-KMS-001"),
        (reference, elsewhere.certify(&csr, 29, Usage::Seal), "KER-KMS-001"),
        (reference, elsewhere.certify(&csr, 400, Usage::Sign), "KER-KMS-001"),
        ("", elsewhere.certify(&master, 400, Usage::Seal), "KER-KMS-001"),
        ("never_made", good.clone(), "KER-KMS-003"),
        (reference, String::new(), "KER-KMS-005"),
    ];
    for (reference, pem, code) in &cases {
        upload(&http, APPLICATION, reference, pem).await.envelope_error(200, code);
    }
    let old = http.certificate(APPLICATION, reference).await;
    assert_eq!(versions(&http, APPLICATION, reference).await.len(), 1);
    upload(&http, APPLICATION, reference, &good).await.response();
    // Going back would have two records for one certificate.
    upload(&http, APPLICATION, reference, &old).await.envelope_error(200, "KER-KMS-035");
    let encryptor = client(&shared.server, &["encryptor"]).await;
    upload(&encryptor, APPLICATION, reference, &good).await.envelope_error(403, "KER-ATH-403");
}
