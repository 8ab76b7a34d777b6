//! Bodies that are too large or too slow. One server with small limits for all.

use std::{fmt::Write, time::Duration};

use kunji_tests::{
    http::{Answer, Http, b64},
    raw::{Raw, exchange, head},
    site::Site,
};
use reqwest::Method;
use serde_json::json;

use crate::witness::{APPLICATION, PLANTED, REFERENCE, Witness};

const JSON_LIMIT: usize = 100_000;
const PACKET_LIMIT: usize = 300_000;
const HEADER_SECONDS: u64 = 1;
const IDLE_SECONDS: u64 = 1;
const REQUEST_SECONDS: u64 = 2;
const PACKET_LINES: [&str; 4] = [
    "content-type: application/octet-stream",
    "content-length: 250000",
    "kunji-application: REGISTRATION",
    "kunji-reference: 10001_110011",
];
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn large_and_slow_bodies_are_refused_while_others_are_served() {
    let site = Site::new()
        .with("KUNJI_JSON_BODY_LIMIT_BYTES", JSON_LIMIT.to_string())
        .with("KUNJI_PACKET_LIMIT_BYTES", PACKET_LIMIT.to_string())
        .with("KUNJI_SPOOL_THRESHOLD_BYTES", "100000")
        .with("KUNJI_HEADER_TIMEOUT_SECONDS", HEADER_SECONDS.to_string())
        .with("KUNJI_IDLE_TIMEOUT_SECONDS", IDLE_SECONDS.to_string())
        .with("KUNJI_REQUEST_TIMEOUT_SECONDS", REQUEST_SECONDS.to_string());
    let (witness, site, _server) = Witness::at(site).await;
    let client = &witness.client;
    tokio::join!(slow_heads(client), slow_json(client), slow_packets(client), served_meanwhile(client),);
    large_json(client, &witness.administrator).await;
    large_credentials(&witness.anonymous()).await;
    large_packets(client).await;
    endless_bodies(client).await;
    assert_eq!(std::fs::read_dir(site.data_dir().join("spool")).unwrap().count(), 0);
    witness.assert_unchanged().await;
}

/// A caller who keeps the one place in the spool keeps nobody waiting for ever.
#[tokio::test]
async fn who_finds_no_place_in_the_spool_is_told_so_in_time() {
    let site = Site::new()
        .with("KUNJI_SPOOL_THRESHOLD_BYTES", "100000")
        .with("KUNJI_SPOOLED_BODIES", "1")
        .with("KUNJI_SLOWEST_PACKET_BYTES_PER_SECOND", "0")
        .with("KUNJI_IDLE_TIMEOUT_SECONDS", IDLE_SECONDS.to_string());
    let (witness, _site, _server) = Witness::at(site).await;
    let client = &witness.client;
    let mut holder = Raw::connect(client).await;
    holder.send(head(client, "POST", "/v1/packets/encrypt", &PACKET_LINES)).await;
    holder.send(PLANTED.repeat(200_000 / PLANTED.len())).await;
    let request = head(client, "POST", "/v1/packets/encrypt", &PACKET_LINES) + &"x".repeat(250_000);
    let told = async {
        loop {
            let began = std::time::Instant::now();
            let answer = exchange(client, request.clone()).await.unwrap();
            let waited = began.elapsed();
            // Until the other one has it.
            if answer.status != 200 {
                return (answer, waited);
            }
        }
    };
    let kept = holder.trickle(&[b' '; 10_000], PAUSE);
    let (answer, waited) = tokio::select! {
        told = told => told,
        () = kept => panic!("it is refused or let go"),
    };
    answer.problem(503, "service.unavailable");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    assert!(waited >= Duration::from_secs(IDLE_SECONDS), "{waited:?}");
    assert!(waited < Duration::from_secs(IDLE_SECONDS) + GRACE, "{waited:?}");
    drop(holder);
    let began = std::time::Instant::now();
    while exchange(client, request.clone()).await.unwrap().status != 200 {
        assert!(began.elapsed() < GRACE, "the place does not come back");
    }
}

/// Takes certificates as long as the slow ones last.
async fn served_meanwhile(client: &Http) {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..(REQUEST_SECONDS * 1000 / 50) {
        ticks.tick().await;
        let began = std::time::Instant::now();
        client.certificate(APPLICATION, REFERENCE).await;
        assert!(began.elapsed() < Duration::from_secs(1), "others were slow: {:?}", began.elapsed());
    }
}

