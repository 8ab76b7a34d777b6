//! Signatures over bytes, and the oldest calls, checked with OpenSSL.

use kunji_tests::{
    http::{b64, unb64},
    site::shared,
};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Public},
    rsa::Padding,
    sign::{RsaPssSaltlen, Verifier},
    x509::X509,
};
use serde_json::json;

use crate::signer;

const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Undoes base58 by the definition: a number in base 58, and a zero byte for each leading `1`.
fn unbase58(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for digit in text.bytes() {
        let mut carry = BITCOIN.iter().position(|known| *known == digit).unwrap();
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap();
            carry /= 256;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry % 256).unwrap());
            carry /= 256;
        }
    }
    bytes.extend(text.bytes().take_while(|digit| *digit == b'1').map(|_| 0));
    bytes.reverse();
    bytes
}

fn verifies(key: &PKey<Public>, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    let digest = match algorithm.get(2..).unwrap() {
        "256" => MessageDigest::sha256(),
        "384" => MessageDigest::sha384(),
        _ => MessageDigest::sha512(),
    };
    let mut verifier = Verifier::new(digest, key).unwrap();
    if algorithm.starts_with("PS") {
        verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        verifier.set_rsa_mgf1_md(digest).unwrap();
    }
    verifier.verify_oneshot(signature, message).unwrap()
}

#[tokio::test]
async fn exactly_the_bytes_are_signed() {
    let shared = shared();
    let client = signer(&shared).await;
    let certificate = client.certificate("ID_REPO", "").await;
    let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
    let message = [0, 255, 46, 10, 128];
    for (algorithm, expected) in [
        (json!(null), "PS256"),
        (json!(" "), "PS256"),
        (json!("RS256"), "RS256"),
        (json!("RS512"), "RS512"),
        (json!("PS384"), "PS384"),
    ] {
        let request = json!({
            "dataToSign": b64(message), "applicationId": "ID_REPO", "referenceId": null,
            "signAlgorithm": algorithm, "responseEncodingFormat": "base64url",
        });
        let answer = client.call("/signV2", request.clone()).await;
        assert!(verifies(&key, expected, &message, &unb64(&answer.response()["signature"])), "{expected}");
        let mut request = request;
        request["responseEncodingFormat"] = json!(null);
        let answer = client.call("/signRawData", request).await;
        let made = answer.response();
        let signature = made["signedData"].as_str().unwrap().strip_prefix('z').unwrap();
        assert!(verifies(&key, expected, &message, &unbase58(signature)), "{expected}");
        assert_eq!(made["signatureAlgorithm"], expected);
        assert_eq!(made["certificate"], certificate);
        let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=ID_REPO").await;
        assert_eq!(made["keyId"], listed.response()["allCertificates"][0]["keyId"]);
    }
    for (change, code) in [
        (json!({ "responseEncodingFormat": "hex" }), "KER-KMS-036"),
        (json!({ "signAlgorithm": "ES256" }), "KER-SIG-113"),
        (json!({ "referenceId": "10001" }), "KER-KMS-020"),
    ] {
        let mut request = json!({ "dataToSign": "YQ", "applicationId": "ID_REPO" });
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(client.call("/signV2", request).await.error_code(), code, "{change}");
    }
}

#[tokio::test]
async fn the_oldest_calls_sign_text_with_kernel_sign() {
    let shared = shared();
    let client = signer(&shared).await;
    let text = "{\"name\":\"Zo\u{eb}\"} ";
    let answer = client.call("/sign", json!({ "data": text })).await;
    let token = answer.response()["signature"].as_str().unwrap().to_owned();
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(unb64(&parts[0].into()), br#"{"alg":"RS256"}"#);
    assert_eq!(parts[1], "");
    let certificate = client.certificate("KERNEL", "SIGN").await;
    let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
    let input = format!("{}.{}", parts[0], b64(text));
    assert!(verifies(&key, "RS256", input.as_bytes(), &unb64(&parts[2].into())));

    let validate = |signature: &str, data: &str| json!({ "signature": signature, "data": data, "timestamp": "2026-01-05T10:11:12.123Z" });
    let answer = client.call("/validate", validate(&token, text)).await;
    assert_eq!(*answer.response(), json!({ "status": "success", "message": "Validation Successful" }));
    let answer = client.call("/validate", validate(&token, "another")).await;
    assert_eq!(answer.error_code(), "KER-CSS-101");
    // Whoever brings a certificate of their own has signed nothing for us.
    let signed = client
        .call(
            "/jwtSign",
            json!({ "dataToSign": b64(text), "applicationId": "ID_REPO", "includeCertificate": true }),
        )
        .await;
    let other = signed.response()["jwtSignedData"].as_str().unwrap().to_owned();
    assert_eq!(client.call("/validate", validate(&other, text)).await.error_code(), "KER-CSS-101");
}
