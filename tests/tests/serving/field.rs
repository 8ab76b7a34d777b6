//! The exact calls of clients in the field, and answers as their strictest readers want them.

use std::sync::Arc;

use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    peer,
    refusals::{ENVELOPE, is_millisecond_time, names, sorted},
    site::{Shared, shared},
};
use openssl::{hash::MessageDigest, sha::sha256, sign::Verifier, x509::X509};
use reqwest::Method;
use serde_json::{Value, json};

const RECORD: &[u8] = "{\"name\":\"Asha Ümit\",\"born\":\"1990-02-03\"}".as_bytes();
const MACHINE: &str = "10001_10001";

/// A service with every role, and the server that it calls.
async fn service() -> (Arc<Shared>, Http) {
    let shared = shared();
    let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
    let roles = ["decryptor", "encryptor", "key-administrator", "signer"];
    let client = administrator.new_client(&roles).await;
    (shared, client)
}

/// A POST as a client sends it: its own headers, the token in a cookie and nowhere else.
async fn post(client: &Http, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let mut request = Http::new(client.base())
        .request(Method::POST, &format!("/v1/keymanager{path}"))
        .header("cookie", format!("Authorization={}", client.token().unwrap()))
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// Reads an answer as strict clients do: exactly these members, in exactly these forms.
#[track_caller]
fn strict<'a>(answer: &'a Answer, id: &Value, version: &Value, members: &[&str]) -> &'a Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    let whole: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(sorted(names(&whole)), sorted(ENVELOPE.to_vec()), "{answer:?}");
    assert_eq!((&whole["id"], &whole["version"]), (id, version), "{answer:?}");
    assert!(is_millisecond_time(&whole["responsetime"]), "{answer:?}");
    assert_eq!((&whole["metadata"], &whole["errors"]), (&Value::Null, &Value::Null), "{answer:?}");
    assert_eq!(sorted(names(&whole["response"])), sorted(members.to_vec()), "{answer:?}");
    // Compact, for readers that search the text.
    assert!(!answer.text.contains("\": ") && !answer.text.contains("\", \""), "{answer:?}");
    assert!(
        answer.text.contains("\"metadata\":null") && answer.text.contains("\"errors\":null"),
        "{answer:?}"
    );
    &answer.body["response"]
}

/// Base64url without padding, and nothing else.
#[track_caller]
fn unpadded(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
    unb64(&json!(text))
}

fn standard(bytes: &[u8]) -> String {
    openssl::base64::encode_block(bytes).replace('\n', "")
}

/// PEM with LF and lines of 64 characters, as strict readers take it.
#[track_caller]
fn certificate(pem: &Value) -> X509 {
    let pem = pem.as_str().unwrap();
    assert!(!pem.contains('\r') && pem.ends_with("-----END CERTIFICATE-----\n"), "{pem:?}");
    let lines: Vec<_> = pem.lines().collect();
    assert_eq!(
        (lines[0], lines[lines.len() - 1]),
        ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")
    );
    let body = &lines[1..lines.len() - 1];
    let (last, full) = body.split_last().unwrap();
    assert!(full.iter().all(|line| line.len() == 64) && (1..=64).contains(&last.len()), "{pem:?}");
    X509::from_pem(pem.as_bytes()).unwrap()
}

fn verifies(certificate: &X509, input: &str, signature: &[u8]) -> bool {
    let public_key = certificate.public_key().unwrap();
    let mut verifier = Verifier::new(MessageDigest::sha256(), &public_key).unwrap();
    verifier.update(input.as_bytes()).unwrap();
    verifier.verify(signature).unwrap()
}

/// The Odoo module of OpenG2P.
async fn odoo(client: &Http, path: &str, request: Value) -> Answer {
    let body = json!({
        "id": "string", "version": "string", "requesttime": "2026-01-05T10:11:12.123Z", "metadata": {},
        "request": request,
    });
    let headers =
        [("content-type", "application/json"), ("user-agent", "python-requests/2.31.0"), ("accept", "*/*")];
    post(client, path, &headers, body.to_string()).await
}