async fn slow_heads(client: &Http) {
    let silent = async {
        let mut connection = Raw::connect(client).await;
        let answer = connection.read_to_end().await;
        (connection.age(), answer)
    };
    let half = async {
        let mut connection = Raw::connect(client).await;
        connection.send("POST /v1/keymanager/decrypt HTTP/1.1\r\nhost: x\r\nauthorization: Pl4nt3d").await;
        let answer = connection.read_to_end().await;
        (connection.age(), answer)
    };
    let trickled = async {
        let mut connection = Raw::connect(client).await;
        let endless = format!("GET /healthz HTTP/1.1\r\n{}", "x: Pl4nt3d\r\n".repeat(1_000));
        connection.trickle(endless.as_bytes(), PAUSE).await;
        let answer = connection.read_to_end().await;
        (connection.age(), answer)
    };
    let kept = async {
        let mut connection = Raw::connect(client).await;
        connection.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        connection.answer().await.unwrap();
        let rest = connection.read_to_end().await;
        (connection.age(), rest)
    };
    let (silent, half, trickled, kept) = tokio::join!(silent, half, trickled, kept);
    for (age, answer) in [silent, half, trickled, kept] {
        assert!(age < Duration::from_secs(HEADER_SECONDS) + GRACE, "{age:?}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(!answer.contains(PLANTED), "{answer}");
    }
}

async fn slow_json(client: &Http) {
    let lines = ["content-type: application/json", "content-length: 5000"];
    let request = |path: &str| head(client, "POST", path, &lines) + "{\"request\":{\"data\":\"Pl4nt3d";
    let stopped = |path: &'static str| async move {
        let mut connection = Raw::connect(client).await;
        connection.send(request(path)).await;
        (connection.answer().await.unwrap(), connection.age())
    };
    let trickled = async {
        let mut connection = Raw::connect(client).await;
        connection.send(request("/v1/keymanager/encrypt")).await;
        connection.trickle(&[b' '; 1_000], PAUSE).await;
        (connection.answer().await.unwrap(), connection.age())
    };
    let (decrypt, sign, trickled, token) = tokio::join!(
        stopped("/v1/keymanager/decrypt"),
        stopped("/v1/keymanager/jwtSign"),
        trickled,
        slow_token_request(client)
    );
    for (answer, age) in [decrypt, sign, trickled] {
        answer.envelope_error(408, "KER-KMS-408");
        answer.assert_hides(PLANTED);
        assert!(age >= Duration::from_secs(REQUEST_SECONDS), "{age:?}");
        assert!(age < Duration::from_secs(REQUEST_SECONDS) + GRACE, "{age:?}");
    }
    let (answer, age) = token;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (408, &json!("invalid_request")));
    assert!(age < Duration::from_secs(REQUEST_SECONDS) + GRACE, "{age:?}");
}

async fn slow_token_request(client: &Http) -> (Answer, Duration) {
    let anonymous = Http::new(client.base());
    let lines = ["content-type: application/x-www-form-urlencoded", "content-length: 500"];
    let mut connection = Raw::connect(&anonymous).await;
    connection.send(head(&anonymous, "POST", "/oauth2/token", &lines) + "grant_type=Pl4nt3d").await;
    (connection.answer().await.unwrap(), connection.age())
}

/// Pauses are bounded, however much came before: nothing, a part that stays in memory, one that was spooled. So is
/// the time in which drops come without a pause.
async fn slow_packets(client: &Http) {
    let trickled = |path: &'static str, sent: usize| async move {
        let mut connection = Raw::connect(client).await;
        connection.send(head(client, "POST", path, &PACKET_LINES)).await;
        connection.send(PLANTED.repeat(sent / PLANTED.len())).await;
        connection.trickle(&[b' '; 1_000], PAUSE).await;
        connection.answer().await.unwrap().problem(408, "request.timeout");
        assert!(connection.age() < Duration::from_secs(IDLE_SECONDS) + GRACE, "{:?}", connection.age());
    };
    let paused = |path: &'static str, sent: usize| async move {
        let mut connection = Raw::connect(client).await;
        connection.send(head(client, "POST", path, &PACKET_LINES)).await;
        connection.send(PLANTED.repeat(sent / PLANTED.len())).await;
        let answer = connection.answer().await.unwrap();
        answer.problem(408, "request.timeout");
        answer.assert_hides(PLANTED);
        let age = connection.age();
        assert!(age >= Duration::from_secs(IDLE_SECONDS), "{age:?}");
        assert!(age < Duration::from_secs(IDLE_SECONDS) + GRACE, "{age:?}");
    };
    tokio::join!(
        paused("/v1/packets/encrypt", 0),
        paused("/v1/packets/encrypt", 7_000),
        paused("/v1/packets/encrypt", 200_000),
        paused("/v1/packets/decrypt", 0),
        paused("/v1/packets/decrypt", 7_000),
        paused("/v1/packets/decrypt", 200_000),
        trickled("/v1/packets/encrypt", 200_000),
        trickled("/v1/packets/decrypt", 7_000),
    );
}

/// A request to sign that is `length` bytes long.
fn padded(length: usize) -> String {
    let request = "{\"request\":{\"dataToSign\":\"YQ\"}}";
    format!("{request}{}", " ".repeat(length - request.len()))
}

fn chunked(body: &str) -> String {
    let mut text = String::new();
    for piece in body.as_bytes().chunks(10_000) {
        write!(text, "{:x}\r\n{}\r\n", piece.len(), std::str::from_utf8(piece).unwrap()).unwrap();
    }
    text + "0\r\n\r\n"
}

