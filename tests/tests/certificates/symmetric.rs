//! `generateSymmetricKey`

use kunji_tests::{
    http::{Answer, Http},
    site::Site,
};
use serde_json::json;

use crate::{client, shared};

async fn generate(http: &Http, application: &str, reference: &str, force: Option<bool>) -> Answer {
    let request = json!({ "applicationId": application, "referenceId": reference, "force": force });
    http.call("/generateSymmetricKey", request).await
}

#[tokio::test]
async fn a_current_key_is_kept_unless_another_one_is_asked_for_any_number_of_times_a_day() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let http = client(&server, &["key-administrator"]).await;
    for (application, reference) in [("KERNEL", "IDENTITY_CACHE"), ("REGISTRATION", "CACHE")] {
        for (force, status) in [
            (None, "Generation Success"),
            (None, "Key Exists."),
            (Some(false), "Key Exists."),
            (Some(true), "Generation Success"),
            (Some(true), "Generation Success"),
            (None, "Key Exists."),
        ] {
            let answer = generate(&http, application, reference, force).await;
            let members: Vec<_> = answer.response().as_object().unwrap().keys().collect();
            assert_eq!(members, ["status", "timestamp"]);
            assert_eq!(answer.response()["status"], status, "{reference}, {force:?}");
        }
    }
    server.stop();
    let server = site.start();
    let http = client(&server, &["key-administrator"]).await;
    assert_eq!(generate(&http, "KERNEL", "IDENTITY_CACHE", None).await.response()["status"], "Key Exists.");
    // Each version is on record, with its own id.
    let auditor = client(&server, &["auditor"]).await;
    let events =
        auditor.get("/v1/audit/events?operation=key.generate_symmetric&application=REGISTRATION").await;
    let mut keys: Vec<_> =
        events.body["events"].as_array().unwrap().iter().map(|it| it["keyId"].to_string()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{events:?}");
}

#[tokio::test]
async fn a_name_is_that_of_a_key_pair_or_of_a_symmetric_key() {
    let shared = shared();
    let http = client(&shared.server, &["key-administrator"]).await;
    http.certificate("REGISTRATION", "10001_pair").await;
    for (application, reference, code) in [
        ("REGISTRATION", "10001_pair", "KER-KMS-010"),
        ("REGISTRATION", "", "KER-KMS-010"),
        ("KERNEL", "SIGN", "KER-KMS-010"),
        // No name of a key here, by the settings.
        ("REGISTRATION", "_odd", "KER-KMS-010"),
        ("ROOT", "", "KER-KMS-010"),
        ("NONE", "x", "KER-KMS-002"),
        ("", "x", "KER-KMS-005"),
    ] {
        generate(&http, application, reference, None).await.envelope_error(200, code);
    }
    generate(&http, "REGISTRATION", "SECRET", None).await.response();
    let query = "applicationId=REGISTRATION&referenceId=SECRET";
    http.get(&format!("/v1/keymanager/getCertificate?{query}")).await.envelope_error(200, "KER-KMS-016");
    let names = json!({ "applicationId": "REGISTRATION", "referenceId": "SECRET" });
    http.call("/generateCSR", names).await.envelope_error(200, "KER-KMS-022");
    let encryptor = client(&shared.server, &["encryptor"]).await;
    generate(&encryptor, "REGISTRATION", "SECRET", None).await.envelope_error(403, "KER-ATH-403");
}
