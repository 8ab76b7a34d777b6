//! What becomes of clients after they were made, over HTTP: secrets, roles, and the tokens that end with them; on every
//! server of a database.

use std::time::{Duration, Instant};

use kunji_tests::{
    http::{Answer, Http},
    refusals::{names, sorted},
    site::{Shared, Site, shared},
    surreal_server::SurrealServer,
};
use reqwest::Method;
use serde_json::{Value, json};

const CERTIFICATE: &str = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";

async fn administrator(shared: &Shared) -> Http {
    shared.server.http().sign_in("administrator", &shared.server.secret).await
}

/// Makes a client, and returns its id and secret.
async fn make(administrator: &Http, roles: &[&str]) -> (String, String) {
    let id = format!("change-{}", uuid::Uuid::new_v4());
    let answer = administrator.post("/v1/clients", &json!({ "clientId": id, "roles": roles })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(sorted(names(&answer.body)), ["clientId", "clientSecret"]);
    (id, answer.body["clientSecret"].as_str().unwrap().to_owned())
}

async fn send(
    client: &Http,
    method: Method,
    path: &str,
    if_match: Option<&str>,
    body: Option<Value>,
) -> Answer {
    let mut request = client.request(method, path);
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// Whether the token still opens a door.
async fn is_good(client: &Http) -> bool {
    let answer = client.get(CERTIFICATE).await;
    match answer.status.as_u16() {
        200 => true,
        401 => {
            answer.envelope_error(401, "KER-ATH-401");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

/// Whether the secret opens a door; asked from an address of its own, for wrong ones use up what an address may fail.
async fn takes_token(nobody: &Http, id: &str, secret: &str) -> bool {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    let answer =
        Answer::read(nobody.request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap()).await;
    match answer.status.as_u16() {
        200 => true,
        401 => {
            assert_eq!(answer.body["error"], "invalid_client", "{answer:?}");
            false
        }
        _ => panic!("{answer:?}"),
    }
}

fn tag(answer: &Answer) -> &str {
    answer.headers["etag"].to_str().unwrap()
}

#[tokio::test]
async fn clients_are_read_one_by_one_and_page_by_page() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let (id, secret) = make(&administrator, &["signer", "encryptor"]).await;
    let answer = administrator.get(&format!("/v1/clients/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        sorted(names(&answer.body)),
        ["clientId", "createdAt", "createdBy", "disabledAt", "formerSecretsUntil", "roles"]
    );
    assert_eq!(answer.body["clientId"], json!(id));
    assert_eq!(answer.body["roles"], json!(["encryptor", "signer"]));
    assert_eq!(answer.body["createdBy"], "administrator");
    assert!(answer.body["disabledAt"].is_null() && answer.body["formerSecretsUntil"].is_null());
    answer.assert_hides(&secret);
    answer.assert_hides("argon2");

    for _ in 0..3 {
        make(&administrator, &["signer"]).await;
    }
    let mut found: Vec<Value> = Vec::new();
    let mut path = "/v1/clients?limit=2".to_owned();
    loop {
        let page = administrator.get(&path).await;
        assert_eq!((page.status.as_u16(), sorted(names(&page.body))), (200, vec!["clients", "next"]));
        let clients = page.body["clients"].as_array().unwrap();
        assert!(clients.len() <= 2);
        found.extend(clients.iter().map(|client| client["clientId"].clone()));
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/clients?limit=2&after={next}"),
            None => break,
        }
    }
    assert!(found.len() >= 5 && found.contains(&json!(id)) && found.contains(&json!("administrator")));
    assert!(found.is_sorted_by(|a, b| a.as_str() < b.as_str()), "{found:?}");
    let whole = administrator.get("/v1/clients?limit=1000").await;
    assert!(whole.body["next"].is_null());

    administrator.get("/v1/clients/nobody").await.problem(404, "client.not_found");
    administrator.get("/v1/clients/no%20body").await.problem(404, "client.not_found");
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=x"] {
        administrator.get(&format!("/v1/clients?{query}")).await.problem(400, "request.invalid");
    }
    administrator.get("/v1/clients?after=a%2Fb").await.problem(404, "client.not_found");
}

#[tokio::test]
async fn a_disabled_client_and_its_tokens_open_nothing() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let nobody = shared.server.http();
    let (id, secret) = make(&administrator, &["encryptor"]).await;
    let client = nobody.sign_in(&id, &secret).await;
    assert!(is_good(&client).await);
    for _ in 0..2 {
        let answer =
            send(&administrator, Method::POST, &format!("/v1/clients/{id}/disable"), None, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body["disabledAt"].is_string(), "{answer:?}");
        // The server that was told obeys at once.
        assert!(!is_good(&client).await);
        assert!(!takes_token(&nobody, &id, &secret).await);
    }
    for _ in 0..2 {
        let answer =
            send(&administrator, Method::POST, &format!("/v1/clients/{id}/enable"), None, None).await;
        assert_eq!((answer.status.as_u16(), &answer.body["disabledAt"]), (200, &Value::Null), "{answer:?}");
        assert!(!is_good(&client).await, "a token came back with its client");
        assert!(is_good(&nobody.sign_in(&id, &secret).await).await);
    }
    // A request that is still under way when its client is disabled does not undo that.
    let own = send(&administrator, Method::POST, "/v1/clients/administrator/enable", None, None).await;
    own.problem(409, "client.own");
    let log = shared.site.log();
    assert!(log.contains("token ended with its client") && log.contains("the client is disabled"), "{log}");
}

#[tokio::test]
async fn a_deleted_client_takes_its_tokens_along_also_when_another_gets_its_name() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let nobody = shared.server.http();
    let (id, secret) = make(&administrator, &["encryptor"]).await;
    let path = format!("/v1/clients/{id}");
    let client = nobody.sign_in(&id, &secret).await;
    let old_tag = tag(&administrator.get(&path).await).to_owned();
    let answer = send(&administrator, Method::DELETE, &path, None, None).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{answer:?}");
    assert!(!is_good(&client).await && !takes_token(&nobody, &id, &secret).await);
    administrator.get(&path).await.problem(404, "client.not_found");
    send(&administrator, Method::DELETE, &path, None, None).await.problem(404, "client.not_found");

    let answer = administrator.post("/v1/clients", &json!({ "clientId": id, "roles": ["encryptor"] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(!is_good(&client).await && !takes_token(&nobody, &id, &secret).await);
    let refused = send(&administrator, Method::DELETE, &path, Some(&old_tag), None).await;
    refused.problem(412, "client.changed");
    assert!(is_good(&nobody.sign_in(&id, answer.body["clientSecret"].as_str().unwrap()).await).await);
}

#[tokio::test]
async fn roles_change_for_those_who_know_the_state() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let nobody = shared.server.http();
    let (id, secret) = make(&administrator, &["encryptor", "decryptor"]).await;
    let (client, roles) = (format!("/v1/clients/{id}"), format!("/v1/clients/{id}/roles"));
    let before = nobody.sign_in(&id, &secret).await;
    let put = |tag: Option<String>, body: Value| {
        let (administrator, roles) = (administrator.clone(), roles.clone());
        async move { send(&administrator, Method::PUT, &roles, tag.as_deref(), Some(body)).await }
    };
    let first = tag(&administrator.get(&client).await).to_owned();
    put(None, json!({ "roles": ["encryptor"] })).await.problem(428, "request.precondition_required");
    put(Some("\"0-0\"".to_owned()), json!({ "roles": ["encryptor"] })).await.problem(412, "client.changed");
    for roles in [json!([]), json!(["root"])] {
        put(Some(first.clone()), json!({ "roles": roles })).await.problem(422, "client.invalid");
    }
    assert!(is_good(&before).await, "a refused change ended tokens");
    // What changes nothing ends nothing.
    let same = put(Some(first.clone()), json!({ "roles": ["decryptor", "encryptor", "decryptor"] })).await;
    assert_eq!((same.status.as_u16(), tag(&same)), (200, first.as_str()), "{same:?}");
    assert!(is_good(&before).await);

    let changed = put(Some(first.clone()), json!({ "roles": ["encryptor"] })).await;
    assert_eq!(
        (changed.status.as_u16(), &changed.body["roles"]),
        (200, &json!(["encryptor"])),
        "{changed:?}"
    );
    assert!(!is_good(&before).await);
    let after = nobody.sign_in(&id, &secret).await;
    assert!(is_good(&after).await);
    after.call("/decrypt", json!({})).await.envelope_error(403, "KER-ATH-403");
    put(Some(first), json!({ "roles": ["signer"] })).await.problem(412, "client.changed");
    assert_eq!(tag(&changed), tag(&administrator.get(&client).await));
    let any = put(Some("*".to_owned()), json!({ "roles": ["signer"] })).await;
    assert_eq!(any.body["roles"], json!(["signer"]), "{any:?}");
}

#[tokio::test]
async fn a_secret_is_replaced_in_peace_or_at_once() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let nobody = shared.server.http();
    let (id, first) = make(&administrator, &["encryptor"]).await;
    let path = format!("/v1/clients/{id}/secret");
    let rotate = |body: Value| {
        let (administrator, path) = (administrator.clone(), path.clone());
        async move { send(&administrator, Method::POST, &path, None, Some(body)).await }
    };
    let secret = |answer: &Answer| answer.body["clientSecret"].as_str().unwrap().to_owned();
    let client = nobody.sign_in(&id, &first).await;
    let answer = rotate(json!({ "overlapSeconds": 3600 })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(sorted(names(&answer.body)), ["clientId", "clientSecret", "formerSecretsUntil"]);
    let second = secret(&answer);
    assert!(second.len() >= 43 && second != first);
    // Should the answer be lost, another one may be asked for, and nobody is locked out.
    let answer = rotate(json!({})).await;
    let third = secret(&answer);
    for secret in [&first, &second, &third] {
        assert!(takes_token(&nobody, &id, secret).await);
    }
    assert!(is_good(&client).await);
    rotate(json!({ "overlapSeconds": 1 })).await.problem(409, "client.secrets_in_force");
    rotate(json!({ "overlapSeconds": 2_592_001 })).await.problem(422, "client.invalid");
    rotate(json!({ "overlapSeconds": -1 })).await.problem(400, "request.invalid");
    // One that has leaked.
    let answer = rotate(json!({ "overlapSeconds": 0 })).await;
    assert!(answer.body["formerSecretsUntil"].is_null(), "{answer:?}");
    let fourth = secret(&answer);
    assert!(!is_good(&client).await);
    for secret in [&first, &second, &third] {
        assert!(!takes_token(&nobody, &id, secret).await);
    }
    assert!(is_good(&nobody.sign_in(&id, &fourth).await).await);
    // A short overlap ends by itself.
    let answer = rotate(json!({ "overlapSeconds": 1 })).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while takes_token(&nobody, &id, &fourth).await {
        assert!(Instant::now() < deadline, "a former secret does not end");
    }
    assert!(takes_token(&nobody, &id, &secret(&answer)).await);
    let log = shared.site.log();
    for secret in [&first, &second, &third, &fourth] {
        assert!(!log.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT");
    let server = site.start();
    let nobody = server.http();
    let administrator = nobody.sign_in("administrator", &server.secret).await;
    make(&administrator, &["signer"]).await;
    let path = "/v1/clients/administrator";
    let roles = || Some(json!({ "roles": ["signer"] }));
    let attempts = || {
        [
            (Method::DELETE, path.to_owned(), None),
            (Method::POST, format!("{path}/disable"), None),
            (Method::PUT, format!("{path}/roles"), roles()),
        ]
    };
    for (method, path, body) in attempts() {
        let answer = send(&administrator, method, &path, Some("*"), body).await;
        answer.problem(409, "client.last_administrator");
    }
    // One that is disabled does not count.
    let (other, secret) = make(&administrator, &["administrator", "signer"]).await;
    let answer =
        send(&administrator, Method::POST, &format!("/v1/clients/{other}/disable"), None, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (method, path, body) in attempts() {
        let answer = send(&administrator, method, &path, Some("*"), body).await;
        answer.problem(409, "client.last_administrator");
    }
    let answer = send(&administrator, Method::POST, &format!("/v1/clients/{other}/enable"), None, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let other_administrator = nobody.sign_in(&other, &secret).await;
    // Two who remove each other at the same time: one of them stays.
    let (delete, disable) = (format!("/v1/clients/{other}"), format!("{path}/disable"));
    let (first, second) = tokio::join!(
        send(&administrator, Method::DELETE, &delete, None, None),
        send(&other_administrator, Method::POST, &disable, None, None),
    );
    let done = [&first, &second].map(|answer| answer.status.is_success());
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{first:?} {second:?}");
    let left = if done[0] {
        nobody.sign_in("administrator", &server.secret).await
    } else {
        nobody.sign_in(&other, &secret).await
    };
    assert_eq!(left.get("/v1/clients").await.status, 200);

    let trail = std::fs::read_dir(site.data_dir().join("audit")).unwrap().map(|file| file.unwrap().path());
    let segments = trail.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("events-"));
    let trail: String = segments.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let event = trail.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let disabled: Vec<_> = event.filter(|event| event["operation"] == "client.disable").collect();
    assert!(disabled.iter().any(|event| event["client"] == json!(other) && event["outcome"] == "succeeded"));
    assert!(disabled.iter().any(|event| event["code"] == "client.last_administrator"), "{disabled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_of_a_database_obeys_within_two_seconds() {
    let database_server = SurrealServer::shared().unwrap();
    let database = database_server.create_database().await.unwrap();
    let site = Site::new();
    let password = site.path().join("database-password");
    std::fs::write(&password, &database.password).unwrap();
    let site = site
        .with("KUNJI_KEYS", "ROOT,REGISTRATION")
        .with("KUNJI_DATABASE_URL", database_server.url())
        .with("KUNJI_DATABASE_NAMESPACE", &database.namespace)
        .with("KUNJI_DATABASE_NAME", &database.database)
        .with("KUNJI_DATABASE_USER", &database.user)
        .with("KUNJI_DATABASE_PASSWORD_FILE", password.to_str().unwrap());
    let first = site.start();
    let mut command = site.command();
    command.env("KUNJI_DATA_DIR", site.path().join("second"));
    let second = site.start_command(command);
    let administrator = first.http().sign_in("administrator", &first.secret).await;
    let (id, secret) = make(&administrator, &["encryptor"]).await;
    let changes = [
        (Method::POST, "/disable", None),
        (Method::POST, "/enable", None),
        (Method::PUT, "/roles", Some(json!({ "roles": ["encryptor", "signer"] }))),
        (Method::POST, "/secret", Some(json!({ "overlapSeconds": 0 }))),
    ];
    let mut secret = secret;
    for (method, below, body) in changes {
        if below == "/enable" {
            send(&administrator, method, &format!("/v1/clients/{id}{below}"), None, None).await;
            continue;
        }
        // Tokens of either server, known to the second one and not.
        let (seen, unseen) =
            (first.http().sign_in(&id, &secret).await, second.http().sign_in(&id, &secret).await);
        let on_second = |token: &Http| second.http().bearing(token.token().unwrap());
        assert!(is_good(&on_second(&seen)).await);
        let answer = send(&administrator, method, &format!("/v1/clients/{id}{below}"), Some("*"), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let done = Instant::now();
        while is_good(&on_second(&seen)).await {
            assert!(done.elapsed() < Duration::from_secs(2), "{below} is not obeyed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!is_good(&on_second(&unseen)).await && !is_good(&seen).await);
        if let Some(new) = answer.body["clientSecret"].as_str() {
            new.clone_into(&mut secret);
        }
    }
    // One that starts now knows it too.
    let ended = first.http().sign_in(&id, &secret).await;
    assert!(is_good(&ended).await);
    send(&administrator, Method::DELETE, &format!("/v1/clients/{id}"), None, None).await;
    let mut command = site.command();
    command.env("KUNJI_DATA_DIR", site.path().join("third"));
    let third = site.start_command(command);
    assert!(!is_good(&third.http().bearing(ended.token().unwrap())).await);
}
