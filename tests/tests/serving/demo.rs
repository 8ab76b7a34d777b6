//! The demo's pages and inbox over HTTP.

use futures_util::{future::join_all, stream};
use kunji_tests::{
    http::{Answer, Http},
    peer,
    raw::{Raw, exchange, head},
    refusals::{is_millisecond_time, names, sorted},
    site::{Server, Site, shared},
};
use openssl::{
    stack::Stack,
    x509::{X509, X509StoreContext, X509StoreContextRef, store::X509StoreBuilder},
};
use reqwest::{Body, Method};
use serde_json::{Value, json};

const INBOX: &str = "/demo/inbox";
const RECORD: &[u8] = br#"{"name":"Asha","dateOfBirth":"1990-02-03","photo":null}"#;
const LIMIT_BYTES: usize = 16 * 1024 * 1024;
const PAGES_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/// A place whose server takes packets, from one address as often as it likes.
fn site() -> Site {
    Site::new()
        .with("KUNJI_DEMO_INBOX", "true")
        .with("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/10001_110011")
        .with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "100000")
}

async fn administrator(server: &Server) -> Http {
    server.http().sign_in("administrator", &server.secret).await
}

async fn leave(http: &Http, body: impl Into<Body>) -> Answer {
    let request = http.request(Method::POST, INBOX).header("content-type", "application/octet-stream");
    Answer::read(request.body(body).send().await.unwrap()).await
}

