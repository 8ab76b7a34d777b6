//! What is recorded, and what an auditor finds.

use kunji_tests::http::{Answer, Http};
use reqwest::Method;
use serde_json::{Value, json};

use crate::trail::{APPLICATION, Export, REFERENCE, administrator, auditor, client, decrypt, site};

fn of<'a>(events: &'a [Value], operation: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["operation"] == operation).collect()
}

#[tokio::test]
async fn success_and_failure_denial_start_and_stop_are_events() {
    let site = site();
    let server = site.start();
    decrypt(&server).await;
    let (id, secret) = client(&server, &["decryptor"]).await;
    let decryptor = server.http().sign_in(&id, &secret).await;
    let nonsense = json!({
        "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": kunji_tests::http::b64([7; 700]),
    });
    let failed = decryptor.call("/decrypt", nonsense).await;
    assert!(!failed.error_code().is_empty());
    // Turned away at the door: no role, no token, a token that is none, a wrong secret.
    decryptor
        .post("/v1/clients", &json!({ "clientId": "x", "roles": ["signer"] }))
        .await
        .problem(403, "access.forbidden");
    for _ in 0..50 {
        server.http().get("/v1/audit/events").await.problem(401, "access.unauthenticated");
    }
    server.http().bearing("planted.token.value").get("/v1/audit/status").await;
    let form = [("grant_type", "client_credentials"), ("client_id", "nobody"), ("client_secret", "planted")];
    server.http().request(Method::POST, "/oauth2/token").form(&form).send().await.unwrap();
    server.stop();
    // The log has fifty of one kind once.
    let log = site.log();
    let refused = log.lines().filter(|line| line.contains("no token") && line.contains("refused"));
    assert_eq!(refused.count(), 1, "{log}");

    let server = site.start();
    let export = Export::of(&auditor(&server).await);
    assert!(export.verify(&[]).0);
    let events = export.events();
    for (at, event) in (1_u64..).zip(&events) {
        assert_eq!(event["sequence"], at);
        assert!(event["time"].is_string() && event["outcome"].is_string(), "{event}");
    }
    let starts = of(&events, "server.start");
    assert_eq!((starts.len(), events[0]["operation"].as_str()), (2, Some("server.start")));
    assert_eq!(starts[0]["details"]["settings"]["rsa_bits"], 2048);
    assert_eq!(starts[0]["details"]["settings"]["keys"], "ROOT,KERNEL/SIGN,REGISTRATION");
    assert_eq!(of(&events, "server.stop").len(), 1);
    let opened = of(&events, "packet.decrypt");
    assert_eq!(
        (opened[0]["outcome"].as_str(), opened[1]["outcome"].as_str()),
        (Some("succeeded"), Some("failed"))
    );
    let first = opened[0];
    assert_eq!((&first["application"], &first["reference"]), (&json!(APPLICATION), &json!(REFERENCE)));
    assert!(first["microseconds"].as_u64().unwrap() > 0 && first["keyId"].is_string(), "{first}");
    assert!(first["requestId"].is_string() && first["address"] == "127.0.0.1", "{first}");
    assert!(opened[1]["code"].is_string() && opened[1]["principal"] == json!(id), "{}", opened[1]);
    let made = of(&events, "client.create");
    assert!(made.iter().any(|event| event["client"] == json!(id)), "{made:?}");
    assert_eq!(made[1]["outcome"], "succeeded");
    let forbidden = events.iter().find(|event| event["code"] == "access.forbidden").unwrap();
    assert_eq!((&forbidden["operation"], &forbidden["principal"]), (&json!("client.create"), &json!(id)));
    assert_eq!(forbidden["outcome"], "refused");
    // Fifty of one kind are two events.
    let missing: Vec<_> = events.iter().filter(|event| event["code"] == "access.token_missing").collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(missing[1]["details"]["count"], 49);
    assert!(events.iter().any(|event| event["code"] == "access.token_invalid"));
    assert!(
        events.iter().any(|event| event["operation"] == "token.issue" && event["code"] == "client.invalid")
    );
}

