//! Two servers of one database: what is changed at one is obeyed by the other within two seconds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_server::ports::key_store::KeyStore;
use kunji_tests::{in_process, softhsm::Token};
use serde_json::json;

use crate::{name_of, put, remove};

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_obey_a_change_within_two_seconds() {
    let token: Arc<dyn KeyStore> = Arc::new(Token::create("policies").open().await.unwrap());
    let database = in_process::database().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = in_process::serve(&database, Arc::clone(&token), dirs[0].path()).await;
    let second = in_process::serve(&database, token, dirs[1].path()).await;

    let secret = std::fs::read_to_string(dirs[0].path().join("administrator-secret")).unwrap();
    let administrator = first.sign_in("administrator", secret.trim_end()).await;
    let client = administrator.new_client(&["encryptor"]).await;
    let there = second.bearing(client.token().unwrap());
    assert_eq!(there.get(CERTIFICATE).await.status, 200);
    let deny = json!({
        "effect": "deny", "principals": [name_of(&client)], "operations": ["certificate.*"], "keys": ["*/*"],
    });
    for status in [403, 200] {
        let began = Instant::now();
        if status == 403 {
            put(&administrator, "stopped", &deny).await;
        } else {
            remove(&administrator, "stopped").await;
        }
        assert_eq!(client.get(CERTIFICATE).await.status, status, "the server that was told");
        while there.get(CERTIFICATE).await.status != status {
            assert!(began.elapsed() < Duration::from_secs(2), "{status}");
        }
    }
}
