use std::fs;

use kunji_tests::{cli::Operator, site::shared};
use serde_json::json;

const PROPERTIES: &str = "\
mosip.role.keymanager.postencrypt=CLI_ROLE,REGISTRATION_OFFICER
mosip.role.keymanager.postdecrypt=CLI_ROLE,REGISTRATION_OFFICER
mosip.role.keymanager.postcssign=CLI_ROLE
";

#[test]
fn role_properties_of_mosip_become_policies() {
    let shared = shared();
    let operator = Operator::administrator(&shared.server);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("kernel-default.properties");
    fs::write(&file, PROPERTIES).unwrap();
    let file = file.to_str().unwrap();

    // Printing needs no server.
    let nowhere = Operator::administrator(&shared.server).with("KUNJI_URL", "http://127.0.0.1:9");
    let outcome = nowhere.run(&["access", "import", file]);
    assert!(outcome.success, "{outcome:?}");
    let printed: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        printed["mosip.CLI_ROLE"]["operations"],
        json!(["packet.decrypt", "packet.decrypt_compromised", "packet.encrypt"])
    );
    assert!(outcome.stderr.contains("REGISTRATION_OFFICER: packet.decrypt"), "{outcome:?}");
    assert!(outcome.stderr.contains("postcssign"), "{outcome:?}");

    let check =
        ["access", "check", "--principal", "x", "--roles", "CLI_ROLE", "--operation", "packet.decrypt"];
    let check = [&check[..], &["--application", "REGISTRATION", "--reference", "1"]].concat();
    assert_eq!(operator.json(&check)["allowed"], false);
    assert!(operator.run(&["access", "import", "--put", file]).success);
    let answer = operator.json(&check);
    assert_eq!((&answer["allowed"], &answer["policy"]), (&json!(true), &json!("mosip.CLI_ROLE")));
    // Once more, in place of what is there.
    assert!(operator.run(&["access", "import", "--put", file]).success);
    for name in ["mosip.CLI_ROLE", "mosip.REGISTRATION_OFFICER"] {
        assert!(operator.run(&["access", "remove", name]).success);
    }
    assert_eq!(operator.json(&check)["allowed"], false);
}

#[test]
fn a_policy_is_stored_shown_listed_and_removed() {
    let shared = shared();
    let operator = Operator::administrator(&shared.server);
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("policy.json");
    let policy = json!({
        "effect": "deny", "principals": ["cli-stopped"], "operations": ["packet.*"], "keys": ["*/*"],
    });
    fs::write(&file, policy.to_string()).unwrap();
    let stored = operator.json(&["access", "put", "cli-stopped", file.to_str().unwrap()]);
    assert_eq!(stored["name"], "cli-stopped");

    let shown = operator.run(&["access", "show", "cli-stopped"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    for (member, value) in policy.as_object().unwrap() {
        assert_eq!(&shown[member], value, "{member}");
    }
    // What is shown can be stored again.
    fs::write(&file, shown.to_string()).unwrap();
    operator.json(&["access", "put", "cli-stopped", file.to_str().unwrap()]);

    let listed = operator.run(&["access", "list"]);
    assert!(listed.stdout.contains("cli-stopped") && listed.stdout.contains("kunji.decryptor"), "{listed:?}");
    assert!(operator.run(&["access", "remove", "cli-stopped"]).success);
    let outcome = operator.run(&["access", "remove", "cli-stopped"]);
    assert!(!outcome.success && outcome.stderr.contains("access.policy_not_found"), "{outcome:?}");
    let outcome = operator.run(&["access", "show", "../clients"]);
    assert!(!outcome.success && outcome.stderr.contains("1 to 64"), "{outcome:?}");
}
