//! Who may enter: every operation of the description without a token and with every wrong role; cookies; and tokens
//! that are too old.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use kunji_server::{
    api,
    app::{self, Ports, Running},
    config::Settings,
};
use kunji_tests::{
    faults::ManualClock,
    http::{Answer, Http, unb64},
    in_process,
    raw::{Raw, exchange, head},
    refusals::{names, sorted},
    site::{Shared, shared},
    softhsm::Token,
    tls::{Authority, client_config, server_config},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::slow_requests::Parked;

/// The operations that anyone may call.
const ANONYMOUS: [&str; 13] = [
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "GET /crl/{file}",
    "GET /docs",
    "GET /healthz",
    "GET /openapi.json",
    "GET /readyz",
    "GET /v1/certificates/{application}/{reference}",
    "GET /v1/jwks/{application}",
    "GET /v1/keymanager/actuator/health",
    "GET /v1/keymanager/actuator/info",
    "POST /oauth2/token",
    "POST /v1/authmanager/authenticate/clientidsecretkey",
];

/// The others, with the roles of which one is needed.
const GUARDED: [(&str, &[&str]); 81] = [
    ("DELETE /v1/access/policies/{name}", &["administrator"]),
    ("DELETE /v1/clients/{client_id}", &["administrator"]),
    ("DELETE /v1/policies/{application}", &["key-administrator"]),
    ("GET /v1/access/policies", &["administrator", "auditor"]),
    ("GET /v1/access/policies/{name}", &["administrator", "auditor"]),
    ("GET /v1/approvals", &["administrator", "auditor"]),
    ("GET /v1/approvals/{id}", &["administrator", "auditor"]),
    ("GET /v1/audit/checkpoints", &["auditor"]),
    ("GET /v1/audit/events", &["auditor"]),
    ("GET /v1/audit/export", &["auditor"]),
    ("GET /v1/audit/keys", &["auditor"]),
    ("GET /v1/audit/proofs/consistency", &["auditor"]),
    ("GET /v1/audit/proofs/inclusion", &["auditor"]),
    ("GET /v1/audit/roster", &["auditor"]),
    ("GET /v1/audit/status", &["auditor"]),
    ("GET /v1/clients", &["administrator"]),
    ("GET /v1/clients/{client_id}", &["administrator"]),
    ("GET /v1/doctor", &["key-administrator"]),
    ("POST /v1/doctor/mend", &["key-administrator"]),
    ("GET /v1/keys", &["key-administrator"]),
    ("GET /v1/keys/{key_id}", &["key-administrator"]),
    ("POST /v1/keys", &["key-administrator"]),
    ("GET /v1/keks/{application}", &["key-administrator"]),
    ("POST /v1/keks/{application}/{version}/cancel-destruction", &["key-administrator"]),
    ("POST /v1/keks/{application}/{version}/destroy", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/cancel-destruction", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/destroy", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/resume", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/revoke", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/rotate", &["key-administrator"]),
    ("POST /v1/keys/{key_id}/suspend", &["key-administrator"]),
    ("PUT /v1/keys/{key_id}/tags", &["key-administrator"]),
    ("PUT /v1/keymanager/revokeKey", &["key-administrator"]),
    ("GET /v1/keymanager/getAllCertificates", &["encryptor", "key-administrator"]),
    ("GET /v1/keymanager/getCertificate", &["encryptor", "key-administrator"]),
    ("GET /v1/policies", &["administrator", "auditor", "key-administrator"]),
    ("GET /v1/policies/{application}", &["administrator", "auditor", "key-administrator"]),
    ("GET /v1/keymanager/getCertificateChain", &["encryptor", "key-administrator"]),
    ("GET /v1/rewrap", &["key-administrator"]),
    ("POST /v1/rewrap", &["key-administrator"]),
    ("GET /v1/rotation/plan", &["administrator", "auditor", "key-administrator"]),
    ("POST /v1/access/check", &["administrator", "auditor"]),
    ("POST /v1/approvals/{id}/approve", &["administrator"]),
    ("POST /v1/approvals/{id}/deny", &["administrator"]),
    ("POST /v1/audit/checkpoints", &["auditor"]),
    ("POST /v1/certificates", &["key-administrator"]),
    ("POST /v1/clients", &["administrator"]),
    ("POST /v1/clients/{client_id}/disable", &["administrator"]),
    ("POST /v1/clients/{client_id}/enable", &["administrator"]),
    ("POST /v1/clients/{client_id}/secret", &["administrator"]),
    ("POST /v1/keymanager/coseSign1", &["signer"]),
    ("POST /v1/keymanager/coseVerify1", &["signer"]),
    ("POST /v1/keymanager/cwtSign", &["signer"]),
    ("POST /v1/keymanager/cwtVerify", &["signer"]),
    ("POST /v1/keymanager/decrypt", &["decryptor"]),
    ("POST /v1/keymanager/encrypt", &["encryptor"]),
    ("POST /v1/keymanager/generateCSR", &["key-administrator"]),
    ("POST /v1/keymanager/generateECSignKey/{objectType}", &["key-administrator"]),
    ("POST /v1/keymanager/generateMasterKey/{objectType}", &["key-administrator"]),
    ("POST /v1/keymanager/generateSymmetricKey", &["key-administrator"]),
    ("POST /v1/keymanager/jwsSign", &["signer"]),
    ("POST /v1/keymanager/jwsSign/v2", &["signer"]),
    ("POST /v1/keymanager/jwtSign", &["signer"]),
    ("POST /v1/keymanager/jwtSign/v2", &["signer"]),
    ("POST /v1/keymanager/jwtVerify", &["signer"]),
    ("POST /v1/keymanager/jwtVerify/v2", &["signer"]),
    ("POST /v1/keymanager/pdf/sign", &["signer"]),
    ("POST /v1/keymanager/sign", &["signer"]),
    ("POST /v1/keymanager/signRawData", &["signer"]),
    ("POST /v1/keymanager/signV2", &["signer"]),
    ("POST /v1/keymanager/uploadCertificate", &["key-administrator"]),
    ("POST /v1/keymanager/uploadOtherDomainCertificate", &["key-administrator"]),
    ("POST /v1/keymanager/validate", &["signer"]),
    ("POST /v1/packets/decrypt", &["decryptor"]),
    ("POST /v1/packets/encrypt", &["encryptor"]),
    ("POST /v1/policies/{application}/plan", &["administrator", "auditor", "key-administrator"]),
    ("POST /v1/signatures", &["signer"]),
    ("POST /v1/signatures/verify", &["signer"]),
    ("PUT /v1/access/policies/{name}", &["administrator"]),
    ("PUT /v1/clients/{client_id}/roles", &["administrator"]),
    ("PUT /v1/policies/{application}", &["key-administrator"]),
];

const ROLES: [&str; 6] =
    ["administrator", "auditor", "decryptor", "encryptor", "key-administrator", "signer"];

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

async fn administrator(shared: &Shared) -> Http {
    shared.server.http().sign_in("administrator", &shared.server.secret).await
}

/// Method and path of an operation, with something in place of its parameters.
fn target(operation: &str) -> (Method, String) {
    let (method, path) = operation.split_once(' ').unwrap();
    let path = path.replace("{objectType}", "CERTIFICATE").replace("{client_id}", "nobody");
    let path = path
        .replace("{name}", "none")
        .replace("{id}", "none")
        .replace("{file}", "none.crl")
        .replace("{version}", "1");
    (method.parse().unwrap(), path.replace("{application}", "REGISTRATION").replace("{reference}", "x"))
}

async fn call(client: &Http, operation: &str) -> Answer {
    let (method, path) = target(operation);
    Answer::read(client.request(method, &path).send().await.unwrap()).await
}

#[track_caller]
fn assert_refused(answer: &Answer, operation: &str, status: u16) {
    if operation.contains("/v1/keymanager") || operation.contains("/v1/authmanager") {
        let text = if status == 401 { "Authentication Failed" } else { "Forbidden" };
        assert_eq!(answer.envelope_error(status, &format!("KER-ATH-{status}")), text, "{operation}");
    } else {
        let code = if status == 401 { "access.unauthenticated" } else { "access.forbidden" };
        answer.problem(status, code);
    }
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{operation}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{operation}");
}

#[tokio::test]
async fn the_description_says_who_may_call_what() {
    let shared = shared();
    let document = shared.server.http().get("/openapi.json").await;
    assert_eq!(document.status, 200);
    let (mut anonymous, mut guarded) = (BTreeSet::new(), BTreeSet::new());
    for (path, methods) in document.body["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            let schemes = operation["security"].as_array().unwrap_or_else(|| panic!("{name}: security"));
            if schemes.is_empty() {
                anonymous.insert(name);
                continue;
            }
            let cookie = schemes.iter().any(|scheme| scheme["cookie"].is_array());
            assert_eq!(cookie, path.starts_with("/v1/keymanager/"), "{name}");
            let roles = operation["x-roles"].as_array().unwrap();
            guarded.insert((
                name,
                roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            ));
        }
    }
    assert_eq!(anonymous, ANONYMOUS.map(str::to_owned).into());
    let expected =
        GUARDED.map(|(name, roles)| (name.to_owned(), roles.iter().map(|&role| role.to_owned()).collect()));
    assert_eq!(guarded, expected.into());
}

#[tokio::test]
async fn nothing_is_done_without_a_token() {
    let shared = shared();
    let nobody = shared.server.http();
    for (operation, _) in GUARDED {
        assert_refused(&call(&nobody, operation).await, operation, 401);
        assert_refused(&call(&nobody.bearing("a.b.c"), operation).await, operation, 401);
        // HEAD is GET, and the other methods are none.
        let (_, path) = target(operation);
        for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
            let answer = nobody.request(method, &path).send().await.unwrap();
            assert_eq!(answer.status(), 401, "{operation}");
        }
    }
    for operation in ANONYMOUS {
        let answer = call(&nobody, operation).await;
        assert!(![401, 403].contains(&answer.status.as_u16()), "{operation}: {answer:?}");
    }
    // Open to everyone once there is something.
    for path in ["/demo/none.js", "/metrics", "/.well-known/x"] {
        nobody.get(path).await.problem(404, "request.not_found");
    }
    nobody.get("/crl/ROOT.crl").await.problem(404, "revocation_list.not_found");
}

