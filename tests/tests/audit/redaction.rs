//! Nothing secret, and nothing of what packets hold, is in the trail, the log or an answer that tells of a failure.

use std::fs;

use kunji_tests::{
    http::{b64, unb64},
    peer,
};
use reqwest::Method;
use serde_json::json;

use crate::trail::{APPLICATION, Export, RECORD, REFERENCE, auditor, client, site};

const PIN: &str = "7391-4826";

#[tokio::test]
async fn a_whole_run_tells_no_secret() {
    let site = site().with("KUNJI_LOG_FILTER", "debug,surrealdb=warn,surrealkv=warn,surrealdb_core=warn");
    let server = site.start();
    let (id, secret) = client(&server, &["encryptor", "decryptor", "signer"]).await;
    let caller = server.http().sign_in(&id, &secret).await;
    let token = caller.token().unwrap().to_owned();
    let packet = peer::seal_self_contained(&caller.certificate(APPLICATION, REFERENCE).await, RECORD);
    let request = |data: String| {
        json!({
            "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
            "data": data,
        })
    };
    let opened = caller.call("/decrypt", request(b64(&packet))).await;
    assert_eq!(unb64(&opened.response()["data"]), RECORD);
    let mut told = Vec::new();
    let mut broken = packet.clone();
    *broken.last_mut().unwrap() ^= 1;
    told.push(caller.call("/decrypt", request(b64(&broken))).await.text);
    let signed = json!({
        "dataToSign": b64(RECORD), "applicationId": APPLICATION, "referenceId": "", "includePayload": true,
        "includeCertificate": false, "includeCertHash": false,
    });
    caller.call("/jwtSign", signed).await;
    // Secrets where none belong.
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", secret.as_str()),
        ("client_secret", "planted-secret"),
    ];
    let response = server.http().request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap();
    told.push(response.text().await.unwrap());
    told.push(server.http().bearing("planted.bearer.token").get("/v1/clients").await.text);
    told.push(caller.get(&format!("/v1/audit/events?principal={}", "planted-query")).await.text);
    told.push(caller.post("/v1/clients", &json!({ "clientId": "planted body", "roles": ["x"] })).await.text);
    let export = Export::of(&auditor(&server).await);
    let administrator = server.secret.clone();
    server.stop();

    let mut places = vec![("the log".to_owned(), site.log()), ("an answer".to_owned(), told.join("\n"))];
    places.push(("the export".to_owned(), export.lines().join("\n")));
    for entry in fs::read_dir(site.data_dir().join("audit")).unwrap() {
        let path = entry.unwrap().path();
        places.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    let plaintext = std::str::from_utf8(RECORD).unwrap().to_owned();
    let encoded = b64(RECORD);
    let signature = token.rsplit('.').next().unwrap().to_owned();
    let planted = "planted".to_owned();
    for (place, text) in &places {
        for hidden in
            [&secret, &administrator, &token, &signature, &plaintext, &encoded, &planted, &PIN.to_owned()]
        {
            assert!(!text.contains(hidden.as_str()), "{place} has {hidden}");
        }
    }
    assert!(places[2].1.contains("packet.decrypt") && places[2].1.contains("signature.sign"));
}
