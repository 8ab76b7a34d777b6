//! A fuzzer that knows nothing but the OpenAPI document is set upon the HTTP API: no request may be answered with a 5xx,
//! or with what the document does not say.
#![cfg(test)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use kunji_tests::site::{Server, Site};
use serde_json::{Value, json};

/// Set by `make test`.
const PROGRAM_VARIABLE: &str = "KUNJI_TEST_SCHEMATHESIS";
/// That the token is asked for is left to other tests: these requests are the fuzzer's own, with whatever it makes up.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,allow_header_conformance";
const ROLES: [&str; 6] =
    ["administrator", "auditor", "decryptor", "encryptor", "key-administrator", "signer"];
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// From the tests' directory.
const DOCUMENT: &str = "../docs/openapi.json";
/// How much is tried: the same each time in the gate, what is drawn otherwise.
const SOAK: [&str; 2] = ["--max-time", "300"];
const GATE: [&str; 4] = ["--seed", "1", "--max-examples", "40"];

fn site() -> Site {
    Site::new()
        .with("KUNJI_DEMO_INBOX", "true")
        .with("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/*")
        .with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "100000")
}

/// The token of a client with every role, on a server that has what the fuzzer's settings name.
async fn prepared(server: &Server) -> String {
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let mut secrets = Vec::new();
    for client in ["guinea-pig", "fuzzer"] {
        let made = administrator.post("/v1/clients", &json!({ "clientId": client, "roles": ROLES })).await;
        secrets.push(made.body["clientSecret"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned());
    }
    let fuzzer = server.http().sign_in("fuzzer", &secrets[1]).await;
    let path = "/v1/keymanager/getCertificate?applicationId=REGISTRATION&referenceId=10001_110011";
    let certificate = fuzzer.get(path).await;
    assert!(certificate.body["response"].is_object(), "{certificate:?}");
    fuzzer.token().unwrap().to_owned()
}

/// Sets the fuzzer upon the server, and gives its report.
fn fuzz(server: &Server, token: &str, extent: &[&str]) -> Value {
    let program = std::env::var_os(PROGRAM_VARIABLE)
        .unwrap_or_else(|| panic!("{PROGRAM_VARIABLE} is not set: run the tests by `make test`"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .current_dir(place.path())
        .arg("--no-color")
        .args(["--config-file".as_ref(), here.join("schemathesis/schemathesis.toml").as_os_str()])
        .arg("run")
        .arg(here.join(DOCUMENT))
        .args(["--url", &server.base, "--checks", CHECKS, "--continue-on-failure"])
        .args(["--generation-database", "none", "--report", "json", "--report-json-path", "report.json"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(extent)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = read(&place.path().join("report.json"));
    let document: Value = read(&here.join(DOCUMENT));
    let operations: usize = document["paths"].as_object().unwrap().values().map(operations_of).sum();
    assert_eq!(report["complete"], true, "{said}");
    assert_eq!(report["operations"]["tested"], operations, "{said}");
    assert!(report["test_cases"]["generated"].as_u64().unwrap() > 2000, "{said}");
    report
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn operations_of(path: &Value) -> usize {
    path.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str())).count()
}

#[tokio::test]
async fn whoever_may_do_everything_gets_what_is_documented() {
    let site = site();
    let server = site.start();
    let report = fuzz(&server, &prepared(&server).await, &GATE);
    // It was let in everywhere.
    assert_eq!(report["warnings"]["missing_auth"], json!([]), "{report}");
}

#[test]
fn whoever_has_no_valid_token_gets_what_is_documented() {
    let site = site();
    fuzz(&site.start(), "not.a.token", &GATE);
}

/// The same with other requests each time.
#[tokio::test]
#[ignore = "takes minutes"]
async fn soak_what_is_documented_is_what_anyone_gets() {
    let site = site();
    let server = site.start();
    fuzz(&server, &prepared(&server).await, &SOAK);
    fuzz(&server, "not.a.token", &SOAK);
}
