//! Signing keys on curves.

use kunji_tests::{
    http::{Http, b64, unb64},
    site::{Site, shared},
};
use openssl::{
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    pkey::Id,
    x509::{X509, X509Req},
};
use serde_json::{Value, json};

use crate::{jose::Jose, signer};

/// Those of MOSIP's call.
const CURVES: [(&str, &str); 3] =
    [("EC_SECP256R1_SIGN", "ES256"), ("EC_SECP256K1_SIGN", "ES256K"), ("ED25519_SIGN", "EdDSA")];
/// Made by `POST /v1/keys` alone.
const P384: (&str, &str) = ("EC_SECP384R1_SIGN", "ES384");

async fn generate(client: &Http, application: &str, reference: &str, object: &str) -> Value {
    let request = json!({ "applicationId": application, "referenceId": reference, "commonName": "Issuer" });
    client.call(&format!("/generateECSignKey/{object}"), request).await.response().clone()
}

#[tokio::test]
async fn force_makes_another_key_on_the_curve_and_touches_no_other() {
    let shared = shared();
    let client = signer(&shared).await;
    let call = async |path: &str, reference: &str| {
        let request = json!({ "applicationId": "RESIDENT", "referenceId": reference, "force": true });
        client.call(path, request).await
    };
    for (reference, _) in CURVES {
        let first = generate(&client, "RESIDENT", reference, "CERTIFICATE").await["certificate"].clone();
        let answer = call("/generateECSignKey/CERTIFICATE", reference).await;
        let second = answer.response()["certificate"].as_str().unwrap().to_owned();
        assert_ne!(json!(second), first, "{reference}");
        assert_eq!(client.certificate("RESIDENT", reference).await, second);
        let answer = call("/generateECSignKey/CSR", reference).await;
        let request =
            X509Req::from_pem(answer.response()["certSignRequest"].as_str().unwrap().as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        assert!(request.verify(&key).unwrap());
        let third = X509::from_pem(client.certificate("RESIDENT", reference).await.as_bytes()).unwrap();
        assert!(third.public_key().unwrap().public_eq(&key));
        assert_eq!(call("/generateMasterKey/CERTIFICATE", reference).await.error_code(), "KER-KMS-010");
    }
    let module = client.certificate("RESIDENT", "").await;
    for object in ["CERTIFICATE", "CSR"] {
        assert_eq!(call(&format!("/generateECSignKey/{object}"), "").await.error_code(), "KER-KMS-030");
    }
    assert_eq!(client.certificate("RESIDENT", "").await, module);
}

/// Whether the signature over the message is by the certificate's key, as OpenSSL sees it.
fn openssl_verifies(certificate: &X509, message: &[u8], signature: &[u8]) -> bool {
    let key = certificate.public_key().unwrap();
    if key.id() == Id::ED25519 {
        return openssl::sign::Verifier::new_without_digest(&key)
            .unwrap()
            .verify_oneshot(signature, message)
            .unwrap();
    }
    let number = |bytes| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let (r, s) = signature.split_at(signature.len() / 2);
    let hash = if signature.len() == 64 { MessageDigest::sha256() } else { MessageDigest::sha384() };
    let signature = EcdsaSig::from_private_components(number(r), number(s)).unwrap();
    let digest = openssl::hash::hash(hash, message).unwrap();
    signature.verify(&digest, &key.ec_key().unwrap()).unwrap()
}

#[tokio::test]
async fn each_curve_signs_in_every_call() {
    let shared = shared();
    let client = signer(&shared).await;
    let mut jose = Jose::start();
    let payload = b"$.02";
    for (reference, _) in CURVES {
        let made = generate(&client, "ID_REPO", reference, "CERTIFICATE").await;
        let certificate = made["certificate"].as_str().unwrap().to_owned();
        assert_eq!(client.certificate("ID_REPO", reference).await, certificate, "a current key is kept");
        assert_eq!(generate(&client, "ID_REPO", reference, "certificate").await["certificate"], certificate);
    }
    let name = json!({ "applicationId": "ID_REPO", "referenceId": P384.0 });
    let made = client.post("/v1/keys", &name).await;
    assert!(made.status == 201 || made.status == 409, "{made:?}");
    assert_eq!(client.call("/generateECSignKey/CERTIFICATE", name).await.error_code(), "KER-KMS-030");
    for (reference, algorithm) in CURVES.into_iter().chain([P384]) {
        let certificate = client.certificate("ID_REPO", reference).await;
        let x509 = X509::from_pem(certificate.as_bytes()).unwrap();
        let name = |alias: &str| json!({ "dataToSign": b64(payload), "applicationId": "ID_REPO", "referenceId": alias });
        for (path, member, change) in [
            ("/jwtSign", "jwtSignedData", json!({ "includePayload": true })),
            ("/jwtSign/v2", "jwtSignedData", json!({ "includeCertificateChain": true })),
            ("/jwsSign", "jwtSignedData", json!({})),
            (
                "/jwsSign/v2",
                "jwtSignedData",
                json!({ "signAlgorithm": algorithm, "b64JWSHeaderParam": true }),
            ),
        ] {
            let mut request = name(reference);
            request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let answer = client.call(path, request).await;
            let token = answer.response()[member].as_str().unwrap().to_owned();
            let parts: Vec<_> = token.split('.').collect();
            let header: Value = serde_json::from_slice(&unb64(&parts[0].into())).unwrap();
            assert_eq!(header["alg"], algorithm);
            let encoded = header["b64"] != json!(false);
            let body = if encoded { b64(payload).into_bytes() } else { payload.to_vec() };
            let input = [parts[0].as_bytes(), b".", &body].concat();
            assert!(openssl_verifies(&x509, &input, &unb64(&parts[2].into())), "{path} {algorithm}");
            if algorithm != "ES256K" {
                let detached = parts[1].is_empty().then_some(payload.as_slice());
                let verified = jose.verify(&token, &certificate, algorithm, detached);
                assert_eq!(verified["payload"], openssl::base64::encode_block(payload), "{path}: {verified}");
            }
            let verify = json!({ "jwtSignatureData": token, "actualData": b64(payload),
                "applicationId": "ID_REPO", "referenceId": reference });
            assert_eq!(client.call("/jwtVerify", verify).await.response()["signatureValid"], true);
        }
        let mut request = name(reference);
        request["responseEncodingFormat"] = "base64url".into();
        let answer = client.call("/signRawData", request.clone()).await;
        assert_eq!(answer.response()["signatureAlgorithm"], algorithm);
        assert!(openssl_verifies(&x509, payload, &unb64(&answer.response()["signedData"])), "{algorithm}");
        request["signAlgorithm"] = "PS256".into();
        assert_eq!(client.call("/signV2", request).await.error_code(), "KER-SIG-113");
    }
}

#[tokio::test]
async fn certificates_say_who_vouches_and_requests_are_signed() {
    let shared = shared();
    let client = signer(&shared).await;
    let root = X509::from_pem(client.certificate("ROOT", "").await.as_bytes()).unwrap();
    let module = X509::from_pem(client.certificate("RESIDENT", "").await.as_bytes()).unwrap();
    for (reference, _) in CURVES {
        let made = generate(&client, "RESIDENT", reference, "CERTIFICATE").await;
        let certificate = X509::from_pem(made["certificate"].as_str().unwrap().as_bytes()).unwrap();
        let issuer = if reference == "ED25519_SIGN" { &module } else { &root };
        assert!(certificate.verify(&issuer.public_key().unwrap()).unwrap(), "{reference}");
        let name = certificate.subject_name().entries().last().unwrap();
        assert_eq!(name.data().to_string().unwrap(), "Issuer");
        let text = String::from_utf8(certificate.to_text().unwrap()).unwrap();
        assert!(text.contains("X509v3 Key Usage: critical\n                Digital Signature\n"), "{text}");
        let made = generate(&client, "RESIDENT", reference, "CSR").await;
        assert_eq!(made["certificate"], Value::Null);
        let request = X509Req::from_pem(made["certSignRequest"].as_str().unwrap().as_bytes()).unwrap();
        let key = request.public_key().unwrap();
        assert!(key.public_eq(&certificate.public_key().unwrap()));
        assert!(request.verify(&key).unwrap(), "{reference}");
    }
}

#[tokio::test]
async fn keys_on_curves_are_made_on_request_alone() {
    let shared = shared();
    let client = signer(&shared).await;
    let call = async |application: &str, reference: &str, object: &str| {
        let request = json!({ "applicationId": application, "referenceId": reference });
        client.call(&format!("/generateECSignKey/{object}"), request).await.error_code().to_owned()
    };
    assert_eq!(call("PMS", "EC_SECP256R1_SIGN", "KEY").await, "KER-KMS-005");
    assert_eq!(call("PMS", "", "CERTIFICATE").await, "KER-KMS-030");
    assert_eq!(call("PMS", "10001", "CERTIFICATE").await, "KER-KMS-030");
    assert_eq!(call("ROOT", "EC_SECP256R1_SIGN", "CERTIFICATE").await, "KER-KMS-030");
    assert_eq!(call("KERNEL", "ED25519_SIGN", "CERTIFICATE").await, "KER-KMS-026");
    let name = json!({ "applicationId": "PMS", "referenceId": "EC_SECP256R1_SIGN", "dataToSign": "YQ" });
    assert_eq!(client.call("/jwtSign", name.clone()).await.error_code(), "KER-KMS-012");
    assert_eq!(client.call("/generateMasterKey/CERTIFICATE", name).await.error_code(), "KER-KMS-010");
    let path = "/v1/keymanager/getCertificate?applicationId=PMS&referenceId=EC_SECP256R1_SIGN";
    assert_eq!(client.get(path).await.error_code(), "KER-KMS-012");
}

#[tokio::test]
async fn keys_on_curves_sign_after_a_restart() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,ID_REPO").with("KUNJI_KEY_CACHE_SECONDS", "0");
    let mut before = Vec::new();
    for round in 0..2 {
        let server = site.start();
        let administrator = server.http().sign_in("administrator", &server.secret).await;
        let client = administrator.new_client(&["signer", "encryptor", "key-administrator"]).await;
        for (reference, _) in CURVES {
            if round == 0 {
                before.push(
                    generate(&client, "ID_REPO", reference, "CERTIFICATE").await["certificate"].clone(),
                );
            }
            let certificate = client.certificate("ID_REPO", reference).await;
            let request = json!({ "dataToSign": b64([round]), "applicationId": "ID_REPO", "referenceId": reference,
                "responseEncodingFormat": "base64url" });
            let signed = client.call("/signV2", request).await;
            let x509 = X509::from_pem(certificate.as_bytes()).unwrap();
            assert!(openssl_verifies(&x509, &[round], &unb64(&signed.response()["signature"])));
            assert!(before.contains(&certificate.into()));
        }
        assert!(server.stop().success());
    }
}
