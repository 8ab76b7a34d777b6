//! Three server processes with one database server and one token.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_tests::{
    http::{Answer, Http, b64, unb64},
    peer,
    site::{Server, Site},
    surreal_server::SurrealServer,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{operations::is_success, world::with_database};

/// How soon every server obeys what another has changed.
const OBEYED_WITHIN: Duration = Duration::from_secs(2);
const APPLICATION: &str = "REGISTRATION";

struct Servers {
    // In this order: servers end before what they use.
    _processes: Vec<Server>,
    _site: Site,
    _database: Arc<SurrealServer>,
    administrator: Http,
    /// Somebody who may do everything with keys, at each server.
    at: Vec<Http>,
}

impl Servers {
    async fn start() -> Self {
        let database = SurrealServer::shared().unwrap();
        let place = database.create_database().await.unwrap();
        let site = with_database(Site::new(), database.url(), &place).with("KUNJI_KEYS", "ROOT,REGISTRATION");
        let first = site.start();
        let others = std::thread::scope(|scope| {
            let starts = [1, 2].map(|number| {
                let mut command = site.command();
                command.env("KUNJI_DATA_DIR", site.path().join(format!("data-{number}")));
                scope.spawn(|| site.start_command(command))
            });
            starts.map(|start| start.join().unwrap())
        });
        let administrator = first.http().sign_in("administrator", &first.secret).await;
        let roles = ["key-administrator", "encryptor", "decryptor", "signer"];
        let client = administrator.new_client(&roles).await;
        let servers: Vec<_> = [first].into_iter().chain(others).collect();
        let at = servers.iter().map(|server| server.http().bearing(client.token().unwrap())).collect();
        Self { _processes: servers, _site: site, _database: database, administrator, at }
    }

    async fn newest(&self, application: &str, reference: &str) -> Value {
        let query = format!("application={application}&reference={reference}&limit=1");
        let listed = self.at[0].get(&format!("/v1/keys?{query}")).await;
        listed.body["keys"][0].clone()
    }

    /// Waits until the answer of every server is as wanted.
    async fn obeyed(&self, path: &str, wanted: impl Fn(&Answer) -> bool) {
        let began = Instant::now();
        for http in &self.at {
            while !wanted(&http.get(path).await) {
                assert!(began.elapsed() < OBEYED_WITHIN, "{path}");
            }
        }
    }
}

/// One test, since the servers take long to start.
#[tokio::test(flavor = "multi_thread")]
async fn three_servers_are_of_one_mind() {
    let servers = Servers::start().await;
    many_who_ask_for_a_new_key_get_one(&servers).await;
    of_two_rotations_one_wins_and_the_other_is_told(&servers).await;
    every_server_obeys_changes_of_policies(&servers).await;
    no_request_fails_while_keys_of_each_level_are_rotated(&servers).await;
    assert_eq!(servers.at[0].get("/v1/doctor?limit=1000").await.body["findings"], json!([]));
}

async fn many_who_ask_for_a_new_key_get_one(servers: &Servers) {
    for reference in ["one", "two"] {
        let clients = (0..64).map(|number| {
            let http = servers.at[number % servers.at.len()].clone();
            async move { http.certificate(APPLICATION, reference).await }
        });
        let certificates = join_all(clients).await;
        assert!(certificates.iter().all(|certificate| *certificate == certificates[0]));
        let listed =
            servers.at[1].get(&format!("/v1/keys?application={APPLICATION}&reference={reference}")).await;
        assert_eq!(listed.body["keys"].as_array().map(Vec::len), Some(1), "{listed:?}");
    }
}