#[tokio::test]
async fn nothing_is_done_with_a_wrong_role() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    for role in ROLES {
        let client = administrator.new_client(&[role]).await;
        for (operation, roles) in GUARDED {
            let answer = call(&client, operation).await;
            if roles.contains(&role) {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{role}: {operation}: {answer:?}");
            } else {
                assert_refused(&answer, operation, 403);
            }
        }
    }
    for (operation, roles) in GUARDED {
        let others: Vec<_> = ROLES.into_iter().filter(|role| !roles.contains(role)).collect();
        let client = administrator.new_client(&others).await;
        assert_refused(&call(&client, operation).await, operation, 403);
    }
}

#[tokio::test]
async fn who_may_not_enter_is_told_before_anything_else_is_looked_at() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let nobody = Http::new(administrator.base());
    let stranger = administrator.new_client(&["signer"]).await;
    let huge = "content-length: 60000000000";
    for (operation, roles) in GUARDED.into_iter().filter(|(operation, _)| operation.starts_with("POST")) {
        let (_, path) = target(operation);
        let kinds = ["application/json", "application/octet-stream", "text/html", ""];
        for kind in kinds.map(|kind| format!("content-type: {kind}")) {
            // Of the body nothing is ever sent.
            for length in [huge, "transfer-encoding: chunked"] {
                let answer = exchange(&nobody, head(&nobody, "POST", &path, &[&kind, length])).await.unwrap();
                assert_refused(&answer, operation, 401);
                if !roles.contains(&"signer") {
                    let answer =
                        exchange(&stranger, head(&stranger, "POST", &path, &[&kind, length])).await.unwrap();
                    assert_refused(&answer, operation, 403);
                }
            }
        }
        // Nor is the sender told to go on.
        let mut connection = Raw::connect(&nobody).await;
        connection.send(head(&nobody, "POST", &path, &[huge, "expect: 100-continue"])).await;
        assert!(connection.read_to_end().await.starts_with("HTTP/1.1 401"));
    }
    for (path, operation) in [
        ("/v1/keymanager/nothing", "/v1/keymanager"),
        ("/v1/keymanager", "/v1/keymanager"),
        ("/v1/authmanager/nothing", "/v1/authmanager"),
        ("/v1/nothing", ""),
        ("/", ""),
    ] {
        let answer = exchange(&nobody, head(&nobody, "POST", path, &[huge])).await.unwrap();
        assert_refused(&answer, operation, 401);
    }
}

