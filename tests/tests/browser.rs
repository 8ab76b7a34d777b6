//! The demo's pages in a real browser: the tests in `browser`, run by Node, against a server of their own.
#![cfg(test)]

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use kunji_tests::{http::Http, site::Site};
use serde_json::json;

const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";

/// The Node project.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Where people find the pictures that the tests take: beside the programs that were built.
fn screenshots() -> PathBuf {
    let programs = kunji_tests::site::program();
    programs.parent().unwrap().join("demo-screenshots")
}

/// Origins that nothing listens on, each another.
fn free_origins<const N: usize>() -> [String; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| format!("http://{}", listener.local_addr().unwrap()))
}

/// Makes a client with these roles, and returns its id and secret.
async fn new_client(administrator: &Http, id: &str, roles: &[&str]) -> (String, String) {
    let answer = administrator.post("/v1/clients", &json!({ "clientId": id, "roles": roles })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (id.to_owned(), answer.body["clientSecret"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_demo_works_in_a_browser() {
    let modules = project().join("node_modules");
    assert!(modules.exists(), "{} is missing: run `npm ci` in tests/browser first", modules.display());
    // One for each file of tests that serves pages.
    let other_origins = free_origins::<2>();
    let site = Site::new()
        .with("KUNJI_CORS_ORIGINS", other_origins.join(","))
        .with("KUNJI_DEMO_INBOX", "true")
        .with("KUNJI_PUBLIC_CERTIFICATES", format!("{APPLICATION}/{REFERENCE}"))
        // The tests are one address, and faster than people.
        .with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "6000");
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let (clerk, clerk_secret) = new_client(&administrator, "clerk", &["encryptor"]).await;
    let (reader, reader_secret) = new_client(&administrator, "reader", &["decryptor"]).await;
    let (reviewer, reviewer_secret) = new_client(&administrator, "reviewer", &["decryptor", "signer"]).await;
    // Reading the certificate makes its key.
    server.http().sign_in(&clerk, &clerk_secret).await.certificate(APPLICATION, REFERENCE).await;

    let run = Command::new("node")
        // Files wait for their browsers most of the time: two at once, also where there are two cores.
        .args(["--test", "--test-concurrency=2"])
        .current_dir(project())
        .env("KUNJI_URL", &server.base)
        .env("OTHER_ORIGINS", other_origins.join(" "))
        .env("CLERK_ID", clerk)
        .env("CLERK_SECRET", clerk_secret)
        .env("READER_ID", reader)
        .env("READER_SECRET", reader_secret)
        .env("REVIEWER_ID", reviewer)
        .env("REVIEWER_SECRET", reviewer_secret)
        .env("SCREENSHOTS", screenshots())
        .stdin(Stdio::null())
        .output()
        .expect("Node is needed: install the package nodejs");
    assert!(
        run.status.success(),
        "{}{}\n{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
        site.log()
    );
}
