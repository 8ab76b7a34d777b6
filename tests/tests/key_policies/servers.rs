//! Two servers of one database: a policy that is changed at one is obeyed by the other within two seconds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_server::ports::key_store::KeyStore;
use kunji_shared::{Certificate, ModulusLength};
use kunji_tests::{in_process, softhsm::Token};
use reqwest::Method;
use serde_json::json;

use crate::send;

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_obey_a_change_within_two_seconds() {
    let token: Arc<dyn KeyStore> = Arc::new(Token::create("key-policies").open().await.unwrap());
    let database = in_process::database().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = in_process::serve(&database, Arc::clone(&token), dirs[0].path()).await;
    let second = in_process::serve(&database, token, dirs[1].path()).await;

    let secret = std::fs::read_to_string(dirs[0].path().join("administrator-secret")).unwrap();
    let administrator = first.sign_in("administrator", secret.trim_end()).await;
    let keeper = administrator.new_client(&["key-administrator"]).await;
    let there = second.bearing(keeper.token().unwrap());
    let read = "/v1/keymanager/getCertificate?applicationId=REGISTRATION&referenceId=1";
    there.get(read).await.response();
    for active in [false, true] {
        let began = Instant::now();
        let policy = json!({ "validityDays": 1095, "preExpireDays": 60, "active": active });
        let stored = send(&keeper, Method::PUT, "REGISTRATION", &[("if-match", "*")], &policy).await;
        assert_eq!(stored.status, 200, "{stored:?}");
        assert_eq!(keeper.get(read).await.body["errors"].is_null(), active, "the server that was told");
        while there.get(read).await.body["errors"].is_null() != active {
            assert!(began.elapsed() < Duration::from_secs(2), "active: {active}");
        }
        assert_eq!(there.get("/v1/policies/REGISTRATION").await.body["active"], active);
    }

    // Keys that the other server makes are as long as this one was told.
    let began = Instant::now();
    let policy = json!({ "validityDays": 730, "preExpireDays": 30, "keyBits": 3072 });
    let stored = send(&keeper, Method::PUT, "BASE", &[("if-match", "*")], &policy).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    while there.get("/v1/policies/BASE").await.body["keyBits"] != 3072 {
        assert!(began.elapsed() < Duration::from_secs(2), "the other server");
    }
    let made = Certificate::from_pem(&there.certificate("REGISTRATION", "2").await).unwrap();
    assert_eq!(made.public_key().unwrap().modulus_length(), ModulusLength::Rsa3072);

    // Together they wrap by each KEK no more often than is said.
    let policy = json!({ "validityDays": 1095, "preExpireDays": 60, "maxWraps": 3 });
    let stored = send(&keeper, Method::PUT, "LIMITED", &[("if-none-match", "*")], &policy).await;
    assert_eq!(stored.status, 201, "{stored:?}");
    while there.get("/v1/policies/LIMITED").await.status != 200 {
        assert!(began.elapsed() < Duration::from_mins(1), "the other server");
    }
    let master = json!({ "applicationId": "LIMITED", "referenceId": "" });
    keeper.call("/generateMasterKey/CERTIFICATE", master).await.response();
    join_all((0..8).map(async |number: u32| {
        let server = if number.is_multiple_of(2) { &keeper } else { &there };
        server.certificate("LIMITED", &number.to_string()).await
    }))
    .await;
    let text = "SELECT VALUE kek_version FROM key WHERE application = 'LIMITED' AND blob != NONE";
    let wrapped: Vec<i64> = database.query(text).await.unwrap().take(0).unwrap();
    assert_eq!(wrapped.len(), 8);
    for version in 1..=8 {
        let of_it = wrapped.iter().filter(|&&by| by == version).count();
        assert!(of_it <= 3, "{of_it} by KEK {version}: {wrapped:?}");
    }
}
