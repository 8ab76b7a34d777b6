//! What is kept elsewhere tells of an older log and of one that was signed anew.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::trail::{Export, auditor, decrypt, site, until, verify};

/// A server that takes what is posted.
fn webhook() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/anchors", listener.local_addr().unwrap());
    let posted = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&posted);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut text = Vec::new();
            let body = loop {
                let mut piece = [0; 4096];
                let length = stream.read(&mut piece).unwrap_or(0);
                text.extend_from_slice(&piece[..length]);
                let shown = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = shown.split_once("\r\n\r\n") else { continue };
                let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if length == 0 || body.len() >= announced.unwrap().parse().unwrap() {
                    break body.to_owned();
                }
            };
            taken.lock().unwrap().push(body);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        }
    });
    (url, posted)
}

#[tokio::test]
async fn anchors_tell_of_an_older_log_and_copies_that_fail_are_shown() {
    let (url, posted) = webhook();
    let outside = tempfile::tempdir().unwrap();
    let anchors = outside.path().join("anchors.ndjson");
    let site = site()
        .with("KUNJI_AUDIT_CHECKPOINT_SECONDS", "1")
        .with("KUNJI_AUDIT_ANCHOR_FILE", anchors.to_str().unwrap())
        .with("KUNJI_AUDIT_ANCHOR_URL", &url)
        .with("KUNJI_AUDIT_ANCHOR_SYSLOG", "tcp://127.0.0.1:9");
    let server = site.start();
    let operator = auditor(&server).await;
    let older = Export::of(&operator);
    decrypt(&server).await;
    let exported = older.events().len() as u64;
    let deadline = Instant::now() + Duration::from_mins(1);
    let newest = || {
        let text = fs::read_to_string(&anchors).unwrap_or_default();
        let checkpoints = text.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["checkpoint"]["size"].as_u64()
        });
        checkpoints.max().unwrap_or(0)
    };
    while newest() <= exported {
        assert!(Instant::now() < deadline, "nothing newer is anchored");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Signed and whole, and yet of yesterday.
    assert!(older.verify(&[]).0);
    let (fine, text) = older.verify(&["--anchors", anchors.to_str().unwrap()]);
    assert!(!fine && text.contains("entries when it was anchored"), "{text}");
    // As they are now: an export has what was anchored before it was made, and no more.
    let kept = outside.path().join("kept.ndjson");
    fs::copy(&anchors, &kept).unwrap();
    let newer = Export::of(&operator);
    let (fine, text) = newer.verify(&["--anchors", kept.to_str().unwrap()]);
    assert!(fine, "{text}");
    // Anchors over what one of two exports has, and over what none has.
    let anchored = newest();
    decrypt(&server).await;
    until("more is anchored", async || newest() > anchored).await;
    fs::copy(&anchors, &kept).unwrap();
    let first = (exported + 1).to_string();
    let later = Export::with(&operator, &["--first", &first]);
    let files = [older.file.to_str().unwrap(), later.file.to_str().unwrap()];
    let (fine, text) = verify(&[&files[..], &["--anchors", kept.to_str().unwrap()]].concat());
    assert!(fine && text.contains("everything holds"), "{text}");
    let first = (newest() + 1).to_string();
    let last = Export::with(&operator, &["--first", &first]);
    let (fine, text) = last.verify(&["--first", &first, "--anchors", kept.to_str().unwrap()]);
    assert!(
        fine && text.contains("NOT CHECKED") && text.contains("everything that was checked holds"),
        "{text}"
    );
    // An export that was kept, in place of anchors.
    let (fine, text) = newer.verify(&["--anchors", older.file.to_str().unwrap()]);
    assert!(fine, "{text}");
    let (fine, text) = older.verify(&["--anchors", newer.file.to_str().unwrap()]);
    assert!(!fine && text.contains("entries when it was anchored"), "{text}");
    let received = posted.lock().unwrap().clone();
    assert!(received.iter().any(|body| body.starts_with("{\"checkpoint\":")), "{received:?}");
    assert!(received.iter().any(|body| body.starts_with("{\"roster\":")), "{received:?}");
    let status = operator.json(&["audit", "status"]);
    let copy =
        |name: &str| status["copies"].as_array().unwrap().iter().find(|copy| copy["name"] == name).unwrap();
    assert_eq!((&copy("file")["failing"], &copy("webhook")["failing"]), (&false.into(), &false.into()));
    assert_eq!(copy("syslog")["failing"], true);
    let found = operator.run(&["audit", "search", "--operation", "audit.copy"]);
    assert_eq!(found.stdout.lines().count(), 1, "{found:?}");
}

#[tokio::test]
async fn events_are_copied_to_standard_output() {
    let site = site().with("KUNJI_AUDIT_EVENT_COPIES", "stdout");
    let mut child = site
        .command()
        .arg("serve")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let event = lines.find_map(|line| {
        let event: serde_json::Value = serde_json::from_str(&line.unwrap()).ok()?;
        (event["operation"] == "client.create").then_some(event)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(event.unwrap()["outcome"], "succeeded");
}
