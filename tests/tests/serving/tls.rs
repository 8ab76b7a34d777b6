//! TLS in the server: certificates that are read anew while it runs, and callers known by theirs.

use std::{
    fs,
    time::{Duration, Instant},
};

use kunji_tests::{
    http::{Answer, Http},
    site::Site,
    tls::{Authority, Identity, client_config},
};
use reqwest::Method;
use serde_json::json;

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

/// A place whose server shows `identity`.
fn site(identity: &Identity) -> Site {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,REGISTRATION");
    let (chain, key) = (site.path().join("chain.pem"), site.path().join("key.pem"));
    identity.write(&chain, &key);
    site.with("KUNJI_TLS_CERTIFICATE_FILE", chain.to_str().unwrap())
        .with("KUNJI_TLS_KEY_FILE", key.to_str().unwrap())
}

/// Whether a server that trusts only `authority` finds one that it trusts.
async fn reaches(base: &str, authority: &Authority) -> bool {
    let client = Http::over(base, client_config(&authority.pem(), None));
    client.request(Method::GET, "/healthz").send().await.is_ok()
}

async fn wait_until_reached(base: &str, authority: &Authority) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !reaches(base, authority).await {
        assert!(Instant::now() < deadline, "the certificate is not read anew");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_certificate_is_read_anew_while_the_server_runs() {
    let (first, second, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let site = site(&first.issue("kunji", &[]));
    let server = site.start();
    assert!(server.base.starts_with("https://127.0.0.1:"), "{}", server.base);
    let client = Http::over(&server.base, client_config(&first.pem(), None));
    let administrator = client.sign_in("administrator", &server.secret).await;
    assert_eq!(administrator.get("/v1/clients").await.status, 200);
    assert!(!reaches(&server.base, &stranger).await);
    let plain = Http::new(&server.base.replace("https", "http"));
    assert!(plain.request(Method::GET, "/healthz").send().await.is_err(), "plain HTTP is answered");

    // Half of a new pair is no pair: what was before stays, connections too.
    let (chain, key) = (site.path().join("chain.pem"), site.path().join("key.pem"));
    let next = second.issue("kunji", &[]);
    fs::write(&chain, &next.certificate).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !site.log().contains("the TLS files cannot be used") {
        assert!(Instant::now() < deadline, "{}", site.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reaches(&server.base, &first).await && !reaches(&server.base, &second).await);
    fs::write(&key, &next.key).unwrap();
    wait_until_reached(&server.base, &second).await;
    assert!(!reaches(&server.base, &first).await);
    assert_eq!(administrator.get("/v1/clients").await.status, 200, "a connection broke");
    assert!(server.stop().success());
}

#[tokio::test]
async fn files_that_do_not_belong_together_stop_the_start() {
    let authority = Authority::new();
    let site = site(&authority.issue("kunji", &[]));
    fs::write(site.path().join("key.pem"), &authority.issue("kunji", &[]).key).unwrap();
    let output = site.command().arg("serve").output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("tls_certificate_file and tls_key_file do not belong together"), "{text}");
}

#[tokio::test]
async fn callers_are_known_by_their_certificate_while_their_client_is_enabled() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let site = site(&authority.issue("kunji", &[]));
    let (authorities, config) = (site.path().join("authorities.pem"), site.path().join("kunji.toml"));
    fs::write(&authorities, authority.pem()).unwrap();
    fs::write(
        &config,
        "[certificate_clients]\n\"dns:packets.svc\" = \"packets\"\n\"subject:CN=officer\" = \"officer\"\n",
    )
    .unwrap();
    let site = site
        .with("KUNJI_CONFIG", config.to_str().unwrap())
        .with("KUNJI_TLS_CLIENT_CERTIFICATES", "optional")
        .with("KUNJI_TLS_CLIENT_AUTHORITIES_FILE", authorities.to_str().unwrap());
    let server = site.start();
    let caller =
        |identity: Option<&Identity>| Http::over(&server.base, client_config(&authority.pem(), identity));
    let administrator = caller(None).sign_in("administrator", &server.secret).await;
    let packets = caller(Some(&authority.issue("x", &["packets.svc"])));
    packets.get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
    let made =
        administrator.post("/v1/clients", &json!({ "clientId": "packets", "roles": ["encryptor"] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while packets.get(CERTIFICATE).await.status != 200 {
        assert!(Instant::now() < deadline, "a client that was made is not found");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    packets.get("/v1/clients").await.problem(403, "access.forbidden");
    // A token says who calls, whatever certificate is shown.
    assert_eq!(packets.bearing(administrator.token().unwrap()).get("/v1/clients").await.status, 200);
    packets.bearing("a.b.c").get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
    // Another name, another authority, another site's page.
    caller(Some(&authority.issue("packets", &[]))).get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
    caller(Some(&authority.issue("officer", &[]))).get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");
    let strange = caller(Some(&stranger.issue("x", &["packets.svc"])));
    assert!(strange.request(Method::GET, CERTIFICATE).send().await.is_err());
    let foreign = packets.request(Method::GET, CERTIFICATE).header("origin", "https://evil.example");
    Answer::read(foreign.send().await.unwrap()).await.envelope_error(403, "KER-ATH-403");

    for (call, status) in [("disable", 401), ("enable", 200)] {
        let answer = administrator.request(Method::POST, &format!("/v1/clients/packets/{call}"));
        assert_eq!(answer.send().await.unwrap().status(), 200);
        let deadline = Instant::now() + Duration::from_secs(30);
        while packets.get(CERTIFICATE).await.status != status {
            assert!(call == "enable" && Instant::now() < deadline, "{call} is not obeyed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    drop(server);

    // Whoever has none is not served where one is required.
    let site = site.with("KUNJI_TLS_CLIENT_CERTIFICATES", "required");
    let server = site.start();
    let caller =
        |identity: Option<&Identity>| Http::over(&server.base, client_config(&authority.pem(), identity));
    assert!(caller(None).request(Method::GET, "/healthz").send().await.is_err());
    let packets = caller(Some(&authority.issue("x", &["packets.svc"])));
    assert_eq!(packets.get(CERTIFICATE).await.status, 200);
}

#[tokio::test]
async fn who_is_on_a_revocation_list_does_not_connect() {
    let authority = Authority::new();
    let site = site(&authority.issue("kunji", &[]));
    let (authorities, lists) = (site.path().join("authorities.pem"), site.path().join("lists.pem"));
    fs::write(&authorities, authority.pem()).unwrap();
    let (good, stolen) = (authority.issue("good", &[]), authority.issue("stolen", &[]));
    fs::write(&lists, authority.revocation_list(&[])).unwrap();
    let site = site
        .with("KUNJI_TLS_CLIENT_CERTIFICATES", "required")
        .with("KUNJI_TLS_CLIENT_AUTHORITIES_FILE", authorities.to_str().unwrap())
        .with("KUNJI_TLS_CLIENT_REVOCATION_LISTS_FILE", lists.to_str().unwrap());
    let server = site.start();
    let connects = async |identity: &Identity| {
        let http = Http::over(&server.base, client_config(&authority.pem(), Some(identity)));
        http.request(Method::GET, "/healthz").send().await.is_ok()
    };
    assert!(connects(&good).await && connects(&stolen).await);
    // One that goes on as long as it is used.
    let kept = Http::over(&server.base, client_config(&authority.pem(), Some(&stolen)));
    let goes_on = async || kept.request(Method::GET, "/healthz").send().await.is_ok();
    assert!(goes_on().await);
    // What cannot be read changes nothing.
    fs::write(&lists, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(connects(&good).await && connects(&stolen).await && goes_on().await);
    fs::write(&lists, authority.revocation_list(&[&stolen])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while connects(&stolen).await {
        assert!(Instant::now() < deadline, "the list is not read anew");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    while goes_on().await {
        assert!(Instant::now() < deadline, "a connection outlasts the list that its peer is on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(connects(&good).await);
    // Another authority's list tells nothing of this one's certificates.
    fs::write(&lists, Authority::new().revocation_list(&[])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while connects(&good).await {
        assert!(Instant::now() < deadline, "the list is not read anew");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
