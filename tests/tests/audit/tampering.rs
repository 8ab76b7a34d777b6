//! Whatever is done to an export or to the files of a log is found, and the entry named.

use std::{fs, process::Command};

use crate::trail::{Export, auditor, decrypt, site, until, verify};

/// The place of an event of this operation in the lines of an export, and its number.
fn find(lines: &[String], operation: &str) -> (usize, u64) {
    let at = lines.iter().position(|line| line.contains(&format!("\"operation\":\"{operation}\""))).unwrap();
    let event: serde_json::Value = serde_json::from_str(&lines[at]).unwrap();
    (at, event["sequence"].as_u64().unwrap())
}

#[tokio::test]
async fn every_tampering_of_an_export_is_found_and_the_entry_named() {
    let site = site();
    let server = site.start();
    decrypt(&server).await;
    let auditor = auditor(&server).await;
    let export = Export::of(&auditor);
    let lines = export.lines();
    let holds = |lines: &[String]| {
        export.write(lines);
        export.verify(&[])
    };
    let (fine, text) = holds(&lines);
    assert!(fine && text.contains("everything holds") && text.contains("server one"), "{text}");
    assert!(lines.last().unwrap().starts_with("{\"checkpoint\":"));
    let events = export.events();
    let last = events.last().unwrap();
    assert_eq!((&last["operation"], &last["outcome"]), (&"audit.export".into(), &"succeeded".into()));
    let checkpoint: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(checkpoint["checkpoint"]["size"], last["sequence"]);

    let (at, number) = find(&lines, "packet.decrypt");
    let named = |lines: &[String], words: &str| {
        let (fine, text) = holds(lines);
        assert!(!fine && text.contains(words), "{words}: {text}");
    };
    let mut edited = lines.clone();
    edited[at] = edited[at].replace("packet.decrypt", "packet.encrypt");
    named(&edited, &format!("trail.ndjson:{}: entry {number} was changed", at + 1));
    let mut removed = lines.clone();
    removed.remove(at);
    named(&removed, &format!("entry {number} was removed"));
    let mut inserted = lines.clone();
    inserted.insert(at, lines[at].clone());
    named(&inserted, &format!("entry {number} is here a second time"));
    let mut reordered = lines.clone();
    reordered.swap(at, at - 1);
    named(&reordered, "out of its order");
    named(&lines[..lines.len() - 1], "are covered by no checkpoint that counts");
    named(&lines[..lines.len() - 2], "the end is cut off");
    named(&lines[..at], "the end is cut off");
    let mut forged = lines.clone();
    let covered = format!("\"size\":{}", last["sequence"]);
    let end = forged.len() - 1;
    forged[end] = forged[end].replace(&covered, &format!("\"size\":{number}"));
    named(&forged, "forged or was changed");
    // A byte of the file's end.
    fs::write(&export.file, lines.join("\n")).unwrap();
    assert!(!export.verify(&[]).0);
    server.stop();
}

#[tokio::test]
async fn the_key_is_the_one_given_or_pinned_or_beside() {
    let (site, other) = (site(), site());
    let server = site.start();
    let export = Export::of(&auditor(&server).await);
    let pinned = site.data_dir().join("audit/keys.pem");
    let (fine, text) = export.verify(&[]);
    assert!(fine && text.contains("the key beside the export"), "{text}");
    let (fine, text) = export.verify(&["--key", pinned.to_str().unwrap()]);
    assert!(fine && text.contains("the key given"), "{text}");
    let (fine, text) = export.verify(&["--data-dir", site.data_dir().to_str().unwrap()]);
    assert!(fine && text.contains("the key pinned"), "{text}");
    // The public key alone, as OpenSSL writes it.
    let public = export.dir.path().join("public.pem");
    let output =
        Command::new("openssl").args(["x509", "-noout", "-pubkey", "-in"]).arg(&pinned).output().unwrap();
    fs::write(&public, output.stdout).unwrap();
    assert!(export.verify(&["--key", public.to_str().unwrap()]).0);
    // The certificate is ROOT's work and may sign.
    let text =
        Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&pinned).output().unwrap();
    assert!(String::from_utf8_lossy(&text.stdout).contains("Digital Signature"));

    // The pinned key of another installation, and no key at all.
    let stranger = other.start();
    let (fine, text) = export.verify(&["--data-dir", other.data_dir().to_str().unwrap()]);
    assert!(!fine && text.contains("signed by a key that is not trusted"), "{text}");
    let foreign = Export::of(&auditor(&stranger).await);
    assert!(foreign.verify(&[]).0);
    let (fine, text) = foreign.verify(&["--key", pinned.to_str().unwrap()]);
    assert!(!fine && text.contains("signed by a key that is not trusted"), "{text}");
    fs::remove_file(export.file.with_file_name("trail.ndjson.keys.pem")).unwrap();
    let (fine, text) = export.verify(&[]);
    assert!(!fine && text.contains("there is no key to verify with"), "{text}");
}

