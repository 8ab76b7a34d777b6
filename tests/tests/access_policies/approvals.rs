//! Four eyes, on a server of its own: what a policy marks waits for others.

use kunji_tests::{
    cli::Operator,
    http::{Answer, Http},
    site::{Server, Site},
};
use reqwest::Method;
use serde_json::{Value, json};

struct World {
    server: Server,
    _site: Site,
    first: Http,
    second: Http,
    third: Http,
}

impl World {
    /// Three administrators, two of whom must agree with the third on changes of policies and on administrators.
    async fn new() -> Self {
        let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
        let server = site.start();
        let first = server.http().sign_in("administrator", &server.secret).await;
        let second = first.new_client(&["administrator"]).await;
        let third = first.new_client(&["administrator"]).await;
        let world = Self { server, _site: site, first, second, third };
        let four_eyes = json!({
            "effect": "approval", "principals": ["*"], "operations": ["access.change", "client.create_administrator"],
            "approvals": 2, "withinSeconds": 3600, "approverRoles": ["administrator"],
        });
        assert_eq!(world.put(&world.first, "four-eyes", &four_eyes).await.status, 201);
        world
    }

    async fn put(&self, client: &Http, name: &str, policy: &Value) -> Answer {
        let request = client.request(Method::PUT, &format!("/v1/access/policies/{name}"));
        Answer::read(request.header("if-none-match", "*").json(policy).send().await.unwrap()).await
    }

    async fn vote(&self, client: &Http, id: &str, word: &str) -> Answer {
        client.post(&format!("/v1/approvals/{id}/{word}"), &json!({})).await
    }
}

#[track_caller]
fn waits(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.body["status"], "pending", "{answer:?}");
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"], format!("/v1/approvals/{id}"));
    id
}

fn policy(description: &str) -> Value {
    json!({
        "description": description, "effect": "allow", "principals": ["somebody"], "operations": ["packet.decrypt"],
        "keys": ["REGISTRATION/*"],
    })
}

#[tokio::test]
async fn what_is_marked_waits_for_different_others_and_is_done_once() {
    let world = World::new().await;
    let World { server, first, second, third, .. } = &world;
    let id = waits(&world.put(first, "new", &policy("a")).await);
    first.get("/v1/access/policies/new").await.problem(404, "access.policy_not_found");
    assert_eq!(waits(&world.put(first, "new", &policy("a")).await), id, "the same request is the same");
    let read = first.get(&format!("/v1/approvals/{id}")).await;
    assert_eq!(
        (&read.body["requester"], &read.body["operation"]),
        (&json!("administrator"), &json!("access.change"))
    );
    let content: Value = serde_json::from_str(read.body["content"].as_str().unwrap()).unwrap();
    assert_eq!((&content["policy"], &content["by"]["description"]), (&json!("new"), &json!("a")));

    world.vote(first, &id, "approve").await.problem(409, "approval.vote_refused");
    first
        .new_client(&["auditor"])
        .await
        .post(&format!("/v1/approvals/{id}/approve"), &json!({}))
        .await
        .problem(403, "access.forbidden");
    assert_eq!(world.vote(second, &id, "approve").await.body["status"], "pending");
    world.vote(second, &id, "approve").await.problem(409, "approval.vote_refused");
    assert_eq!(waits(&world.put(first, "new", &policy("a")).await), id, "one of two is not enough");
    assert_eq!(world.vote(third, &id, "approve").await.body["status"], "approved");

    // Another request, or the same of another, is another.
    assert_ne!(waits(&world.put(first, "new", &policy("b")).await), id);
    assert_ne!(waits(&world.put(second, "new", &policy("a")).await), id);
    let done = world.put(first, "new", &policy("a")).await;
    assert_eq!(done.status, 201, "{done:?}");
    assert_eq!(first.get(&format!("/v1/approvals/{id}")).await.body["status"], "used");
    // What was approved is used up.
    let request = first.request(Method::DELETE, "/v1/access/policies/new").header("if-match", "*");
    let removal = waits(&Answer::read(request.send().await.unwrap()).await);
    assert_ne!(removal, id);
    assert_eq!(world.vote(second, &removal, "deny").await.body["status"], "denied");
    world.vote(third, &removal, "approve").await.problem(409, "approval.vote_refused");

    // The policy that has everything wait waits itself.
    let request = first.request(Method::DELETE, "/v1/access/policies/four-eyes").header("if-match", "*");
    waits(&Answer::read(request.send().await.unwrap()).await);
    let listed = first.get("/v1/approvals").await;
    assert!(listed.body["approvals"].as_array().unwrap().len() >= 5, "{listed:?}");
    first.get(&format!("/v1/approvals/{}", "0".repeat(32))).await.problem(404, "approval.not_found");

    let operator = Operator::client(server, "administrator", &server.secret);
    let shown = operator.json(&["approvals", "show", &id]);
    assert_eq!(shown["status"], "used");
    assert!(operator.run(&["approvals", "list"]).stdout.contains(&removal));
    let outcome = operator.run(&["approvals", "approve", &removal]);
    assert!(outcome.stderr.contains("approval.vote_refused"), "{outcome:?}");
}

