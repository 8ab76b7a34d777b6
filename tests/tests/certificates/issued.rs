//! `POST /v1/certificates`

use kunji_tests::http::{Answer, Http};
use serde_json::json;

use crate::{Openssl, client, shared};

async fn issue(http: &Http, alias: &str, request: &str, certified_use: &str) -> Answer {
    let (application, reference) = alias.split_once('/').unwrap();
    let body = json!({
        "application": application, "reference": reference, "request": request, "use": certified_use,
    });
    http.post("/v1/certificates", &body).await
}

#[tokio::test]
async fn a_request_becomes_a_certificate_under_the_name_of_the_alias() {
    let shared = shared();
    let maker = client(&shared.server, &["key-administrator"]).await;
    let openssl = Openssl::new();
    for (algorithm, size, certified_use, usage) in [
        ("-sha256", "2048", "encryption", "Key Encipherment"),
        ("-sha512", "3072", "signature", "Digital Signature"),
    ] {
        let subject = "/CN=ROOT/O=Somebody else";
        let key = format!("rsa:{size}");
        let arguments = ["req", "-new", "-newkey", &key, "-nodes", "-keyout", "key.pem", algorithm];
        let request = openssl.print(&[&arguments[..], &["-subj", subject]].concat());
        let answer = issue(&maker, "REGISTRATION/certified", &request, certified_use).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let certificate = answer.body["certificate"].as_str().unwrap();
        let chain: Vec<_> =
            answer.body["chain"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(chain.len(), 2);
        openssl.write("certificate.pem", certificate);
        openssl.write("module.pem", chain[0]);
        openssl.write("root.pem", chain[1]);
        let verify =
            ["verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "module.pem", "certificate.pem"];
        openssl.print(&verify);
        let text = openssl.print(&["x509", "-in", "certificate.pem", "-noout", "-text"]);
        assert!(text.contains("CN = REGISTRATION-certified") || text.contains("CN=REGISTRATION-certified"));
        assert!(text.contains(usage) && text.contains("CA:FALSE"), "{text}");
        assert!(!text.contains("Somebody else"), "{text}");
        let public_key = openssl.print(&["x509", "-in", "certificate.pem", "-noout", "-pubkey"]);
        assert_eq!(public_key, openssl.print(&["pkey", "-in", "key.pem", "-pubout"]));
        assert_eq!(maker.certificate("REGISTRATION", "certified").await, certificate);
    }
}

#[tokio::test]
async fn requests_that_prove_nothing_and_names_of_own_keys_are_refused() {
    let shared = shared();
    let maker = client(&shared.server, &["key-administrator"]).await;
    let request = kunji_tests::peer::certificate_request();
    maker.certificate("REGISTRATION", "10001_issued").await;
    issue(&maker, "REGISTRATION/10001_issued", &request, "encryption").await.problem(409, "alias.taken");
    issue(&maker, "KERNEL/SIGN", &request, "encryption").await.problem(409, "alias.taken");
    issue(&maker, "NONE/x", &request, "encryption").await.problem(404, "application.unknown");
    issue(&maker, "REGISTRATION/x", &request, "everything").await.problem(400, "request.invalid");
    let invalid = "certificate_request.invalid";
    issue(&maker, "REGISTRATION/x", "nonsense", "encryption").await.problem(422, invalid);
    // Another key's signature.
    let der = kunji_shared::pem::decode_all(&request, "CERTIFICATE REQUEST").unwrap().remove(0);
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    let forged = kunji_shared::pem::encode("CERTIFICATE REQUEST", &forged);
    issue(&maker, "REGISTRATION/x", &forged, "encryption").await.problem(422, invalid);
    let openssl = Openssl::new();
    let curve = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let curve = openssl.print(&[&curve[..], &["-keyout", "key.pem", "-subj", "/CN=x"]].concat());
    issue(&maker, "REGISTRATION/x", &curve, "signature").await.problem(422, invalid);
    let encryptor = client(&shared.server, &["encryptor"]).await;
    issue(&encryptor, "REGISTRATION/x", &request, "encryption").await.problem(403, "access.forbidden");
    shared.server.http().post("/v1/certificates", &json!({})).await.problem(401, "access.unauthenticated");
}