#[tokio::test]
async fn the_registry_of_openg2p_encrypts_and_decrypts_with_one_salt_for_ever() {
    let (_shared, client) = service().await;
    let (salt, aad) = (b64(peer::random::<32>()), b64(peer::random::<32>()));
    let request = |data: String| {
        json!({
            "applicationId": "REGISTRATION", "referenceId": "ENCRYPT", "timeStamp": "2026-01-05T10:11:12.123Z",
            "data": data, "salt": salt, "aad": aad,
        })
    };
    let string = json!("string");
    let mut packets = Vec::new();
    for _ in 0..2 {
        let answer = odoo(&client, "/encrypt", request(b64(RECORD))).await;
        packets.push(unpadded(&strict(&answer, &string, &string, &["data"])["data"]));
    }
    // The nonce is repeated, so the key must not be.
    assert_ne!(packets[0][320..], packets[1][320..]);
    assert_ne!(packets[0][302..], packets[1][302..]);
    for packet in packets {
        assert_eq!(packet.len(), 32 + 256 + 14 + RECORD.len() + 16);
        let answer = odoo(&client, "/decrypt", request(b64(&packet))).await;
        assert_eq!(unpadded(&strict(&answer, &string, &string, &["data"])["data"]), RECORD);
    }
}

#[tokio::test]
async fn openg2p_signs_verifies_and_publishes_its_keys() {
    let (_shared, client) = service().await;
    let string = json!("string");
    let payload = b"{\"a\":1}";
    let sign = |application: &str, include: [bool; 3], data: String| {
        json!({
            "dataToSign": data, "applicationId": application, "referenceId": "", "includePayload": include[0],
            "includeCertificate": include[1], "includeCertHash": include[2],
        })
    };
    let request = sign("ID_REPO", [true, false, false], b64(payload));
    let answer = odoo(&client, "/jwtSign", request).await;
    let response = strict(&answer, &string, &string, &["jwtSignedData", "timestamp"]);
    assert!(is_millisecond_time(&response["timestamp"]), "{answer:?}");
    let token = response["jwtSignedData"].as_str().unwrap().to_owned();

    // The published key set is made of all certificates, found by the header's kid.
    let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=ID_REPO").await;
    let listed = &strict(&listed, &Value::Null, &Value::Null, &["allCertificates"])["allCertificates"];
    for key in listed.as_array().unwrap() {
        assert_eq!(sorted(names(key)), ["certificateData", "expiryAt", "issuedAt", "keyId"]);
        assert!(is_millisecond_time(&key["issuedAt"]) && is_millisecond_time(&key["expiryAt"]), "{key}");
    }
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    let header: Value = serde_json::from_slice(&unpadded(&json!(parts[0]))).unwrap();
    let key = listed.as_array().unwrap().iter().find(|key| key["keyId"] == header["kid"]).unwrap();
    let public = certificate(&key["certificateData"]);
    assert_eq!(unpadded(&json!(parts[1])), payload);
    assert!(verifies(&public, &format!("{}.{}", parts[0], parts[1]), &unpadded(&json!(parts[2]))));

    let verify = |token: &str| json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": "", "validateTrust": false });
    let members = ["message", "signatureValid", "trustValid"];
    let answer = odoo(&client, "/jwtVerify", verify(&token)).await;
    assert_eq!(strict(&answer, &string, &string, &members)["signatureValid"], true);
    // A wrong signature is an answer too.
    let wrong = format!("{}.{}.{}", parts[0], b64(b"{\"a\":2}"), parts[2]);
    let answer = odoo(&client, "/jwtVerify", verify(&wrong)).await;
    assert_eq!(
        *strict(&answer, &string, &string, &members),
        json!({ "signatureValid": false, "message": "Validation Failed", "trustValid": "TRUST_NOT_VERIFIED" })
    );

    // For credentials: detached, with certificate and hash, over 64 bytes that are no text.
    let digest = [sha256(RECORD), sha256(&sha256(RECORD))].concat();
    let answer = odoo(&client, "/jwtSign", sign("ID_REPO", [false, true, true], b64(&digest))).await;
    let detached =
        strict(&answer, &string, &string, &["jwtSignedData", "timestamp"])["jwtSignedData"].clone();
    let parts: Vec<_> = detached.as_str().unwrap().split('.').collect();
    assert_eq!(parts[1], "");
    let header: Value = serde_json::from_slice(&unpadded(&json!(parts[0]))).unwrap();
    assert_eq!(sorted(names(&header)), ["alg", "kid", "x5c", "x5t#S256"]);
    let der = public.to_der().unwrap();
    assert_eq!(header["x5c"], json!([standard(&der)]));
    assert_eq!(unpadded(&header["x5t#S256"]), sha256(&der));
    assert!(verifies(&public, &format!("{}.{}", parts[0], b64(&digest)), &unpadded(&json!(parts[2]))));
}