/// Two servers of one installation: each log must be there, and none can stand for the other.
#[tokio::test]
async fn a_missing_log_and_swapped_logs_are_found() {
    let token = tempfile::tempdir().unwrap();
    let site = site();
    let server = site.start();
    let operator = auditor(&server).await;
    let first = Export::of(&operator);
    assert!(first.verify(&[]).0);
    server.stop();
    // The same installation with another data directory for the log alone: as if on another machine.
    let log = site.data_dir().join("audit");
    let moved = token.path().join("audit");
    fs::rename(&log, &moved).unwrap();
    let server = site.start();
    let operator = auditor(&server).await;
    let second = Export::of(&operator);
    let (fine, text) = second.verify(&[]);
    assert!(!fine && text.contains("is missing: its export must be given too"), "{text}");
    let (one, two) = (first.file.to_str().unwrap(), second.file.to_str().unwrap());
    let (fine, text) = verify(&[one, two]);
    assert!(fine, "{text}");
    // The entries of one under the beginning of the other.
    let mut lines = first.lines()[..2].to_vec();
    lines.extend(second.lines().into_iter().skip(2));
    first.write(&lines);
    let (fine, text) = verify(&[one, two]);
    assert!(!fine && text.contains("logs were swapped"), "{text}");
}

/// Whoever changes the files under a stopped server is noticed when it starts, and by whoever verifies.
#[tokio::test]
async fn a_log_that_was_changed_on_disk_stops_the_start() {
    let site = site();
    let server = site.start();
    decrypt(&server).await;
    let operator = auditor(&server).await;
    let honest = Export::of(&operator);
    server.stop();
    let segment = site.data_dir().join("audit/events-00000000000000000001.ndjson");
    let text = fs::read_to_string(&segment).unwrap();
    let refused = |changed: &str, words: &str| {
        fs::write(&segment, changed).unwrap();
        let output = site.command().arg("serve").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{said}");
    };
    refused(&text.replacen("packet.decrypt", "packet.encrypt", 1), "is not what was signed");
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    refused(&lines[..lines.len() - 3].concat(), "the audit trail was cut");
    fs::write(&segment, &text).unwrap();
    let server = site.start();
    let later = Export::of(&auditor(&server).await);
    assert!(later.verify(&[]).0);
    assert!(later.lines().len() > honest.lines().len());
}

/// What the database forgets, the servers bring back.
#[tokio::test]
async fn a_log_that_vanishes_from_the_roster_comes_back() {
    let site = site();
    site.start().stop();
    let log = site.data_dir().join("audit");
    fs::rename(&log, site.path().join("another-machine")).unwrap();
    site.start().stop();
    let named =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["roster"]["logs"].clone();
    let before = named(&fs::read_to_string(log.join("roster.json")).unwrap());
    assert_eq!(before.as_array().unwrap().len(), 2);
    {
        let url = format!("surrealkv://{}?sync=every", site.data_dir().join("database").display());
        let database = surrealdb::engine::any::connect(url).await.unwrap();
        database.use_ns("kunji").use_db("kunji").await.unwrap();
        database.query("DELETE audit_roster").await.unwrap().check().unwrap();
    }
    // The engine's tasks end some time after its last handle.
    let lock = fs::File::open(site.data_dir().join("database/LOCK")).unwrap();
    until("the database is closed", async || lock.try_lock().is_ok()).await;
    drop(lock);
    let server = site.start();
    let operator = auditor(&server).await;
    let export = Export::of(&operator);
    assert_eq!(named(&export.lines()[1]), before);
    let restored = operator.run(&["audit", "search", "--operation", "audit.roster_restored"]);
    assert_eq!(restored.stdout.lines().count(), 1, "{restored:?}");
    let (fine, text) = export.verify(&[]);
    assert!(!fine && text.contains("is missing: its export must be given too"), "{text}");
}
