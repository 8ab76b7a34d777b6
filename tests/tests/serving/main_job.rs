//! The promise of the README: a packet made elsewhere opens through the token and the database.

use kunji_tests::{
    http::{Http, b64, unb64},
    peer,
    site::{Site, shared},
};
use serde_json::json;

const RECORD: &[u8] = "{\"name\":\"Asha Ümit\",\"born\":\"1990-02-03\"}".as_bytes();
const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";

async fn administrator(server: &kunji_tests::site::Server) -> Http {
    server.http().sign_in("administrator", &server.secret).await
}

fn decrypt_request(packet: &[u8], salt: Option<&[u8]>, aad: Option<&[u8]>) -> serde_json::Value {
    json!({
        "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(packet), "salt": salt.map(b64), "aad": aad.map(b64), "prependThumbprint": true,
    })
}

#[tokio::test]
async fn packets_of_every_layout_made_elsewhere_open() {
    assert!(peer::agrees_with_one_shot());
    let shared = shared();
    let administrator = administrator(&shared.server).await;
    let reader = administrator.new_client(&["encryptor", "decryptor"]).await;
    let certificate = reader.certificate(APPLICATION, REFERENCE).await;
    let salts: [&[u8]; 5] = [&[7], &[8; 12], &[9; 16], &[10; 32], &[11; 64]];
    for salt in salts {
        let aad = peer::random::<32>();
        let packet = peer::seal_with_salt(&certificate, salt, &aad, RECORD);
        let answer = reader.call("/decrypt", decrypt_request(&packet, Some(salt), Some(&aad))).await;
        assert_eq!(unb64(&answer.response()["data"]), RECORD);
    }
    let packet = peer::seal_self_contained(&certificate, RECORD);
    let answer = reader.call("/decrypt", decrypt_request(&packet, None, None)).await;
    assert_eq!(unb64(&answer.response()["data"]), RECORD);
    let packet = peer::seal_with_trailing_nonce(&certificate, b"aad", RECORD);
    let answer = reader.call("/decrypt", decrypt_request(&packet, None, Some(b"aad"))).await;
    assert_eq!(unb64(&answer.response()["data"]), RECORD);
    let packet = peer::seal_without_thumbprint(&certificate, RECORD);
    let answer = reader.call("/decrypt", decrypt_request(&packet, None, None)).await;
    assert_eq!(unb64(&answer.response()["data"]), RECORD);
}

#[tokio::test]
async fn what_the_server_seals_it_opens_and_each_packet_has_its_own_key() {
    let shared = shared();
    let client = administrator(&shared.server).await.new_client(&["encryptor", "decryptor"]).await;
    // A caller that keeps salt and aad for ever: safe only because the data key is new each time.
    let (salt, aad) = (b64([1; 32]), b64([2; 32]));
    let request = |data: String| {
        json!({
            "applicationId": APPLICATION, "referenceId": "ENCRYPT", "timeStamp": [2026, 1, 5, 10, 11],
            "data": data, "salt": salt, "aad": aad,
        })
    };
    let first = client.call("/encrypt", request(b64(RECORD))).await;
    let second = client.call("/encrypt", request(b64(RECORD))).await;
    let (first, second) = (first.response()["data"].clone(), second.response()["data"].clone());
    assert_ne!(first, second);
    for packet in [first, second] {
        let answer = client.call("/decrypt", request(packet.as_str().unwrap().to_owned())).await;
        assert_eq!(unb64(&answer.response()["data"]), RECORD);
    }
    let without = json!({
        "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z", "data": b64(RECORD),
    });
    let packet = client.call("/encrypt", without).await;
    let packet = unb64(&packet.response()["data"]);
    assert!(packet.starts_with(b"VER_R2"));
    assert_eq!(packet.len(), RECORD.len() + 356);
}

#[tokio::test]
async fn the_binary_route_opens_and_seals_without_base64() {
    let shared = shared();
    let client = administrator(&shared.server).await.new_client(&["encryptor", "decryptor"]).await;
    // Larger than the part that stays in memory: spooled.
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).take(7_000_000).collect();
    let send = |path: &'static str, body: Vec<u8>| {
        client
            .request(reqwest::Method::POST, path)
            .header("kunji-application", APPLICATION)
            .header("kunji-reference", REFERENCE)
            .header("kunji-salt", b64([3; 12]))
            .header("kunji-aad", b64([4; 32]))
            .header("content-type", "application/octet-stream")
            .body(body)
            .send()
    };
    for size in [1, 1_000_000, content.len()] {
        let sealed = send("/v1/packets/encrypt", content[..size].to_vec()).await.unwrap();
        assert_eq!(sealed.status(), 200);
        assert_eq!(sealed.headers()["content-type"], "application/octet-stream");
        let packet = sealed.bytes().await.unwrap();
        let opened = send("/v1/packets/decrypt", packet.to_vec()).await.unwrap();
        assert_eq!(opened.status(), 200);
        assert!(opened.bytes().await.unwrap() == content[..size]);
        let mut broken = packet.to_vec();
        *broken.last_mut().unwrap() ^= 1;
        let refused = send("/v1/packets/decrypt", broken).await.unwrap();
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(problem["code"], "packet.decryption_failed");
    }
    let leftovers = std::fs::read_dir(shared.site.data_dir().join("spool")).unwrap().count();
    assert_eq!(leftovers, 0, "the spool is empty after use");
}