#[tokio::test]
async fn the_trail_tells_who_asked_who_approved_what_and_when_it_was_done() {
    let world = World::new().await;
    let World { first, second, third, .. } = &world;
    let id = waits(&world.put(first, "new", &policy("a")).await);
    for client in [second, third] {
        world.vote(client, &id, "approve").await;
    }
    world.vote(third, "planted-in-a-path", "deny").await.problem(404, "approval.not_found");
    assert_eq!(world.put(first, "new", &policy("a")).await.status, 201);
    let auditor = first.new_client(&["auditor"]).await;
    let told = async |operation: &str| {
        let page = auditor
            .get(&format!("/v1/audit/events?operation={operation}&order=oldest&limit=100&until=2999"))
            .await;
        let events = page.body["events"].as_array().unwrap_or_else(|| panic!("{page:?}")).clone();
        let brief = |event: Value| {
            (
                event["principal"].clone(),
                event["outcome"].clone(),
                event["code"].clone(),
                event["details"].clone(),
            )
        };
        events.into_iter().map(brief).collect::<Vec<_>>()
    };
    let (administrator, succeeded) = (json!("administrator"), json!("succeeded"));
    let votes = told("approval.decide").await;
    let approved = json!({ "approval": id, "approves": true });
    assert_eq!(votes.iter().filter(|vote| vote.1 == succeeded && vote.3 == approved).count(), 2, "{votes:?}");
    assert_ne!(votes[0].0, votes[1].0);
    assert_eq!(votes[2].3, json!({ "approval": null, "approves": false }));
    let changes = told("access.change").await;
    let about_new: Vec<_> = changes.iter().filter(|change| change.3["policy"] == "new").collect();
    let [waiting, done] = about_new.as_slice() else { panic!("{changes:?}") };
    assert_eq!((&waiting.1, &waiting.2), (&json!("failed"), &json!("approval.waits")));
    assert_eq!((&waiting.3["approval"], &waiting.3["content"]), (&json!(id), &done.3["content"]));
    assert_eq!((&done.0, &done.1, &done.2), (&administrator, &succeeded, &Value::Null));
    assert_eq!((&done.3["change"], &done.3["content"]["description"]), (&json!("put"), &json!("a")));
    let used = json!({ "approval": id, "policy": "four-eyes", "of": "access.change" });
    assert_eq!(told("approval.use").await, [(administrator, succeeded, Value::Null, used)]);
}

#[tokio::test]
async fn new_administrators_wait_and_other_clients_do_not() {
    let world = World::new().await;
    let World { server, first, second, third, .. } = &world;
    let create = |id: &str, role: &str| {
        let body = json!({ "clientId": id, "roles": [role] });
        async move { first.post("/v1/clients", &body).await }
    };
    assert_eq!(create("service", "decryptor").await.status, 201);
    let id = waits(&create("fourth", "administrator").await);
    for client in [second, third] {
        world.vote(client, &id, "approve").await;
    }
    let made = create("fourth", "administrator").await;
    assert_eq!(made.status, 201, "{made:?}");
    server.http().sign_in("fourth", made.body["clientSecret"].as_str().unwrap()).await;
    create("fourth", "administrator").await.problem(409, "client.exists");
}

