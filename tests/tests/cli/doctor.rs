use kunji_tests::{
    cli::Operator,
    http::Http,
    site::{Server, Site},
};
use serde_json::{Value, json};

async fn keeper(server: &Server) -> (Operator, Http) {
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let made = administrator.new_client(&["key-administrator", "encryptor"]).await;
    let body = json!({ "clientId": "cli-doctor", "roles": ["key-administrator"] });
    let secret = administrator.post("/v1/clients", &body).await.body["clientSecret"].clone();
    (Operator::client(server, "cli-doctor", secret.as_str().unwrap()), made)
}

/// A server whose database was lost, and whose token was not: the doctor says so, and ends with 0 only when all is well.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_and_mends() {
    let site = Site::new().with("KUNJI_KEYS", "ROOT,REGISTRATION");
    let server = site.start();
    let (operator, http) = keeper(&server).await;
    http.certificate("REGISTRATION", "10001_110011").await;
    let well = operator.json(&["doctor"]);
    assert_eq!(well["findings"], json!([]));
    assert!(well["keys"].as_u64().unwrap() >= 3 && well["objects"].as_u64().unwrap() >= 4, "{well}");
    assert!(well.get("mended").is_none());
    assert_eq!(operator.json(&["doctor", "--mend"])["mended"], json!([]));
    server.stop();

    let lost = site.data_dir().join("database");
    std::fs::rename(&lost, site.data_dir().join("lost")).unwrap();
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let body = json!({ "clientId": "cli-doctor", "roles": ["key-administrator"] });
    let secret = administrator.post("/v1/clients", &body).await.body["clientSecret"].clone();
    let operator = Operator::client(&server, "cli-doctor", secret.as_str().unwrap());
    let outcome = operator.run(&["doctor", "--json"]);
    assert!(!outcome.success, "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding["code"] == "token.key_unused"), "{report}");
    assert!(findings.iter().any(|finding| finding["label"] == "sign/ROOT//1"), "{report}");
    let table = operator.run(&["doctor"]);
    assert!(table.stdout.contains("token.key_unused") && table.stderr.contains("findings"), "{table:?}");
}
