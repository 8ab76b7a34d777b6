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
