//! What each state of a key allows, wherever the key is found.

use kunji_tests::{
    http::unb64,
    site::{Site, shared},
};
use serde_json::json;

use crate::{Callers, certificate, newest_id, open, packet};

#[tokio::test]
async fn a_suspended_key_does_nothing_until_it_is_resumed() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    let sealed = packet(&user, "suspended").await;
    assert_eq!(unb64(&open(&user, "suspended", &sealed).await.response()["data"]), b"content");
    let id = newest_id(&keeper, "suspended").await;
    let suspended = keeper.post(&format!("/v1/keys/{id}/suspend"), &json!({ "reason": "laptop lost" })).await;
    assert_eq!((&suspended.body["from"], &suspended.body["to"]), (&json!("active"), &json!("suspended")));

    // Also when it is found by the packet's thumbprint, and while its private part is in memory.
    open(&user, "suspended", &sealed).await.envelope_error(200, "KER-KMS-003");
    certificate(&user, "suspended").await.envelope_error(200, "KER-KMS-003");
    let suspended = keeper.post(&format!("/v1/keys/{id}/suspend"), &json!({})).await;
    suspended.problem(409, "key.change_refused");

    let resumed = keeper.post(&format!("/v1/keys/{id}/resume"), &json!({})).await;
    assert_eq!(resumed.body["to"], "active", "{resumed:?}");
    assert_eq!(unb64(&open(&user, "suspended", &sealed).await.response()["data"]), b"content");
    certificate(&user, "suspended").await.response();
    keeper.post(&format!("/v1/keys/{id}/resume"), &json!({})).await.problem(409, "key.change_refused");

    let shown = keeper.get(&format!("/v1/keys/{id}")).await;
    let history: Vec<_> = shown.body["history"].as_array().unwrap().iter().map(|it| &it["change"]).collect();
    assert_eq!(history, ["resume", "suspend"]);
    assert_eq!(shown.body["history"][1]["reason"], "laptop lost");
    assert_eq!(shown.body["key"]["state"], "active");
    assert_eq!(shown.body["chain"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn packets_without_a_thumbprint_do_not_reach_a_suspended_key() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    let pem = user.certificate("REGISTRATION", "nameless").await;
    let sealed = kunji_tests::peer::seal_without_thumbprint(&pem, b"content");
    assert_eq!(unb64(&open(&user, "nameless", &sealed).await.response()["data"]), b"content");
    let id = newest_id(&keeper, "nameless").await;
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/suspend"), &json!({})).await.status, 200);
    open(&user, "nameless", &sealed).await.envelope_error(200, "KER-KMS-003");
}

#[tokio::test]
async fn policies_say_who_opens_with_a_compromised_key() {
    let shared = shared();
    let Callers { administrator, keeper, user } = Callers::new(&shared.server).await;
    let sealed = packet(&user, "compromised").await;
    let id = newest_id(&keeper, "compromised").await;
    let body = json!({ "cause": "compromised", "reason": "found on a stick" });
    let revoked = keeper.post(&format!("/v1/keys/{id}/revoke"), &body).await;
    assert_eq!(revoked.body["to"], "compromised", "{revoked:?}");
    assert_eq!(unb64(&open(&user, "compromised", &sealed).await.response()["data"]), b"content");

    // The next one is another key, and there is no way back.
    assert_ne!(packet(&user, "compromised").await[..38], sealed[..38]);
    assert_ne!(newest_id(&keeper, "compromised").await, id);
    keeper.post(&format!("/v1/keys/{id}/resume"), &json!({})).await.problem(409, "key.change_refused");

    let deny = json!({
        "effect": "deny", "principals": ["*"], "operations": ["packet.decrypt_compromised"],
        "keys": ["REGISTRATION/compromised"],
    });
    let request = administrator
        .request(reqwest::Method::PUT, "/v1/access/policies/no-compromised")
        .header("if-none-match", "*")
        .json(&deny);
    assert_eq!(request.send().await.unwrap().status(), 201);
    open(&user, "compromised", &sealed).await.envelope_error(200, "KER-KMS-003");
}

#[tokio::test]
async fn a_signing_key_that_is_suspended_signs_and_verifies_nothing() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let Callers { keeper, user, .. } = Callers::new(&server).await;
    let sign = || user.call("/jwtSign", json!({ "dataToSign": "YQ", "includePayload": true }));
    let signed = sign().await.response()["jwtSignedData"].clone();
    let verify = || user.call("/jwtVerify", json!({ "jwtSignatureData": signed }));
    assert_eq!(verify().await.response()["signatureValid"], true);
    let listed = keeper.get("/v1/keys?application=KERNEL&reference=SIGN").await;
    let id = listed.body["keys"][0]["keyId"].as_str().unwrap().to_owned();

    assert_eq!(keeper.post(&format!("/v1/keys/{id}/suspend"), &json!({})).await.status, 200);
    sign().await.envelope_error(200, "KER-KMS-003");
    assert_eq!(verify().await.response()["signatureValid"], false);
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/resume"), &json!({})).await.status, 200);
    assert_eq!(verify().await.response()["signatureValid"], true);

    // A superseded one signs no more, and what it signed stays good.
    let body = json!({ "cause": "superseded" });
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/revoke"), &body).await.status, 200);
    let by_successor = sign().await.response()["jwtSignedData"].clone();
    assert_ne!(by_successor.as_str().unwrap().split('.').next(), signed.as_str().unwrap().split('.').next());
    assert_eq!(verify().await.response()["signatureValid"], true);
}

#[tokio::test]
async fn states_survive_a_restart() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let Callers { keeper, user, .. } = Callers::new(&server).await;
    let sealed = packet(&user, "kept").await;
    let id = newest_id(&keeper, "kept").await;
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/suspend"), &json!({})).await.status, 200);
    // One that each start looks for, too.
    let listed = keeper.get("/v1/keys?application=KERNEL&reference=SIGN").await;
    let signing = listed.body["keys"][0]["keyId"].as_str().unwrap().to_owned();
    assert_eq!(keeper.post(&format!("/v1/keys/{signing}/suspend"), &json!({})).await.status, 200);
    server.kill();

    let server = site.start();
    let Callers { keeper, user, .. } = Callers::new(&server).await;
    open(&user, "kept", &sealed).await.envelope_error(200, "KER-KMS-003");
    let sign = || user.call("/jwtSign", json!({ "dataToSign": "YQ" }));
    sign().await.envelope_error(200, "KER-KMS-003");
    assert_eq!(keeper.post(&format!("/v1/keys/{signing}/resume"), &json!({})).await.status, 200);
    sign().await.response();
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/resume"), &json!({})).await.status, 200);
    assert_eq!(unb64(&open(&user, "kept", &sealed).await.response()["data"]), b"content");
}
