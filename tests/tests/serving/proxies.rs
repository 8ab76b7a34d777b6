//! Whose address counts behind a proxy, what failures cost whom, and callers that need no token.

use std::time::{Duration, Instant};

use kunji_tests::{
    http::{Answer, Http},
    site::{Site, shared},
};
use reqwest::{Method, StatusCode, header::HeaderValue};
use serde_json::{Value, json};

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

async fn make(administrator: &Http, id: &str) -> String {
    let answer = administrator.post("/v1/clients", &json!({ "clientId": id, "roles": ["encryptor"] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["clientSecret"].as_str().unwrap().to_owned()
}

/// The answer to a token request that a proxy passes on from this address.
async fn ask(nobody: &Http, from: &str, id: &str, secret: &str) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let request = nobody.request(Method::POST, "/oauth2/token").header("x-forwarded-for", from).form(&form);
    Answer::read(request.send().await.unwrap()).await
}

fn events(site: &Site) -> Vec<Value> {
    let files = std::fs::read_dir(site.data_dir().join("audit")).unwrap().map(|file| file.unwrap().path());
    let segments = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("events-"));
    let text: String = segments.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn failures_slow_their_client_at_their_address_and_nobody_else() {
    let site = Site::new()
        .with("KUNJI_KEYS", "ROOT,REGISTRATION")
        .with("KUNJI_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")
        .with("KUNJI_TOKEN_FAILURES_PER_MINUTE", "4");
    let server = site.start();
    let nobody = server.http();
    let (here, elsewhere) = ("192.0.2.1, 10.1.1.1", "198.51.100.9, 192.0.2.2");
    let signed_in = ask(&nobody, "192.0.2.9", "administrator", &server.secret).await;
    let administrator = nobody.bearing(signed_in.body["access_token"].as_str().unwrap());
    let (attacked, neighbour) =
        (make(&administrator, "attacked").await, make(&administrator, "neighbour").await);
    assert_eq!(ask(&nobody, here, "neighbour", &neighbour).await.status, 200);

    // One guesses the secret of a client.
    let mut refused = 0;
    for _ in 0..10 {
        let answer = ask(&nobody, here, "attacked", "guess").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            refused += 1;
        } else {
            assert_eq!(answer.status, 401, "{answer:?}");
        }
    }
    assert!((4..=6).contains(&refused), "{refused} of 10 were refused unheard");
    // The client is slowed there, and there only; its neighbours are not, known or not.
    assert_eq!(ask(&nobody, here, "attacked", &attacked).await.status, 429);
    assert_eq!(ask(&nobody, elsewhere, "attacked", &attacked).await.status, 200);
    assert_eq!(ask(&nobody, here, "neighbour", &neighbour).await.status, 200);
    assert_eq!(ask(&nobody, here, "administrator", &server.secret).await.status, 200);

    // One goes through many clients: the address is slowed, but not for clients that are known there.
    let mut answers = Vec::new();
    for number in 0..30 {
        answers.push(ask(&nobody, here, &format!("guess-{number}"), "guess").await.status.as_u16());
    }
    assert!(answers.ends_with(&[429]) && answers.starts_with(&[401]), "{answers:?}");
    assert_eq!(ask(&nobody, here, "neighbour", &neighbour).await.status, 200);
    assert_eq!(ask(&nobody, "192.0.2.3", "guess-1", "guess").await.status, 401);

    // What the sender itself has written does not count.
    assert_eq!(ask(&nobody, "203.0.113.5, 192.0.2.1", "guess-1", "guess").await.status, 429);
    let addresses: Vec<_> = events(&site)
        .into_iter()
        .filter(|event| event["operation"] == "token.issue")
        .map(|event| event["address"].as_str().unwrap().to_owned())
        .collect();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert!(addresses.iter().any(|found| found == address), "{address}: {addresses:?}");
    }
    for address in ["127.0.0.1", "10.1.1.1", "198.51.100.9", "203.0.113.5"] {
        assert!(!addresses.iter().any(|found| found == address), "{address}: {addresses:?}");
    }
}

