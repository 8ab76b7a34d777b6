//! `uploadOtherDomainCertificate`

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    peer,
};
use openssl::{
    ec::{EcGroup, EcKey},
    encrypt::Decrypter,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Padding,
    sign::Signer,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client,
    elsewhere::{Elsewhere, rsa},
    shared,
};

const YEAR: i64 = 31_536_000;
const ROLES: [&str; 3] = ["key-administrator", "encryptor", "decryptor"];

async fn upload(http: &Http, application: &str, reference: &str, pem: &str) -> Answer {
    let request = json!({ "applicationId": application, "referenceId": reference, "certificateData": pem });
    http.call("/uploadOtherDomainCertificate", request).await
}

fn crypto(application: &str, reference: &str, data: &[u8]) -> Value {
    json!({
        "applicationId": application, "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(data),
    })
}

/// Whether the key opens the data key of a `VER_R2` packet that names the certificate.
fn is_sealed_for(packet: &[u8], pem: &str, key: &PKey<Private>) -> bool {
    let thumbprint = kunji_shared::Certificate::from_pem(pem).unwrap().thumbprint();
    let mut decrypter = Decrypter::new(key).unwrap();
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    decrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
    decrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
    let mut data_key = vec![0; 256];
    packet[6..38] == *thumbprint.as_bytes()
        && decrypter.decrypt(&packet[38..294], &mut data_key).is_ok_and(|length| length == 32)
}

#[tokio::test]
async fn packets_are_sealed_for_the_certificate_uploaded_last() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let reference = "mpartner-1";
    let read = format!("applicationId=PARTNER&referenceId={reference}");
    http.get(&format!("/v1/keymanager/getCertificate?{read}")).await.envelope_error(200, "KER-KMS-016");
    let keys = [rsa(), rsa()];
    let pems = [0, 1].map(|at| elsewhere.certify_key("partner", &keys[at], (-60, YEAR)));
    for (pem, key) in pems.iter().zip(&keys) {
        let answer = upload(&http, "PARTNER", reference, pem).await;
        assert_eq!(answer.response()["status"], "Upload Success");
        assert_eq!(http.certificate("PARTNER", reference).await, *pem);
        let sealed = http.call("/encrypt", crypto("PARTNER", reference, b"content")).await;
        assert!(is_sealed_for(&unb64(&sealed.response()["data"]), pem, key));
        upload(&http, "PARTNER", reference, pem).await.envelope_error(200, "KER-KMS-035");
    }
    let listed = http.get(&format!("/v1/keymanager/getAllCertificates?{read}")).await;
    let listed: Vec<_> = listed.response()["allCertificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["certificateData"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, [pems[1].clone(), pems[0].clone()]);
    let chain = http.get(&format!("/v1/keymanager/getCertificateChain?{read}")).await;
    assert!(chain.response()["certificatesTrustPath"].as_str().unwrap().contains("BEGIN PKCS7"));
    // The same certificate may have another name too.
    upload(&http, "RESIDENT", reference, &pems[1]).await.response();
    assert_eq!(http.certificate("RESIDENT", reference).await, pems[1]);
    // Nothing of the partner's private key is here.
    let names = json!({ "applicationId": "PARTNER", "referenceId": reference });
    http.call("/generateCSR", names).await.envelope_error(200, "KER-KMS-022");
    let mut names = json!({ "applicationId": "PARTNER", "referenceId": reference });
    names["certificateData"] = json!(pems[0]);
    http.call("/uploadCertificate", names).await.envelope_error(200, "KER-KMS-015");
    for packet in [peer::seal_self_contained(&pems[1], b"x"), peer::seal_without_thumbprint(&pems[1], b"x")] {
        let answer = http.call("/decrypt", crypto("RESIDENT", reference, &packet)).await;
        answer.envelope_error(200, "KER-KMS-018");
        // An application without a key policy admits nobody.
        let answer = http.call("/decrypt", crypto("PARTNER", reference, &packet)).await;
        answer.envelope_error(200, "KER-CRY-012");
    }
}

