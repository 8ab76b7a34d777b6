//! Certificates of others that the server's own keys issued, or that are stored here.

use std::fs;

use kunji_tests::http::b64;
use openssl::{
    hash::MessageDigest,
    x509::{X509, X509ReqBuilder},
};
use serde_json::json;

use crate::{
    authorities::{AUTHORITY, Holder, ISSUES, Kind, SIGNS, STAMPS},
    clocked::Clocked,
    moments::{compromise, report, signature_of},
    trust::now,
};

/// Someone else's authority certified the server's key: what that key issued leads to an anchor, as long as nobody else
/// has it.
#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_over_an_own_key_that_is_compromised() {
    let root = Holder::new("root", Kind::Rsa, None, 1, &[AUTHORITY, ISSUES], 90);
    let stamper = Holder::new("stamps", Kind::Rsa, None, 12, &[STAMPS, SIGNS], 90);
    let directory = tempfile::tempdir().unwrap();
    let (anchors, stamps) = (directory.path().join("anchors"), directory.path().join("stamps"));
    for (directory, holder) in [(&anchors.join("AUTH"), &root), (&stamps, &stamper)] {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("one.pem"), holder.pem()).unwrap();
    }
    let directories =
        [("KUNJI_TRUST_ANCHORS_DIR", anchors.as_path()), ("KUNJI_TIMESTAMP_ANCHORS_DIR", stamps.as_path())];
    let server = Clocked::start(now(), &directories).await;
    let client = server.client().await;
    let key = Holder::new("partner", Kind::Rsa, None, 1, &[], 1).key;
    let mut request = X509ReqBuilder::new().unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    let request = String::from_utf8(request.build().to_pem().unwrap()).unwrap();
    let body =
        json!({ "application": "ID_REPO", "reference": "partner", "request": request, "use": "signature" });
    let issued = client.post("/v1/certificates", &body).await;
    let read = |pem: &serde_json::Value| X509::from_pem(pem.as_str().unwrap().as_bytes()).unwrap();
    let partner = Holder { key: key.clone(), certificate: read(&issued.body["certificate"]) };
    let module = root.certify(&read(&issued.body["chain"][0]), 20, &[AUTHORITY, ISSUES], 90);
    let module = Holder { key, certificate: module };

    // What was made just now is of a time that the clock, which stands, has not come to.
    server.clock.advance_seconds(600);
    let client = server.client().await;
    let token = partner.token(&[&module]);
    let plain = json!({ "jws": token, "validateTrust": true, "domain": "AUTH" });
    let mut with_stamp = plain.clone();
    with_stamp["timestamp"] = b64(stamper.stamp(&signature_of(&token))).into();
    for request in [&plain, &with_stamp] {
        let (body, outcome) = report(&client, request).await;
        assert_eq!((&body["valid"], outcome("trust").as_str()), (&json!(true), "passed"), "{body}");
    }
    server.clock.advance_seconds(3600);
    let client = server.client().await;
    compromise(&client, "ID_REPO").await;
    let (body, outcome) = report(&client, &plain).await;
    assert_eq!((outcome("trust").as_str(), outcome("revocation").as_str()), ("failed", "failed"), "{body}");
    let (body, outcome) = report(&client, &with_stamp).await;
    assert_eq!((outcome("timestamp").as_str(), outcome("trust").as_str()), ("passed", "passed"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_certificates_of_partners_count_while_they_last() {
    let partner = Holder::new("partner", Kind::Rsa, None, 11, &[SIGNS], 5);
    let authority = Holder::new("stamps", Kind::Rsa, None, 12, &[STAMPS, SIGNS], 90);
    let stamps = tempfile::tempdir().unwrap();
    fs::write(stamps.path().join("stamper.pem"), authority.pem()).unwrap();
    let server = Clocked::start(now(), &[("KUNJI_TIMESTAMP_ANCHORS_DIR", stamps.path())]).await;
    let client = server.client().await;
    let names = json!({ "applicationId": "RESIDENT", "referenceId": "partner" });
    let mut upload = names.clone();
    upload["certificateData"] = String::from_utf8(partner.pem()).unwrap().into();
    client.call("/uploadOtherDomainCertificate", upload).await.response();
    // Without the certificate.
    let input = format!("{}.{}", b64(r#"{"alg":"RS256"}"#), b64("{}"));
    let mut signer = openssl::sign::Signer::new(MessageDigest::sha256(), &partner.key).unwrap();
    let token = format!("{input}.{}", b64(signer.sign_oneshot_to_vec(input.as_bytes()).unwrap()));
    let ask = |member: &str| {
        let mut request = names.clone();
        request[member] = token.as_str().into();
        request
    };
    let (body, outcome) = report(&client, &ask("jws")).await;
    assert_eq!((&body["valid"], &body["keySource"]), (&json!(true), &json!("ownKey")));
    assert_eq!(outcome("validity"), "passed");
    let verified = client.call("/jwtVerify", ask("jwtSignatureData")).await;
    assert_eq!(verified.response()["signatureValid"], true);

    let mut with_stamp = ask("jws");
    with_stamp["timestamp"] = b64(authority.stamp(&signature_of(&token))).into();
    server.clock.advance_days(10);
    let client = server.client().await;
    let (body, outcome) = report(&client, &ask("jws")).await;
    assert_eq!(body["valid"], false, "{body}");
    assert_eq!((outcome("validity").as_str(), outcome("signature").as_str()), ("failed", "passed"));
    let verified = client.call("/jwtVerify", ask("jwtSignatureData")).await;
    assert_eq!(verified.error_code(), "KER-JWS-107");
    assert_eq!(report(&client, &with_stamp).await.0["valid"], true);
}