#[tokio::test]
async fn signatures_verify_here_and_with_openssl() {
    let shared = shared();
    let client = administrator(&shared.server).await.new_client(&["signer", "key-administrator"]).await;
    let payload = [0_u8, 255, 46, 10];
    let signed = client
        .call(
            "/jwtSign",
            json!({
                "dataToSign": b64(payload), "applicationId": "ID_REPO", "referenceId": "", "includePayload": true,
                "includeCertificate": false, "includeCertHash": false,
            }),
        )
        .await;
    let token = signed.response()["jwtSignedData"].as_str().unwrap().to_owned();
    let verify = |token: String| json!({ "jwtSignatureData": token, "applicationId": "ID_REPO", "referenceId": "", "validateTrust": false });
    let answer = client.call("/jwtVerify", verify(token.clone())).await;
    assert_eq!(
        *answer.response(),
        json!({ "signatureValid": true, "message": "Validation Successful", "trustValid": "TRUST_NOT_VERIFIED" })
    );
    // The first character of the signature: all six of its bits count, unlike those of the last one.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    let answer = client.call("/jwtVerify", verify(forged)).await;
    assert_eq!(answer.response()["signatureValid"], false);

    let parts: Vec<_> = token.split('.').collect();
    let listed = client.get("/v1/keymanager/getAllCertificates?applicationId=ID_REPO").await;
    let key = &listed.response()["allCertificates"][0];
    let header: serde_json::Value = serde_json::from_slice(&unb64(&parts[0].into())).unwrap();
    assert_eq!(header["kid"], key["keyId"]);
    let certificate =
        openssl::x509::X509::from_pem(key["certificateData"].as_str().unwrap().as_bytes()).unwrap();
    let public_key = certificate.public_key().unwrap();
    let mut verifier =
        openssl::sign::Verifier::new(openssl::hash::MessageDigest::sha256(), &public_key).unwrap();
    verifier.update(format!("{}.{}", parts[0], parts[1]).as_bytes()).unwrap();
    assert!(verifier.verify(&unb64(&parts[2].into())).unwrap());
}

#[tokio::test]
async fn every_chain_passes_openssl_strictly() {
    let shared = shared();
    let client = administrator(&shared.server).await.new_client(&["encryptor", "key-administrator"]).await;
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, pem: &str| std::fs::write(dir.path().join(name), pem).unwrap();
    write("root.pem", &client.certificate("ROOT", "").await);
    write("module.pem", &client.certificate(APPLICATION, "").await);
    write("base.pem", &client.certificate(APPLICATION, REFERENCE).await);
    write("sign.pem", &client.certificate("KERNEL", "SIGN").await);
    for arguments in [
        vec!["-CAfile", "root.pem", "root.pem"],
        vec!["-CAfile", "root.pem", "module.pem"],
        vec!["-CAfile", "root.pem", "sign.pem"],
        vec!["-CAfile", "root.pem", "-untrusted", "module.pem", "base.pem"],
    ] {
        let output = std::process::Command::new("openssl")
            .args(["verify", "-x509_strict"])
            .args(&arguments)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The chain that anyone may read has all three.
    let answer = shared
        .server
        .http()
        .request(reqwest::Method::GET, &format!("/v1/certificates/{APPLICATION}/{REFERENCE}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap().matches("BEGIN CERTIFICATE").count(), 3);
}

#[tokio::test]
async fn packets_open_after_a_restart_with_the_same_keys() {
    let site = Site::new().with("KUNJI_KEY_CACHE_SECONDS", "0");
    let server = site.start();
    let administrator = administrator(&server).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    let certificate = client.certificate(APPLICATION, REFERENCE).await;
    let packet = peer::seal_self_contained(&certificate, RECORD);
    let status = server.stop();
    assert!(status.success(), "{status:?}");

    let server = site.start();
    assert!(server.ready_after.as_secs_f64() < 3.0, "ready after {:?}", server.ready_after);
    let client = self::administrator(&server).await.new_client(&["encryptor", "decryptor"]).await;
    assert_eq!(client.certificate(APPLICATION, REFERENCE).await, certificate);
    let answer = client.call("/decrypt", decrypt_request(&packet, None, None)).await;
    assert_eq!(unb64(&answer.response()["data"]), RECORD);
}