#[tokio::test]
async fn nobody_becomes_an_administrator_by_a_way_around() {
    let world = World::new().await;
    let World { first, second, third, .. } = &world;
    let others = first.get("/v1/clients").await.body["clients"].clone();
    let other = others
        .as_array()
        .unwrap()
        .iter()
        .map(|client| client["clientId"].as_str().unwrap().to_owned())
        .find(|id| id != "administrator")
        .unwrap();
    let body = json!({ "clientId": "service", "roles": ["decryptor"] });
    assert_eq!(first.post("/v1/clients", &body).await.status, 201);
    let give = |role: &'static str| async move {
        let request = first.request(Method::PUT, "/v1/clients/service/roles").header("if-match", "*");
        Answer::read(request.json(&json!({ "roles": [role] })).send().await.unwrap()).await
    };

    // By roles: what gives no such right goes on, what gives one waits and changes nothing.
    assert_eq!(give("encryptor").await.status, 200);
    let id = waits(&give("administrator").await);
    assert_eq!(first.get("/v1/clients/service").await.body["roles"], json!(["encryptor"]));
    // By the secret of another administrator, or by waking one up.
    waits(&first.post(&format!("/v1/clients/{other}/secret"), &json!({})).await);
    assert_eq!(first.post(&format!("/v1/clients/{other}/disable"), &json!({})).await.status, 200);
    waits(&first.post(&format!("/v1/clients/{other}/enable"), &json!({})).await);
    assert!(first.get(&format!("/v1/clients/{other}")).await.body["disabledAt"].is_string());
    // One's own secret, and those of clients that administer nothing, are no way around.
    assert_eq!(first.post("/v1/clients/administrator/secret", &json!({})).await.status, 200);
    assert_eq!(first.post("/v1/clients/service/secret", &json!({})).await.status, 200);

    let outcomes = [world.vote(second, &id, "approve").await, world.vote(third, &id, "approve").await];
    assert!(
        outcomes.iter().any(|outcome| outcome.status == 401),
        "one of the two was disabled: {outcomes:?}"
    );
    assert_ne!(waits(&give("administrator").await), id, "another has its secret since it was asked for");
}

#[tokio::test]
async fn an_approval_is_of_the_client_that_there_was() {
    let world = World::new().await;
    let World { first, second, third, .. } = &world;
    let create = || async {
        let body = json!({ "clientId": "service", "roles": ["decryptor"] });
        assert_eq!(first.post("/v1/clients", &body).await.status, 201);
    };
    let give = || async {
        let request = first.request(Method::PUT, "/v1/clients/service/roles").header("if-match", "*");
        Answer::read(request.json(&json!({ "roles": ["administrator"] })).send().await.unwrap()).await
    };
    create().await;
    let approved = || async {
        let id = waits(&give().await);
        assert_eq!(waits(&give().await), id, "the same request is the same");
        for client in [second, third] {
            assert_eq!(world.vote(client, &id, "approve").await.status, 200);
        }
        id
    };
    // Whoever asked takes the secret of the client that others have agreed to make an administrator.
    let id = approved().await;
    assert_eq!(first.post("/v1/clients/service/secret", &json!({})).await.status, 200);
    assert_ne!(waits(&give().await), id);
    // Or makes another one of its name.
    let id = approved().await;
    let deletion = first.request(Method::DELETE, "/v1/clients/service").send().await.unwrap();
    assert_eq!(deletion.status(), 204);
    create().await;
    assert_ne!(waits(&give().await), id);
    assert_eq!(first.get("/v1/clients/service").await.body["roles"], json!(["decryptor"]));
    approved().await;
    assert_eq!(give().await.status, 200);
}

