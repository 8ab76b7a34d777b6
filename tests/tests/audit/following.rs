//! Streams of events: how many there are, and when they end.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use kunji_server::{
    app,
    domain::{audit::query::EventFilter, time::Timestamp},
};
use kunji_tests::{http::Http, in_process, softhsm::Token};
use reqwest::Method;
use serde_json::{Value, json};

use crate::trail::{administrator, client, site, until};

/// Reads a stream until it has this; says whether it was cut off before.
async fn reads(stream: &mut reqwest::Response, wanted: &str) -> bool {
    let mut text = String::new();
    while !text.contains(wanted) {
        let piece = tokio::time::timeout(Duration::from_mins(1), stream.chunk()).await.unwrap();
        match piece {
            Ok(Some(piece)) => text += std::str::from_utf8(&piece).unwrap(),
            Ok(None) => panic!("the stream looks as if the trail had ended"),
            Err(_cut) => return false,
        }
    }
    true
}

#[tokio::test]
async fn a_stream_ends_with_the_right_of_its_reader() {
    const STREAM: &str = "/v1/audit/events/stream?operation=client.*&last=0";
    let site = site();
    let server = site.start();
    let administrator = administrator(&server).await;
    let open = async |http: &Http| {
        let stream = http.request(Method::GET, STREAM).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        stream
    };
    let (stays, secret) = client(&server, &["auditor"]).await;
    let witness = server.http().sign_in(&stays, &secret).await;
    let mut kept = open(&witness).await;
    for by_policy in [false, true] {
        let (id, secret) = client(&server, &["auditor"]).await;
        let http = server.http().sign_in(&id, &secret).await;
        let mut stream = open(&http).await;
        let (before, _) = client(&server, &["signer"]).await;
        assert!(reads(&mut stream, &before).await);
        if by_policy {
            let policy = json!({ "effect": "deny", "principals": [id], "operations": ["audit.read"] });
            let request = administrator.request(Method::PUT, &format!("/v1/access/policies/{id}"));
            let put = request.header("if-none-match", "*").json(&policy).send().await.unwrap();
            assert_eq!(put.status(), 201);
        } else {
            let disabled = administrator.post(&format!("/v1/clients/{id}/disable"), &json!({})).await;
            assert_eq!(disabled.status, 200, "{disabled:?}");
        }
        let (after, _) = client(&server, &["signer"]).await;
        assert!(!reads(&mut stream, &after).await, "{id} goes on to read");
        assert!(reads(&mut kept, &after).await);
        let page = witness.get(&format!("/v1/audit/events?principal={id}&outcome=refused")).await;
        assert_eq!(page.body["events"][0]["operation"], "audit.read", "{page:?}");
    }
}

/// Also while nothing happens that it is given.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_token_of_its_reader() {
    let (token, data_dir) = (Token::create("following"), tempfile::tempdir().unwrap());
    let environment = [("KUNJI_KEYS", "ROOT,KERNEL/SIGN"), ("KUNJI_ISSUER", "http://kunji.test")];
    let settings = in_process::settings(data_dir.path(), &environment);
    let repository = in_process::repository(&in_process::database().await).await;
    let audit = in_process::trail(data_dir.path());
    let token = Arc::new(token.open().await.unwrap());
    let ports = in_process::ports(data_dir.path(), audit, repository, token);
    let running = app::start(&settings, ports).await.unwrap();
    let caller = in_process::caller("reader");
    let mut late = caller.clone();
    late.authority.ends = Timestamp::from_seconds(1);
    let nothing = EventFilter { operation: Some("nothing".to_owned()), ..EventFilter::default() };
    let mut stream = running.services.audit.follow(&late, nothing, 0).await.unwrap();
    // What comes first is what there was.
    assert_eq!(stream.next().await.unwrap().unwrap(), "");
    let cut = tokio::time::timeout(Duration::from_mins(1), stream.next()).await.unwrap();
    assert!(cut.unwrap().is_err());
    assert!(stream.next().await.is_none());
    // Another's goes on, and says so.
    let refused = EventFilter { outcome: Some("refused".to_owned()), ..EventFilter::default() };
    let mut stream = running.services.audit.follow(&caller, refused, 1).await.unwrap();
    let event: Value = serde_json::from_slice(&stream.next().await.unwrap().unwrap()).unwrap();
    assert_eq!((&event["operation"], &event["code"]), (&json!("audit.read"), &json!("access.token_expired")));
}

#[tokio::test]
async fn so_many_follow_at_once_and_no_more() {
    let site = site();
    let server = site.start();
    let (id, secret) = client(&server, &["auditor"]).await;
    let http = server.http().sign_in(&id, &secret).await;
    let follow = async || http.request(Method::GET, "/v1/audit/events/stream?last=1").send().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..32 {
        let stream = follow().await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    http.get("/v1/audit/events/stream").await.problem(503, "service.unavailable");
    // Others may read meanwhile, and one that hangs up makes room.
    assert_eq!(http.get("/v1/audit/events").await.status, 200);
    drop(streams.pop());
    until("there is room", async || follow().await.status() == 200).await;
}