#[tokio::test]
async fn nobody_is_believed_where_no_proxy_is_trusted() {
    let shared = shared();
    let answer = ask(&shared.server.http(), "203.0.113.77", "administrator", &shared.server.secret).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let addresses: Vec<_> = events(&shared.site).into_iter().map(|event| event["address"].clone()).collect();
    assert!(addresses.contains(&json!("127.0.0.1")) && !addresses.contains(&json!("203.0.113.77")));
}

#[tokio::test]
async fn callers_of_a_listed_network_need_no_token_under_the_key_manager() {
    let site = Site::new()
        .with("KUNJI_KEYS", "ROOT,REGISTRATION")
        .with("KUNJI_TOKENLESS_NETWORKS", "127.0.0.1")
        .with("KUNJI_TOKENLESS_CLIENT", "mosip");
    let server = site.start();
    assert!(site.log().contains("need no token under /v1/keymanager"), "{}", site.log());
    let nobody = server.http();
    nobody.get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
    let administrator = nobody.sign_in("administrator", &server.secret).await;
    make(&administrator, "mosip").await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while nobody.get(CERTIFICATE).await.status != 200 {
        assert!(Instant::now() < deadline, "a client that was made is not found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let send = |name: &'static str, value: &'static str| {
        let request = nobody.request(Method::GET, CERTIFICATE).header(name, value);
        async move { Answer::read(request.send().await.unwrap()).await }
    };
    assert_eq!(send("cookie", "Authorization=None").await.status, 200);
    for (name, value) in [
        ("cookie", "Authorization=a.b.c"),
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Bearer "),
        ("authorization", "Basic eDp5"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
    ] {
        send(name, value).await.envelope_error(401, "KER-ATH-401");
    }
    send("origin", "https://evil.example").await.envelope_error(403, "KER-ATH-403");
    // A page whose name was made to lead here.
    let request = nobody.request(Method::GET, CERTIFICATE).header("host", "evil.example:8088");
    let request = request.header("origin", "http://evil.example:8088");
    Answer::read(request.send().await.unwrap()).await.envelope_error(403, "KER-ATH-403");
    nobody.call("/decrypt", json!({})).await.envelope_error(403, "KER-ATH-403");
    nobody.get("/v1/clients").await.problem(401, "access.unauthenticated");
    assert!(events(&site).iter().any(|event| event["principal"] == "mosip"));
    let disabled = administrator.request(Method::POST, "/v1/clients/mosip/disable").send().await.unwrap();
    assert_eq!(disabled.status(), 200);
    nobody.get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
}

#[tokio::test]
async fn nobody_outside_passes_for_the_proxy() {
    let site = Site::new()
        .with("KUNJI_KEYS", "ROOT,REGISTRATION")
        .with("KUNJI_TRUSTED_PROXIES", "127.0.0.1")
        .with("KUNJI_TOKENLESS_NETWORKS", "127.0.0.0/8")
        .with("KUNJI_TOKENLESS_CLIENT", "mosip");
    let server = site.start();
    let nobody = server.http();
    make(&nobody.sign_in("administrator", &server.secret).await, "mosip").await;
    let send = |from: &'static [u8]| {
        let from = HeaderValue::from_bytes(from).unwrap();
        let request = nobody.request(Method::GET, CERTIFICATE).header("x-forwarded-for", from);
        async move { Answer::read(request.send().await.unwrap()).await }
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while send(b"203.0.113.5, 127.0.0.7").await.status != 200 {
        assert!(Instant::now() < deadline, "a client that was made is not found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for from in
        [&b"203.0.113.5"[..], b"127.0.0.7, 203.0.113.5", b"\xff, 203.0.113.5", b"127.0.0.7, \xff,203.0.113.5"]
    {
        send(from).await.envelope_error(401, "KER-ATH-401");
    }
}