#[tokio::test]
async fn what_was_granted_and_what_was_there_before_is_told() {
    let site = site();
    let server = site.start();
    let administrator = administrator(&server).await;
    let (id, _) = client(&server, &["signer", "encryptor"]).await;
    let send = async |method, path: &str, condition: [&str; 2], body: Value| {
        let request = administrator.request(method, path).header(condition[0], condition[1]);
        let answer = Answer::read(request.json(&body).send().await.unwrap()).await;
        assert!(answer.status.is_success(), "{answer:?}");
    };
    let any = ["if-match", "*"];
    let roles = json!({ "roles": ["decryptor"] });
    send(Method::PUT, &format!("/v1/clients/{id}/roles"), any, roles).await;
    for call in ["disable", "enable"] {
        send(Method::POST, &format!("/v1/clients/{id}/{call}"), any, json!({})).await;
    }
    let path = "/v1/access/policies/granted";
    let policy = |keys: Vec<String>| json!({ "effect": "allow", "principals": ["x"], "operations": ["packet.decrypt"], "keys": keys });
    let few = vec!["REGISTRATION/1".to_owned()];
    send(Method::PUT, path, ["if-none-match", "*"], policy(few.clone())).await;
    let many = (0..200).map(|number| format!("REGISTRATION/{number}")).collect();
    send(Method::PUT, path, any, policy(many)).await;
    send(Method::DELETE, path, any, Value::Null).await;

    let events = Export::of(&auditor(&server).await).events();
    let about = |operation: &str| -> Value {
        let mut events = events.iter().filter(|event| event["operation"] == operation);
        events.find(|event| event["client"] == json!(id)).unwrap()["details"].clone()
    };
    assert_eq!(about("client.create"), json!({ "roles": ["encryptor", "signer"] }));
    assert_eq!(
        about("client.change_roles"),
        json!({ "roles": ["decryptor"], "before": ["encryptor", "signer"] })
    );
    assert_eq!(about("client.enable"), json!({ "roles": ["decryptor"] }));
    let changes: Vec<&Value> = of(&events, "access.change").iter().map(|event| &event["details"]).collect();
    let [first, second, removed] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((&first["content"]["keys"], &first["replaced"]), (&json!(few), &Value::Null));
    assert_eq!((&first["content"]["effect"], &second["replaced"]), (&json!("allow"), &first["revision"]));
    // What is long stands by its hash.
    assert_eq!(second["content"]["sha256"].as_str().unwrap().len(), 64, "{second}");
    assert_eq!(
        (&removed["replaced"], &removed["change"]),
        (&second["revision"], &json!("remove")),
        "{removed}"
    );
}

