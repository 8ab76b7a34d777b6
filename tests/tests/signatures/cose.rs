//! COSE_Sign1 and CWT, both ways with the `@auth0/cose` library, and ES256K with OpenSSL.

use kunji_tests::{
    http::{Http, b64},
    site::shared,
};
use openssl::{base64::encode_block, ecdsa::EcdsaSig, hash::MessageDigest, pkey::PKey, rsa::Rsa, x509::X509};
use serde_json::{Value, json};

use crate::{
    library::{Library, certificate},
    signer,
};

/// Not UTF-8.
const PAYLOAD: &[u8] = &[0, 255, 46, 10, 128];

const KEYS: [(&str, &str); 5] = [
    ("", "PS256"),
    ("EC_SECP256R1_SIGN", "ES256"),
    ("EC_SECP384R1_SIGN", "ES384"),
    ("EC_SECP256K1_SIGN", "ES256K"),
    ("ED25519_SIGN", "EdDSA"),
];

fn public_key(certificate: &str) -> String {
    let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
    String::from_utf8(key.public_key_to_pem().unwrap()).unwrap()
}

async fn certificate_of(client: &Http, reference: &str) -> String {
    let request = json!({ "applicationId": "ID_REPO", "referenceId": reference });
    if reference == "EC_SECP384R1_SIGN" {
        let made = client.post("/v1/keys", &request).await;
        assert!(made.status == 201 || made.status == 409, "{made:?}");
    } else if !reference.is_empty() {
        client.call("/generateECSignKey/CERTIFICATE", request).await.response();
    }
    client.certificate("ID_REPO", reference).await
}

async fn sign(client: &Http, path: &str, request: Value) -> String {
    let answer = client.call(path, request).await;
    let message = answer.response()["signedData"].as_str().unwrap().to_owned();
    assert_eq!(message, message.to_lowercase());
    message
}

async fn is_valid(client: &Http, path: &str, request: Value) -> bool {
    client.call(path, request).await.response()["signatureValid"].as_bool().unwrap()
}

/// `Sig_structure` (RFC 9052 4.4) of a message of ours: short protected header, no more than 23 bytes of payload.
fn verifies_es256k(message: &str, certificate: &str) -> bool {
    let bytes: Vec<u8> = (0..message.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&message[at..at + 2], 16).unwrap())
        .collect();
    // d2 84 43 (a1 01 38 2e) a0 45 (payload) 58 40 (signature)
    assert_eq!(bytes[..3], [0xd2, 0x84, 0x44]);
    let (protected, payload) = (&bytes[2..7], &bytes[8..14]);
    let signature = &bytes[16..];
    let structure = [&[0x84, 0x6a], b"Signature1".as_slice(), protected, &[0x40], payload].concat();
    let digest = openssl::hash::hash(MessageDigest::sha256(), &structure).unwrap();
    let number = |bytes| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let signature =
        EcdsaSig::from_private_components(number(&signature[..32]), number(&signature[32..])).unwrap();
    let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
    signature.verify(&digest, &key.ec_key().unwrap()).unwrap()
}

