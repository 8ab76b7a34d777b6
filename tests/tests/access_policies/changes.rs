//! Reading, storing and removing policies, and asking them.

use kunji_tests::{
    http::{Answer, Http},
    site::shared,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{administrator, name_of};

async fn send(client: &Http, method: Method, name: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = client.request(method, &format!("/v1/access/policies/{name}")).json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

fn policy() -> Value {
    json!({
        "description": "Opens what came by night", "effect": "allow", "principals": ["nobody-at-all"],
        "operations": ["packet.decrypt"], "keys": ["REGISTRATION/*"], "hours": "22:00-06:00", "days": ["mon"],
        "networks": ["10.1.0.0/16"], "notBefore": "2026-01-05T10:11:12Z",
    })
}

#[tokio::test]
async fn a_change_names_the_revision_that_it_changes() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let put = |headers: &'static [(&str, &str)]| {
        let administrator = administrator.clone();
        async move { send(&administrator, Method::PUT, "night", headers, &policy()).await }
    };
    put(&[]).await.problem(428, "request.precondition_required");
    put(&[("if-match", "\"1\"")]).await.problem(412, "access.precondition_failed");
    let created = put(&[("if-none-match", "*")]).await;
    assert_eq!(created.status, 201, "{created:?}");
    put(&[("if-none-match", "*")]).await.problem(412, "access.precondition_failed");

    let read = administrator.get("/v1/access/policies/night").await;
    assert_eq!(read.body, created.body);
    for (member, value) in policy().as_object().unwrap() {
        assert_eq!(&read.body[member], value, "{member}");
    }
    assert_eq!((&read.body["enabled"], &read.body["changedBy"]), (&json!(true), &json!("administrator")));
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", read.body["revision"].as_str().unwrap()));

    let replaced = send(&administrator, Method::PUT, "night", &[("if-match", &tag)], &policy()).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    assert_ne!(replaced.headers["etag"], tag.as_str());
    let stale = send(&administrator, Method::DELETE, "night", &[("if-match", &tag)], &json!({})).await;
    stale.problem(412, "access.precondition_failed");
    let tag = replaced.headers["etag"].to_str().unwrap();
    let removed = send(&administrator, Method::DELETE, "night", &[("if-match", tag)], &json!({})).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    administrator.get("/v1/access/policies/night").await.problem(404, "access.policy_not_found");
    let again = send(&administrator, Method::DELETE, "night", &[("if-match", "*")], &json!({})).await;
    again.problem(404, "access.policy_not_found");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    for (member, value, code) in [
        ("effect", json!("permit"), "access.policy_invalid"),
        ("operations", json!(["packet.open"]), "access.policy_invalid"),
        ("keys", json!(["REGISTRATION"]), "access.policy_invalid"),
        ("keys", json!([]), "access.policy_invalid"),
        ("networks", json!(["here"]), "access.policy_invalid"),
        ("requests", json!(5), "access.policy_invalid"),
        ("hours", json!("nights"), "access.policy_invalid"),
        // A condition that nobody reads would not bound anything.
        ("netwroks", json!(["10.1.0.0/16"]), "request.invalid"),
        ("effect", json!(null), "request.invalid"),
        ("networks", json!("10.1.0.0/16"), "request.invalid"),
    ] {
        let mut policy = policy();
        policy[member] = value;
        let answer = send(&administrator, Method::PUT, "senseless", &[("if-none-match", "*")], &policy).await;
        let status = if code == "request.invalid" { 400 } else { 422 };
        answer.problem(status, code);
        if status == 422 {
            assert!(
                answer.body["detail"].as_str().unwrap().contains(if member == "requests" {
                    "rate"
                } else {
                    member
                }),
                "{answer:?}"
            );
        }
    }
    administrator.get("/v1/access/policies/senseless").await.problem(404, "access.policy_not_found");
    let answer = send(&administrator, Method::PUT, "a%20b", &[("if-none-match", "*")], &policy()).await;
    answer.problem(422, "access.policy_invalid");
}

