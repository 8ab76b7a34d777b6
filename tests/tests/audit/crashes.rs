//! Kills, an absent token, a full disk, archives.

use std::{fs, process::Command};

use serde_json::json;

use crate::trail::{Export, administrator, auditor, client, decrypt, site, until};

#[tokio::test]
async fn a_kill_between_event_and_checkpoint_loses_nothing_acknowledged() {
    let site = site().with("KUNJI_AUDIT_CHECKPOINT_SECONDS", "3600");
    let mut made = Vec::new();
    for _ in 0..3 {
        let server = site.start();
        for _ in 0..3 {
            made.push(client(&server, &["signer"]).await.0);
        }
        server.kill();
    }
    let server = site.start();
    let export = Export::of(&auditor(&server).await);
    let (fine, text) = export.verify(&[]);
    assert!(fine, "{text}");
    let text = export.lines().join("\n");
    assert!(made.iter().all(|id| text.contains(&format!("\"client\":\"{id}\""))), "{text}");
}

#[tokio::test]
async fn an_unfinished_end_keeps_the_tree() {
    let site = site();
    let server = site.start();
    server.kill();
    let segment = site.data_dir().join("audit/events-00000000000000000001.ndjson");
    let mut text = fs::read(&segment).unwrap();
    text.extend_from_slice(b"{\"sequence\":9999,\"ti");
    fs::write(&segment, text).unwrap();
    let checkpoints = site.data_dir().join("audit/checkpoints.ndjson");
    let mut text = fs::read(&checkpoints).unwrap();
    text.extend_from_slice(b"{\"checkpoint\":{\"lo");
    fs::write(&checkpoints, text).unwrap();
    let server = site.start();
    let export = Export::of(&auditor(&server).await);
    let (fine, text) = export.verify(&[]);
    assert!(fine, "{text}");
}

/// Checkpoints wait while the token is away; events do not.
#[tokio::test]
async fn without_the_token_events_go_on_and_are_signed_later() {
    let site = site().with("KUNJI_AUDIT_CHECKPOINT_SECONDS", "1").with("KUNJI_PKCS11_DEADLINE_SECONDS", "2");
    let server = site.start();
    decrypt(&server).await;
    let (id, secret) = client(&server, &["auditor"]).await;
    let http = server.http().sign_in(&id, &secret).await;
    let tokens = site.path().join("tokens");
    let away = site.path().join("tokens-away");
    fs::rename(&tokens, &away).unwrap();
    // The process with the library, too: some libraries go on from memory.
    let children = format!("/proc/{0}/task/{0}/children", server.pid());
    for child in fs::read_to_string(children).unwrap().split_whitespace() {
        Command::new("kill").args(["-KILL", child]).status().unwrap();
    }
    let status = async || http.get("/v1/audit/status").await.body;
    until("checkpoints fail", async || status().await["checkpointsFailing"] == true).await;
    let before = status().await["last"].as_u64().unwrap();
    assert!(status().await["last"].as_u64().unwrap() > before, "events go on");
    fs::rename(&away, &tokens).unwrap();
    until("checkpoints are signed again", async || status().await["checkpointsFailing"] == false).await;
    let operator = kunji_tests::cli::Operator::client(&server, &id, &secret);
    let export = Export::of(&operator);
    assert!(export.verify(&[]).0);
}

/// With a spool on another disk the trail goes on when its own is full. Limits of a user cannot be set for one
/// directory, so a file system of its own is mounted, where that is allowed.
#[tokio::test]
async fn a_full_disk_refuses_by_default_and_spools_where_that_is_set() {
    for spool in [false, true] {
        let mut site = site();
        let directory = site.data_dir().join("audit");
        fs::create_dir_all(&directory).unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", directory.to_str().unwrap()];
        let mounted = Command::new("mount").args(mount).stderr(std::process::Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!(
                "not run: only root may mount a file system; the adapter's tests have a disk that fails"
            );
            return;
        }
        let _unmounted = Unmount(directory.clone());
        if spool {
            let other = site.path().join("spool");
            site = site.with("KUNJI_AUDIT_SPOOL_DIR", other.to_str().unwrap());
        }
        let server = site.start();
        let administrator = administrator(&server).await;
        let create = async || {
            let id = format!("c-{}", uuid::Uuid::new_v4());
            let body = json!({ "clientId": id, "roles": ["signer"] });
            (administrator.post("/v1/clients", &body).await.status.as_u16(), id)
        };
        let operator = auditor(&server).await;
        fill(&directory.join("ballast"));
        let mut made = Vec::new();
        let mut refused = 0;
        for _ in 0..40 {
            match create().await {
                (201, id) => made.push(id),
                (503, _) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(refused > 0, !spool, "spool {spool}: {refused} refused");
        if spool {
            assert!(operator.json(&["audit", "status"])["spooled"].as_u64().unwrap() > 0);
        }
        fs::remove_file(directory.join("ballast")).unwrap();
        let (status, id) = create().await;
        assert_eq!(status, 201);
        made.push(id);
        let export = Export::of(&operator);
        let (fine, text) = export.verify(&[]);
        assert!(fine, "{text}");
        let text = export.lines().join("\n");
        assert!(made.iter().all(|id| text.contains(&format!("\"client\":\"{id}\""))));
        server.stop();
    }
}

/// Takes all room that is left.
fn fill(path: &std::path::Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    for size in [65_536, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
