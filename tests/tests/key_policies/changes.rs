//! Reading, storing and removing policies.

use std::fs;

use kunji_shared::Certificate;
use kunji_tests::{cli::Operator, http::Http, peer, site::Site};
use reqwest::Method;
use serde_json::{Value, json};

use crate::send;

const READ: &str = "/v1/keymanager/getCertificate?applicationId=PAYMENTS&referenceId=1";

fn policy() -> Value {
    json!({ "validityDays": 1000, "preExpireDays": 50, "access": ["payment-bridge"] })
}

async fn put(
    client: &Http,
    application: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> kunji_tests::http::Answer {
    send(client, Method::PUT, application, headers, body).await
}

// One server for all: they are told apart by their applications.
#[tokio::test]
async fn policies_are_changed_under_their_revision() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let keeper = administrator.new_client(&["key-administrator"]).await;
    a_change_names_what_it_replaces(&keeper).await;
    what_makes_no_sense_changes_nothing(&keeper).await;
    policies_are_obeyed_at_once(&administrator, &keeper).await;
    four_eyes(&administrator, &keeper).await;

    // What was removed stays so, whatever the settings say.
    assert_eq!(send(&keeper, Method::DELETE, "PMS", &[("if-match", "*")], &json!({})).await.status, 204);
    let changed = json!({ "validityDays": 1200, "preExpireDays": 61, "automaticRotation": false });
    assert_eq!(put(&keeper, "RESIDENT", &[("if-match", "*")], &changed).await.status, 200);
    drop(server);
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    administrator.get("/v1/policies/PMS").await.problem(404, "policy.not_found");
    let read = administrator.get("/v1/policies/RESIDENT").await;
    assert_eq!((&read.body["validityDays"], &read.body["automaticRotation"]), (&json!(1200), &json!(false)));
}

async fn a_change_names_what_it_replaces(keeper: &Http) {
    let listed = keeper.get("/v1/policies").await;
    let of = |application: &str| {
        let policies = listed.body["policies"].as_array().unwrap();
        policies.iter().find(|policy| policy["application"] == application).unwrap().clone()
    };
    let root = of("ROOT");
    assert_eq!((&root["validityDays"], &root["preExpireDays"]), (&json!(2920), &json!(1125)));
    assert_eq!((&root["active"], &root["automaticRotation"]), (&json!(true), &json!(true)));
    assert_eq!((&root["access"], &root["changedBy"]), (&Value::Null, &Value::Null));
    assert_eq!((&of("BASE")["validityDays"], &of("BASE")["preExpireDays"]), (&json!(730), &json!(30)));

    put(keeper, "PAYMENTS", &[], &policy()).await.problem(428, "request.precondition_required");
    put(keeper, "PAYMENTS", &[("if-match", "*")], &policy()).await.problem(412, "policy.changed");
    let created = put(keeper, "PAYMENTS", &[("if-none-match", "*")], &policy()).await;
    assert_eq!(created.status, 201, "{created:?}");
    put(keeper, "PAYMENTS", &[("if-none-match", "*")], &policy()).await.problem(412, "policy.changed");
    let read = keeper.get("/v1/policies/PAYMENTS").await;
    assert_eq!(read.body, created.body);
    for (member, value) in policy().as_object().unwrap() {
        assert_eq!(&read.body[member], value, "{member}");
    }
    assert!(read.body["changedAt"].is_string() && read.body["changedBy"].is_string(), "{read:?}");
    let tag = read.headers["etag"].to_str().unwrap().to_owned();
    let replaced = put(keeper, "PAYMENTS", &[("if-match", &tag)], &policy()).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
    put(keeper, "PAYMENTS", &[("if-match", &tag)], &policy()).await.problem(412, "policy.changed");
    let stale = send(keeper, Method::DELETE, "PAYMENTS", &[("if-match", &tag)], &json!({})).await;
    stale.problem(412, "policy.changed");
    keeper.get("/v1/policies/NOWHERE").await.problem(404, "policy.not_found");
    keeper.get("/v1/policies/a%20b").await.problem(400, "alias.invalid");
}

