//! Bodies that together want more memory than there is for them.

use std::time::Duration;

use futures_util::future::join_all;
use kunji_tests::{
    http::Http,
    raw::{Raw, head},
    site::Site,
};

use crate::witness::{APPLICATION, REFERENCE, Witness};

const MEMORY: usize = 1_000_000;
/// Of which there is room for one.
const LARGE: usize = 600_000;
/// How long a body waits for room.
const IDLE_SECONDS: u64 = 2;

/// A request of [`LARGE`] bytes to sign something.
fn body() -> String {
    let request = "{\"request\":{\"dataToSign\":\"YQ\"}}";
    format!("{request}{}", " ".repeat(LARGE - request.len()))
}

/// A connection on which all of the request was sent but its last byte.
async fn unfinished(client: &Http, path: &str, lines: &[&str], body: &str) -> Raw {
    let mut connection = Raw::connect(client).await;
    let length = format!("content-length: {}", body.len());
    let lines: Vec<&str> = lines.iter().copied().chain([length.as_str()]).collect();
    connection.send(head(client, "POST", path, &lines) + &body[..body.len() - 1]).await;
    connection
}

async fn signing(client: &Http) -> Raw {
    unfinished(client, "/v1/keymanager/jwtSign", &["content-type: application/json"], &body()).await
}

async fn sealing(client: &Http) -> Raw {
    let lines = [
        "content-type: application/octet-stream",
        "kunji-application: REGISTRATION",
        "kunji-reference: 10001_110011",
    ];
    unfinished(client, "/v1/packets/encrypt", &lines, &body()).await
}

#[tokio::test]
async fn large_bodies_wait_for_each_other_and_small_ones_for_none() {
    let site = Site::new()
        .with("KUNJI_BODY_MEMORY_BYTES", MEMORY.to_string())
        .with("KUNJI_IDLE_TIMEOUT_SECONDS", IDLE_SECONDS.to_string());
    let (witness, _site, _server) = Witness::at(site).await;
    let client = &witness.client;
    // Whichever comes first has the room.
    let (mut one, mut other) = (signing(client).await, signing(client).await);
    let (answer, mut held) = tokio::select! {
        answer = one.answer() => (answer, other),
        answer = other.answer() => (answer, one),
    };
    answer.unwrap().envelope_error(503, "KER-KMS-500");
    assert!(held.age() < Duration::from_secs(IDLE_SECONDS + 5), "{:?}", held.age());
    let mut refused = sealing(client).await;
    let answer = refused.answer().await.unwrap();
    answer.problem(503, "service.unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    client.certificate(APPLICATION, REFERENCE).await;

    held.send(" ").await;
    assert_eq!(held.answer().await.unwrap().status, 200);
    let mut next = signing(client).await;
    next.send(" ").await;
    assert_eq!(next.answer().await.unwrap().status, 200);
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn a_body_that_waits_gets_its_turn() {
    let site = Site::new().with("KUNJI_BODY_MEMORY_BYTES", MEMORY.to_string());
    let (witness, _site, _server) = Witness::at(site).await;
    let client = &witness.client;
    let send = |packet: bool| async move {
        let mut connection = if packet { sealing(client).await } else { signing(client).await };
        connection.send(" ").await;
        assert_eq!(connection.answer().await.unwrap().status, 200);
    };
    join_all((0..8).map(|number| send(number % 2 == 0))).await;
    witness.assert_unchanged().await;
}