async fn of_two_rotations_one_wins_and_the_other_is_told(servers: &Servers) {
    for reference in ["one", "", "one"] {
        let before = servers.newest(APPLICATION, reference).await;
        let path = format!("/v1/keys/{}/rotate", before["keyId"].as_str().unwrap());
        let nothing = json!({});
        let rotations = servers.at[1..].iter().map(|http| http.post(&path, &nothing));
        let (won, lost): (Vec<_>, Vec<_>) = join_all(rotations).await.into_iter().partition(is_success);
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:?} {lost:?}");
        assert_eq!((lost[0].status.as_u16(), &lost[0].body["code"]), (409, &json!("key.forestalled")));
        let after = servers.newest(APPLICATION, reference).await;
        assert_eq!(after["keyId"], won[0].body["keyId"]);
        assert_eq!(after["generation"].as_u64(), before["generation"].as_u64().map(|it| it + 1));
    }
}

async fn every_server_obeys_changes_of_policies(servers: &Servers) {
    let read = format!("/v1/keymanager/getCertificate?applicationId={APPLICATION}&referenceId=one");
    for active in [false, true] {
        let policy = json!({ "validityDays": 1095, "preExpireDays": 60, "active": active });
        let put = servers.at[2].request(Method::PUT, &format!("/v1/policies/{APPLICATION}"));
        let stored = put.header("if-match", "*").json(&policy).send().await.unwrap();
        assert_eq!(stored.status(), 200);
        servers.obeyed(&read, |answer| answer.body["errors"].is_null() == active).await;
    }
    let path = "/v1/access/policies/stopped";
    let deny = json!({
        "effect": "deny", "principals": ["*"], "operations": ["certificate.*"], "keys": ["*/*"],
    });
    let put = servers.administrator.request(Method::PUT, path).header("if-none-match", "*");
    assert_eq!(put.json(&deny).send().await.unwrap().status(), 201);
    servers.obeyed(&read, |answer| answer.status == 403).await;
    let delete = servers.administrator.request(Method::DELETE, path).header("if-match", "*");
    assert_eq!(delete.send().await.unwrap().status(), 204);
    servers.obeyed(&read, |answer| answer.status == 200).await;
}

async fn no_request_fails_while_keys_of_each_level_are_rotated(servers: &Servers) {
    let sealed = peer::seal_self_contained(&servers.at[0].certificate(APPLICATION, "one").await, b"before");
    let ends = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = servers
        .at
        .iter()
        .map(|http| tokio::spawn(call_until(http.clone(), sealed.clone(), Arc::clone(&ends))))
        .collect();
    for (round, (application, reference)) in
        [(APPLICATION, "one"), (APPLICATION, ""), ("ROOT", "")].iter().cycle().take(9).enumerate()
    {
        let key = servers.newest(application, reference).await;
        let path = format!("/v1/keys/{}/rotate", key["keyId"].as_str().unwrap());
        let rotated = servers.at[round % servers.at.len()].post(&path, &json!({})).await;
        assert!(is_success(&rotated), "{rotated:?}");
    }
    ends.store(true, Ordering::Relaxed);
    for calls in join_all(callers).await {
        let calls = calls.unwrap();
        assert!(calls >= 10, "only {calls} calls were made meanwhile");
    }
}

/// Seals and opens; every request must succeed. How many rounds there were.
async fn call_until(http: Http, sealed: Vec<u8>, ends: Arc<AtomicBool>) -> u32 {
    let request = |data: String| {
        json!({
            "applicationId": APPLICATION, "referenceId": "one", "data": data,
            "timeStamp": "2026-01-05T10:11:12.123Z",
        })
    };
    let mut rounds = 0;
    while !ends.load(Ordering::Relaxed) {
        let packet = http.call("/encrypt", request(b64("now"))).await;
        let opened =
            http.call("/decrypt", request(packet.response()["data"].as_str().unwrap().to_owned())).await;
        assert_eq!(unb64(&opened.response()["data"]), b"now");
        let opened = http.call("/decrypt", request(b64(&sealed))).await;
        assert_eq!(unb64(&opened.response()["data"]), b"before");
        // A new key, which the module certifies and its KEK wraps.
        http.certificate(APPLICATION, &format!("under-load-{rounds}")).await;
        rounds += 1;
    }
    rounds
}