#[tokio::test]
async fn others_verify_what_the_server_signs() {
    let shared = shared();
    let client = signer(&shared).await;
    let mut library = Library::start("cose.mjs");
    for (reference, algorithm) in KEYS {
        let certificate = certificate_of(&client, reference).await;
        let plain = json!({ "payload": b64(PAYLOAD), "applicationId": "ID_REPO", "referenceId": reference });
        let message = sign(&client, "/coseSign1", plain.clone()).await;
        let verify =
            json!({ "coseSignedData": message, "applicationId": "ID_REPO", "referenceId": reference });
        assert!(is_valid(&client, "/coseVerify1", verify).await, "{algorithm}");
        if algorithm == "ES256K" {
            assert!(verifies_es256k(&message, &certificate));
            continue;
        }
        let mut full = plain;
        full["protectedHeader"] =
            json!({ "includeCertificateChain": true, "kid": "x", "own": "12", "crit": "" });
        full["unprotectedHeader"] =
            json!({ "includeCertificateHash": true, "certificateUrl": "https://x", "a": [1] });
        for (request, protected, unprotected) in
            [(json!(null), json!([1]), json!([])), (full, json!([1, 4, 33, "own"]), json!([34, 35, "a"]))]
        {
            let message =
                if request.is_null() { message.clone() } else { sign(&client, "/coseSign1", request).await };
            let verified = library.ask(&json!({
                "call": "verify", "message": message, "publicKey": public_key(&certificate), "algorithm": algorithm,
            }));
            assert_eq!(verified["payload"], encode_block(PAYLOAD), "{algorithm}: {verified}");
            assert_eq!((&verified["protected"], &verified["unprotected"]), (&protected, &unprotected));
            assert!(
                is_valid(
                    &client,
                    "/coseVerify1",
                    json!({ "coseSignedData": message, "applicationId": "ID_REPO",
                "referenceId": reference })
                )
                .await
            );
        }
    }
}

#[tokio::test]
async fn the_server_verifies_what_others_sign() {
    let shared = shared();
    let client = signer(&shared).await;
    let mut library = Library::start("cose.mjs");
    let authority = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    for algorithm in ["EdDSA", "ES256", "ES384", "PS256", "RS256"] {
        let signed =
            library.ask(&json!({ "call": "sign", "algorithm": algorithm, "payload": encode_block(PAYLOAD) }));
        let message = signed["message"].as_str().unwrap_or_else(|| panic!("{signed}")).to_owned();
        let public = PKey::public_key_from_pem(signed["publicKey"].as_str().unwrap().as_bytes()).unwrap();
        let certificate = certificate(&public, &authority);
        let request = |message: &str| json!({ "coseSignedData": message, "certificateData": certificate });
        assert!(is_valid(&client, "/coseVerify1", request(&message)).await, "{algorithm}");
        assert!(is_valid(&client, "/coseVerify1", request(&message.to_uppercase())).await, "{algorithm}");
        let last = if message.ends_with('0') { '1' } else { '0' };
        let forged = format!("{}{last}", &message[..message.len() - 1]);
        assert!(!is_valid(&client, "/coseVerify1", request(&forged)).await, "{algorithm}");
        // A payload that is no claims is no CWT, however well it is signed.
        let answer = client.call("/cwtVerify", request(&message)).await;
        assert_eq!(answer.error_code(), "KER-CWS-111");
    }
    for bad in ["00", "zz", "d28440", "d2844043a0405840", "f6"] {
        let answer = client.call("/coseVerify1", json!({ "coseSignedData": bad })).await;
        assert_eq!(answer.error_code(), "KER-CWS-112", "{bad}");
    }
}

/// A COSE_Sign1 with a counter-signature in its protected header, which has one in its own, and so on (RFC 8152 4.5).
pub(crate) fn counter_signed(levels: usize) -> Vec<u8> {
    let byte_string = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[0x5a], length.as_slice(), bytes].concat()
    };
    let protected = (0..levels).fold(Vec::new(), |inner, _| {
        [&[0xa1, 7, 0x83], byte_string(&inner).as_slice(), &[0xa0, 0x40]].concat()
    });
    [&[0xd2, 0x84], byte_string(&protected).as_slice(), &[0xa0, 0x40, 0x40]].concat()
}

/// A stack that ends would take the server along.
#[tokio::test]
async fn nested_counter_signatures_are_refused() {
    let shared = shared();
    let client = signer(&shared).await;
    let message = kunji_shared::encoding::encode_hex(&counter_signed(6_000));
    for path in ["/coseVerify1", "/cwtVerify"] {
        let answer = client.call(path, json!({ "coseSignedData": message })).await;
        assert_eq!(answer.error_code(), "KER-CWS-112", "{path}");
    }
}

