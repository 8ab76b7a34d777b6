//! `revokeKey`, and `generateMasterKey` with `force`.

use kunji_tests::{
    http::{Answer, Http, unb64},
    site::{Site, shared},
};
use serde_json::{Value, json};

use crate::{Callers, certificate, open, packet, revoke};

async fn master(keeper: &Http, request: Value) -> Answer {
    keeper.call("/generateMasterKey/CERTIFICATE", request).await
}

#[tokio::test]
async fn a_revoked_key_is_handed_out_no_more_and_still_opens() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    let old = user.certificate("REGISTRATION", "revoked").await;
    let sealed = packet(&user, "revoked").await;
    let request =
        json!({ "applicationId": "REGISTRATION", "referenceId": "revoked", "disableAutoGen": null });
    for _ in 0..2 {
        // Several keys a day.
        let answer = revoke(&keeper, request.clone()).await;
        assert_eq!(answer.response()["status"], "Key Revoked");
        assert!(answer.response()["timestamp"].is_string());
        assert_ne!(user.certificate("REGISTRATION", "revoked").await, old);
        let query = "applicationId=REGISTRATION&referenceId=revoked";
        let all = user.get(&format!("/v1/keymanager/getAllCertificates?{query}")).await;
        let ends: Vec<_> = all.response()["allCertificates"].as_array().unwrap().iter().collect();
        let now = answer.response()["timestamp"].as_str().unwrap();
        let year = |time: &Value| time.as_str().unwrap()[..4].to_owned();
        assert_eq!(year(&ends[ends.len() - 1]["expiryAt"]), now[..4], "the revoked one has ended: {all:?}");
        assert_ne!(year(&ends[0]["expiryAt"]), now[..4]);
        assert_eq!(unb64(&open(&user, "revoked", &sealed).await.response()["data"]), b"content");
    }
}

#[tokio::test]
async fn without_auto_generation_no_key_is_made_until_somebody_asks() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    let sealed = packet(&user, "closed").await;
    let request = json!({ "applicationId": "REGISTRATION", "referenceId": "closed", "disableAutoGen": true });
    revoke(&keeper, request.clone()).await.response();
    certificate(&user, "closed").await.envelope_error(200, "KER-KMS-003");
    let encrypt = json!({
        "applicationId": "REGISTRATION", "referenceId": "closed", "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": "YQ",
    });
    user.call("/encrypt", encrypt).await.envelope_error(200, "KER-KMS-003");
    revoke(&keeper, request).await.envelope_error(200, "KER-KMS-003");
    assert_eq!(unb64(&open(&user, "closed", &sealed).await.response()["data"]), b"content");

    let body = json!({ "applicationId": "REGISTRATION", "referenceId": "closed" });
    let made = keeper.post("/v1/keys", &body).await;
    assert_eq!((made.status.as_u16(), &made.body["generation"]), (201, &json!(2)), "{made:?}");
    certificate(&user, "closed").await.response();
    keeper.post("/v1/keys", &body).await.problem(409, "key.exists");
}

#[tokio::test]
async fn what_cannot_be_revoked_is_refused_with_the_codes_of_old() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    for (application, reference, code) in [
        ("REGISTRATION", " ", "KER-KMS-005"),
        ("", "x", "KER-KMS-005"),
        ("KERNEL", "sign", "KER-KMS-021"),
        ("REGISTRATION", "never-made", "KER-KMS-003"),
    ] {
        let request = json!({ "applicationId": application, "referenceId": reference });
        revoke(&keeper, request).await.envelope_error(200, code);
    }
    let request = json!({ "applicationId": "REGISTRATION", "referenceId": "x" });
    revoke(&user, request).await.envelope_error(403, "KER-ATH-403");
}

#[tokio::test]
async fn force_makes_new_keys_several_a_day() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let Callers { keeper, user, .. } = Callers::new(&server).await;
    let sealed = packet(&user, "kept").await;
    let mut seen = vec![];
    for force in [json!(null), json!(false), json!(true), json!(true)] {
        let request = json!({ "applicationId": "REGISTRATION", "referenceId": null, "force": force });
        seen.push(master(&keeper, request).await.response()["certificate"].clone());
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[1] != seen[2] && seen[2] != seen[3]);
    let request = json!({ "applicationId": "ROOT", "force": true, "organization": "Other" });
    let root = master(&keeper, request).await;
    assert!(root.response()["certificate"].is_string());
    let request = json!({ "applicationId": "KERNEL", "referenceId": "SIGN", "force": true });
    let csr = keeper.call("/generateMasterKey/CSR", request).await;
    assert!(csr.response()["certSignRequest"].is_string());

    // What the old ones wrapped and certified stays good, and new keys come from the new ones.
    assert_eq!(unb64(&open(&user, "kept", &sealed).await.response()["data"]), b"content");
    let fresh = packet(&user, "fresh").await;
    assert_eq!(unb64(&open(&user, "fresh", &fresh).await.response()["data"]), b"content");
    let listed = keeper.get("/v1/keys?application=REGISTRATION&reference=").await;
    let states: Vec<_> = listed.body["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["active", "deactivated", "deactivated"]);

    let request = json!({ "applicationId": "REGISTRATION", "referenceId": "base", "force": true });
    master(&keeper, request).await.envelope_error(200, "KER-KMS-010");
    let request = json!({ "applicationId": "RESIDENT", "referenceId": "", "force": true });
    assert!(master(&keeper, request).await.response()["certificate"].is_string(), "also the first one");
}