#[tokio::test]
async fn an_auditor_searches_and_follows() {
    let site = site();
    let server = site.start();
    decrypt(&server).await;
    let operator = auditor(&server).await;
    let found = operator.run(&["audit", "search", "--operation", "packet.*", "--application", APPLICATION]);
    assert!(found.success && found.stdout.lines().count() == 1, "{found:?}");
    assert!(
        found.stdout.contains("packet.decrypt") && found.stdout.contains("REGISTRATION/10001_110011"),
        "{found:?}"
    );
    let none = operator.run(&["audit", "search", "--application", APPLICATION, "--reference", "other"]);
    assert!(none.success && none.stdout.is_empty(), "{none:?}");
    let tail = operator.run(&["audit", "tail", "-n", "3", "--json"]);
    let lines: Vec<Value> = tail.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), lines[2]["operation"].as_str()), (3, Some("token.issue")), "{tail:?}");
    let status = operator.json(&["audit", "status"]);
    assert_eq!(
        (&status["server"], &status["spooled"], &status["first"]),
        (&json!("one"), &json!(0), &json!(1))
    );
    assert_eq!(status["checkpointsFailing"], false);

    // Pages meet, in both directions.
    let (id, secret) = client(&server, &["auditor"]).await;
    let http = server.http().sign_in(&id, &secret).await;
    let last = http.get("/v1/audit/status").await.body["last"].as_u64().unwrap();
    for order in ["newest", "oldest"] {
        let mut numbers = Vec::new();
        let mut from = String::new();
        loop {
            let page = http.get(&format!("/v1/audit/events?order={order}&limit=7&until=2999{from}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let events = page.body["events"].as_array().unwrap();
            numbers.extend(events.iter().map(|event| event["sequence"].as_u64().unwrap()));
            let Some(next) = page.body["next"].as_u64() else { break };
            from = format!("&from={next}");
            if numbers.len() > 10_000 {
                break;
            }
        }
        numbers.sort_unstable();
        let expected: Vec<_> = (1..=last).collect();
        assert_eq!(numbers[..expected.len()], expected, "{order}");
        numbers.dedup();
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{order}: {numbers:?}");
    }
    for query in
        ["since=yesterday", "outcome=perhaps", "reference=x", "limit=0", "limit=5000", "from=x", "order=x"]
    {
        let answer = http.get(&format!("/v1/audit/events?{query}")).await;
        answer.problem(400, "request.invalid");
    }
    follows(&http, &server).await;
}

/// Each event comes as it happens.
async fn follows(http: &Http, server: &kunji_tests::site::Server) {
    let mut stream = http
        .request(Method::GET, "/v1/audit/events/stream?operation=client.create&last=0")
        .send()
        .await
        .unwrap();
    let (id, _) = client(server, &["signer"]).await;
    let mut text = String::new();
    while !text.contains(&id) {
        let piece = tokio::time::timeout(std::time::Duration::from_secs(20), stream.chunk()).await.unwrap();
        text += std::str::from_utf8(&piece.unwrap().unwrap()).unwrap();
    }
    let event: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(event["operation"], "client.create");
}

#[tokio::test]
async fn references_that_name_persons_stand_by_pseudonyms() {
    let site = site().with("KUNJI_AUDIT_PSEUDONYMOUS_REFERENCES", "REGISTRATION/person-*");
    let server = site.start();
    let (id, secret) = client(&server, &["encryptor"]).await;
    let encryptor = server.http().sign_in(&id, &secret).await;
    encryptor.certificate(APPLICATION, "person-9876543210").await;
    encryptor.certificate(APPLICATION, REFERENCE).await;
    let operator = auditor(&server).await;
    let export = Export::of(&operator);
    assert!(export.verify(&[]).0);
    let text = export.lines().join("\n");
    assert!(!text.contains("9876543210") && text.contains(REFERENCE));
    let search =
        ["audit", "search", "--application", APPLICATION, "--reference", "person-9876543210", "--json"];
    let found = operator.run(&search).stdout;
    assert_eq!(found.lines().count(), 2, "{found}");
    let pseudonym =
        serde_json::from_str::<Value>(found.lines().next().unwrap()).unwrap()["reference"].clone();
    assert!(pseudonym.as_str().unwrap().starts_with('~'));
    server.stop();
    // The key lasts.
    let server = site.start();
    let encryptor = server.http().sign_in(&id, &secret).await;
    encryptor.certificate(APPLICATION, "person-9876543210").await;
    let found = auditor(&server).await.run(&search).stdout;
    assert_eq!(found.matches(pseudonym.as_str().unwrap()).count(), 3, "{found}");
}

#[tokio::test]
async fn nobody_else_reads_the_trail() {
    let site = site();
    let server = site.start();
    let administrator = administrator(&server).await;
    for path in ["/v1/audit/events", "/v1/audit/events/stream", "/v1/audit/export", "/v1/audit/status"] {
        administrator.get(path).await.problem(403, "access.forbidden");
        server.http().get(path).await.problem(401, "access.unauthenticated");
    }
}
