//! Signatures whose time a time-stamp proves.

use std::fs;

use kunji_tests::http::{Http, b64, unb64};
use serde_json::{Value, json};

use crate::{
    authorities::{AUTHORITY, Holder, ISSUES, Kind, SIGNS, STAMPS},
    clocked::Clocked,
    trust::now,
};

/// The report, and its checks' outcomes by their names.
pub(crate) async fn report(client: &Http, request: &Value) -> (Value, impl Fn(&str) -> String + use<>) {
    let answer = client.post("/v1/signatures/verify", request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let checks = answer.body["checks"].clone();
    let outcome = move |name: &str| {
        let checks = checks.as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["outcome"].as_str().unwrap().to_owned()
    };
    (answer.body, outcome)
}

pub(crate) fn signature_of(token: &str) -> Vec<u8> {
    unb64(&token.rsplit('.').next().unwrap().into())
}

/// Says that the key of the application is known to others.
pub(crate) async fn compromise(client: &Http, application: &str) {
    let keys = client.get(&format!("/v1/keys?application={application}&limit=100")).await;
    let keys = keys.body["keys"].as_array().unwrap().clone();
    let id = keys.iter().find(|key| key["referenceId"] == "").unwrap()["keyId"].as_str().unwrap();
    let body = json!({ "cause": "compromised", "reason": "found on a stick" });
    let revoked = client.post(&format!("/v1/keys/{id}/revoke"), &body).await;
    assert_eq!(revoked.body["to"], "compromised", "{revoked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_signatures_stay_verifiable() {
    let root = Holder::new("root", Kind::Rsa, None, 1, &[AUTHORITY, ISSUES], 90);
    let partner = Holder::new("partner", Kind::Rsa, Some(&root), 11, &[SIGNS], 5);
    let stamper = Holder::new("stamps", Kind::P256, Some(&root), 12, &[STAMPS, SIGNS], 90);
    let no_stamper = Holder::new("none", Kind::Rsa, Some(&root), 13, &[SIGNS], 90);
    let strange = Holder::new("strange", Kind::Rsa, None, 14, &[STAMPS, SIGNS], 90);

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let (anchors, stamps, lists) = (path("anchors"), path("stamps"), path("lists"));
    for directory in [&anchors.join("AUTH"), &stamps, &lists] {
        fs::create_dir_all(directory).unwrap();
        if *directory != lists {
            fs::write(directory.join("root.pem"), root.pem()).unwrap();
        }
    }
    let directories = [
        ("KUNJI_TRUST_ANCHORS_DIR", anchors.as_path()),
        ("KUNJI_TIMESTAMP_ANCHORS_DIR", stamps.as_path()),
        ("KUNJI_REVOCATION_LISTS_DIR", lists.as_path()),
    ];
    let server = Clocked::start(now(), &directories).await;
    let client = server.client().await;
    let token = partner.token(&[]);
    let signature = signature_of(&token);
    let plain = json!({ "jws": token, "validateTrust": true, "domain": "AUTH" });
    let with = |stamp: &[u8]| {
        let mut request = plain.clone();
        request["timestamp"] = b64(stamp).into();
        request
    };
    let good = stamper.stamp(&signature);
    let (body, outcome) = report(&client, &with(&good)).await;
    assert_eq!(body["valid"], true, "{body}");
    assert_eq!((outcome("timestamp"), outcome("trust")), ("passed".to_owned(), "passed".to_owned()));
    let by_sha512 = stamper.stamp_by("sha512", &signature);
    assert_eq!(report(&client, &with(&by_sha512)).await.0["valid"], true);
    let again = stamper.stamp_again(&good);
    assert_eq!(report(&client, &with(&again)).await.0["valid"], true);
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    for (bad, why) in [
        (stamper.stamp(b"another"), "over something else"),
        (strange.stamp(&signature), "by a stranger"),
        (stamper.stamp_by("sha1", &signature), "by SHA-1"),
        (altered, "altered"),
        (no_stamper.stamp_again(&good), "by someone who may not"),
        (b"x".to_vec(), "none at all"),
        (vec![0x30; 70_000], "too large"),
    ] {
        let (body, outcome) = report(&client, &with(&bad)).await;
        assert_eq!((&body["valid"], outcome("timestamp")), (&json!(false), "failed".to_owned()), "{why}");
        assert_eq!(body["provenTime"], Value::Null);
    }

    // The certificate has ended since, and was revoked before it did.
    server.clock.advance_days(10);
    let client = server.client().await;
    let (body, outcome) = report(&client, &plain).await;
    assert_eq!((&body["valid"], outcome("validity")), (&json!(false), "failed".to_owned()));
    let (body, outcome) = report(&client, &with(&good)).await;
    assert_eq!(body["valid"], true, "{body}");
    assert_eq!((outcome("validity"), outcome("trust")), ("passed".to_owned(), "passed".to_owned()));
    for (revoked, expected) in [("491230000000Z", "passed"), ("200101000000Z", "failed")] {
        fs::write(lists.join("list.pem"), root.list(&[(11, revoked)], ("200101000000Z", "491231000000Z")))
            .unwrap();
        server.clock.advance_seconds(61);
        let (body, outcome) = report(&client, &with(&good)).await;
        assert_eq!((outcome("trust"), outcome("revocation")), (expected.into(), expected.into()), "{body}");
    }
    let listed = root.list(&[(12, "491230000000Z")], ("200101000000Z", "491231000000Z"));
    fs::write(lists.join("list.pem"), listed).unwrap();
    server.clock.advance_seconds(61);
    let (_, outcome) = report(&client, &with(&good)).await;
    assert_eq!(outcome("timestamp"), "failed", "its authority was revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_key_is_believed_for_what_it_signed_before() {
    let stamper = Holder::new("stamps", Kind::Rsa, None, 12, &[STAMPS, SIGNS], 90);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("stamper.pem"), stamper.pem()).unwrap();
    let server = Clocked::start(now(), &[("KUNJI_TIMESTAMP_ANCHORS_DIR", directory.path())]).await;
    let client = server.client().await;
    let sign = |with_certificate| {
        json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
            "includeCertificate": with_certificate })
    };
    let mut tokens = Vec::new();
    for with_certificate in [false, true] {
        let signed = client.call("/jwtSign", sign(with_certificate)).await;
        tokens.push(signed.response()["jwtSignedData"].as_str().unwrap().to_owned());
    }
    let ask = |token: &String, stamp: Option<&[u8]>| json!({ "jws": token, "applicationId": "ID_REPO", "timestamp": stamp.map(b64) });
    let before: Vec<_> = tokens.iter().map(|token| stamper.stamp(&signature_of(token))).collect();
    for token in &tokens {
        assert_eq!(report(&client, &ask(token, None)).await.0["valid"], true);
    }
    // What the time-stamps say is a little later than the clock that stands.
    server.clock.advance_seconds(3600);
    let client = server.client().await;
    compromise(&client, "ID_REPO").await;
    for (token, stamp) in tokens.iter().zip(&before) {
        let (body, _) = report(&client, &ask(token, None)).await;
        assert_eq!(body["valid"], false, "{body}");
        let (body, _) = report(&client, &ask(token, Some(stamp))).await;
        assert_eq!(body["valid"], true, "{body}");
        let verify = json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": "" });
        assert_eq!(client.call("/jwtVerify", verify).await.response()["signatureValid"], false);
    }
    let (_, outcome) = report(&client, &ask(&tokens[1], None)).await;
    assert_eq!((outcome("signature"), outcome("compromise")), ("passed".to_owned(), "failed".to_owned()));
}
