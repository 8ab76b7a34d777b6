//! Long runs that look for what grows. `make soak`; `KUNJI_SOAK_MINUTES` sets how long each takes (10).
#![cfg(test)]

use std::time::{Duration, Instant};

use kunji_tests::{
    http::b64,
    load::{Load, Request},
    measure::{Process, soon},
    peer,
    site::{Server, Site},
};
use serde_json::json;

const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";
const CONNECTIONS: usize = 16;
/// Between two looks at the server.
const ROUND_REQUESTS: usize = 500;
const MIB: u64 = 1 << 20;

#[tokio::test]
#[ignore = "takes minutes"]
async fn soak_decryption_holds_nothing_back() {
    let minutes = std::env::var("KUNJI_SOAK_MINUTES").map_or(10, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    // Private keys are forgotten at once, so that the process with the PKCS#11 library has as much to do.
    let site = Site::new().with("KUNJI_KEY_CACHE_SECONDS", "0");
    let server = site.start();
    // Caches fill and pools of threads grow at first.
    round(&server, 4 * ROUND_REQUESTS).await;
    let processes = || [Process::new(server.pid()), only_child(&server)];
    let before = processes().map(Process::holdings);
    let mut rounds = 0_u64;
    while Instant::now() < end {
        // New connections and a new token each time: those go away as well.
        round(&server, ROUND_REQUESTS).await;
        rounds += 1;
    }
    let after = processes().map(Process::holdings);
    println!("{rounds} rounds of {} requests: {before:?}, then {after:?}", CONNECTIONS * ROUND_REQUESTS);
    assert!(rounds > 0);
    for ((before, after), process) in before.into_iter().zip(after).zip(processes()) {
        assert!(after.resident_bytes < before.resident_bytes + 32 * MIB, "{before:?} {after:?}");
        // Blocking threads come and go with the secrets that are checked.
        assert!(after.threads <= before.threads + 2, "{before:?} {after:?}");
        let descriptors = || process.holdings().descriptors;
        assert!(soon(|| descriptors() <= before.descriptors + 2).await, "{before:?}, now {}", descriptors());
    }
}

/// The process that the PKCS#11 library runs in.
fn only_child(server: &Server) -> Process {
    let children = Process::new(server.pid()).children();
    let [child] = children.as_slice() else { panic!("{children:?}") };
    *child
}

async fn round(server: &Server, requests: usize) {
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    let certificate = client.certificate(APPLICATION, REFERENCE).await;
    let content = [0x5A; 1024];
    let posts: Vec<Request> = (0..CONNECTIONS)
        .map(|_| {
            let (salt, aad) = (peer::random::<12>(), peer::random::<32>());
            let packet = peer::seal_with_salt(&certificate, &salt, &aad, &content);
            let body = json!({ "request": {
                "applicationId": APPLICATION, "referenceId": REFERENCE,
                "timeStamp": "2026-01-05T10:11:12.123Z", "data": b64(packet), "salt": b64(salt), "aad": b64(aad),
            }});
            let headers = [("content-type", "application/json")];
            let token = client.token().unwrap();
            Request::post("/v1/keymanager/decrypt", token, &headers, body.to_string().as_bytes())
        })
        .collect();
    Load::connect(&server.base, CONNECTIONS).await.run(&posts, requests, content.len()).await;
}