#[tokio::test]
async fn an_approval_is_of_the_requester_that_there_was() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let first = server.http().sign_in("administrator", &server.secret).await;
    let marked = json!({
        "effect": "approval", "principals": ["*"], "operations": ["key.rotate"], "keys": ["ROOT/"],
        "approvals": 1, "withinSeconds": 3600, "approverRoles": ["administrator"],
    });
    let request = first.request(Method::PUT, "/v1/access/policies/marked").header("if-none-match", "*");
    assert_eq!(Answer::read(request.json(&marked).send().await.unwrap()).await.status, 201);
    let secret = |answer: Answer| answer.body["clientSecret"].as_str().unwrap().to_owned();
    let make = async || {
        let body = json!({ "clientId": "keeper", "roles": ["key-administrator"] });
        server.http().sign_in("keeper", &secret(first.post("/v1/clients", &body).await)).await
    };
    let keeper = make().await;
    let root = keeper.get("/v1/keys?application=ROOT&reference=").await.body["keys"][0]["keyId"].clone();
    let path = format!("/v1/keys/{}/rotate", root.as_str().unwrap());
    let approved = async |keeper: &Http| {
        let id = waits(&keeper.post(&path, &json!({})).await);
        let vote = first.post(&format!("/v1/approvals/{id}/approve"), &json!({})).await;
        assert_eq!(vote.body["status"], "approved", "{vote:?}");
        id
    };
    let id = approved(&keeper).await;
    // The secret had leaked, and whoever had it has asked.
    let rotated = first.post("/v1/clients/keeper/secret", &json!({ "overlapSeconds": 0 })).await;
    let keeper = server.http().sign_in("keeper", &secret(rotated)).await;
    assert_ne!(waits(&keeper.post(&path, &json!({})).await), id);
    let id = approved(&keeper).await;
    // Somebody else gets the name.
    let deletion = first.request(Method::DELETE, "/v1/clients/keeper").send().await.unwrap();
    assert_eq!(deletion.status(), 204);
    let keeper = make().await;
    assert_ne!(waits(&keeper.post(&path, &json!({})).await), id);
    approved(&keeper).await;
    assert_eq!(keeper.post(&path, &json!({})).await.status, 201);
}

#[tokio::test]
async fn an_approval_does_not_outlive_its_voters_right() {
    let world = World::new().await;
    let World { server, first, second, third, .. } = &world;
    // Two who may approve and are no administrators, so that what becomes of them waits for nobody.
    let policy_of = |effect: &str, extra: Value| {
        let mut policy = json!({ "effect": effect, "roles": ["guard"], "operations": ["approval.decide"] });
        policy.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        policy
    };
    let guards = policy_of("allow", json!({}));
    let id = waits(&world.put(first, "guards", &guards).await);
    for client in [second, third] {
        world.vote(client, &id, "approve").await;
    }
    assert_eq!(world.put(first, "guards", &guards).await.status, 201);
    let marked = json!({
        "effect": "approval", "principals": ["*"], "operations": ["key.rotate"], "keys": ["ROOT/"],
        "approvals": 2, "withinSeconds": 3600, "approverRoles": ["guard"],
    });
    let id = waits(&world.put(first, "rotation", &marked).await);
    for client in [second, third] {
        world.vote(client, &id, "approve").await;
    }
    assert_eq!(world.put(first, "rotation", &marked).await.status, 201);
    let keeper = first.new_client(&["key-administrator"]).await;
    let make = async |name: &str| {
        let body = json!({ "clientId": name, "roles": ["guard"] });
        let made = first.post("/v1/clients", &body).await;
        if made.status == 202 {
            let id = made.body["id"].as_str().unwrap().to_owned();
            for client in [second, third] {
                world.vote(client, &id, "approve").await;
            }
            let made = first.post("/v1/clients", &body).await;
            return server.http().sign_in(name, made.body["clientSecret"].as_str().unwrap()).await;
        }
        server.http().sign_in(name, made.body["clientSecret"].as_str().unwrap()).await
    };
    let (one, two) = (make("one").await, make("two").await);
    let root = keeper.get("/v1/keys?application=ROOT&reference=").await.body["keys"][0]["keyId"].clone();
    let path = format!("/v1/keys/{}/rotate", root.as_str().unwrap());
    let rotate = async || keeper.post(&path, &json!({})).await;
    let id = waits(&rotate().await);
    assert_eq!(world.vote(&one, &id, "approve").await.body["status"], "pending");
    assert_eq!(world.vote(&two, &id, "approve").await.body["status"], "approved");

    let status = async || first.get(&format!("/v1/approvals/{id}")).await.body["status"].clone();
    let disabled = first.post("/v1/clients/one/disable", &json!({})).await;
    assert_eq!(disabled.status, 200, "{disabled:?}");
    assert_eq!(status().await, "pending");
    assert_eq!(waits(&rotate().await), id, "one of two who could still approve is not enough");
    let listed = first.get("/v1/approvals").await;
    let shown = listed.body["approvals"].as_array().unwrap().iter().find(|it| it["id"] == id.as_str());
    assert_eq!(shown.unwrap()["status"], "pending");
    // Another client of that name has not voted.
    let deletion = first.request(Method::DELETE, "/v1/clients/one").send().await.unwrap();
    assert_eq!(deletion.status(), 204);
    let one = make("one").await;
    assert_eq!(waits(&rotate().await), id);
    assert_eq!(world.vote(&one, &id, "approve").await.body["status"], "approved");
    // Nor does somebody who has lost the role.
    let request = first.request(Method::PUT, "/v1/clients/two/roles").header("if-match", "*");
    let changed = Answer::read(request.json(&json!({ "roles": ["auditor"] })).send().await.unwrap()).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(waits(&rotate().await), id);
    let three = make("three").await;
    assert_eq!(world.vote(&three, &id, "approve").await.body["status"], "approved");
    assert_eq!(rotate().await.status, 201);
}