async fn listed(reviewer: &Http) -> Vec<Value> {
    let answer = reviewer.get(INBOX).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(names(&answer.body), ["packets"]);
    answer.body["packets"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_entrance_leads_to_the_form() {
    let shared = shared();
    let http = shared.server.http();
    let answer = exchange(&http, head(&http, "GET", "/demo", &[])).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (308, &"/demo/".parse().unwrap()));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn pages_are_served_as_they_were_built_in() {
    let shared = shared();
    let http = shared.server.http();
    let form = http.get("/demo/").await;
    for header in
        ["x-content-type-options", "referrer-policy", "cross-origin-resource-policy", "x-request-id"]
    {
        assert!(form.headers.contains_key(header), "{header}");
    }
    if form.status == 404 {
        // Built without the pages; what is done with them is tested beside the code.
        assert!(form.text.contains("make build"), "{form:?}");
        assert!(form.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        return;
    }
    assert_eq!(form.status, 200, "{form:?}");
    let assets: Vec<String> = form
        .text
        .split('"')
        .filter_map(|text| text.rsplit_once("assets/"))
        .map(|(_, name)| format!("/demo/assets/{name}"))
        .collect();
    assert!(!assets.is_empty(), "the form has no script: {}", form.text);
    for path in
        ["/demo/", "/demo/index.html", "/demo/review.html"].into_iter().chain(assets.iter().map(|it| &**it))
    {
        let page = http.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with(PAGES_POLICY), "{policy}");
        let is_asset = path.contains("/assets/");
        let cache_control = page.headers["cache-control"].to_str().unwrap();
        assert_eq!(cache_control.contains("immutable"), is_asset, "{path}: {cache_control}");
        assert_eq!(cache_control == "no-cache", !is_asset, "{path}: {cache_control}");

        let tag = &page.headers["etag"];
        let again = http.request(Method::GET, path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, tag), "{path}");
        let head = http.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!((head.status().as_u16(), &head.headers()["etag"]), (200, tag), "{path}");
        assert_eq!(head.headers()["content-length"], page.headers["content-length"], "{path}");
        assert!(head.bytes().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn nothing_else_is_under_the_demo() {
    let shared = shared();
    let anonymous = shared.server.http();
    let nobody = administrator(&shared.server).await.new_client(&["decryptor"]).await;
    for path in ["/demo/none", "/demo/assets", "/demo/index.html/x", "/demo/.env", "/demo/Cargo.toml"] {
        anonymous.get(path).await.problem(404, "request.not_found");
    }
    for target in [
        "/demo/assets/",
        "/demo/../../etc/passwd",
        "/demo/../v1/clients",
        "/demo/assets/../../settings.json",
        "/demo/%2e%2e/%2e%2e/etc/passwd",
        "/demo/..%2f..%2fetc%2fpasswd",
        "/demo/%2fetc%2fpasswd",
        "/demo//etc/passwd",
        "/demo/..\\..\\etc\\passwd",
        "/demo/index.html%00",
        "/demo/inbox/..%2f..%2fadministrator-secret",
        "/demo/inbox/../../administrator-secret",
        "/demo/inbox/../settings.json",
    ] {
        let refused = exchange(&anonymous, head(&anonymous, "GET", target, &[])).await.unwrap();
        refused.problem(401, "access.unauthenticated");
        let answer = exchange(&nobody, head(&nobody, "GET", target, &[])).await.unwrap();
        answer.problem(404, "request.not_found");
    }
    for path in ["/demo", "/demo/", "/demo/settings.json"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = Answer::read(anonymous.request(method, path).send().await.unwrap()).await;
            answer.problem(405, "request.method_not_allowed");
            assert_eq!(answer.headers["allow"], "GET, HEAD", "{path}");
        }
    }
}

#[tokio::test]
async fn without_the_setting_there_is_no_inbox() {
    let shared = shared();
    let settings = shared.server.http().get("/demo/settings.json").await;
    assert_eq!((settings.status.as_u16(), &settings.body["inbox"]), (200, &json!(false)));
    leave(&shared.server.http(), "packet").await.problem(404, "request.not_found");
    let reviewer = administrator(&shared.server).await.new_client(&["decryptor"]).await;
    reviewer.get(INBOX).await.problem(404, "request.not_found");
    reviewer.get(&format!("{INBOX}/{}", uuid::Uuid::new_v4())).await.problem(404, "request.not_found");
    assert!(!shared.site.data_dir().join("demo-inbox").exists());
}

#[tokio::test]
async fn the_form_learns_what_it_must_trust() {
    let shared = shared();
    let http = shared.server.http();
    let reader = administrator(&shared.server).await.new_client(&["encryptor"]).await;
    reader.certificate("REGISTRATION", "10001_110011").await;
    let settings = http.get("/demo/settings.json").await;
    assert_eq!(settings.status, 200, "{settings:?}");
    assert_eq!(settings.headers["cache-control"], "no-store");
    assert_eq!(settings.headers["content-type"], "application/json");
    assert_eq!(
        sorted(names(&settings.body)),
        ["anchors", "application", "certificateUrl", "inbox", "reference"]
    );
    assert_eq!(settings.body["application"], "REGISTRATION");
    assert_eq!(settings.body["reference"], "10001_110011");
    let anchors = settings.body["anchors"].as_array().unwrap();
    assert_eq!(anchors.len(), 1, "{settings:?}");

    // The recipient's certificate and chain lead to the anchors, and to nothing else of this server.
    let chain = http.get(settings.body["certificateUrl"].as_str().unwrap()).await;
    let mut chain = X509::stack_from_pem(chain.text.as_bytes()).unwrap();
    let leaf = chain.remove(0);
    let module = chain.remove(0);
    let mut issuers = Stack::new().unwrap();
    issuers.push(module.clone()).unwrap();
    let verifies = |anchor: X509, issuers: &Stack<X509>| {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(anchor).unwrap();
        let store = store.build();
        X509StoreContext::new()
            .unwrap()
            .init(&store, &leaf, issuers, X509StoreContextRef::verify_cert)
            .unwrap()
    };
    let anchor = X509::from_pem(anchors[0].as_str().unwrap().as_bytes()).unwrap();
    assert!(verifies(anchor, &issuers));
    let other = X509::from_pem(reader.certificate("KERNEL", "SIGN").await.as_bytes()).unwrap();
    assert!(!verifies(other, &issuers));
}

#[tokio::test]
async fn a_packet_goes_from_the_form_to_the_reviewer_and_outlives_the_server() {
    let site = site();
    let server = site.start();
    let (form, administrator) = (server.http(), administrator(&server).await);
    let certificate =
        administrator.new_client(&["encryptor"]).await.certificate("REGISTRATION", "10001_110011").await;
    assert_eq!(form.get("/demo/settings.json").await.body["inbox"], true);

    let packet = peer::seal_self_contained(&certificate, RECORD);
    let sent = leave(&form, packet.clone()).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    assert_eq!(sorted(names(&sent.body)), ["bytes", "id", "received"]);
    assert_eq!(sent.body["bytes"], packet.len());
    assert!(is_millisecond_time(&sent.body["received"]), "{sent:?}");
    let path = format!("{INBOX}/{}", sent.body["id"].as_str().unwrap());

    let reviewer = administrator.new_client(&["decryptor"]).await;
    assert_eq!(listed(&reviewer).await, std::slice::from_ref(&sent.body));
    let fetched = reviewer.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "application/octet-stream");
    assert_eq!(fetched.headers()["cache-control"], "no-store");
    let fetched = fetched.bytes().await.unwrap();
    assert_eq!(fetched, packet);
    let opened = reviewer
        .request(Method::POST, "/v1/packets/decrypt")
        .header("content-type", "application/octet-stream")
        .header("kunji-application", "REGISTRATION")
        .header("kunji-reference", "10001_110011")
        .body(fetched);
    assert_eq!(opened.send().await.unwrap().bytes().await.unwrap(), RECORD);

    // Who may not decrypt may not look.
    for path in [INBOX, &path] {
        form.get(path).await.problem(401, "access.unauthenticated");
        for roles in [&["administrator"][..], &["encryptor", "signer", "key-administrator"]] {
            administrator.new_client(roles).await.get(path).await.problem(403, "access.forbidden");
        }
        let cookie = format!("Authorization={}", reviewer.token().unwrap());
        let by_cookie = form.request(Method::GET, path).header("cookie", cookie).send().await.unwrap();
        assert_eq!(by_cookie.status(), 401);
    }
    // Nor who may not with the keys that the form seals for.
    let deny = json!({
        "effect": "deny", "roles": ["CLERK"], "operations": ["packet.decrypt"], "keys": ["REGISTRATION/10001_*"],
    });
    let request = administrator.request(Method::PUT, "/v1/access/policies/elsewhere");
    let put = request.header("if-none-match", "*").json(&deny).send().await.unwrap();
    assert_eq!(put.status(), 201);
    let elsewhere = administrator.new_client(&["decryptor", "CLERK"]).await;
    for path in [INBOX, &path] {
        elsewhere.get(path).await.problem(403, "access.forbidden");
    }
    for id in [uuid::Uuid::new_v4().to_string(), "x".to_owned(), path.to_uppercase(), String::new()] {
        reviewer.get(&format!("{INBOX}/{id}")).await.problem(404, "request.not_found");
    }
    for (path, allowed) in [(INBOX, "GET, HEAD, POST"), (&*path, "GET, HEAD")] {
        let answer = Answer::read(reviewer.request(Method::DELETE, path).send().await.unwrap()).await;
        answer.problem(405, "request.method_not_allowed");
        assert_eq!(answer.headers["allow"], allowed);
    }

    // The newest comes first, also after a restart.
    let second = leave(&form, "second").await;
    let before = listed(&reviewer).await;
    assert_eq!(before.len(), 2);
    assert!(
        before.contains(&second.body) && before[0]["received"].as_str() >= before[1]["received"].as_str()
    );
    server.kill();
    let server = site.start();
    let reviewer = self::administrator(&server).await.new_client(&["decryptor"]).await;
    assert_eq!(listed(&reviewer).await, before);
    let fetched = reviewer.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), packet);
}