#[tokio::test]
async fn what_was_decided_about_a_partners_key_is_obeyed() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let reference = "mpartner-decided";
    let key = rsa();
    let pems: Vec<_> = (0..2).map(|_| elsewhere.certify_key("partner", &key, (-60, YEAR))).collect();
    upload(&http, "RESIDENT", reference, &pems[0]).await.response();
    let ids = json!({ "applicationId": "RESIDENT", "referenceId": reference });
    let newest = || async {
        let listed = http.get(&format!("/v1/keys?application=RESIDENT&reference={reference}")).await;
        listed.body["keys"][0].clone()
    };
    let decide = |id: &str, what: &str, body: Value| {
        let path = format!("/v1/keys/{id}/{what}");
        let http = &http;
        async move { assert_eq!(http.post(&path, &body).await.status, 200, "{path}") }
    };
    let is_refused = |code: &'static str| {
        let (http, ids) = (&http, &ids);
        async move {
            let read = format!("applicationId=RESIDENT&referenceId={reference}");
            for path in ["getCertificate", "getCertificateChain"] {
                let answer = http.get(&format!("/v1/keymanager/{path}?{read}")).await;
                answer.envelope_error(200, code);
            }
            http.call("/encrypt", crypto("RESIDENT", reference, b"content")).await.envelope_error(200, code);
            let answer = http.call("/generateSymmetricKey", ids.clone()).await;
            assert!(answer.body["errors"].is_array(), "{answer:?}");
        }
    };

    let first = newest().await["keyId"].as_str().unwrap().to_owned();
    assert_eq!(newest().await["verified"], false);
    decide(&first, "suspend", json!({})).await;
    is_refused("KER-KMS-003").await;
    upload(&http, "RESIDENT", reference, &pems[1]).await.envelope_error(200, "KER-KMS-003");
    decide(&first, "resume", json!({})).await;
    assert_eq!(http.certificate("RESIDENT", reference).await, pems[0]);

    // Whoever revokes it so that nobody makes another waits for the next upload.
    let mut request = ids.clone();
    request["disableAutoGen"] = json!(true);
    let body = json!({
        "id": "x", "version": "1", "requesttime": "2026-01-05T10:11:12.123Z", "request": request,
    });
    let revoked = http.request(Method::PUT, "/v1/keymanager/revokeKey").json(&body).send().await.unwrap();
    assert_eq!(Answer::read(revoked).await.response()["status"], "Key Revoked");
    is_refused("KER-KMS-016").await;
    upload(&http, "RESIDENT", reference, &pems[1]).await.response();
    assert_eq!(http.certificate("RESIDENT", reference).await, pems[1]);

    // A key that somebody else may have is not sealed for again, by whichever certificate.
    let second = newest().await["keyId"].as_str().unwrap().to_owned();
    decide(&second, "revoke", json!({ "cause": "compromised" })).await;
    is_refused("KER-KMS-003").await;
    let third = elsewhere.certify_key("partner", &key, (-60, YEAR));
    upload(&http, "RESIDENT", reference, &third).await.envelope_error(200, "KER-KMS-003");
    let good = elsewhere.certify_key("partner", &rsa(), (-60, YEAR));
    upload(&http, "RESIDENT", reference, &good).await.response();
    upload(&http, "RESIDENT", reference, &pems[0]).await.envelope_error(200, "KER-KMS-003");
    assert_eq!(http.certificate("RESIDENT", reference).await, good);
}