#[tokio::test]
async fn what_is_marked_waits_for_administrators_too() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let first = server.http().sign_in("administrator", &server.secret).await;
    let other = json!({ "clientId": "other", "roles": ["administrator"] });
    assert_eq!(first.post("/v1/clients", &other).await.status, 201);
    let service = json!({ "clientId": "service", "roles": ["decryptor"] });
    assert_eq!(first.post("/v1/clients", &service).await.status, 201);
    let marked = json!({
        "effect": "approval", "principals": ["*"], "approvals": 1, "withinSeconds": 3600,
        "operations": ["client.create", "client.change_roles", "client.rotate_secret", "client.enable"],
        "approverRoles": ["administrator"],
    });
    let request = first.request(Method::PUT, "/v1/access/policies/marked").header("if-none-match", "*");
    assert_eq!(Answer::read(request.json(&marked).send().await.unwrap()).await.status, 201);

    for role in ["decryptor", "administrator"] {
        waits(&first.post("/v1/clients", &json!({ "clientId": "new", "roles": [role] })).await);
        let request = first.request(Method::PUT, "/v1/clients/service/roles").header("if-match", "*");
        let roles = json!({ "roles": [role, "encryptor"] });
        waits(&Answer::read(request.json(&roles).send().await.unwrap()).await);
    }
    // One's own secret is no way around, and oneself nobody enables.
    assert_eq!(first.post("/v1/clients/administrator/secret", &json!({})).await.status, 200);
    first.post("/v1/clients/administrator/enable", &json!({})).await.problem(409, "client.own");
    for id in ["service", "other"] {
        waits(&first.post(&format!("/v1/clients/{id}/secret"), &json!({})).await);
        assert_eq!(first.post(&format!("/v1/clients/{id}/disable"), &json!({})).await.status, 200);
        waits(&first.post(&format!("/v1/clients/{id}/enable"), &json!({})).await);
    }
}

#[tokio::test]
async fn nobody_takes_the_room_of_others() {
    let world = World::new().await;
    let ask =
        async |client: &Http, number: u32| world.put(client, &format!("new-{number}"), &policy("a")).await;
    for number in 0..100 {
        waits(&ask(&world.first, number).await);
    }
    ask(&world.first, 100).await.problem(409, "approval.too_many");
    let known = waits(&ask(&world.first, 7).await);
    waits(&ask(&world.second, 100).await);
    assert_eq!(world.vote(&world.second, &known, "deny").await.body["status"], "denied");
    waits(&ask(&world.first, 100).await);
}