async fn what_makes_no_sense_changes_nothing(keeper: &Http) {
    let before = keeper.get("/v1/policies").await.body;
    for (application, member, value) in [
        ("PAYMENTS", "validityDays", json!(0)),
        ("PAYMENTS", "preExpireDays", json!(1000)),
        // Base certificates of 730 and 30 days would outlive it, and its own would outlive ROOT's.
        ("PAYMENTS", "validityDays", json!(760)),
        ("PAYMENTS", "validityDays", json!(2900)),
        ("PAYMENTS", "access", json!([""])),
        ("BASE", "validityDays", json!(1095)),
        ("KERNEL", "active", json!(false)),
        ("KUNJI", "application", json!(null)),
    ] {
        let mut body = policy();
        if member != "application" {
            body[member] = value.clone();
        }
        let answer = put(keeper, application, &[("if-match", "*")], &body).await;
        if application == "KUNJI" {
            answer.problem(412, "policy.changed");
            continue;
        }
        answer.problem(422, "policy.invalid");
        assert!(answer.body["detail"].as_str().unwrap().contains(member), "{answer:?}");
    }
    for (member, value) in [("validity", json!(5)), ("access", json!("all")), ("validityDays", json!(-1))] {
        let mut body = policy();
        body[member] = value;
        put(keeper, "PAYMENTS", &[("if-match", "*")], &body).await.problem(400, "request.invalid");
    }
    for needed in ["ROOT", "KERNEL", "BASE"] {
        let answer = send(keeper, Method::DELETE, needed, &[("if-match", "*")], &json!({})).await;
        answer.problem(409, "policy.needed");
    }
    assert_eq!(keeper.get("/v1/policies").await.body, before);
}

async fn policies_are_obeyed_at_once(administrator: &Http, keeper: &Http) {
    let master = json!({ "applicationId": "PAYMENTS", "referenceId": "" });
    keeper.call("/generateMasterKey/CERTIFICATE", master).await.response();
    let certificate = keeper.certificate("PAYMENTS", "1").await;
    let parsed = Certificate::from_pem(&certificate).unwrap();
    let validity = parsed.not_after().seconds() - parsed.not_before().seconds();
    assert_eq!(validity, 730 * 86_400 + 300, "the full life that BASE says");
    let packet = peer::seal_self_contained(&certificate, b"content");
    let decryptor = administrator.new_client(&["decryptor"]).await;
    let open = json!({
        "applicationId": "PAYMENTS", "referenceId": "1", "data": kunji_tests::http::b64(&packet),
        "timeStamp": "2026-01-05T10:11:12.123Z",
    });
    decryptor.call("/decrypt", open.clone()).await.envelope_error(200, "KER-CRY-012");
    let mut everyone = policy();
    everyone["access"] = Value::Null;
    assert_eq!(put(keeper, "PAYMENTS", &[("if-match", "*")], &everyone).await.status, 200);
    decryptor.call("/decrypt", open.clone()).await.response();

    let mut inactive = everyone.clone();
    inactive["active"] = json!(false);
    assert_eq!(put(keeper, "PAYMENTS", &[("if-match", "*")], &inactive).await.status, 200);
    keeper.get(READ).await.envelope_error(200, "KER-KMS-002");
    assert_eq!(put(keeper, "PAYMENTS", &[("if-match", "*")], &everyone).await.status, 200);
    keeper.get(READ).await.response();
    assert_eq!(send(keeper, Method::DELETE, "PAYMENTS", &[("if-match", "*")], &json!({})).await.status, 204);
    keeper.get(READ).await.envelope_error(200, "KER-KMS-002");
    decryptor.call("/decrypt", open).await.envelope_error(200, "KER-CRY-012");
}