async fn large_json(client: &Http, administrator: &Http) {
    let send = |path: &'static str, client: &Http, body: String, in_chunks: bool| {
        let length = format!("content-length: {}", body.len());
        let length = if in_chunks { "transfer-encoding: chunked" } else { length.as_str() };
        let head = head(client, "POST", path, &["content-type: application/json", length]);
        let request = head + &if in_chunks { chunked(&body) } else { body };
        let client = client.clone();
        async move { exchange(&client, request).await.unwrap() }
    };
    for in_chunks in [false, true] {
        let answer = send("/v1/keymanager/jwtSign", client, padded(JSON_LIMIT), in_chunks).await;
        assert!(answer.body["response"].is_object(), "{answer:?}");
        for path in ["/v1/keymanager/jwtSign", "/v1/keymanager/decrypt"] {
            let answer = send(path, client, padded(JSON_LIMIT + 1), in_chunks).await;
            let text = answer.envelope_error(413, "KER-KMS-413");
            assert!(text.contains("100000 bytes"), "{text}");
        }
        let answer = send("/v1/clients", administrator, padded(JSON_LIMIT + 1), in_chunks).await;
        answer.problem(413, "request.too_large");
    }
    // The announced length alone is enough.
    let lines = ["content-type: application/json", "content-length: 9999999999"];
    let answer = exchange(client, head(client, "POST", "/v1/keymanager/encrypt", &lines)).await.unwrap();
    answer.envelope_error(413, "KER-KMS-413");
}

/// Routes that everyone may call take little.
async fn large_credentials(anonymous: &Http) {
    let long = PLANTED.repeat(3_000);
    let request = json!({ "request": { "clientId": "administrator", "secretKey": long } });
    let answer = anonymous.post("/v1/authmanager/authenticate/clientidsecretkey", &request).await;
    answer.envelope_error(413, "KER-KMS-413");
    answer.assert_hides(PLANTED);
    let form =
        [("grant_type", "client_credentials"), ("client_id", "administrator"), ("client_secret", &long)];
    let answer = anonymous.request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap();
    let answer = Answer::read(answer).await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (413, &json!("invalid_request")));
    answer.assert_hides(PLANTED);
}

async fn large_packets(client: &Http) {
    let send = |path: &str, size: usize, in_chunks: bool| {
        // A connection of its own: the server ends a kept one soon here, perhaps just when it is used again.
        let request = Http::new(client.base())
            .bearing(client.token().unwrap())
            .request(Method::POST, path)
            .header("content-type", "application/octet-stream")
            .header("kunji-application", APPLICATION)
            .header("kunji-reference", REFERENCE)
            .header("kunji-salt", b64([1; 12]));
        let content = PLANTED.repeat(size / PLANTED.len() + 1).into_bytes()[..size].to_vec();
        let body = if in_chunks {
            let pieces: Vec<_> =
                content.chunks(10_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
            reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
        } else {
            content.into()
        };
        async { request.body(body).send().await }
    };
    // The announced length alone is enough, and nobody is still sending when it is answered.
    for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
        let lines = [
            "content-type: application/octet-stream",
            "content-length: 300001",
            "kunji-application: REGISTRATION",
        ];
        let answer = exchange(client, head(client, "POST", path, &lines)).await.unwrap();
        answer.problem(413, "request.too_large");
    }
    for in_chunks in [false, true] {
        let sealed = send("/v1/packets/encrypt", PACKET_LIMIT, in_chunks).await.unwrap();
        assert_eq!(sealed.status(), 200);
        for path in ["/v1/packets/encrypt", "/v1/packets/decrypt"] {
            for size in [PACKET_LIMIT + 1, PACKET_LIMIT * 3] {
                // Taken in by the sender, who is still sending when it comes.
                let answer = Answer::read(send(path, size, in_chunks).await.unwrap()).await;
                let text = answer.problem(413, "request.too_large");
                assert!(text.contains("300000 bytes"), "{text}");
                answer.assert_hides(PLANTED);
            }
        }
    }
}

/// Bodies without an end are answered while they are still being sent.
async fn endless_bodies(client: &Http) {
    for (path, content_type) in [
        ("/v1/keymanager/decrypt", "application/json"),
        ("/v1/packets/decrypt", "application/octet-stream"),
        ("/v1/packets/encrypt", "application/octet-stream"),
    ] {
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
        let request = client
            .request(Method::POST, path)
            .header("content-type", content_type)
            .header("kunji-application", APPLICATION)
            .header("kunji-reference", REFERENCE)
            .body(reqwest::Body::wrap_stream(endless));
        let sent =
            tokio::time::timeout(GRACE, request.send()).await.expect("an endless body is not read for ever");
        // The answer may be lost with the connection that is closed under the sender.
        if let Ok(answer) = sent {
            assert_eq!(answer.status(), 413);
        }
    }
}
