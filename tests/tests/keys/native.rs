//! `/v1/keys`.

use kunji_tests::{
    http::{Answer, Http},
    site::{Site, shared},
};
use serde_json::json;

use crate::{Callers, newest, newest_id};

#[tokio::test]
async fn keys_are_listed_page_by_page_to_those_who_may_read_them() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION,RESIDENT");
    let server = site.start();
    let Callers { administrator, keeper, user } = Callers::new(&server).await;
    for reference in ["10001", "10002", "10003"] {
        user.certificate("REGISTRATION", reference).await;
    }
    let first = keeper.get("/v1/keys").await;
    assert_eq!(first.status, 200, "{first:?}");
    let keys = first.body["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 7, "those of the server itself are not shown: {first:?}");
    assert!(first.body["next"].is_null());
    assert!(keys.iter().all(|key| key["state"] == "active" && key["newest"] == true));

    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = keeper.get(&format!("/v1/keys?limit=2{next}")).await;
        paged.extend(page.body["keys"].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(id) => next = format!("&after={id}"),
            None => break,
        }
    }
    assert_eq!(&paged, keys);
    for (query, many) in [
        ("application=REGISTRATION", 4),
        ("application=REGISTRATION&reference=10002", 1),
        ("reference=", 3),
        ("state=deactivated", 0),
        ("application=NOWHERE", 0),
    ] {
        let page = keeper.get(&format!("/v1/keys?{query}")).await;
        assert_eq!(page.body["keys"].as_array().unwrap().len(), many, "{query}: {page:?}");
    }
    keeper.get("/v1/keys?state=Active").await.problem(400, "request.invalid");
    keeper.get("/v1/keys?application=A/B").await.problem(400, "alias.invalid");
    keeper.get("/v1/keys?after=x").await.problem(404, "key.not_found");
    user.get("/v1/keys").await.problem(403, "access.forbidden");

    // Who may read some keys is told of no others.
    let policy = json!({
        "effect": "allow", "roles": ["residents"], "operations": ["key.read", "key.suspend"],
        "keys": ["RESIDENT/*"],
    });
    let request = administrator
        .request(reqwest::Method::PUT, "/v1/access/policies/residents")
        .header("if-none-match", "*")
        .json(&policy);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let bounded = administrator.new_client(&["residents"]).await;
    let page = bounded.get("/v1/keys").await;
    assert_eq!(page.body["keys"].as_array().unwrap().len(), 1, "{page:?}");
    let foreign = newest_id(&keeper, "10001").await;
    bounded.get(&format!("/v1/keys/{foreign}")).await.problem(404, "key.not_found");
    let suspended = bounded.post(&format!("/v1/keys/{foreign}/suspend"), &json!({})).await;
    suspended.problem(404, "key.not_found");
    let rotated = keeper.post(&format!("/v1/keys/{}/rotate", "0".repeat(36)), &json!({})).await;
    rotated.problem(404, "key.not_found");
}

#[tokio::test]
async fn keys_are_found_by_tag_purpose_and_end() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let Callers { administrator, keeper, user } = Callers::new(&server).await;
    let mut ids = Vec::new();
    for reference in ["10001", "10002", "10003"] {
        user.certificate("REGISTRATION", reference).await;
        ids.push(newest_id(&keeper, reference).await);
    }
    let tag = async |http: &Http, id: &str, tags: serde_json::Value| {
        let request = http.request(reqwest::Method::PUT, &format!("/v1/keys/{id}/tags"));
        Answer::read(request.json(&json!({ "tags": tags })).send().await.unwrap()).await
    };
    let tagged = tag(&keeper, &ids[0], json!(["pilot", "region=north", "pilot"])).await;
    assert_eq!((tagged.status.as_u16(), &tagged.body["tags"]), (200, &json!(["pilot", "region=north"])));
    tag(&keeper, &ids[1], json!(["pilot"])).await;
    assert_eq!(keeper.get(&format!("/v1/keys/{}", ids[0])).await.body["key"]["tags"], tagged.body["tags"]);

    let found = async |query: &str| {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let page = keeper.get(&format!("/v1/keys?limit=1&{query}{after}")).await;
            let keys = page.body["keys"].as_array().unwrap_or_else(|| panic!("{query}: {page:?}"));
            found.extend(keys.iter().map(|key| key["referenceId"].as_str().unwrap().to_owned()));
            match page.body["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        found.sort_unstable();
        found
    };
    assert_eq!(found("tag=pilot").await, ["10001", "10002"]);
    assert_eq!(found("tag=region=north&application=REGISTRATION").await, ["10001"]);
    assert_eq!(found("tag=pilot&application=REGISTRATION&reference=10002").await, ["10002"]);
    assert!(found("tag=pilot&application=REGISTRATION&reference=10003").await.is_empty());
    assert_eq!(found("purpose=encryption").await, ["10001", "10002", "10003"]);
    assert_eq!(found("purpose=signing").await, ["SIGN"]);
    assert_eq!(found("purpose=issuing").await, ["", ""]);
    assert!(found("expiringBefore=2026-01-01T00:00:00Z").await.is_empty());
    assert_eq!(found("expiringBefore=9999-01-01T00:00:00Z").await.len(), 6);
    for query in ["tag=a%20b", "purpose=x", "expiringBefore=tomorrow"] {
        keeper.get(&format!("/v1/keys?{query}")).await.problem(400, "request.invalid");
    }
    assert_eq!(tag(&keeper, &ids[0], json!([])).await.body["tags"], json!([]));
    assert_eq!(found("tag=pilot").await, ["10002"]);

    for wrong in [json!(["a b"]), json!([""]), json!(["a".repeat(65)]), json!(vec!["a"; 17]), json!("a")] {
        tag(&keeper, &ids[1], wrong).await.problem(400, "request.invalid");
    }
    tag(&keeper, &"0".repeat(36), json!([])).await.problem(404, "key.not_found");
    tag(&user, &ids[1], json!([])).await.problem(403, "access.forbidden");
    let auditor = administrator.new_client(&["auditor"]).await;
    let path =
        "/v1/audit/events?operation=key.tag&outcome=succeeded&application=REGISTRATION&reference=10002";
    let events = auditor.get(path).await;
    assert_eq!(events.body["events"][0]["details"], json!({ "tags": ["pilot"] }), "{events:?}");
}

