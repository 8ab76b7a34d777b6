//! Two servers of one database: what is changed at one is obeyed by the other within two seconds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_server::{api, app, ports::key_store::KeyStore};
use kunji_tests::{http::Http, in_process, softhsm::Token};
use serde_json::json;
use surrealdb::{Surreal, engine::any::Any};
use tempfile::TempDir;

use crate::{name_of, put, remove};

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

/// A server in this process; it ends with the test's runtime.
async fn serve(database: &Surreal<Any>, token: Arc<dyn KeyStore>, data_dir: &TempDir) -> Http {
    let environment =
        [("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION"), ("KUNJI_ISSUER", "http://kunji.test")];
    let settings = in_process::settings(data_dir.path(), &environment);
    let (audit, repository) = (in_process::trail(data_dir.path()), in_process::repository(database).await);
    let ports = in_process::ports(data_dir.path(), audit, repository, token);
    let running = app::start(&settings, ports).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let endpoint = api::endpoint(&running.services, &settings);
        api::serve(listener, api::Carrier::Plain, endpoint, (&settings).into(), std::future::pending())
            .await
            .unwrap();
        drop(running);
    });
    http
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_obey_a_change_within_two_seconds() {
    let token: Arc<dyn KeyStore> = Arc::new(Token::create("policies").open().await.unwrap());
    let database = in_process::database().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = serve(&database, Arc::clone(&token), &dirs[0]).await;
    let second = serve(&database, token, &dirs[1]).await;

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