/// A request for a certificate with these headers and no others.
async fn with_headers(client: &Http, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Http::new(client.base()).request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn tokens_stand_in_cookies_whose_name_contains_authorization() {
    let shared = shared();
    let client = administrator(&shared).await.new_client(&["encryptor"]).await;
    let token = client.token().unwrap();
    let cookie = |value: String| {
        let client = client.clone();
        async move { with_headers(&client, CERTIFICATE, &[("cookie", &value)]).await }
    };
    for value in [
        format!("Authorization={token}"),
        format!("XSRF-TOKEN=x; Authorization={token}; lang=en"),
        format!("Proxy-Authorization-2={token}"),
        format!("Authorization=\"{token}\""),
        format!("Authorization=None; My-Authorization={token}"),
    ] {
        assert!(cookie(value).await.response()["certificate"].is_string());
    }
    for value in [
        "Authorization=None".to_owned(),
        "Authorization=".to_owned(),
        "Authorization".to_owned(),
        format!("authorization={token}"),
        format!("token={token}"),
        format!("x=Authorization={token}"),
        format!("Authorization=Bearer {token}"),
        format!("Authorization={token}x"),
    ] {
        assert_refused(&cookie(value).await, CERTIFICATE, 401);
    }
    // The header wins, for better or worse.
    let (good, bad) = (format!("Bearer {token}"), format!("Bearer {token}x"));
    let (good_cookie, bad_cookie) = (format!("Authorization={token}"), format!("Authorization={token}x"));
    let both = [("authorization", good.as_str()), ("cookie", bad_cookie.as_str())];
    assert_eq!(with_headers(&client, CERTIFICATE, &both).await.status, 200);
    let both = [("authorization", bad.as_str()), ("cookie", good_cookie.as_str())];
    assert_refused(&with_headers(&client, CERTIFICATE, &both).await, CERTIFICATE, 401);
}

#[tokio::test]
async fn cookies_count_under_the_key_manager_only_and_for_its_own_pages_only() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let client = administrator.new_client(&ROLES).await;
    let cookie = format!("Authorization={}", client.token().unwrap());
    for (operation, _) in GUARDED {
        let (method, path) = target(operation);
        let request = Http::new(client.base()).request(method, &path).header("cookie", &cookie);
        let answer = Answer::read(request.send().await.unwrap()).await;
        if path.starts_with("/v1/keymanager/") {
            assert_ne!(answer.status, 401, "{operation}");
        } else {
            assert_refused(&answer, operation, 401);
        }
    }
    let own = client.base().to_owned();
    let port = own.rsplit(':').next().unwrap();
    let other_port = format!("http://127.0.0.1:{}", if port == "1" { "2" } else { "1" });
    let bearer = format!("Bearer {}", client.token().unwrap());
    for (name, value, foreign) in [
        ("origin", own.as_str(), false),
        ("origin", "https://evil.example", true),
        ("origin", "null", true),
        ("origin", "", true),
        ("origin", other_port.as_str(), true),
        ("origin", "http://127.0.0.1.evil.example", true),
        ("sec-fetch-site", "same-origin", false),
        ("sec-fetch-site", "none", false),
        ("sec-fetch-site", "same-site", true),
        ("sec-fetch-site", "cross-site", true),
    ] {
        let answer = with_headers(&client, CERTIFICATE, &[("cookie", &cookie), (name, value)]).await;
        if foreign {
            answer.envelope_error(403, "KER-ATH-403");
            answer.assert_hides("evil");
        } else {
            assert_eq!(answer.status, 200, "{name}: {value}: {answer:?}");
        }
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{name}: {value}");
        // No browser adds this header by itself.
        let answer = with_headers(&client, CERTIFICATE, &[("authorization", &bearer), (name, value)]).await;
        assert_eq!(answer.status, 200, "{name}: {value}: {answer:?}");
    }
}