async fn four_eyes(administrator: &Http, keeper: &Http) {
    let rule = json!({
        "effect": "approval", "principals": ["*"], "operations": ["policy.change"], "approvals": 1,
        "withinSeconds": 3600, "approverRoles": ["administrator"],
    });
    let path = "/v1/access/policies/four-eyes";
    let request = administrator.request(Method::PUT, path).header("if-none-match", "*").json(&rule);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let waits = put(keeper, "ADMIN_SERVICES", &[("if-match", "*")], &policy()).await;
    assert_eq!(
        (waits.status.as_u16(), &waits.body["operation"]),
        (202, &json!("policy.change")),
        "{waits:?}"
    );
    let content: Value = serde_json::from_str(waits.body["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&content["keyPolicy"], &content["by"]["validityDays"]),
        (&json!("ADMIN_SERVICES"), &json!(1000))
    );
    assert_eq!(keeper.get("/v1/policies/ADMIN_SERVICES").await.body["validityDays"], 1095);
    let id = waits.body["id"].as_str().unwrap();
    let approved = administrator.post(&format!("/v1/approvals/{id}/approve"), &json!({})).await;
    assert_eq!(approved.body["status"], "approved", "{approved:?}");
    assert_eq!(put(keeper, "ADMIN_SERVICES", &[("if-match", "*")], &policy()).await.status, 200);
    let removal = send(keeper, Method::DELETE, "ADMIN_SERVICES", &[("if-match", "*")], &json!({})).await;
    assert_eq!(removal.status, 202, "{removal:?}");
    let request = administrator.request(Method::DELETE, path).header("if-match", "*");
    assert_eq!(request.send().await.unwrap().status(), 204);
}

/// What a policy would change is seen before it is stored.
async fn a_candidate_is_planned_and_not_stored(administrator: &Http, operator: &Operator) {
    const DAYS: &str = "1100";
    let in_force = async || administrator.get("/v1/rotation/plan?days=1100").await.body["steps"].clone();
    let (before, planned) = (administrator.get("/v1/policies").await.body, in_force().await);
    let candidate = json!({ "validityDays": 2920, "preExpireDays": 2000 });
    let foreseen = administrator.post("/v1/policies/ROOT/plan?days=1100", &candidate).await;
    assert_eq!(foreseen.status, 200, "{foreseen:?}");
    let steps = &foreseen.body["steps"];
    let of_root = |steps: &Value| {
        let steps = steps.as_array().unwrap();
        steps.iter().find(|step| step["application"] == "ROOT").unwrap()["at"].as_str().unwrap().to_owned()
    };
    assert!(of_root(steps) < of_root(&planned), "after 920 days, not after 1065: {steps}");
    // Page by page, and by command.
    let page = administrator.post("/v1/policies/ROOT/plan?limit=1&days=1", &candidate).await;
    assert_eq!(page.status, 200, "{page:?}");
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("policy.json");
    fs::write(&file, candidate.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(&operator.json(&["policy", "plan", "ROOT", file, "--days", DAYS])["steps"], steps);
    let table = operator.run(&["policy", "plan", "ROOT", file, "--days", DAYS]).stdout;
    assert!(table.starts_with("AT ") && table.contains("ROOT"), "{table}");
    assert!(!operator.run(&["policy", "plan", "ROOT"]).success, "a file is needed");

    // What could not be stored is not planned.
    let short = json!({ "validityDays": 1095, "preExpireDays": 30 });
    let refused = administrator.post("/v1/policies/BASE/plan", &short).await;
    refused.problem(422, "policy.invalid");
    for query in ["days=0", "limit=0", "after=x"] {
        let answer = administrator.post(&format!("/v1/policies/ROOT/plan?{query}"), &candidate).await;
        answer.problem(400, "request.invalid");
    }
    administrator.post("/v1/policies/a%20b/plan", &candidate).await.problem(400, "alias.invalid");

    assert_eq!(administrator.get("/v1/policies").await.body, before, "nothing is stored");
    assert_eq!(in_force().await, planned);
    operator.json(&["policy", "put", "ROOT", file]);
    assert_eq!(&in_force().await, steps, "as it was foreseen");
}

#[tokio::test]
async fn commands_list_store_show_and_remove() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let (id, secret) = {
        let made = json!({ "clientId": "keeper", "roles": ["key-administrator"] });
        let made = administrator.post("/v1/clients", &made).await;
        ("keeper", made.body["clientSecret"].as_str().unwrap().to_owned())
    };
    let operator = Operator::client(&server, id, &secret);
    let listed = operator.run(&["policy", "list"]);
    assert!(listed.stdout.contains("REGISTRATION") && listed.stdout.contains("2920"), "{listed:?}");
    let plan = operator.json(&["policy", "plan", "--days", "1100"]);
    let steps = plan["steps"].as_array().unwrap();
    let of_root = steps.iter().find(|step| step["application"] == "ROOT").unwrap();
    assert_eq!((&of_root["event"], &of_root["generation"]), (&json!("renewed"), &json!(2)));
    assert_eq!((&plan["truncated"], &plan["next"]), (&json!(false), &Value::Null));
    let table = operator.run(&["policy", "plan", "--days", "30"]).stdout;
    assert!(table.starts_with("AT ") && !table.contains("ROOT"), "{table}");
    for query in ["days=0", "days=3661", "limit=0", "after=x"] {
        let answer = administrator.get(&format!("/v1/rotation/plan?{query}")).await;
        answer.problem(400, "request.invalid");
    }

    a_candidate_is_planned_and_not_stored(&administrator, &operator).await;

    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("policy.json");
    fs::write(&file, policy().to_string()).unwrap();
    let stored = operator.json(&["policy", "put", "PAYMENTS", file.to_str().unwrap()]);
    assert_eq!((&stored["application"], &stored["changedBy"]), (&json!("PAYMENTS"), &json!("keeper")));
    // What is shown can be stored again.
    let shown = operator.run(&["policy", "show", "PAYMENTS"]);
    fs::write(&file, &shown.stdout).unwrap();
    let stored = operator.json(&["policy", "put", "PAYMENTS", file.to_str().unwrap()]);
    assert_eq!(stored["access"], json!(["payment-bridge"]));
    assert!(operator.run(&["policy", "remove", "PAYMENTS"]).success);
    let outcome = operator.run(&["policy", "show", "PAYMENTS"]);
    assert!(!outcome.success && outcome.stderr.contains("policy.not_found"), "{outcome:?}");
    let outcome = operator.run(&["policy", "show", "../clients"]);
    assert!(!outcome.success && outcome.stderr.contains("1 to 36"), "{outcome:?}");
}
