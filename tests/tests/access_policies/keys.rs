//! Application and reference count, and who has no right to a key does not learn whether there is one.

use kunji_tests::{
    http::{Answer, Http, b64},
    peer,
    site::shared,
};
use serde_json::{Value, json};

use crate::{administrator, name_of, put};

/// A decryptor with keys of these patterns alone, besides one who may use all.
async fn bounded(administrator: &Http, role: &str, keys: &[&str]) -> Http {
    let client = administrator.new_client(&["auditor"]).await;
    let operations = if role == "signer" { ["signature.sign"] } else { ["packet.decrypt"] };
    let policy = json!({
        "effect": "allow", "principals": [name_of(&client)], "operations": operations, "keys": keys,
    });
    put(administrator, &name_of(&client), &policy).await;
    client
}

fn decryption(application: &str, reference: &str, packet: &[u8]) -> Value {
    json!({
        "applicationId": application, "referenceId": reference, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(packet),
    })
}

/// Everything that two answers could differ in but for the request's id and time.
fn shape(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    for member in ["responsetime", "instance"] {
        if let Some(members) = body.as_object_mut() {
            members.remove(member);
        }
    }
    (answer.status.as_u16(), body)
}

#[tokio::test]
async fn references_bound_what_is_opened_also_when_the_key_is_found_by_thumbprint() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let everyone = administrator.new_client(&["encryptor"]).await;
    let mut packets = Vec::new();
    for reference in ["centre-1_machine", "centre-2_machine"] {
        let certificate = everyone.certificate("REGISTRATION", reference).await;
        packets.push(peer::seal_self_contained(&certificate, b"content"));
    }
    let client = bounded(&administrator, "decryptor", &["REGISTRATION/centre-1_*"]).await;

    let own = client.call("/decrypt", decryption("REGISTRATION", "centre-1_machine", &packets[0])).await;
    assert!(own.response()["data"].is_string());

    // A packet of another reference, under a name that the caller may use: as if there were no such key.
    let foreign = client.call("/decrypt", decryption("REGISTRATION", "centre-1_machine", &packets[1])).await;
    foreign.envelope_error(200, "KER-KMS-025");
    let mut unknown = packets[1].clone();
    let marker = if unknown.starts_with(b"VER_R2") { 6 } else { 0 };
    unknown[marker] ^= 1;
    let unknown = client.call("/decrypt", decryption("REGISTRATION", "centre-1_machine", &unknown)).await;
    assert_eq!(shape(&foreign), shape(&unknown));

    // Under a name that it may not use: the same, whether there is such a key, reference or application, or not.
    let refused = client.call("/decrypt", decryption("REGISTRATION", "centre-2_machine", &packets[1])).await;
    refused.envelope_error(200, "KER-CRY-012");
    for (application, reference) in [
        ("REGISTRATION", "centre-3_machine"),
        ("RESIDENT", "centre-2_machine"),
        ("NOWHERE", "x"),
        ("ROOT", ""),
    ] {
        let answer = client.call("/decrypt", decryption(application, reference, &packets[1])).await;
        assert_eq!(shape(&answer), shape(&refused), "{application}/{reference}");
    }

    // Who may use both aliases is told which it should have named.
    let both = bounded(&administrator, "decryptor", &["REGISTRATION/centre-*"]).await;
    let foreign = both.call("/decrypt", decryption("REGISTRATION", "centre-1_machine", &packets[1])).await;
    foreign.envelope_error(200, "KER-KMS-024");
}

#[tokio::test]
async fn applications_bound_what_is_signed() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let client = bounded(&administrator, "signer", &["ID_REPO/", "KERNEL/sign"]).await;
    let sign = |application: Option<&str>, reference: &str| {
        let request = json!({ "dataToSign": "YQ", "applicationId": application, "referenceId": reference });
        let client = client.clone();
        async move { client.call("/jwtSign", request).await }
    };
    for (application, reference) in [(Some("ID_REPO"), ""), (None, ""), (Some("KERNEL"), "SIGN")] {
        assert!(sign(application, reference).await.response()["jwtSignedData"].is_string());
    }
    let refused = sign(Some("REGISTRATION"), "").await;
    refused.envelope_error(200, "KER-JWS-108");
    for (application, reference) in [("KERNEL", ""), ("NOWHERE", ""), ("ROOT", ""), ("ID_REPO", "x")] {
        assert_eq!(shape(&sign(Some(application), reference).await), shape(&refused), "{application}");
    }
}

#[tokio::test]
async fn certificates_of_other_applications_are_refused_alike() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let client = administrator.new_client(&["auditor"]).await;
    let policy = json!({
        "effect": "allow", "principals": [name_of(&client)], "operations": ["certificate.*", "packet.encrypt"],
        "keys": ["REGISTRATION/*"],
    });
    put(&administrator, &name_of(&client), &policy).await;
    client.certificate("REGISTRATION", "10001_110011").await;
    for path in ["getCertificate", "getAllCertificates"] {
        for query in
            ["applicationId=RESIDENT", "applicationId=NOWHERE", "applicationId=RESIDENT&referenceId=x"]
        {
            client.get(&format!("/v1/keymanager/{path}?{query}")).await.envelope_error(403, "KER-ATH-403");
        }
    }
    let encryption = |application: &str| decryption(application, "x", b"content");
    client.call("/encrypt", encryption("RESIDENT")).await.envelope_error(403, "KER-ATH-403");
    client.call("/encrypt", encryption("REGISTRATION")).await.response();
}