#[tokio::test]
async fn the_old_way_to_a_token_gives_it_in_header_and_cookie_and_not_in_the_body() {
    let shared = shared();
    let nobody = shared.server.http();
    let request = json!({
        "id": "string", "version": "string", "requesttime": "2026-01-05T10:11:12.123Z", "metadata": {},
        "request": { "clientId": "administrator", "secretKey": shared.server.secret, "appId": "admin" },
    });
    let answer = nobody.post("/v1/authmanager/authenticate/clientidsecretkey", &request).await;
    assert_eq!(
        *answer.response(),
        json!({
            "status": "success",
            "message": "Clientid and Token combination had been validated successfully",
        })
    );
    let token = answer.headers["authorization"].to_str().unwrap().to_owned();
    assert!(!answer.text.contains(&token) && !answer.text.contains(&shared.server.secret));
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let attributes: Vec<_> = cookie.split("; ").collect();
    assert_eq!(attributes[0], format!("Authorization={token}"));
    assert_eq!(sorted(attributes[1..].to_vec()), ["HttpOnly", "Max-Age=900", "Path=/", "SameSite=Strict"]);
    let made = nobody.bearing(&token).new_client(&["encryptor"]).await;
    assert_eq!(made.get(CERTIFICATE).await.status, 200);

    // And the standard way, by form (see the harness) or Basic.
    let basic = openssl::base64::encode_block(format!("administrator:{}", shared.server.secret).as_bytes());
    let request = nobody
        .request(Method::POST, "/oauth2/token")
        .header("authorization", format!("Basic {}", basic.replace('\n', "")))
        .form(&[("grant_type", "client_credentials")]);
    let answer = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(sorted(names(&answer.body)), ["access_token", "expires_in", "token_type"]);
    assert_eq!((&answer.body["expires_in"], &answer.body["token_type"]), (&json!(900), &json!("Bearer")));
    assert_eq!(answer.headers["cache-control"], "no-store");
}