#[tokio::test]
async fn packets_are_bounded_in_length() {
    let site = site();
    let server = site.start();
    let form = server.http();
    let reviewer = administrator(&server).await.new_client(&["decryptor"]).await;
    let lines =
        |length| ["content-type: application/octet-stream".to_owned(), format!("content-length: {length}")];
    let begin = |length: usize| head(&form, "POST", INBOX, &lines(length).each_ref().map(|line| &**line));
    // Of unknown length.
    let pieces = |length: usize| {
        let (piece, rest) = (vec![7; 1024 * 1024], vec![7; length % (1024 * 1024)]);
        let pieces = std::iter::repeat_n(piece, length / (1024 * 1024)).chain([rest]);
        Body::wrap_stream(stream::iter(pieces.map(std::io::Result::Ok)))
    };
    // The announcement alone is enough.
    let answer = exchange(&form, begin(LIMIT_BYTES + 1)).await.unwrap();
    assert!(answer.problem(413, "request.too_large").contains("16777216"));
    leave(&form, pieces(LIMIT_BYTES + 1)).await.problem(413, "request.too_large");
    leave(&form, "").await.problem(400, "request.invalid");
    leave(&form, pieces(0)).await.problem(400, "request.invalid");
    for content_type in [None, Some("application/json"), Some("text/plain")] {
        let mut request = form.request(Method::POST, INBOX).body("packet");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert!(answer.problem(415, "request.media_type").contains("application/octet-stream"));
    }
    // One that ends before its announced length.
    let mut broken = Raw::connect(&form).await;
    broken.send(begin(100) + "packet").await;
    broken.finish().await;
    if let Some(answer) = broken.answer().await {
        answer.problem(400, "request.incomplete");
    }
    assert_eq!(listed(&reviewer).await, Vec::<Value>::new());

    for body in [Body::from(vec![7; LIMIT_BYTES]), pieces(LIMIT_BYTES)] {
        let sent = leave(&form, body).await;
        assert_eq!((sent.status.as_u16(), &sent.body["bytes"]), (201, &json!(LIMIT_BYTES)), "{sent:?}");
    }
    assert_eq!(listed(&reviewer).await.len(), 2);
}

