use kunji_tests::{cli::Operator, site::shared};

#[tokio::test]
async fn a_client_is_made_and_its_secret_is_good() {
    let shared = shared();
    let operator = Operator::administrator(&shared.server);
    let made = operator.json(&["clients", "create", "cli-json", "--roles", "encryptor,decryptor"]);
    assert_eq!(made["clientId"], "cli-json");
    let secret = made["clientSecret"].as_str().unwrap();
    shared.server.http().sign_in("cli-json", secret).await;

    let outcome = operator.run(&["clients", "create", "cli-table", "--roles", "signer"]);
    assert!(outcome.success, "{outcome:?}");
    let lines: Vec<Vec<&str>> =
        outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["CLIENT", "SECRET"]);
    assert_eq!(lines[1][0], "cli-table");
    shared.server.http().sign_in("cli-table", lines[1][1]).await;
}

#[test]
fn what_the_server_refuses_is_said_with_its_code() {
    let shared = shared();
    let operator = Operator::administrator(&shared.server);
    let outcome = operator.run(&["clients", "create", "administrator", "--roles", "signer"]);
    assert!(!outcome.success && outcome.stdout.is_empty(), "{outcome:?}");
    assert!(outcome.stderr.contains("(409 client.exists)"), "{outcome:?}");
}

#[tokio::test]
async fn clients_are_listed_shown_and_changed() {
    let shared = shared();
    let operator = Operator::administrator(&shared.server);
    let made = operator.json(&["clients", "create", "cli-changed", "--roles", "encryptor"]);
    let secret = made["clientSecret"].as_str().unwrap().to_owned();
    let listed = operator.json(&["clients", "list"]);
    let find = |id: &str| {
        listed.as_array().unwrap().iter().find(|client| client["clientId"] == id).cloned().unwrap()
    };
    assert_eq!(find("administrator")["roles"], serde_json::json!(["administrator"]));
    assert_eq!(operator.json(&["clients", "show", "cli-changed"]), find("cli-changed"));
    let outcome = operator.run(&["clients", "list"]);
    let rows: Vec<Vec<&str>> = outcome.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..2], ["CLIENT", "ROLES"]);
    assert!(rows.iter().any(|row| row[..2] == ["cli-changed", "encryptor"]), "{outcome:?}");

    let changed = operator.json(&["clients", "roles", "cli-changed", "--roles", "signer,encryptor"]);
    assert_eq!(changed["roles"], serde_json::json!(["encryptor", "signer"]));
    let rotated = operator.json(&["clients", "rotate", "cli-changed"]);
    assert!(rotated["formerSecretsUntil"].is_string(), "{rotated}");
    shared.server.http().sign_in("cli-changed", &secret).await;
    let rotated = operator.json(&["clients", "rotate", "cli-changed", "--overlap-seconds", "0"]);
    let secret = rotated["clientSecret"].as_str().unwrap().to_owned();
    let client = shared.server.http().sign_in("cli-changed", &secret).await;

    let certificate = "/v1/keymanager/getCertificate?applicationId=REGISTRATION";
    assert_eq!(client.get(certificate).await.status, 200);
    assert!(operator.json(&["clients", "disable", "cli-changed"])["disabledAt"].is_string());
    assert_eq!(client.get(certificate).await.status, 401);
    assert!(operator.json(&["clients", "enable", "cli-changed"])["disabledAt"].is_null());
    shared.server.http().sign_in("cli-changed", &secret).await;
    let deleted = operator.json(&["clients", "delete", "cli-changed"]);
    assert_eq!(deleted["clientId"], "cli-changed");
    for (arguments, code) in [
        (["clients", "show", "cli-changed"], "client.not_found"),
        (["clients", "delete", "cli-changed"], "client.not_found"),
        (["clients", "disable", "administrator"], "client.last_administrator"),
        (["clients", "show", "../packets"], "no client has such a name"),
    ] {
        let outcome = operator.run(&arguments);
        assert!(!outcome.success && outcome.stderr.contains(code), "{outcome:?}");
    }
}
