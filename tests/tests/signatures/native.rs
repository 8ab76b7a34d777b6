//! `/v1/signatures` and `/v1/jwks`.

use kunji_tests::{
    http::{Http, b64},
    site::shared,
};
use openssl::hash::MessageDigest;
use serde_json::{Value, json};

use crate::{cose::counter_signed, library::Library, signer};

const CURVES: [&str; 3] = ["EC_SECP256R1_SIGN", "EC_SECP256K1_SIGN", "ED25519_SIGN"];
const P384: &str = "EC_SECP384R1_SIGN";

async fn make(client: &Http, items: Value) -> Vec<Value> {
    let answer = client.post("/v1/signatures", &json!({ "items": items })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

async fn report(client: &Http, request: &Value) -> Value {
    let answer = client.post("/v1/signatures/verify", request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Those of the first checks.
fn outcomes(report: &Value) -> Vec<&str> {
    report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .take(5)
        .map(|check| check["outcome"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_of_many_has_its_own_outcome() {
    let shared = shared();
    let client = signer(&shared).await;
    for reference in CURVES {
        let request = json!({ "applicationId": "ID_REPO", "referenceId": reference });
        client.call("/generateECSignKey/CERTIFICATE", request).await.response();
    }
    let digest = b64(&*openssl::hash::hash(MessageDigest::sha256(), b"message").unwrap());
    let mut items = vec![
        json!({ "applicationId": "ID_REPO", "data": b64("message") }),
        json!({ "digest": digest }),
        json!({ "applicationId": "KERNEL", "referenceId": "SIGN", "digest": digest, "algorithm": "RS256" }),
        json!({ "applicationId": "ID_REPO", "referenceId": CURVES[0], "digest": digest }),
        json!({ "applicationId": "ID_REPO", "referenceId": CURVES[1], "data": b64("message") }),
        json!({ "applicationId": "ID_REPO", "referenceId": CURVES[2], "data": b64("message") }),
        json!({ "data": b64("message") }),
    ];
    let good = items.len();
    items.extend([
        json!({ "applicationId": "ID_REPO", "referenceId": CURVES[2], "digest": digest }),
        json!({ "digest": digest, "algorithm": "PS384" }),
        json!({ "digest": digest, "algorithm": "ES256" }),
        json!({ "applicationId": "ID_REPO", "referenceId": "10001", "data": "YQ" }),
        json!({ "applicationId": "NEVER_HEARD_OF", "data": "YQ" }),
        json!({ "applicationId": "a/b", "data": "YQ" }),
        json!({}),
    ]);
    let made = make(&client, json!(items)).await;
    assert_eq!(made.len(), items.len());
    for (made, item) in made.iter().zip(&items).take(good) {
        assert_eq!(made["failure"], Value::Null, "{made}");
        let mut request = item.clone();
        request["signature"] = made["signature"].clone();
        request["algorithm"] = made["algorithm"].clone();
        let report = report(&client, &request).await;
        assert_eq!(report["valid"], true, "{item}: {report}");
        assert_eq!(outcomes(&report), ["passed", "passed", "skipped", "passed", "skipped"]);
        assert_eq!(report["keySource"], "ownKey");
    }
    let codes: Vec<_> = made[good..].iter().map(|made| made["failure"]["code"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        [
            "signature.content",
            "signature.content",
            "signature.algorithm",
            "alias.reference_not_allowed",
            "access.policy",
            "alias.invalid",
            "signature.content",
        ]
    );
    let many = vec![json!({ "applicationId": "ID_REPO", "referenceId": CURVES[0], "data": "YQ" }); 1000];
    assert!(make(&client, json!(many)).await.iter().all(|made| made["signature"].is_string()));
    for bad in [json!({ "items": [] }), json!({ "items": vec![json!({}); 1001] }), json!({})] {
        client.post("/v1/signatures", &bad).await.problem(400, "request.invalid");
    }
}

#[tokio::test]
async fn a_report_tells_which_check_failed() {
    let shared = shared();
    let client = signer(&shared).await;
    let sign = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "includePayload": true, "includeCertificate": true });
    let token = client.call("/jwtSign", sign).await.response()["jwtSignedData"].as_str().unwrap().to_owned();
    let good = report(&client, &json!({ "jws": token, "validateTrust": true, "domain": "AUTH" })).await;
    assert_eq!((&good["valid"], &good["keySource"]), (&json!(true), &json!("header")));
    assert_eq!(outcomes(&good), ["passed", "passed", "passed", "passed", "failed"]);
    let bad = report(&client, &json!({ "jws": token, "data": "Yg" })).await;
    assert_eq!(outcomes(&bad), ["passed", "passed", "passed", "failed", "skipped"]);
    let (_, rest) = token.split_once('.').unwrap();
    for (header, expected) in [
        (r#"{"alg":"none"}"#, ["failed", "passed", "skipped", "skipped", "skipped"]),
        (r#"{"alg":"RS256","crit":["x"],"x":1}"#, ["passed", "failed", "skipped", "failed", "skipped"]),
    ] {
        let request = json!({ "jws": format!("{}.{rest}", b64(header)), "applicationId": "ID_REPO" });
        let report = report(&client, &request).await;
        assert_eq!(report["valid"], false);
        assert_eq!(outcomes(&report), expected, "{header}");
    }
    let message = client.call("/coseSign1", json!({ "payload": "YQ", "applicationId": "ID_REPO" })).await;
    let message =
        openssl::bn::BigNum::from_hex_str(message.response()["signedData"].as_str().unwrap()).unwrap();
    let request = json!({ "cose": b64(message.to_vec()), "applicationId": "ID_REPO" });
    assert_eq!(report(&client, &request).await["valid"], true);
    for (request, status, code) in [
        (json!({ "jws": "x" }), 422, "signature.malformed"),
        (json!({ "cose": "YQ" }), 422, "signature.malformed"),
        (json!({ "cose": b64(counter_signed(6_000)) }), 422, "signature.malformed"),
        (json!({ "jws": token, "cose": "YQ" }), 400, "request.invalid"),
        (json!({}), 400, "request.invalid"),
        (json!({ "signature": "YQ", "data": "YQ" }), 400, "request.invalid"),
        (json!({ "signature": "YQ", "data": "YQ", "algorithm": "HS256" }), 409, "signature.algorithm"),
        (json!({ "signature": "YQ", "algorithm": "ES256" }), 422, "signature.content"),
        (
            json!({ "signature": "YQ", "data": "YQ", "algorithm": "ES256", "certificate": "x" }),
            422,
            "signature.certificate",
        ),
    ] {
        client.post("/v1/signatures/verify", &request).await.problem(status, code);
    }
}

#[tokio::test]
async fn others_verify_by_the_key_set() {
    let shared = shared();
    let client = signer(&shared).await;
    let mut library = Library::start("jose.mjs");
    for reference in CURVES {
        let request = json!({ "applicationId": "REGISTRATION", "referenceId": reference });
        client.call("/generateECSignKey/CERTIFICATE", request).await.response();
    }
    let on_p384 = json!({ "applicationId": "REGISTRATION", "referenceId": P384 });
    let made = client.post("/v1/keys", &on_p384).await;
    assert_eq!(made.status, 201, "{made:?}");
    // Without a token.
    let answer = shared.server.http().get("/v1/jwks/REGISTRATION").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "max-age=60");
    let keys = answer.body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 5, "{answer:?}");
    assert!(keys.iter().all(|key| key["use"] == "sig" && key["d"].is_null()));
    for (reference, algorithm) in [("", "RS256"), (CURVES[0], "ES256"), (P384, "ES384"), (CURVES[2], "EdDSA")]
    {
        let sign = json!({ "dataToSign": "YQ", "applicationId": "REGISTRATION", "referenceId": reference,
            "includePayload": true });
        let signed = client.call("/jwtSign", sign).await;
        let verified = library.ask(&json!({
            "call": "verifyBySet", "token": signed.response()["jwtSignedData"], "set": answer.body,
            "algorithm": algorithm,
        }));
        assert_eq!(verified["payload"], "YQ==", "{algorithm}: {verified}");
    }
    let kernel = shared.server.http().get("/v1/jwks/KERNEL").await;
    let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=KERNEL&referenceId=SIGN").await;
    let id = &listed.response()["allCertificates"][0]["keyId"];
    assert!(kernel.body["keys"].as_array().unwrap().iter().any(|key| key["kid"] == *id));
    assert_eq!(shared.server.http().get("/v1/jwks/ROOT").await.body, json!({ "keys": [] }));
    shared.server.http().get("/v1/jwks/NEVER_HEARD_OF").await.problem(404, "application.unknown");
    assert_eq!(shared.server.http().get("/v1/jwks/a%2Fb").await.status, 401);
}
