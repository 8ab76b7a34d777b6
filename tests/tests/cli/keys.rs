use kunji_tests::{cli::Operator, site::shared};

#[tokio::test]
async fn keys_are_listed_shown_and_decided_about() {
    let shared = shared();
    let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
    let body = serde_json::json!({ "clientId": "cli-keeper", "roles": ["key-administrator"] });
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
}
