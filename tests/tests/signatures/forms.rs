//! Tokens as the field sends them, and as an attacker would.

use kunji_tests::{
    http::{Http, b64, unb64},
    site::shared,
};
use serde_json::{Value, json};

use crate::signer;

async fn is_valid(client: &Http, request: Value) -> bool {
    let answer = client.call("/jwtVerify", request).await;
    answer.response()["signatureValid"].as_bool().unwrap()
}

async fn token(client: &Http, request: Value) -> String {
    client.call("/jwsSign", request).await.response()["jwtSignedData"].as_str().unwrap().to_owned()
}

fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&unb64(&header.into())).unwrap();
    change(&mut header);
    format!("{}.{rest}", b64(header.to_string()))
}

#[tokio::test]
async fn no_algorithm_takes_the_place_of_another() {
    let shared = shared();
    let client = signer(&shared).await;
    let signed = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "includePayload": true,
        "includeCertificate": true, "b64JWSHeaderParam": true });
    let token = token(&client, signed).await;
    assert!(is_valid(&client, json!({ "jwtSignatureData": token })).await);
    for algorithm in ["none", "HS256", "RS256", "PS384", "ES256", "EdDSA", "ps256", ""] {
        let confused = with_header(&token, |header| header["alg"] = algorithm.into());
        assert!(!is_valid(&client, json!({ "jwtSignatureData": confused })).await, "{algorithm}");
    }
    let unsigned = with_header(&token, |header| header["alg"] = "none".into());
    let unsigned = format!("{}.", unsigned.rsplit_once('.').unwrap().0);
    let answer = client.call("/jwtVerify", json!({ "jwtSignatureData": unsigned })).await;
    assert_eq!(answer.response()["signatureValid"], false);
}

/// 1.3 of the reference remembers a certificate under whatever hash the header claims.
#[tokio::test]
async fn a_planted_hash_plants_nothing() {
    let shared = shared();
    let client = signer(&shared).await;
    let sign = |application: &str| {
        json!({ "dataToSign": "YQ", "applicationId": application, "includePayload": true,
            "includeCertificate": true, "includeCertHash": true, "b64JWSHeaderParam": true })
    };
    let victim = token(&client, sign("ID_REPO")).await;
    let other = token(&client, sign("REGISTRATION")).await;
    let header: Value = serde_json::from_slice(&unb64(&victim.split('.').next().unwrap().into())).unwrap();
    let planted = with_header(&other, |changed| changed["x5t#S256"] = header["x5t#S256"].clone());
    assert!(!is_valid(&client, json!({ "jwtSignatureData": planted })).await);
    assert!(is_valid(&client, json!({ "jwtSignatureData": victim })).await);
    let forged = with_header(&victim, |changed| changed["x5c"] = json!([]));
    assert!(
        client.call("/jwtVerify", json!({ "jwtSignatureData": forged })).await.error_code() == "KER-JWS-107"
    );
}

#[tokio::test]
async fn every_form_of_x5c_in_the_field_is_read() {
    let shared = shared();
    let client = signer(&shared).await;
    let certificate = client.certificate("ID_REPO", "").await;
    let request = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "includePayload": true,
        "b64JWSHeaderParam": true });
    let token = token(&client, request).await;
    let der = openssl::x509::X509::from_pem(certificate.as_bytes()).unwrap().to_der().unwrap();
    let standard = openssl::base64::encode_block;
    let lines = standard(certificate.as_bytes())
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect::<Vec<_>>()
        .join("\n");
    for x5c in [standard(&der), b64(&der), standard(certificate.as_bytes()), b64(&certificate), lines] {
        // The header is part of what is signed, so the signature cannot fit: but the certificate was read.
        let changed = with_header(&token, |header| header["x5c"] = json!([x5c]));
        assert!(!is_valid(&client, json!({ "jwtSignatureData": changed })).await);
    }
    for bad in [json!([]), json!("x"), json!([7]), json!(["AAAA"])] {
        let changed = with_header(&token, |header| header["x5c"] = bad.clone());
        let answer = client.call("/jwtVerify", json!({ "jwtSignatureData": changed })).await;
        assert_eq!(answer.error_code(), "KER-JWS-107", "{bad}");
    }
}

#[tokio::test]
async fn trust_is_told_apart_from_the_signature() {
    let shared = shared();
    let client = signer(&shared).await;
    let sign = |certificate: bool| {
        json!({ "dataToSign": "YQ", "applicationId": "ID_REPO", "includePayload": true,
            "includeCertificate": certificate, "b64JWSHeaderParam": true })
    };
    for (with_certificate, validate, domain, trust) in [
        (true, json!(null), "AUTH", "TRUST_NOT_VERIFIED"),
        (true, json!(false), "AUTH", "TRUST_NOT_VERIFIED"),
        (true, json!(true), " ", "TRUST_NOT_VERIFIED_NO_DOMAIN"),
        (false, json!(true), "AUTH", "TRUST_NOT_VERIFIED"),
        (true, json!(true), "NOWHERE", "TRUST_CERT_PATH_NOT_VALID"),
    ] {
        let token = token(&client, sign(with_certificate)).await;
        let request = json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "validateTrust": validate,
            "domain": domain });
        for path in ["/jwtVerify", "/jwtVerify/v2"] {
            let answer = client.call(path, request.clone()).await;
            let expected =
                json!({ "signatureValid": true, "message": "Validation Successful", "trustValid": trust });
            assert_eq!(*answer.response(), expected);
        }
    }
}
