use kunji_tests::{cli::Operator, http::Http, site::shared};
use serde_json::json;

#[tokio::test]
async fn keys_are_listed_shown_and_decided_about() {
    let shared = shared();
    let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
    let body = json!({ "clientId": "cli-keeper", "roles": ["key-administrator"] });
    let made = administrator.post("/v1/clients", &body).await;
    let operator =
        Operator::client(&shared.server, "cli-keeper", made.body["clientSecret"].as_str().unwrap());

    let created = operator.json(&["keys", "create", "REGISTRATION", "cli-keys"]);
    let id = created["keyId"].as_str().unwrap();
    let listed = operator.json(&["keys", "list", "--application", "REGISTRATION", "--reference", "cli-keys"]);
    assert_eq!(listed[0], created);
    assert!(operator.json(&["keys", "list", "--most", "2"]).as_array().unwrap().len() == 2);
    let outcome = operator.run(&["keys", "list", "--application", "REGISTRATION", "--reference", "cli-keys"]);
    let rows: Vec<Vec<&str>> = outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows[0],
        ["KEY", "APPLICATION", "REFERENCE", "GENERATION", "STATE", "NEWEST", "UNTIL", "TAGS"]
    );
    assert_eq!(rows[1][..6], [id, "REGISTRATION", "cli-keys", "1", "active", "true"]);

    assert_eq!(operator.json(&["keys", "tag", id, "pilot"])["tags"][0], "pilot");
    let tagged = operator.json(&["keys", "list", "--tag", "pilot", "--purpose", "encryption"]);
    assert_eq!(tagged[0]["keyId"], id);
    let suspended = operator.json(&["keys", "suspend", id, "--reason", "lost"]);
    assert_eq!((&suspended["to"], &suspended["reason"]), (&"suspended".into(), &"lost".into()));
    let shown = operator.run(&["keys", "show", id]);
    assert!(shown.stdout.contains("suspend by cli-keeper: lost"), "{shown:?}");
    assert_eq!(operator.json(&["keys", "resume", id])["to"], "active");
    let successor = operator.json(&["rotate", "REGISTRATION", "cli-keys"]);
    assert_eq!(successor["generation"], 2);
    let successor = successor["keyId"].as_str().unwrap();
    assert_eq!(operator.json(&["rotate", successor])["generation"], 3);
    let revoked = operator.json(&["keys", "revoke", id, "--cause", "compromised"]);
    assert_eq!(revoked["to"], "compromised");
    for (arguments, code) in [
        (&["rotate", successor][..], "key.forestalled"),
        (&["rotate", "REGISTRATION", "cli-nothing"], "there is no key of REGISTRATION/cli-nothing"),
        (&["keys", "resume", id], "key.change_refused"),
        (&["keys", "show", "../clients"], "is none"),
        (&["keys", "create", "REGISTRATION", "cli-keys"], "key.exists"),
    ] {
        let outcome = operator.run(arguments);
        assert!(!outcome.success && outcome.stderr.contains(code), "{outcome:?}");
    }
    keys_end_by_command(&administrator, &operator, id).await;
}

/// The key is superseded. As shipped, an administrator has to agree.
async fn keys_end_by_command(administrator: &Http, operator: &Operator, id: &str) {
    let destroy = ["keys", "destroy", id, "--reason", "retired"];
    assert!(operator.run(&destroy).success);
    let waiting = administrator.get("/v1/approvals").await;
    let waiting = waiting.body["approvals"].as_array().unwrap();
    let approval = waiting.iter().find(|it| it["operation"] == "key.destroy").unwrap();
    let path = format!("/v1/approvals/{}/approve", approval["id"].as_str().unwrap());
    assert_eq!(administrator.post(&path, &json!({})).await.status, 200);
    let scheduled = operator.json(&destroy);
    assert_eq!(
        (&scheduled["change"], &scheduled["to"]),
        (&"scheduleDestruction".into(), &"compromised".into())
    );
    let shown = operator.run(&["keys", "show", id]);
    assert!(shown.stdout.contains("asked for by cli-keeper: not before 20"), "{shown:?}");
    assert_eq!(operator.json(&["keys", "cancel-destruction", id])["change"], "cancelDestruction");

    let keks = operator.run(&["keys", "keks", "REGISTRATION"]);
    let row: Vec<_> = keks.stdout.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[2], row[3]), ("REGISTRATION", "active", "true"), "{keks:?}");
    assert_eq!(operator.json(&["rewrap"])["failed"], 0);
    assert_ne!(operator.json(&["rewrap", "--status"])["state"], "never");
    for (arguments, code) in [
        (&["keys", "cancel-destruction", id][..], "key.change_refused"),
        (&["keys", "destroy", "REGISTRATION:99", "--reason", "x"], "key.not_found"),
        (&["keys", "destroy", "REGISTRATION:x", "--reason", "x"], "APPLICATION:VERSION"),
    ] {
        let outcome = operator.run(arguments);
        assert!(!outcome.success && outcome.stderr.contains(code), "{outcome:?}");
    }
}
