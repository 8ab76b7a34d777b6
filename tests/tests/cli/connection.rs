use kunji_tests::{
    cli::{Operator, Outcome},
    site::shared,
};

fn create(operator: &Operator) -> Outcome {
    operator.run(&["clients", "create", "never-made", "--roles", "signer"])
}

#[track_caller]
fn assert_says(outcome: &Outcome, text: &str) {
    assert!(!outcome.success && outcome.stdout.is_empty(), "{outcome:?}");
    assert!(outcome.stderr.contains(text), "{outcome:?}");
}

#[test]
fn without_a_token_or_a_client_it_says_what_to_set() {
    let shared = shared();
    let nobody = Operator::administrator(&shared.server).with("KUNJI_CLIENT_ID", "");
    assert_says(&create(&nobody), "KUNJI_TOKEN");
}

#[test]
fn a_wrong_secret_or_token_is_refused_and_not_shown() {
    let shared = shared();
    let wrong = Operator::client(&shared.server, "administrator", "not-the-secret");
    let outcome = create(&wrong);
    assert_says(&outcome, "(401 invalid_client)");
    assert!(!outcome.stderr.contains("not-the-secret"), "{outcome:?}");
    let forged = Operator::administrator(&shared.server).with("KUNJI_TOKEN", "not-a-token");
    let outcome = create(&forged);
    assert_says(&outcome, "(401 ");
    assert!(!outcome.stderr.contains("not-a-token"), "{outcome:?}");
}

#[test]
fn a_server_that_is_not_there_or_is_another_is_said() {
    let shared = shared();
    // Nothing listens on the discard port.
    let nowhere = Operator::administrator(&shared.server).with("KUNJI_URL", "http://127.0.0.1:9");
    assert_says(&create(&nowhere), "does not answer");
    let other = Operator::administrator(&shared.server).with("KUNJI_URL", "kunji.example");
    assert_says(&create(&other), "--url");
}
