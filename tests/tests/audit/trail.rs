//! A server whose trail is looked at.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use kunji_tests::{
    cli::Operator,
    http::{Http, b64},
    peer,
    site::{Server, Site, program},
};
use serde_json::{Value, json};

pub(crate) const APPLICATION: &str = "REGISTRATION";
pub(crate) const REFERENCE: &str = "10001_110011";
pub(crate) const RECORD: &[u8] = b"planted-plaintext of one person";

/// Few keys, so that it starts soon.
pub(crate) fn site() -> Site {
    Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION").with("KUNJI_AUDIT_SERVER_NAME", "one")
}

pub(crate) async fn administrator(server: &Server) -> Http {
    server.http().sign_in("administrator", &server.secret).await
}

/// A client with these roles, its id and its secret.
pub(crate) async fn client(server: &Server, roles: &[&str]) -> (String, String) {
    let id = format!("client-{}", uuid::Uuid::new_v4());
    let answer =
        administrator(server).await.post("/v1/clients", &json!({ "clientId": id, "roles": roles })).await;
    (id, answer.body["clientSecret"].as_str().unwrap().to_owned())
}

/// Somebody at a terminal who may read the trail.
pub(crate) async fn auditor(server: &Server) -> Operator {
    let (id, secret) = client(server, &["auditor"]).await;
    Operator::client(server, &id, &secret)
}

/// Seals and opens a packet.
pub(crate) async fn decrypt(server: &Server) {
    let (id, secret) = client(server, &["encryptor", "decryptor"]).await;
    let client = server.http().sign_in(&id, &secret).await;
    let packet = peer::seal_self_contained(&client.certificate(APPLICATION, REFERENCE).await, RECORD);
    let request = json!({
        "applicationId": APPLICATION, "referenceId": REFERENCE, "timeStamp": "2026-01-05T10:11:12.123Z",
        "data": b64(&packet),
    });
    client.call("/decrypt", request).await.response();
}

/// An export in a directory of its own.
pub(crate) struct Export {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) file: PathBuf,
}

impl Export {
    /// Has the operator export the log.
    pub(crate) fn of(operator: &Operator) -> Self {
        Self::with(operator, &[])
    }

    pub(crate) fn with(operator: &Operator, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trail.ndjson");
        let output = ["audit", "export", "--output", file.to_str().unwrap()];
        let outcome = operator.run(&[&output, arguments].concat());
        assert!(outcome.success, "{outcome:?}");
        Self { dir, file }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap().lines().map(str::to_owned).collect()
    }

    /// The events alone.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.lines();
        let values = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        values.filter(|value| value["sequence"].is_u64()).collect()
    }

    pub(crate) fn write(&self, lines: &[String]) {
        fs::write(&self.file, lines.join("\n") + "\n").unwrap();
    }

    /// Verifies it as it is now: whether all holds, and what was said.
    pub(crate) fn verify(&self, arguments: &[&str]) -> (bool, String) {
        verify(&[&[self.file.to_str().unwrap()], arguments].concat())
    }
}

/// `kunji audit verify` on a machine that has no server.
pub(crate) fn verify(arguments: &[&str]) -> (bool, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KUNJI_")) {
        command.env_remove(name);
    }
    let output =
        command.current_dir(elsewhere.path()).args(["audit", "verify"]).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
