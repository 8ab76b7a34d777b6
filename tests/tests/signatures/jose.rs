//! Both ways with the `jose` library of Node.

use kunji_tests::{
    http::{Http, b64, unb64},
    site::shared,
};
use openssl::{hash::MessageDigest, pkey::PKey, rsa::Rsa, x509::X509};
use serde_json::{Value, json};

use crate::{
    library::{Library, certificate},
    signer,
};

/// Bytes with a dot, a line feed and no text in them.
const PAYLOADS: [&[u8]; 3] = [br#"{"a":1}"#, b"$.02", &[0, 255, 46, 10]];
const RSA: [&str; 6] = ["RS256", "PS256", "RS384", "RS512", "PS384", "PS512"];

/// The library.
pub(crate) struct Jose(Library);

impl Jose {
    pub(crate) fn start() -> Self {
        Self(Library::start("jose.mjs"))
    }

    /// Checks a signature; gives what it covers.
    pub(crate) fn verify(
        &mut self,
        token: &str,
        certificate: &str,
        algorithm: &str,
        detached: Option<&[u8]>,
    ) -> Value {
        let mut request = json!({
            "call": "verify", "token": token, "certificate": certificate, "algorithm": algorithm,
        });
        if let Some(payload) = detached {
            request["payload"] = openssl::base64::encode_block(payload).into();
        }
        self.0.ask(&request)
    }

    fn sign(&mut self, algorithm: &str, header: &Value, payload: &[u8], detached: bool) -> (String, String) {
        let answer = self.0.ask(&json!({
            "call": "sign", "algorithm": algorithm, "header": header, "detached": detached,
            "payload": openssl::base64::encode_block(payload),
        }));
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("token"), text("publicKey"))
    }
}

fn assert_covers(verified: &Value, payload: &[u8], case: &str) {
    assert_eq!(verified["payload"], openssl::base64::encode_block(payload), "{case}: {verified}");
}

async fn sign(client: &Http, path: &str, request: Value) -> String {
    client.call(path, request).await.response()["jwtSignedData"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn jose_verifies_what_the_server_signs() {
    let shared = shared();
    let client = signer(&shared).await;
    let certificate = client.certificate("ID_REPO", "").await;
    let mut jose = Jose::start();
    for payload in PAYLOADS {
        let request =
            json!({ "dataToSign": b64(payload), "applicationId": "ID_REPO", "includePayload": true });
        let token = sign(&client, "/jwtSign", request.clone()).await;
        assert_covers(&jose.verify(&token, &certificate, "RS256", None), payload, "jwtSign");
        for algorithm in RSA {
            for (path, detached, encoded) in [
                ("/jwsSign", true, true),
                ("/jwsSign", false, true),
                ("/jwsSign", true, false),
                ("/jwsSign/v2", true, false),
            ] {
                let mut request = request.clone();
                request["signAlgorithm"] = algorithm.into();
                request["includePayload"] = (!detached).into();
                request["b64JWSHeaderParam"] = encoded.into();
                let token = sign(&client, path, request).await;
                let verified = jose.verify(&token, &certificate, algorithm, detached.then_some(payload));
                assert_covers(&verified, payload, &format!("{algorithm}, {detached}, {encoded}: {token}"));
            }
        }
    }
    // Text without dots may stand unencoded in the middle.
    let request = json!({
        "dataToSign": b64("a plain text"), "applicationId": "ID_REPO", "includePayload": true,
        "b64JWSHeaderParam": false,
    });
    let token = sign(&client, "/jwsSign", request).await;
    assert_eq!(token.split('.').nth(1), Some("a plain text"));
    let verified = jose.verify(&token, &certificate, "PS256", Some(b"a plain text"));
    assert_covers(&verified, b"a plain text", "unencoded");
}

#[tokio::test]
async fn the_server_verifies_what_jose_signs() {
    let shared = shared();
    let client = signer(&shared).await;
    let authority = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut jose = Jose::start();
    let payload = PAYLOADS[1];
    for algorithm in [&RSA[..], &["ES256", "ES384", "ES512", "EdDSA"]].concat() {
        for (detached, header) in
            [(false, json!({})), (true, json!({})), (true, json!({ "b64": false, "crit": ["b64"] }))]
        {
            let (token, public) = jose.sign(algorithm, &header, payload, detached);
            let certificate = certificate(&PKey::public_key_from_pem(public.as_bytes()).unwrap(), &authority);
            for path in ["/jwtVerify", "/jwtVerify/v2"] {
                let mut request = json!({ "jwtSignatureData": token, "certificateData": certificate });
                if detached {
                    request["actualData"] = b64(payload).into();
                }
                let answer = client.call(path, request.clone()).await;
                assert_eq!(answer.response()["signatureValid"], true, "{algorithm}, {header}: {answer:?}");
                request["actualData"] = b64(b"another").into();
                let answer = client.call(path, request).await;
                assert_eq!(answer.response()["signatureValid"], false, "{algorithm}, {header}");
            }
        }
    }
}

#[tokio::test]
async fn the_chain_in_the_header_leads_to_root() {
    let shared = shared();
    let client = signer(&shared).await;
    let request = json!({
        "dataToSign": "YQ", "applicationId": "ID_REPO", "referenceId": null, "includePayload": true,
        "includeCertificateChain": true, "includeCertHash": true,
        "additionalHeaders": { "typ": "vc+jwt", "kid": "did:web:example.org", "exp-policy": "p", "crit": "exp-policy" },
    });
    let token = sign(&client, "/jwtSign/v2", request).await;
    let header: Value = serde_json::from_slice(&unb64(&token.split('.').next().unwrap().into())).unwrap();
    let names: Vec<_> = header.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["x5c", "x5t#S256", "kid", "typ", "exp-policy", "crit", "alg"]);
    let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=ID_REPO").await;
    let key = listed.response()["allCertificates"][0]["keyId"].as_str().unwrap().to_owned();
    assert_eq!(header["kid"], format!("did:web:example.org#{key}"));
    assert_eq!(header["crit"], json!(["exp-policy"]));
    let chain: Vec<_> = header["x5c"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| X509::from_der(&openssl::base64::decode_block(text.as_str().unwrap()).unwrap()).unwrap())
        .collect();
    assert_eq!(chain.len(), 2);
    assert!(chain[0].verify(&chain[1].public_key().unwrap()).unwrap());
    assert!(chain[1].verify(&chain[1].public_key().unwrap()).unwrap());
    let digest = openssl::hash::hash(MessageDigest::sha256(), &chain[0].to_der().unwrap()).unwrap();
    assert_eq!(header["x5t#S256"], b64(&*digest));
    // What is critical and not understood does not verify here either.
    let answer = client.call("/jwtVerify", json!({ "jwtSignatureData": token })).await;
    assert_eq!(answer.response()["signatureValid"], false);
}