#[tokio::test]
async fn nobody_takes_the_last_right_from_themselves() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let deny = json!({ "effect": "deny", "roles": ["administrator"], "operations": ["access.*"] });
    let answer = send(&administrator, Method::PUT, "no-more", &[("if-none-match", "*")], &deny).await;
    answer.problem(409, "access.lockout");
    let off = json!({
        "enabled": false, "effect": "allow", "roles": ["administrator"], "operations": ["access.*"],
    });
    let answer = send(&administrator, Method::PUT, "kunji.administrator", &[("if-match", "*")], &off).await;
    answer.problem(409, "access.lockout");
    let read = administrator.get("/v1/access/policies/kunji.administrator").await;
    assert!(read.body["revision"].as_str().unwrap().starts_with("shipped-"), "{read:?}");
}

#[tokio::test]
async fn a_shipped_policy_is_replaced_switched_off_and_brought_back() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let client = administrator.new_client(&["HOTLIST_ADMIN"]).await;
    let check = || async {
        let question = json!({
            "principal": name_of(&client), "operation": "packet.encrypt", "applicationId": "REGISTRATION",
        });
        administrator.post("/v1/access/check", &question).await.body
    };
    let answer = check().await;
    assert_eq!(answer["roles"], json!(["HOTLIST_ADMIN"]), "those of the client count when none are named");
    assert_eq!((&answer["allowed"], &answer["policy"]), (&json!(true), &json!("mosip.HOTLIST_ADMIN")));

    let shipped = administrator.get("/v1/access/policies/mosip.HOTLIST_ADMIN").await;
    let tag = shipped.headers["etag"].to_str().unwrap().to_owned();
    let off = json!({
        "enabled": false, "effect": "allow", "roles": ["HOTLIST_ADMIN"], "operations": ["packet.*"], "keys": ["*/*"],
    });
    let put = send(&administrator, Method::PUT, "mosip.HOTLIST_ADMIN", &[("if-match", &tag)], &off).await;
    assert_eq!(put.status, 200, "{put:?}");
    let answer = check().await;
    assert_eq!((&answer["allowed"], &answer["decidedBy"]), (&json!(false), &json!("default")));
    client
        .get("/v1/keymanager/getCertificate?applicationId=REGISTRATION")
        .await
        .envelope_error(403, "KER-ATH-403");
    crate::remove(&administrator, "mosip.HOTLIST_ADMIN").await;
    assert_eq!(check().await["allowed"], true);
}

#[tokio::test]
async fn the_check_names_what_decides() {
    let shared = shared();
    let administrator = administrator(&shared).await;
    let ask = |question: Value| {
        let administrator = administrator.clone();
        async move { administrator.post("/v1/access/check", &question).await }
    };
    let deny = json!({
        "effect": "deny", "principals": ["checked"], "operations": ["packet.decrypt"], "keys": ["REGISTRATION/*"],
        "networks": ["203.0.113.0/24"],
    });
    crate::put(&administrator, "checked-from-outside", &deny).await;
    let question = |address: &str| {
        json!({
            "principal": "checked", "roles": ["decryptor"], "operation": "packet.decrypt",
            "applicationId": "REGISTRATION", "referenceId": "1", "address": address,
        })
    };
    let answer = ask(question("203.0.113.7")).await;
    assert_eq!(
        (&answer.body["allowed"], &answer.body["policy"]),
        (&json!(false), &json!("checked-from-outside"))
    );
    let answer = ask(question("198.51.100.7")).await;
    assert_eq!((&answer.body["allowed"], &answer.body["policy"]), (&json!(true), &json!("kunji.decryptor")));
    let mut unlisted = question("198.51.100.7");
    unlisted["applicationId"] = json!("NOWHERE");
    let answer = ask(unlisted).await;
    assert_eq!((&answer.body["allowed"], &answer.body["decidedBy"]), (&json!(false), &json!("keyPolicy")));
    crate::remove(&administrator, "checked-from-outside").await;

    for (member, value) in [
        ("operation", json!("packet.open")),
        ("applicationId", json!(null)),
        ("address", json!("here")),
        ("at", json!("soon")),
        ("roles", json!(null)),
        ("roles", json!(["a b"])),
    ] {
        let mut question = question("198.51.100.7");
        question[member] = value;
        ask(question).await.problem(422, "access.question_invalid");
    }
    let mut question = question("198.51.100.7");
    question["applicationId"] = json!("A/B");
    ask(question).await.problem(400, "alias.invalid");
}