#[tokio::test]
async fn a_key_is_rotated_once() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    // So long that it does not fit into a name.
    let long = "rotated-".to_owned() + &"x".repeat(100);
    user.certificate("REGISTRATION", &long).await;
    let old = newest_id(&keeper, &long).await;
    let made = keeper.post(&format!("/v1/keys/{old}/rotate"), &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let new = made.body["keyId"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/v1/keys/{new}"));
    assert_eq!(newest(&keeper, &long).await["keyId"], new);
    keeper.post(&format!("/v1/keys/{old}/rotate"), &json!({})).await.problem(409, "key.forestalled");
    let shown = keeper.get(&format!("/v1/keys/{old}")).await;
    assert_eq!(shown.body["key"]["state"], "deactivated");
    user.post(&format!("/v1/keys/{new}/rotate"), &json!({})).await.problem(403, "access.forbidden");

    // What has a successor closes no alias.
    let body = json!({ "cause": "compromised", "disableAutoGeneration": true });
    keeper.post(&format!("/v1/keys/{old}/revoke"), &body).await.problem(409, "key.forestalled");
    let body = json!({ "cause": "bored" });
    keeper.post(&format!("/v1/keys/{old}/revoke"), &body).await.problem(400, "request.invalid");
    let body = json!({ "cause": "superseded", "reason": "two\nlines" });
    keeper.post(&format!("/v1/keys/{new}/revoke"), &body).await.problem(400, "request.invalid");
}

#[tokio::test]
async fn of_many_who_rotate_one_makes_a_key() {
    let shared = shared();
    let Callers { keeper, user, .. } = Callers::new(&shared.server).await;
    user.certificate("REGISTRATION", "contended").await;
    let id = newest_id(&keeper, "contended").await;
    let path = format!("/v1/keys/{id}/rotate");
    let nothing = json!({});
    let answers = futures_util::future::join_all((0..6).map(|_| keeper.post(&path, &nothing))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "key.forestalled");
    }
    assert_eq!(newest(&keeper, "contended").await["generation"], 2);
}

#[tokio::test]
async fn what_is_decided_is_recorded() {
    let shared = shared();
    let Callers { administrator, keeper, user } = Callers::new(&shared.server).await;
    let auditor = administrator.new_client(&["auditor"]).await;
    user.certificate("REGISTRATION", "recorded").await;
    let id = newest_id(&keeper, "recorded").await;
    for what in ["suspend", "resume"] {
        assert_eq!(keeper.post(&format!("/v1/keys/{id}/{what}"), &json!({})).await.status, 200);
    }
    let body = json!({ "cause": "superseded" });
    assert_eq!(keeper.post(&format!("/v1/keys/{id}/revoke"), &body).await.status, 200);
    for operation in ["key.suspend", "key.resume", "key.revoke", "key.read"] {
        let path =
            format!("/v1/audit/events?operation={operation}&application=REGISTRATION&reference=recorded");
        let found = auditor.get(&path).await;
        assert_eq!(found.status, 200, "{found:?}");
        let events = found.body["events"].as_array().unwrap();
        if operation != "key.read" {
            assert!(events.iter().any(|event| event["keyId"] == json!(id)), "{operation}: {events:?}");
        }
    }
}