/// The FastAPI services of OpenG2P.
#[tokio::test]
async fn the_services_of_openg2p_sign_messages_and_verify_them_rebuilt() {
    let (_shared, client) = service().await;
    let string = json!("string");
    let payload = b64(b"{\"header\":{\"sender_id\":\"spar\"},\"message\":{}}");
    let request = json!({
        "dataToSign": payload, "applicationId": "OPENG2P", "referenceId": "", "includePayload": false,
        "includeCertificate": false, "includeCertHash": false,
    });
    let answer = odoo(&client, "/jwtSign", request).await;
    let detached =
        strict(&answer, &string, &string, &["jwtSignedData", "timestamp"])["jwtSignedData"].clone();
    let (header, signature) = detached.as_str().unwrap().split_once("..").unwrap();
    let rebuilt = format!("{header}.{payload}.{signature}");
    for (token, actual) in [
        (rebuilt.as_str(), json!(payload)),
        (rebuilt.as_str(), Value::Null),
        (detached.as_str().unwrap(), json!(payload)),
    ] {
        let request = json!({
            "jwtSignatureData": token, "actualData": actual, "applicationId": "OPENG2P", "referenceId": "",
            "certificateData": "", "validateTrust": false, "domain": "AUTH",
        });
        let answer = odoo(&client, "/jwtVerify", request).await;
        let response = strict(&answer, &string, &string, &["message", "signatureValid", "trustValid"]);
        assert_eq!(response["signatureValid"], true);
    }
    // The payload that counts is the one sent beside the token.
    let request = json!({
        "jwtSignatureData": rebuilt, "actualData": b64(b"{}"), "applicationId": "OPENG2P", "referenceId": "",
        "certificateData": "", "validateTrust": false, "domain": "DomainEnum.AUTH",
    });
    let answer = odoo(&client, "/jwtVerify", request).await;
    assert_eq!(answer.response()["signatureValid"], false);
}

/// Packet-manager, with its headers, its times and its nested packets.
#[tokio::test]
async fn the_packet_manager_opens_a_registration_made_elsewhere() {
    let (_shared, client) = service().await;
    let public = client.certificate("REGISTRATION", MACHINE).await;
    let headers = [
        ("accept", "text/plain, application/json, application/*+json, */*"),
        ("content-type", "application/json;charset=UTF-8"),
        ("user-agent", "Java/11.0.16"),
    ];
    let call = |path: &'static str, data: String, salt: String, aad: String| {
        let body = json!({
            "id": "mosip.cryptomanager.decrypt", "version": "v1", "metadata": null,
            "requesttime": [2026, 1, 5, 10, 11, 12, 123_000_000],
            "request": {
                "applicationId": "REGISTRATION", "referenceId": MACHINE, "timeStamp": "2026-01-05T10:11:12.123Z",
                "data": data, "salt": salt, "aad": aad, "prependThumbprint": true,
            },
        });
        let client = client.clone();
        async move { post(&client, path, &headers, body.to_string()).await }
    };
    let (id, version) = (json!("mosip.cryptomanager.decrypt"), json!("v1"));

    // As a registration client makes it: nonce ‖ aad ‖ packet, a sub-packet inside a container.
    let seal = |content: &[u8]| {
        let (nonce, aad) = (peer::random::<12>(), peer::random::<32>());
        let packet = [&nonce[..], &aad, &peer::seal_with_salt(&public, &nonce, &aad, content)].concat();
        assert_eq!(packet.len(), content.len() + 362);
        packet
    };
    let sub_packet = seal(RECORD);
    let container = seal(&[b"PK\x03\x04 10001_id ", &sub_packet[..]].concat());
    let read = |registered: Vec<u8>, encode: fn(&[u8]) -> String| {
        let (nonce, rest) = registered.split_at(12);
        let (aad, packet) = rest.split_at(32);
        call("/decrypt", encode(packet), encode(nonce), encode(aad))
    };
    // packet-manager writes url-safe, khazana standard padded base64.
    for encode in [(|bytes| b64(bytes)) as fn(&[u8]) -> String, standard] {
        let answer = read(container.clone(), encode).await;
        let opened = unpadded(&strict(&answer, &id, &version, &["data"])["data"]);
        let inner = opened.strip_prefix(b"PK\x03\x04 10001_id ").unwrap();
        let answer = read(inner.to_vec(), encode).await;
        assert_eq!(unpadded(&strict(&answer, &id, &version, &["data"])["data"]), RECORD);
    }

    // What it has encrypted here has the same form, and opens again.
    let (nonce, aad) = (peer::random::<12>(), peer::random::<32>());
    let answer = call("/encrypt", b64(RECORD), b64(nonce), b64(aad)).await;
    let packet = unpadded(&strict(&answer, &id, &version, &["data"])["data"]);
    assert_eq!(packet.len(), RECORD.len() + 318);
    let thumbprint = X509::from_pem(public.as_bytes()).unwrap().digest(MessageDigest::sha256()).unwrap();
    assert_eq!((&packet[..32], &packet[288..302]), (&*thumbprint, peer::SPLITTER));
    let answer = call("/decrypt", b64(&packet), b64(nonce), b64(aad)).await;
    assert_eq!(unpadded(&answer.response()["data"]), RECORD);

    // Its strict mapper reads failures too.
    let answer = call("/decrypt", b64(&packet), b64(aad), b64(nonce)).await;
    let text = answer.envelope_error(200, "KER-FSE-004");
    assert!(text.contains("corrupted"), "{text}");
    assert_eq!((&answer.body["id"], &answer.body["version"]), (&id, &version));
}

