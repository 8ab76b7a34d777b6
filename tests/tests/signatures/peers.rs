//! Both ways with libraries of Python, and Java's own Signature: one process for each answers a list of cases.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use kunji_tests::{
    http::{Http, b64, unb64},
    site::shared,
};
use openssl::{
    base64::{decode_block, encode_block},
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::X509,
};
use serde_json::{Value, json};

use crate::{library::certificate, signer};

const PAYLOAD: &[u8] = b"$.02 {\"a\":1}";
const RSA: [&str; 6] = ["RS256", "PS256", "RS384", "RS512", "PS384", "PS512"];
const CURVES: [(&str, &str); 4] = [
    ("EC_SECP256R1_SIGN", "ES256"),
    ("EC_SECP384R1_SIGN", "ES384"),
    ("EC_SECP256K1_SIGN", "ES256K"),
    ("ED25519_SIGN", "EdDSA"),
];

/// Whether the payload is left out, and whether it is encoded (RFC 7797).
const FRAMINGS: [(bool, bool); 3] = [(false, true), (true, true), (true, false)];

/// References and algorithms of the server's keys.
fn keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    RSA.into_iter().map(|algorithm| ("", algorithm)).chain(CURVES)
}

fn run(command: &mut Command, input: &str) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
    let command = command.current_dir(project).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut requests = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || requests.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// What the libraries of Python make of the cases.
fn python(cases: &[Value]) -> Vec<Value> {
    let python = std::env::var("KUNJI_TEST_SIGNATURE_PYTHON")
        .expect("set KUNJI_TEST_SIGNATURE_PYTHON to what .scripts/signature-peers prints");
    serde_json::from_str(&run(
        Command::new(python).args(["-W", "ignore", "peers.py"]),
        &json!(cases).to_string(),
    ))
    .unwrap()
}

/// What Java makes of the cases.
fn java(cases: &[String]) -> Vec<String> {
    let mut java = Command::new("java");
    java.args(["-XX:TieredStopAtLevel=1", "Peers.java"]);
    run(&mut java, &format!("{}\n", cases.join("\n"))).lines().map(ToOwned::to_owned).collect()
}

fn public_pem(certificate: &str) -> String {
    let key = X509::from_pem(certificate.as_bytes()).unwrap().public_key().unwrap();
    String::from_utf8(key.public_key_to_pem().unwrap()).unwrap()
}

/// What was signed of a JWS over the payload.
fn input(token: &str) -> Vec<u8> {
    let header = token.split('.').next().unwrap();
    let members: Value = serde_json::from_slice(&unb64(&header.into())).unwrap();
    let body = if members["b64"] == json!(false) { PAYLOAD.to_vec() } else { b64(PAYLOAD).into_bytes() };
    [header.as_bytes(), b".", &body].concat()
}

fn words(algorithm: &str, key: &str, token: &str) -> String {
    let spki = PKey::public_key_from_pem(key.as_bytes()).unwrap().public_key_to_der().unwrap();
    let signature = unb64(&token.rsplit('.').next().unwrap().into());
    let bytes = [spki, input(token), signature].map(|bytes| encode_block(&bytes));
    format!("verify {algorithm} {}", bytes.join(" "))
}

