//! Two servers of one database and one token.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_server::ports::key_store::KeyStore;
use kunji_tests::{
    cli::Operator,
    http::{Http, unb64},
    in_process,
};
use serde_json::{Value, json};

use crate::{Callers, certificate, newest_id, open, packet};

struct World {
    callers: Callers,
    /// The same callers at the other server.
    there: Callers,
    _dirs: [tempfile::TempDir; 2],
}

impl World {
    async fn new() -> Self {
        let token: Arc<dyn KeyStore> = Arc::new(crate::token().open().await.unwrap());
        let database = in_process::database().await;
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = in_process::serve(&database, Arc::clone(&token), dirs[0].path()).await;
        let second = in_process::serve(&database, token, dirs[1].path()).await;
        let secret = std::fs::read_to_string(dirs[0].path().join("administrator-secret")).unwrap();
        let callers = Callers::of(&first, secret.trim_end()).await;
        let at_second = |client: &Http| second.bearing(client.token().unwrap());
        let there = Callers {
            administrator: at_second(&callers.administrator),
            keeper: at_second(&callers.keeper),
            user: at_second(&callers.user),
        };
        Self { callers, there, _dirs: dirs }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_are_of_one_mind() {
    let world = World::new().await;
    every_server_obeys_a_change_within_two_seconds(&world).await;
    of_two_servers_that_force_a_rotation_one_wins_and_the_other_is_told(&world).await;
    an_auditor_searches_the_logs_of_all(&world).await;
}

async fn every_server_obeys_a_change_within_two_seconds(world: &World) {
    let World { callers: Callers { keeper, user, .. }, there, .. } = world;
    let sealed = packet(user, "obeyed").await;
    let id = newest_id(keeper, "obeyed").await;
    assert_eq!(unb64(&open(&there.user, "obeyed", &sealed).await.response()["data"]), b"content");
    for (what, opens) in [("suspend", false), ("resume", true)] {
        let began = Instant::now();
        assert_eq!(keeper.post(&format!("/v1/keys/{id}/{what}"), &json!({})).await.status, 200);
        assert_eq!(open(user, "obeyed", &sealed).await.body["errors"].is_null(), opens, "here at once");
        while open(&there.user, "obeyed", &sealed).await.body["errors"].is_null() != opens {
            assert!(began.elapsed() < Duration::from_secs(2), "{what}");
        }
    }

    // A revoked key is handed out no more, there too.
    let old = certificate(&there.user, "obeyed").await.response()["certificate"].clone();
    let began = Instant::now();
    let body = json!({ "cause": "superseded" });
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/revoke"), &body).await.status, 200);
    let new = certificate(user, "obeyed").await.response()["certificate"].clone();
    assert_ne!(new, old);
    while certificate(&there.user, "obeyed").await.response()["certificate"] != new {
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(unb64(&open(&there.user, "obeyed", &sealed).await.response()["data"]), b"content");
}

async fn of_two_servers_that_force_a_rotation_one_wins_and_the_other_is_told(world: &World) {
    let World { callers, there, .. } = world;
    let force = |keeper: &Http| {
        let keeper = keeper.clone();
        async move {
            let request = json!({ "applicationId": "REGISTRATION", "force": true });
            keeper.call("/generateMasterKey/CERTIFICATE", request).await
        }
    };
    let mut generation = 1;
    let mut contended = false;
    // Two that do not meet both win, one after the other; a round in which they meet comes soon.
    for _ in 0..8 {
        let (here, other) = tokio::join!(force(&callers.keeper), force(&there.keeper));
        let (won, lost): (Vec<_>, Vec<_>) =
            [here, other].into_iter().partition(|answer| answer.body["errors"].is_null());
        assert!(!won.is_empty(), "{lost:?}");
        for loser in &lost {
            loser.envelope_error(200, "KER-KMS-016");
        }
        generation += won.len();
        let listed = callers.keeper.get("/v1/keys?application=REGISTRATION&reference=").await;
        assert_eq!(listed.body["keys"][0]["generation"], generation, "{listed:?}");
        contended |= !lost.is_empty();
        if contended {
            break;
        }
    }
    assert!(contended);
}

async fn an_auditor_searches_the_logs_of_all(world: &World) {
    let World { callers: Callers { administrator, user, .. }, there, .. } = world;
    let auditor = administrator.new_client(&["auditor"]).await;
    for _ in 0..2 {
        user.certificate("REGISTRATION", "searched").await;
        there.user.certificate("REGISTRATION", "searched").await;
    }
    let operator = Operator::bearing(auditor.base(), auditor.token().unwrap());
    let filter = ["audit", "search", "--operation", "certificate.read", "--reference", "searched"];
    let search = |more: &[&str]| {
        let arguments = [&filter[..], &["--application", "REGISTRATION"], more].concat();
        tokio::task::block_in_place(|| operator.run(&arguments))
    };
    let also = ["--also", there.user.base()];
    assert_eq!(search(&[]).stdout.lines().count(), 2, "one server knows its own log");
    let joined = search(&[&also[..], &["--oldest", "--json"]].concat());
    assert!(joined.success && joined.stderr.is_empty(), "{joined:?}");
    let events: Vec<Value> = joined.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let times: Vec<_> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.len() == 4 && times.is_sorted(), "{times:?}");
    let here = events.iter().filter(|event| event["log"] == events[0]["log"]).count();
    assert_eq!(here, 2, "two of each: {events:?}");
    let newest = search(&[&also[..], &["--limit", "3"]].concat());
    assert!(newest.success && newest.stdout.lines().count() == 3, "{newest:?}");
    // What is missing is said.
    let unasked = search(&["--also", auditor.base()]);
    assert!(unasked.success && unasked.stderr.contains("was not looked at"), "{unasked:?}");
    let silent = search(&["--also", "http://127.0.0.1:1"]);
    assert!(!silent.success && silent.stdout.lines().count() == 2, "{silent:?}");
    assert!(silent.stderr.contains("http://127.0.0.1:1 did not answer"), "{silent:?}");
}