#[tokio::test]
async fn claims_are_made_and_checked() {
    let shared = shared();
    let client = signer(&shared).await;
    let mut library = Library::start("cose.mjs");
    let certificate = certificate_of(&client, "EC_SECP256R1_SIGN").await;
    let request = json!({
        "payload": b64(r#"{"name":"Zo","iss":"other","-65600":"7"}"#), "claim169Payload": "a101636162",
        "applicationId": "ID_REPO", "referenceId": "EC_SECP256R1_SIGN", "issuer": "issuer", "subject": "subject",
        "audience": "audience", "expireDays": 2, "cwtid": "UUID",
    });
    let message = sign(&client, "/cwtSign", request.clone()).await;
    assert!(message.starts_with("d83dd284"), "{message}");
    let verified = library.ask(&json!({
        "call": "verify", "message": message, "publicKey": public_key(&certificate), "algorithm": "ES256",
    }));
    let claims = &verified["claims"];
    assert_eq!(
        (&claims["1"], &claims["2"], &claims["3"], &claims["name"], &claims["-65600"]),
        (&json!("issuer"), &json!("subject"), &json!("audience"), &json!("Zo"), &json!(7)),
        "{verified}"
    );
    assert_eq!(claims["4"].as_i64().unwrap() - claims["5"].as_i64().unwrap(), 2 * 86_400);
    assert_eq!(claims["5"], claims["6"]);
    assert_eq!(claims["7"].as_str().unwrap().len(), 36);

    let verify = |message: &str, issuer: Value, subject: Value| {
        json!({ "coseSignedData": message, "applicationId": "ID_REPO", "referenceId": "EC_SECP256R1_SIGN",
            "issuer": issuer, "subject": subject })
    };
    assert!(is_valid(&client, "/cwtVerify", verify(&message, json!(null), json!(""))).await);
    assert!(is_valid(&client, "/cwtVerify", verify(&message, json!("issuer"), json!("subject"))).await);
    let answer = client.call("/cwtVerify", verify(&message, json!("other"), json!(null))).await;
    assert_eq!(answer.error_code(), "KER-SIG-119");
    for (change, code) in [
        (json!({ "expireDays": 0 }), "KER-SIG-116"),
        (json!({ "notBeforeDays": 1 }), "KER-SIG-115"),
        (json!({ "subject": null }), "KER-SIG-118"),
    ] {
        let mut request = request.clone();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let message = sign(&client, "/cwtSign", request).await;
        let answer = client.call("/cwtVerify", verify(&message, json!("issuer"), json!("subject"))).await;
        assert_eq!(answer.error_code(), code, "{change}");
        // Nothing is told of claims that nobody has signed.
        let last = if message.ends_with('0') { '1' } else { '0' };
        let forged = format!("{}{last}", &message[..message.len() - 1]);
        assert!(!is_valid(&client, "/cwtVerify", verify(&forged, json!("issuer"), json!("subject"))).await);
    }
    for (change, code) in [
        (json!({ "expireDays": -1 }), "KER-SIG-117"),
        (json!({ "claim169Payload": "xyz" }), "KER-SIG-114"),
        (json!({ "payload": b64("[1]") }), "KER-SIG-114"),
        (json!({ "payload": b64(format!("{{}}{}", " ".repeat(65_536))) }), "KER-SIG-114"),
        (json!({ "protectedHeader": { "a": vec![0; 600] } }), "KER-KMS-005"),
        (json!({ "protectedHeader": { "a": 1, "crit": "a,a" } }), "KER-KMS-005"),
        (json!({ "algorithm": "PS256" }), "KER-SIG-113"),
        (json!({ "protectedHeader": { "alg": "x" } }), "KER-KMS-005"),
        (json!({ "protectedHeader": { "a": 1 }, "unprotectedHeader": { "a": 2 } }), "KER-KMS-005"),
        (json!({ "protectedHeader": { "crit": "absent" } }), "KER-KMS-005"),
    ] {
        let mut request = request.clone();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(client.call("/cwtSign", request).await.error_code(), code, "{change}");
    }
}