async fn sign(client: &Http, request: Value) -> String {
    client.call("/jwsSign", request).await.response()["jwtSignedData"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn they_verify_what_the_server_signs() {
    let shared = shared();
    let client = signer(&shared).await;
    let (mut cases, mut lines) = (Vec::new(), Vec::new());
    for (reference, algorithm) in keys() {
        let name = json!({ "applicationId": "IDA", "referenceId": reference });
        if !reference.is_empty() {
            let made = client.post("/v1/keys", &name).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        let key = public_pem(&client.certificate("IDA", reference).await);
        for (detached, encoded) in FRAMINGS {
            for (with_certificate, with_hash) in [(false, false), (true, false), (false, true)] {
                let mut request = name.clone();
                for (member, value) in [
                    ("dataToSign", json!(b64(PAYLOAD))),
                    ("signAlgorithm", json!(algorithm)),
                    ("includePayload", json!(!detached)),
                    ("b64JWSHeaderParam", json!(encoded)),
                    ("includeCertificate", json!(with_certificate)),
                    ("includeCertHash", json!(with_hash)),
                ] {
                    request[member] = value;
                }
                let token = sign(&client, request).await;
                for library in ["jwcrypto", "joserfc"] {
                    cases.push(json!({ "call": "verify", "library": library, "algorithm": algorithm,
                        "key": key, "token": token, "payload": encode_block(PAYLOAD) }));
                }
                // Java knows secp256k1 no more.
                if algorithm != "ES256K" {
                    lines.push(words(algorithm, &key, &token));
                }
            }
        }
        // The first has no secp256k1.
        if algorithm != "ES256K" {
            let request = json!({ "applicationId": "IDA", "referenceId": reference, "algorithm": algorithm,
                "payload": b64(PAYLOAD), "protectedHeader": {} });
            let signed = client.call("/coseSign1", request).await;
            let message = signed.response()["signedData"].as_str().unwrap().to_owned();
            let message = openssl::bn::BigNum::from_hex_str(&message).unwrap().to_vec();
            cases.push(json!({ "call": "verify", "library": "pycose", "algorithm": algorithm, "key": key,
                "token": b64(message), "payload": encode_block(PAYLOAD) }));
        }
    }
    for (case, answer) in cases.iter().zip(python(&cases)) {
        assert_eq!(answer, true, "{case}");
    }
    let answers = java(&lines);
    assert_eq!(answers.len(), lines.len());
    for (line, answer) in lines.iter().zip(answers) {
        assert_eq!(answer, "true", "{line}");
    }
}

/// Of every framing and way to name the certificate, whether the payload is left out, and the header.
fn headers(certificate: &[u8]) -> Vec<(bool, Value)> {
    let hash = b64(openssl::sha::sha256(certificate));
    let names = [json!({}), json!({ "x5c": [encode_block(certificate)] }), json!({ "x5t#S256": hash })];
    let framed = |(detached, encoded): (bool, bool)| {
        names.clone().map(|mut header: Value| {
            if !encoded {
                header["b64"] = json!(false);
                header["crit"] = json!(["b64"]);
            }
            (detached, header)
        })
    };
    FRAMINGS.into_iter().flat_map(framed).collect()
}

fn key_for(algorithm: &str) -> PKey<Private> {
    let on_curve = |name| {
        let group = EcGroup::from_curve_name(name).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    };
    match algorithm {
        "ES256" => on_curve(Nid::X9_62_PRIME256V1),
        "ES384" => on_curve(Nid::SECP384R1),
        "ES256K" => on_curve(Nid::SECP256K1),
        "EdDSA" => PKey::generate_ed25519().unwrap(),
        _ => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
    }
}

#[tokio::test]
async fn the_server_verifies_what_they_sign() {
    let authority = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let (mut cases, mut certificates, mut lines, mut framed) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, algorithm) in keys() {
        let key = key_for(algorithm);
        let private = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let public = PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap();
        let certificate = certificate(&public, &authority);
        let der = X509::from_pem(certificate.as_bytes()).unwrap().to_der().unwrap();
        for (detached, header) in headers(&der) {
            for library in ["jwcrypto", "joserfc"] {
                cases.push(
                    json!({ "call": "sign", "library": library, "algorithm": algorithm, "key": private,
                    "header": header, "payload": encode_block(PAYLOAD), "detached": detached }),
                );
                certificates.push(certificate.clone());
            }
            if algorithm != "ES256K" {
                let mut header = header;
                header["alg"] = algorithm.into();
                let header = b64(header.to_string());
                let pkcs8 = encode_block(&key.private_key_to_pkcs8().unwrap());
                lines.push(format!("sign {algorithm} {pkcs8} {}", encode_block(&input(&header))));
                framed.push((header, detached, certificate.clone()));
            }
        }
        if algorithm != "ES256K" {
            cases.push(json!({ "call": "sign", "library": "pycose", "algorithm": algorithm, "key": private,
                "payload": encode_block(PAYLOAD) }));
            certificates.push(certificate);
        }
    }
    let (tokens, signatures) = (python(&cases), java(&lines));
    let shared = shared();
    let client = signer(&shared).await;
    let verifies = async |certificate: &str, object: Value| {
        let mut request = object;
        request["certificate"] = certificate.into();
        let report = client.post("/v1/signatures/verify", &request).await;
        report.body["valid"].as_bool().unwrap_or_else(|| panic!("{report:?}"))
    };
    for ((case, certificate), answer) in cases.iter().zip(&certificates).zip(tokens) {
        let token =
            answer.as_str().filter(|text| !text.contains(' ')).unwrap_or_else(|| panic!("{case}: {answer}"));
        let of = |payload: &[u8]| match case["library"].as_str() {
            Some("pycose") => json!({ "cose": token }),
            _ if case["detached"] == true => json!({ "jws": token, "data": b64(payload) }),
            _ => json!({ "jws": token }),
        };
        assert!(verifies(certificate, of(PAYLOAD)).await, "{case}: {token}");
        if case["detached"] == true {
            assert!(!verifies(certificate, of(b"another")).await, "{case}: {token}");
        }
    }
    assert_eq!(signatures.len(), framed.len());
    for ((header, detached, certificate), signature) in framed.iter().zip(signatures) {
        let signature = decode_block(&signature).unwrap_or_else(|_| panic!("{header}: {signature}"));
        let (payload, signature) = (b64(PAYLOAD), b64(signature));
        let object = if *detached {
            json!({ "jws": format!("{header}..{signature}"), "data": payload })
        } else {
            json!({ "jws": format!("{header}.{payload}.{signature}") })
        };
        assert!(verifies(certificate, object.clone()).await, "{object}");
    }
}