/// A client `packets`, known by its certificate, on another port of the server. Its certificate lasts for two days of the
/// system's clock.
async fn by_certificate(running: &Running, settings: &Settings, administrator: &Http) -> Http {
    let made =
        administrator.post("/v1/clients", &json!({ "clientId": "packets", "roles": ["encryptor"] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let authority = Authority::new();
    let config = server_config(&authority.pem(), &authority.issue("kunji", &[]));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let (endpoint, limits) = (api::endpoint(&running.services, settings), settings.into());
    tokio::spawn(async move {
        let (_keep, latest) = tokio::sync::watch::channel(Arc::new(config));
        let never = std::future::pending();
        api::serve(listener, api::Carrier::Tls(latest), endpoint, limits, never).await
    });
    Http::over(&base, client_config(&authority.pem(), Some(&authority.issue("x", &["packets.svc"]))))
}

/// A server in this process, on a clock that the test moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_on_time() {
    let token = Token::create("access");
    let data_dir = tempfile::tempdir().unwrap();
    let environment = [
        ("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION"),
        ("KUNJI_TOKEN_LIFETIME_SECONDS", "900"),
        ("KUNJI_ISSUER", "http://kunji.test"),
    ];
    let mut settings = in_process::settings(data_dir.path(), &environment);
    settings.certificate_clients.insert("dns:packets.svc".to_owned(), "packets".to_owned());
    let clock = Arc::new(ManualClock::at(1_767_607_872_000));
    let (audit, database) = (in_process::trail(data_dir.path()), in_process::database().await);
    let repository = in_process::repository(&database).await;
    let token = Arc::new(token.open().await.unwrap());
    let ports = Ports {
        clock: Arc::<ManualClock>::clone(&clock),
        ..in_process::ports(data_dir.path(), audit, repository, token)
    };
    let running = app::start(&settings, ports).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
    let endpoint = api::endpoint(&running.services, &settings);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving =
        tokio::spawn(api::serve(listener, api::Carrier::Plain, endpoint, (&settings).into(), async {
            let _ = stopped.await;
        }));

    let secret = std::fs::read_to_string(data_dir.path().join("administrator-secret")).unwrap();
    let administrator = nobody.sign_in("administrator", secret.trim_end()).await;
    let client = administrator.new_client(&["encryptor"]).await;
    let packets = by_certificate(&running, &settings, &administrator).await;
    assert_eq!(packets.get(CERTIFICATE).await.status, 200);
    let cookie = format!("Authorization={}", client.token().unwrap());
    let answers = || async {
        let by_cookie = with_headers(&client, CERTIFICATE, &[("cookie", &cookie)]).await;
        (client.get(CERTIFICATE).await, by_cookie)
    };
    for seconds in [0, 450, 449] {
        clock.advance_seconds(seconds);
        let (by_header, by_cookie) = answers().await;
        assert_eq!((by_header.status.as_u16(), by_cookie.status.as_u16()), (200, 200), "after {seconds}");
    }
    // One that is first seen when it is over, too.
    let unseen = administrator.clone();
    // And one that was good when the request began.
    let request = json!({ "clientId": "slow", "roles": ["signer"] });
    let parked = Parked::json(&administrator, "/v1/clients", &request).await;
    clock.advance_seconds(1);
    parked.end().await.problem(401, "access.unauthenticated");
    for _ in 0..2 {
        let (by_header, by_cookie) = answers().await;
        by_header.envelope_error(401, "KER-ATH-401");
        by_cookie.envelope_error(401, "KER-ATH-401");
        let body: Value = json!({ "clientId": "late", "roles": ["signer"] });
        unseen.post("/v1/clients", &body).await.problem(401, "access.unauthenticated");
    }
    // A new one opens again, also when the key that signs tokens is renewed meanwhile: its successor is published
    // for a day before it signs, and stays published until its last token has ended.
    let published = || async {
        let keys = nobody.get("/.well-known/jwks.json").await;
        assert_eq!(keys.headers["cache-control"], "max-age=3600");
        let keys = keys.body["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let sign_in = || async {
        let again = nobody.sign_in("administrator", secret.trim_end()).await;
        again.new_client(&["encryptor"]).await.get(CERTIFICATE).await.response();
        let header = again.token().unwrap().split('.').next().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&unb64(&json!(header))).unwrap();
        (again, header["kid"].as_str().unwrap().to_owned())
    };
    let (_, first) = sign_in().await;
    assert_eq!(published().await, std::slice::from_ref(&first));
    clock.advance_days(1_040);
    let (_, signing) = sign_in().await;
    let keys = published().await;
    assert_eq!((keys.len(), &keys[1]), (2, &first));
    assert_eq!(signing, first, "a key signs that nobody has seen yet");
    clock.advance_seconds(86_400 - 60);
    let (early, signing) = sign_in().await;
    assert_eq!(signing, first);
    clock.advance_seconds(60);
    let (_, signing) = sign_in().await;
    assert_eq!(signing, keys[0]);
    assert_eq!(early.get("/v1/clients").await.status, 200);
    clock.advance_days(1_040);
    let (_, signing) = sign_in().await;
    let next = published().await;
    assert_eq!((next.len(), &next[1], &signing), (2, &keys[0], &keys[0]), "{next:?}");

    // A certificate, too, ends for a server that took it when it was shown.
    clock.advance_days(36_500);
    packets.get(CERTIFICATE).await.envelope_error(401, "KER-ATH-401");

    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), serving).await.unwrap().unwrap().unwrap();
}
