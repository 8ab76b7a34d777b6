//! What policies mark waits for others, on both kinds of routes.

use kunji_tests::site::Site;
use reqwest::Method;
use serde_json::json;

use crate::{Callers, newest_id, revoke};

#[tokio::test]
async fn marked_changes_of_marked_keys_wait() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let Callers { administrator, keeper, user } = Callers::new(&server).await;
    let other = administrator.new_client(&["administrator"]).await;
    let marked = json!({
        "effect": "approval", "principals": ["*"], "operations": ["key.rotate", "key.revoke"],
        "keys": ["ROOT/", "REGISTRATION/vip*"], "approvals": 1, "withinSeconds": 3600,
        "approverRoles": ["administrator"],
    });
    let request = administrator.request(Method::PUT, "/v1/access/policies/marked");
    let stored = request.header("if-none-match", "*").json(&marked).send().await.unwrap();
    assert_eq!(stored.status(), 201);

    // 200 with an error that names the approval.
    let root = json!({ "applicationId": "ROOT", "referenceId": "", "force": true });
    let force = || keeper.call("/generateMasterKey/CERTIFICATE", root.clone());
    let waits = force().await;
    waits.envelope_error(200, "KER-KMS-016");
    let text = waits.body["errors"][0]["message"].as_str().unwrap().to_owned();
    let id = text.rsplit(' ').next().unwrap().to_owned();
    let shown = other.get(&format!("/v1/approvals/{id}")).await;
    assert_eq!((&shown.body["operation"], &shown.body["status"]), (&json!("key.rotate"), &json!("pending")));
    assert_eq!(other.post(&format!("/v1/approvals/{id}/approve"), &json!({})).await.status, 200);
    assert!(force().await.response()["certificate"].is_string());
    force().await.envelope_error(200, "KER-KMS-016");

    // Other keys do not wait.
    let module = json!({ "applicationId": "REGISTRATION", "referenceId": "", "force": true });
    keeper.call("/generateMasterKey/CERTIFICATE", module).await.response();
    user.certificate("REGISTRATION", "plain").await;
    user.certificate("REGISTRATION", "vip-1").await;
    revoke(&keeper, json!({ "applicationId": "REGISTRATION", "referenceId": "plain" })).await.response();
    let request = json!({ "applicationId": "REGISTRATION", "referenceId": "vip-1" });
    revoke(&keeper, request).await.envelope_error(200, "KER-KMS-021");

    let key = newest_id(&keeper, "vip-1").await;
    let path = format!("/v1/keys/{key}/rotate");
    let rotate = async || keeper.post(&path, &json!({})).await;
    let waits = rotate().await;
    assert_eq!((waits.status.as_u16(), &waits.body["status"]), (202, &json!("pending")), "{waits:?}");
    assert_eq!(newest_id(&keeper, "vip-1").await, key);
    let place = waits.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(other.post(&format!("{place}/approve"), &json!({})).await.status, 200);
    assert_eq!(rotate().await.status, 201);
}