#[tokio::test]
async fn packets_are_bounded_in_number() {
    const MOST: usize = 100;
    let site = site();
    let server = site.start();
    let form = server.http();
    let reviewer = administrator(&server).await.new_client(&["decryptor"]).await;
    for number in 1..MOST {
        assert_eq!(leave(&form, format!("packet {number}")).await.status, 201);
    }
    // One place is left, for which several come at once.
    let answers = join_all((0..6).map(|number| leave(&form, format!("last {number}")))).await;
    let (kept, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((kept.len(), refused.len()), (1, 5));
    for answer in refused {
        answer.problem(507, "demo.inbox_full");
    }
    leave(&form, "one more").await.problem(507, "demo.inbox_full");

    let packets = listed(&reviewer).await;
    assert_eq!(packets.len(), MOST);
    let mut texts = Vec::new();
    for packet in &packets {
        let path = format!("{INBOX}/{}", packet["id"].as_str().unwrap());
        texts.push(reviewer.get(&path).await.text);
    }
    for number in 1..MOST {
        assert!(texts.contains(&format!("packet {number}")), "packet {number} was lost");
    }
    // Emptied by hand, it takes packets again.
    for file in std::fs::read_dir(site.data_dir().join("demo-inbox")).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(leave(&form, "anew").await.status, 201);
    assert_eq!(listed(&reviewer).await.len(), 1);
}

#[tokio::test]
async fn uploads_are_bounded_in_number_and_a_failing_disk_is_told() {
    let site = site();
    let server = site.start();
    let form = server.http();
    let reviewer = administrator(&server).await.new_client(&["decryptor"]).await;
    let lines = ["content-type: application/octet-stream", "content-length: 100"];
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut upload = Raw::connect(&form).await;
        upload.send(head(&form, "POST", INBOX, &lines) + "begun").await;
        slow.push(upload);
    }
    // The empty ones are refused as such until all eight hold their places.
    let busy = async {
        loop {
            let answer = leave(&form, "").await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), busy).await.unwrap();
    answer.problem(503, "service.unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    for mut upload in slow {
        upload.send("x".repeat(95)).await;
        assert_eq!(upload.answer().await.unwrap().status, 201);
    }
    assert_eq!(listed(&reviewer).await.len(), 8);

    std::fs::remove_dir_all(site.data_dir().join("demo-inbox")).unwrap();
    let answer = leave(&form, "packet").await;
    answer.problem(503, "service.unavailable");
    answer.assert_hides("demo-inbox");
    reviewer.get(INBOX).await.problem(503, "service.unavailable");
    drop(server);

    // Started anew, with a narrow limit for each address.
    let site = site.with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "2");
    let server = site.start();
    for _ in 0..2 {
        assert_eq!(leave(&server.http(), "packet").await.status, 201);
        assert_eq!(server.http().get("/demo/settings.json").await.status, 200);
    }
    let answer = leave(&server.http(), "packet").await;
    answer.problem(429, "request.rate_exceeded");
    assert!(answer.headers.contains_key("retry-after"));
    server.http().get("/demo/settings.json").await.problem(429, "request.rate_exceeded");
}
