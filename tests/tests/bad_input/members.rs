//! Members that are missing, null, of another type, or given twice; and members that nobody knows.

use kunji_tests::http::{Answer, Http};
use serde_json::{Value, json};

use crate::{
    operations::{Kind, Member, Operation, operations},
    witness::{PLANTED, Witness},
};

/// The operation's request with one member replaced, or removed.
fn with(operation: &Operation, name: &str, value: Option<Value>) -> Value {
    let mut request = operation.request.clone();
    match value {
        Some(value) => request[name] = value,
        None => {
            request.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    json!({ "id": "an id", "version": "v1", "requesttime": null, "metadata": {}, "request": request })
}

async fn send(client: &Http, operation: &Operation, body: &Value) -> Answer {
    client.post(operation.path, body).await
}

#[tokio::test]
async fn required_members_are_asked_for_by_their_name() {
    let witness = Witness::new().await;
    for operation in operations() {
        for member in operation.members.iter().filter(|member| member.required) {
            let blank = (member.kind != Kind::Time).then(|| json!(" \t"));
            for value in [None, Some(Value::Null), Some(json!(""))].into_iter().chain(blank.map(Some)) {
                let answer = send(&witness.client, &operation, &with(&operation, member.name, value)).await;
                let text = answer.envelope_error(200, "KER-KMS-005");
                assert_eq!(text, format!("request.{} should not be null or empty", member.name));
                assert_eq!((&answer.body["id"], &answer.body["version"]), (&json!("an id"), &json!("v1")));
            }
        }
        // All at once are named at once.
        let answer = send(&witness.client, &operation, &json!({ "request": {} })).await;
        let expected = operation.members.iter().filter(|member| member.required).count();
        assert_eq!(answer.envelope_errors(200).len(), expected, "{answer:?}");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn optional_members_may_be_null_or_absent() {
    let witness = Witness::new().await;
    let operations = operations();
    let operation = operations.iter().find(|operation| operation.path.ends_with("/jwtSign")).unwrap();
    for member in operation.members.iter().filter(|member| !member.required) {
        for value in [None, Some(Value::Null)] {
            let answer = send(&witness.client, operation, &with(operation, member.name, value)).await;
            assert!(answer.response()["jwtSignedData"].is_string(), "{member:?}");
        }
    }
    // Blank salt and aad are not absent ones.
    for path in ["/encrypt", "/decrypt"] {
        let operation = operations.iter().find(|operation| operation.path.ends_with(path)).unwrap();
        for name in ["salt", "aad"] {
            for blank in ["", "  "] {
                let body = with(operation, name, Some(json!(blank)));
                let answer = send(&witness.client, operation, &body).await;
                let text = answer.envelope_error(200, "KER-KMS-005");
                assert_eq!(text, format!("request.{name} should not be null or empty"));
            }
        }
    }
    witness.assert_unchanged().await;
}

/// Values that the member cannot have, with the code that tells of them.
fn wrong_values(member: &Member) -> Vec<(Value, &'static str)> {
    let mut values = vec![json!(498_765), json!(-1.5), json!([PLANTED])];
    if !matches!(member.kind, Kind::Texts | Kind::Things) {
        values.push(json!({ PLANTED: PLANTED }));
    }
    match member.kind {
        Kind::Things => values.extend([json!(true), json!(PLANTED)]),
        Kind::Texts => values.extend([json!(true), json!(PLANTED), json!({ PLANTED: 498_765 })]),
        Kind::Flag => values.extend([json!(PLANTED), json!("true"), json!(1)]),
        Kind::Text | Kind::Base64 => values.push(json!(true)),
        Kind::Time => values.extend([
            json!(true),
            json!(PLANTED),
            json!(" "),
            json!("2026-13-05T10:11:12.123Z"),
            json!("2026-01-05"),
            json!([2026, 1, 5, 10]),
            json!([2026, 1, 5, 10, 11, 12, 0, 498_765]),
            json!([2026, 2, 30, 10, 11]),
            json!([2026, 1, 5, 10, "Pl4nt3d"]),
        ]),
    }
    let code = if member.kind == Kind::Time { "KER-KMS-006" } else { "KER-KMS-005" };
    values.into_iter().map(|value| (value, code)).collect()
}

#[tokio::test]
async fn members_of_another_type_are_refused_unseen() {
    let witness = Witness::new().await;
    for operation in operations() {
        for member in &operation.members {
            for (value, code) in wrong_values(member) {
                let body = with(&operation, member.name, Some(value));
                let answer = send(&witness.client, &operation, &body).await;
                answer.envelope_error(200, code);
                answer.assert_hides(PLANTED);
                answer.assert_hides("498765");
                assert_eq!(answer.body["id"], "an id", "{answer:?}");
            }
        }
        for request in [json!(PLANTED), json!(498_765), json!([operation.request]), json!(false)] {
            let answer = send(&witness.client, &operation, &json!({ "request": request })).await;
            answer.envelope_error(200, "KER-KMS-005");
            answer.assert_hides(PLANTED);
            answer.assert_hides("498765");
        }
        for body in [json!({}), json!({ "request": null }), json!({ "Request": operation.request })] {
            let answer = send(&witness.client, &operation, &body).await;
            assert_eq!(answer.envelope_error(200, "KER-KMS-005"), "request should not be null or empty");
        }
        for requesttime in [json!(498_765), json!(PLANTED), json!("2026-01-05"), json!({}), json!([2026])] {
            let body = json!({ "requesttime": requesttime, "request": operation.request });
            let answer = send(&witness.client, &operation, &body).await;
            answer.envelope_error(200, "KER-KMS-006");
            answer.assert_hides(PLANTED);
        }
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn known_members_given_twice_are_refused() {
    let witness = Witness::new().await;
    for operation in operations() {
        let request = operation.request.to_string();
        let inner = request.strip_suffix('}').unwrap();
        for member in &operation.members {
            let again = &operation.request[member.name];
            let body = format!("{{\"request\":{inner},\"{}\":{again}}}}}", member.name);
            let answer = witness.client.post_text(operation.path, body).await;
            let text = answer.envelope_error(200, "KER-KMS-005");
            assert!(text.contains("given twice"), "{text}");
        }
        for name in ["id", "version", "requesttime", "metadata"] {
            let body = format!("{{\"{name}\":null,\"request\":{request},\"{name}\":null}}");
            let answer = witness.client.post_text(operation.path, body).await;
            answer.envelope_error(200, "KER-KMS-005");
        }
        let body = format!("{{\"request\":{request},\"request\":{request}}}");
        witness.client.post_text(operation.path, body).await.envelope_error(200, "KER-KMS-005");
    }
    for body in [
        "{\"clientId\":\"a\",\"clientId\":\"a\",\"roles\":[\"signer\"]}",
        "{\"clientId\":\"a\",\"roles\":[\"signer\"],\"roles\":[\"signer\"]}",
    ] {
        let answer = witness.administrator.post_text("/v1/clients", body).await;
        answer.problem(400, "request.invalid");
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn unknown_members_are_ignored_wherever_they_stand() {
    let witness = Witness::new().await;
    let body = format!(
        "{{\"{PLANTED}\":1,\"{PLANTED}\":2,\"partnerId\":\"x\",\"request\":{{\"dataToSign\":\"YQ\",\"{PLANTED}\":{{\
         \"a\":[1e999,\"\\ud83d\"]}},\"{PLANTED}\":null,\"DATATOSIGN\":5}},\"Request\":7}}"
    );
    let answer = witness.client.post_text("/v1/keymanager/jwtSign", body).await;
    assert!(answer.response()["jwtSignedData"].is_string());
    answer.assert_hides(PLANTED);
    let query = format!("applicationId=ID_REPO&{PLANTED}={PLANTED}&timeStamp=2026-01-05T10:11:12.123Z");
    let answer = witness.client.get(&format!("/v1/keymanager/getCertificate?{query}")).await;
    assert!(answer.response()["certificate"].is_string());
    answer.assert_hides(PLANTED);
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn what_is_repeated_is_text_and_bounded() {
    let witness = Witness::new().await;
    let repeated = |id: Value| {
        let body = json!({ "id": id, "version": id, "request": { "dataToSign": "YQ" } });
        let client = &witness.client;
        async move {
            let answer = client.post("/v1/keymanager/jwtSign", &body).await;
            assert!(answer.response()["jwtSignedData"].is_string());
            assert_eq!(answer.body["id"], answer.body["version"]);
            answer.body["id"].clone()
        }
    };
    let longest = json!("é".repeat(256));
    assert_eq!(repeated(longest.clone()).await, longest);
    assert_eq!(repeated(json!("é".repeat(257))).await, Value::Null);
    assert_eq!(repeated(json!("a".repeat(1_000_000))).await, Value::Null);
    assert_eq!(repeated(json!("</script>\"\\\u{0}\r\n")).await, json!("</script>\"\\\u{0}\r\n"));
    for other in [json!(5), json!(true), json!([PLANTED]), json!({ PLANTED: 1 })] {
        assert_eq!(repeated(other).await, Value::Null);
    }
    witness.assert_unchanged().await;
}

#[tokio::test]
async fn clients_are_made_as_described_or_not_at_all() {
    let witness = Witness::new().await;
    let long = "a".repeat(65);
    for (body, status, code) in [
        (json!({}), 400, "request.invalid"),
        (json!({ "clientId": PLANTED }), 400, "request.invalid"),
        (json!({ "clientId": null, "roles": ["signer"] }), 400, "request.invalid"),
        (json!({ "clientId": PLANTED, "roles": null }), 400, "request.invalid"),
        (json!({ "clientId": PLANTED, "roles": "signer" }), 400, "request.invalid"),
        (json!({ "clientId": 498_765, "roles": ["signer"] }), 400, "request.invalid"),
        (json!({ "clientId": PLANTED, "roles": [498_765] }), 400, "request.invalid"),
        (json!({ "clientId": "", "roles": ["signer"] }), 422, "client.invalid"),
        (json!({ "clientId": long, "roles": ["signer"] }), 422, "client.invalid"),
        (json!({ "clientId": "Pl4nt3d/..", "roles": ["signer"] }), 422, "client.invalid"),
        (json!({ "clientId": "Pl4nt3d\u{0}", "roles": ["signer"] }), 422, "client.invalid"),
        (json!({ "clientId": PLANTED, "roles": [] }), 422, "client.invalid"),
        (json!({ "clientId": PLANTED, "roles": ["signer", PLANTED] }), 422, "client.invalid"),
        (json!({ "clientId": PLANTED, "roles": ["Administrator"] }), 422, "client.invalid"),
        (json!({ "clientId": "administrator", "roles": ["signer"] }), 409, "client.exists"),
    ] {
        let answer = witness.administrator.post("/v1/clients", &body).await;
        answer.problem(status, code);
        answer.assert_hides(PLANTED);
        answer.assert_hides("498765");
    }
    // None of them made the client.
    let answer =
        witness.administrator.post("/v1/clients", &json!({ "clientId": PLANTED, "roles": ["signer"] })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    witness.assert_unchanged().await;
}
