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
use serde_json::{Value, json};

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

/// What a certificate's signature is over (RFC 5280 4.1.1.3): the first member of the whole.
fn to_be_signed(certificate: &str) -> Vec<u8> {
    let der = X509::from_pem(certificate.as_bytes()).unwrap().to_der().unwrap();
    // Both are longer than 255 bytes: a tag, 0x82, and the length in two bytes.
    assert_eq!((&der[..2], &der[4..6]), (&[0x30, 0x82][..], &[0x30, 0x82][..]));
    let length = usize::from(u16::from_be_bytes([der[6], der[7]]));
    der[4..8 + length].to_vec()
}

#[tokio::test]
async fn the_keys_of_issuers_sign_no_certificates_for_callers() {
    let shared = shared();
    let client = signer(&shared).await;
    let tbs = to_be_signed(&client.certificate("ID_REPO", "").await);
    let made = client.call(
        "/generateECSignKey/CERTIFICATE",
        json!({ "applicationId": "ID_REPO", "referenceId": "ED25519_SIGN" }),
    );
    made.await.response();
    let digest = openssl::hash::hash(MessageDigest::sha256(), &tbs).unwrap();
    let of = |application: &str, reference: &str| json!({ "applicationId": application, "referenceId": reference });
    let sign = |names: &Value, member: &str, data: &[u8]| {
        let mut request = names.clone();
        request[member] = b64(data).into();
        request
    };
    let issuer = of("ID_REPO", "");
    for path in ["/signV2", "/signRawData"] {
        let answer = client.call(path, sign(&issuer, "dataToSign", &tbs)).await;
        assert_eq!(answer.error_code(), "KER-JWS-102", "{path}");
        for data in [&tbs[1..], &tbs[..tbs.len() - 1], b"0 and more"] {
            client.call(path, sign(&issuer, "dataToSign", data)).await.response();
        }
        for other in [of("ID_REPO", "ED25519_SIGN"), of("KERNEL", "SIGN")] {
            client.call(path, sign(&other, "dataToSign", &tbs)).await.response();
        }
    }
    let kernel = of("KERNEL", "SIGN");
    let items = [
        sign(&issuer, "data", &tbs),
        sign(&issuer, "digest", &digest),
        sign(&issuer, "data", &tbs[1..]),
        sign(&kernel, "data", &tbs),
        sign(&kernel, "digest", &digest),
        sign(&of("ID_REPO", "ED25519_SIGN"), "data", &tbs),
    ];
    let answer = client.post("/v1/signatures", &json!({ "items": items })).await;
    let failures: Vec<_> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["failure"]["code"].as_str())
        .collect();
    let refused = Some("signature.certifying");
    assert_eq!(failures, [refused, refused, None, None, None, None], "{answer:?}");
    // Forms of their own are no certificates, whatever is in them.
    client.call("/coseSign1", sign(&issuer, "payload", &tbs)).await.response();
    let mut detached = sign(&issuer, "dataToSign", &tbs);
    detached["includePayload"] = json!(false);
    client.call("/jwsSign", detached).await.response();
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