/// Id-repository; a salt of 16 bytes and no aad, or an envelope that holds nothing but the request.
#[tokio::test]
async fn the_id_repository_sends_little() {
    let (_shared, client) = service().await;
    let headers = [("content-type", "application/json")];
    let send = |path: &'static str, request: Value| {
        let client = client.clone();
        async move { post(&client, path, &headers, json!({ "request": request }).to_string()).await }
    };
    let salt = peer::random::<16>();
    let with_salt = |data: String| {
        json!({
            "applicationId": "ID_REPO", "referenceId": "uin_encrypt", "timeStamp": "2026-01-05T15:41:12.123Z",
            "data": data, "salt": b64(salt),
        })
    };
    let answer = send("/encrypt", with_salt(b64(RECORD))).await;
    let packet = unpadded(&strict(&answer, &Value::Null, &Value::Null, &["data"])["data"]);
    assert_eq!(packet.len(), RECORD.len() + 318);
    let answer = send("/decrypt", with_salt(b64(&packet))).await;
    assert_eq!(unpadded(&strict(&answer, &Value::Null, &Value::Null, &["data"])["data"]), RECORD);

    let without = |data: String| {
        json!({
            "applicationId": "ID_REPO", "referenceId": "CRED_SER", "timeStamp": [2026, 1, 5, 10, 11, 12],
            "data": data,
        })
    };
    let answer = send("/encrypt", without(b64(RECORD))).await;
    let packet = unpadded(&strict(&answer, &Value::Null, &Value::Null, &["data"])["data"]);
    // Readers in JavaScript cut at the fixed offsets 6 and 38.
    let public = client.certificate("ID_REPO", "CRED_SER").await;
    let thumbprint = X509::from_pem(public.as_bytes()).unwrap().digest(MessageDigest::sha256()).unwrap();
    assert_eq!((&packet[..6], &packet[6..38]), (&b"VER_R2"[..], &*thumbprint));
    let answer = send("/decrypt", without(b64(&packet))).await;
    assert_eq!(unpadded(&answer.response()["data"]), RECORD);

    // Credentials are signed without naming a key.
    let request = json!({
        "dataToSign": b64(RECORD), "includePayload": false, "includeCertificate": true, "includeCertHash": true,
        "certificateUrl": "https://id.example/certificate.pem",
    });
    let answer = send("/jwtSign", request).await;
    let token =
        strict(&answer, &Value::Null, &Value::Null, &["jwtSignedData", "timestamp"])["jwtSignedData"].clone();
    let header: Value =
        serde_json::from_slice(&unpadded(&json!(token.as_str().unwrap().split('.').next()))).unwrap();
    let kernel = client.get("/v1/keymanager/getAllCertificates?applicationId=KERNEL&referenceId=SIGN").await;
    assert_eq!(header["kid"], kernel.response()["allCertificates"][0]["keyId"]);
    assert_eq!(header["x5u"], "https://id.example/certificate.pem");
}