#[tokio::test]
async fn own_keys_are_not_replaced_and_not_hidden() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let pem = elsewhere.certify_key("partner", &rsa(), (-60, YEAR));
    let own = http.certificate("REGISTRATION", "10001_own").await;
    for (application, reference, code) in [
        ("REGISTRATION", "10001_own", "KER-KMS-034"),
        ("KERNEL", "sign", "KER-KMS-031"),
        ("IDA", "ED25519_SIGN", "KER-KMS-030"),
        ("REGISTRATION", "", "KER-KMS-005"),
        ("REGISTRATION", " ", "KER-KMS-005"),
        ("", "x", "KER-KMS-005"),
    ] {
        upload(&http, application, reference, &pem).await.envelope_error(200, code);
    }
    // An own certificate under a partner's name: packets for it open as before, under its own name alone.
    upload(&http, "RESIDENT", "own", &own).await.response();
    let packet = peer::seal_self_contained(&own, b"content");
    let opened = http.call("/decrypt", crypto("REGISTRATION", "10001_own", &packet)).await;
    assert_eq!(unb64(&opened.response()["data"]), b"content");
    let answer = http.call("/decrypt", crypto("RESIDENT", "own", &packet)).await;
    answer.envelope_error(200, "KER-KMS-024");
    // It leads to ROOT, as a partner's certificate does that this server signed.
    let auditor = client(&shared.server, &["auditor"]).await;
    let events = auditor
        .get("/v1/audit/events?operation=partner.upload_certificate&reference=own&application=RESIDENT")
        .await;
    assert_eq!(events.body["events"][0]["details"]["verified"], true, "{events:?}");
}

#[tokio::test]
async fn what_cannot_be_sealed_for_is_refused() {
    let shared = shared();
    let http = client(&shared.server, &ROLES).await;
    let elsewhere = Elsewhere::new();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let curve = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let key = rsa();
    for (pem, code) in [
        ("nonsense".to_owned(), "KER-KMS-013"),
        (elsewhere.certify_key("p", &key, (-600, -60)), "KER-KMS-001"),
        (elsewhere.certify_key("p", &key, (3_600, YEAR)), "KER-KMS-001"),
        (elsewhere.certify_key("p", &curve, (-60, YEAR)), "KER-KMS-001"),
    ] {
        upload(&http, "PARTNER", "refused", &pem).await.envelope_error(200, code);
    }
    let query = "applicationId=PARTNER&referenceId=refused";
    http.get(&format!("/v1/keymanager/getCertificate?{query}")).await.envelope_error(200, "KER-KMS-016");
    let pem = elsewhere.certify_key("p", &key, (-60, YEAR));
    let encryptor = client(&shared.server, &["encryptor"]).await;
    upload(&encryptor, "PARTNER", "refused", &pem).await.envelope_error(403, "KER-ATH-403");
    // Whoever administers partners may do just this.
    let partners = client(&shared.server, &["PARTNER_ADMIN"]).await;
    upload(&partners, "PARTNER", "of_partner_admin", &pem).await.response();
}

#[tokio::test]
async fn a_partners_signature_is_verified_by_the_partners_certificate() {
    let shared = shared();
    let http = client(&shared.server, &["key-administrator", "signer"]).await;
    let (key, other) = (rsa(), rsa());
    let pem = Elsewhere::new().certify_key("partner", &key, (-60, YEAR));
    upload(&http, "RESIDENT", "PARTNER_SIGNS", &pem).await.response();
    for (signer, valid) in [(&key, true), (&other, false)] {
        let input = format!("{}.{}", b64(br#"{"alg":"RS256"}"#), b64(b"{}"));
        let mut by = Signer::new(MessageDigest::sha256(), signer).unwrap();
        let signature = by.sign_oneshot_to_vec(input.as_bytes()).unwrap();
        let request = json!({
            "jwtSignatureData": format!("{input}.{}", b64(signature)), "applicationId": "RESIDENT",
            "referenceId": "PARTNER_SIGNS", "certificateData": "", "validateTrust": false,
        });
        assert_eq!(http.call("/jwtVerify", request).await.response()["signatureValid"], valid);
    }
    // The server itself cannot sign in the partner's name.
    let sign = json!({ "dataToSign": "YQ", "applicationId": "RESIDENT", "referenceId": "PARTNER_SIGNS" });
    http.call("/jwtSign", sign).await.envelope_error(200, "KER-KMS-020");
}