/// Pre-registration keeps the text that it gets.
#[tokio::test]
async fn pre_registration_keeps_packets_of_both_ages() {
    let (_shared, client) = service().await;
    let headers = [("content-type", "application/json;charset=UTF-8"), ("accept", "application/json")];
    let send = |path: &'static str, request: Value| {
        let body = json!({
            "id": "mosip.pre-registration.crypto", "version": "1.0", "metadata": null,
            "requesttime": "2026-01-05T10:11:12.123456", "request": request,
        });
        let client = client.clone();
        async move { post(&client, path, &headers, body.to_string()).await }
    };
    let (id, version) = (json!("mosip.pre-registration.crypto"), json!("1.0"));
    let crypto = |data: String| {
        json!({
            "applicationId": "PRE_REGISTRATION", "referenceId": "INDIVIDUAL", "data": data, "salt": null, "aad": null,
            "timeStamp": [2026, 1, 5, 10, 11], "prependThumbprint": false,
        })
    };
    let answer = send("/encrypt", crypto(b64(RECORD))).await;
    let kept = strict(&answer, &id, &version, &["data"])["data"].as_str().unwrap().to_owned();
    assert!(unpadded(&json!(kept)).starts_with(b"VER_R2"));
    let answer = send("/decrypt", crypto(kept)).await;
    assert_eq!(unpadded(&strict(&answer, &id, &version, &["data"])["data"]), RECORD);
    // Old rows: a trailing nonce, with and without the thumbprint.
    let public = client.certificate("PRE_REGISTRATION", "INDIVIDUAL").await;
    for old in
        [peer::seal_with_trailing_nonce(&public, b"", RECORD), peer::seal_without_thumbprint(&public, RECORD)]
    {
        let answer = send("/decrypt", crypto(standard(&old))).await;
        assert_eq!(unpadded(&strict(&answer, &id, &version, &["data"])["data"]), RECORD);
    }
    // Signed data come in standard base64, padded.
    let data = b"\xfb\xff\xfe padded";
    let request = json!({
        "dataToSign": standard(data), "applicationId": "KERNEL", "referenceId": "SIGN", "includePayload": true,
    });
    assert!(standard(data).contains(['+', '/']));
    let answer = send("/jwtSign", request).await;
    let token = strict(&answer, &id, &version, &["jwtSignedData", "timestamp"])["jwtSignedData"].clone();
    assert_eq!(unpadded(&json!(token.as_str().unwrap().split('.').nth(1))), data);
}

/// Strict readers of certificates, and a shell script that cuts them out of the text.
#[tokio::test]
async fn certificates_are_text_that_scripts_can_cut_out() {
    let (_shared, client) = service().await;
    let members = ["certSignRequest", "certificate", "expiryAt", "issuedAt", "timestamp"];
    for query in [
        "applicationId=ROOT",
        "applicationId=REGISTRATION&referenceId=",
        "applicationId=REGISTRATION&referenceId=10001_10001",
        "applicationId=KERNEL&referenceId=SIGN",
        "applicationId=REGISTRATION&referenceId=10001_10001&timeStamp=2026-01-05T10:11:12.123Z",
    ] {
        let answer = client.get(&format!("/v1/keymanager/getCertificate?{query}")).await;
        let response = strict(&answer, &Value::Null, &Value::Null, &members);
        certificate(&response["certificate"]);
        assert_eq!(response["certSignRequest"], Value::Null);
        for time in ["issuedAt", "expiryAt", "timestamp"] {
            assert!(is_millisecond_time(&response[time]), "{time}: {answer:?}");
        }
        assert!(
            answer.text.contains("\"certificate\":\"-----BEGIN CERTIFICATE-----\\nMII"),
            "{}",
            answer.text
        );
        assert!(!answer.text.contains("\\r") && !answer.text.contains("\\u"), "{}", answer.text);
        // What the script does.
        let (_, rest) = answer.text.split_once("\"certificate\":\"").unwrap();
        let cut = rest.split('"').next().unwrap().replace("\\n", "\n");
        X509::from_pem(cut.as_bytes()).unwrap();
    }
    let body = json!({ "request": { "applicationId": "REGISTRATION", "referenceId": "" } });
    let answer = client.post("/v1/keymanager/generateMasterKey/CSR", &body).await;
    let response = strict(&answer, &Value::Null, &Value::Null, &members);
    assert_eq!(response["certificate"], Value::Null);
    let request = response["certSignRequest"].as_str().unwrap();
    openssl::x509::X509Req::from_pem(request.as_bytes()).unwrap();
    // An encryption key's certificates, and the master's when no reference is given.
    let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=REGISTRATION").await;
    let master = client.certificate("REGISTRATION", "").await;
    assert_eq!(listed.response()["allCertificates"][0]["certificateData"], master);
}

/// Probes of orchestrators and test suites.
#[tokio::test]
async fn probes_are_answered_without_a_token() {
    let (shared, _) = service().await;
    let nobody = shared.server.http();
    let health = nobody.get("/v1/keymanager/actuator/health").await;
    assert_eq!((health.status.as_u16(), &health.body["status"]), (200, &json!("UP")));
    let info = nobody.get("/v1/keymanager/actuator/info").await;
    assert_eq!(info.status, 200);
    assert!(info.body["build"]["version"].is_string(), "{info:?}");
}
