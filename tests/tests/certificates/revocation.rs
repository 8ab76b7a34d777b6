//! `GET /crl/{key id}.crl`

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_server::{
    app::{Ports, Running},
    domain::{key::KeyId, lifecycle::Change},
    ports::key_store::KeyStore,
    services::keys::revocation::{RevocationList, RevocationListError},
};
use kunji_tests::{
    faults::{Life, ManualClock, Mortal},
    http::{Answer, Http},
    in_process,
    site::{Server, Site},
};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::{Openssl, client, servers};

/// When a test gives up waiting.
const PATIENCE: Duration = Duration::from_secs(20);
const BASE: &str = "https://kunji.example/keys";

struct World {
    server: Server,
    _site: Site,
    keeper: Http,
    openssl: Openssl,
}

impl World {
    async fn new() -> Self {
        let site = Site::new()
            .with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION")
            .with("KUNJI_PUBLIC_CERTIFICATES_PER_MINUTE", "60000")
            .with("KUNJI_PUBLIC_URL", BASE);
        let server = site.start();
        let keeper = client(&server, &["key-administrator"]).await;
        Self { server, _site: site, keeper, openssl: Openssl::new() }
    }

    /// Makes a key, and writes its certificate down under the name of the reference.
    async fn made(&self, reference: &str) {
        let certificate = self.keeper.certificate("REGISTRATION", reference).await;
        self.openssl.write(&format!("{reference}.pem"), &certificate);
    }

    async fn id(&self, reference: &str) -> String {
        let query = format!("application=REGISTRATION&reference={reference}&limit=1");
        let listed = self.keeper.get(&format!("/v1/keys?{query}")).await;
        listed.body["keys"][0]["keyId"].as_str().unwrap().to_owned()
    }

    async fn decide(&self, id: &str, what: &str, body: serde_json::Value) {
        let answer = self.keeper.post(&format!("/v1/keys/{id}/{what}"), &body).await;
        assert!(answer.status.is_success(), "{answer:?}");
    }

    /// Writes the issuer's list down as `list.pem`, and returns what OpenSSL says of it.
    async fn list(&self, issuer: &str) -> String {
        let path = format!("/crl/{issuer}.crl");
        let answer = self.server.http().request(Method::GET, &path).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/pkix-crl");
        std::fs::write(self.openssl.0.path().join("list.crl"), answer.bytes().await.unwrap()).unwrap();
        let read = ["crl", "-inform", "DER", "-in", "list.crl"];
        self.openssl.print(&[&read[..], &["-out", "list.pem", "-CAfile", "issuers.pem"]].concat());
        self.openssl.print(&[&read[..], &["-noout", "-text"]].concat())
    }

    /// The same once it fits.
    async fn list_when(&self, issuer: &str, fits: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let text = self.list(issuer).await;
            if fits(&text) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "{text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What OpenSSL says against the certificate, judged with `list.pem`; `None` when nothing.
    fn fault(&self, name: &str) -> Option<String> {
        let certificate = format!("{name}.pem");
        let verify =
            ["verify", "-x509_strict", "-crl_check", "-CAfile", "root.pem", "-untrusted", "module.pem"];
        let output = self.openssl.run(&[&verify[..], &["-CRLfile", "list.pem", &certificate]].concat());
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[tokio::test]
async fn openssl_refuses_what_was_revoked_and_nothing_else() {
    let world = World::new().await;
    let World { server, keeper, openssl, .. } = &world;
    let (root, module) = (keeper.certificate("ROOT", "").await, keeper.certificate("REGISTRATION", "").await);
    openssl.write("root.pem", &root);
    openssl.write("module.pem", &module);
    openssl.write("issuers.pem", &format!("{root}{module}"));
    for reference in ["kept", "rotated", "superseded", "compromised", "suspended", "later"] {
        world.made(reference).await;
    }
    let issuer = world.id("").await;
    let text = openssl.print(&["x509", "-in", "kept.pem", "-noout", "-text"]);
    assert!(text.contains(&format!("URI:{BASE}/crl/{issuer}.crl")), "{text}");
    let text = openssl.print(&["x509", "-in", "root.pem", "-noout", "-text"]);
    assert!(!text.contains("/crl/"), "nobody can revoke a root but by taking it away: {text}");

    let text = world.list(&issuer).await;
    assert!(text.contains("Version 2") && text.contains("No Revoked Certificates"), "{text}");
    assert!(text.contains("X509v3 Authority Key Identifier") && text.contains("X509v3 CRL Number"), "{text}");
    assert_eq!(world.fault("kept"), None);

    world.decide(&world.id("rotated").await, "rotate", json!({})).await;
    world.decide(&world.id("superseded").await, "revoke", json!({ "cause": "superseded" })).await;
    world.decide(&world.id("compromised").await, "revoke", json!({ "cause": "compromised" })).await;
    let suspended = world.id("suspended").await;
    world.decide(&suspended, "suspend", json!({})).await;
    let text = world.list_when(&issuer, |text| text.matches("Serial Number:").count() == 3).await;
    for reason in ["Superseded", "Key Compromise", "Certificate Hold"] {
        assert!(text.contains(reason), "{text}");
    }
    for (reference, revoked) in [
        ("kept", false),
        ("rotated", false),
        ("superseded", true),
        ("compromised", true),
        ("suspended", true),
    ] {
        let fault = world.fault(reference);
        assert_eq!(fault.is_some(), revoked, "{reference}: {fault:?}");
        assert!(fault.is_none_or(|fault| fault.contains("certificate revoked")));
    }
    world.decide(&suspended, "resume", json!({})).await;
    world.list_when(&issuer, |text| text.matches("Serial Number:").count() == 2).await;
    assert_eq!(world.fault("suspended"), None);

    // An issuer that has a successor goes on to say what of its own is revoked.
    world.decide(&issuer, "rotate", json!({})).await;
    let later = world.id("later").await;
    world.decide(&later, "revoke", json!({ "cause": "superseded" })).await;
    world.list_when(&issuer, |text| text.matches("Serial Number:").count() == 3).await;
    assert!(world.fault("later").is_some());
    // One that is revoked itself stands on the list of ROOT, and still publishes its own.
    world.decide(&issuer, "revoke", json!({ "cause": "compromised" })).await;
    let listed = keeper.get("/v1/keys?application=ROOT&reference=").await;
    let root_id = listed.body["keys"][0]["keyId"].as_str().unwrap().to_owned();
    world.list_when(&root_id, |text| text.contains("CA Compromise")).await;
    world.list(&issuer).await;
    let successor = world.id("").await;
    openssl.write("issuers.pem", &keeper.certificate("REGISTRATION", "").await);
    assert!(world.list(&successor).await.contains("No Revoked Certificates"));

    nobody_gets_what_is_no_list(server, &issuer, &later).await;
}

async fn nobody_gets_what_is_no_list(server: &Server, issuer: &str, base_key: &str) {
    let anyone = server.http();
    let missing = ["x".to_owned(), format!("{issuer}.pem"), issuer.to_uppercase() + ".crl"];
    let unknown = [base_key, "0a6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a10"].map(|id| format!("{id}.crl"));
    for file in missing.iter().chain(&unknown) {
        anyone.get(&format!("/crl/{file}")).await.problem(404, "revocation_list.not_found");
    }
    let path = format!("/crl/{issuer}.crl");
    let answer = anyone.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "max-age=30, must-revalidate");
    let tag = answer.headers()["etag"].clone();
    let again = anyone.request(Method::GET, &path).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag));
    let posted = Answer::read(anyone.request(Method::POST, &path).send().await.unwrap()).await;
    posted.problem(405, "request.method_not_allowed");
}

/// What does not need HTTP: what lists are while the token or the database is away, and at several servers.
pub(crate) async fn lists_outlast_outages(store: &Arc<dyn KeyStore>) {
    const HOUR: u64 = 3_600;
    let clock = Arc::new(ManualClock::at(1_800_000_000_000));
    let world = servers::World { clock: clock.clone(), ..servers::World::over(store).await };
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (token, database) = (Life::of(i64::MAX), Life::of(i64::MAX));
    let first = start(&world, &dirs[0], &token, &database).await;
    let made = first.services.keys.certificate(&servers::caller(), &servers::alias("listed")).await.unwrap();
    let read = async |server: &Running| server.services.revocation_lists.read(&made.issuer).await;
    let before = read(&first).await.unwrap();
    let change = Change::Compromise;
    first.services.keys.change(&servers::caller(), &made.id, change, "", false).await.unwrap();
    let list = when(async || read(&first).await.ok().filter(|list| list.number() > before.number())).await;

    let second = start(&world, &dirs[1], &Life::of(i64::MAX), &Life::of(i64::MAX)).await;
    let there = read(&second).await.unwrap();
    assert_eq!((&there.der, there.number()), (&list.der, list.number()), "every server publishes the same");
    drop(second);

    // Neither is asked, however often a list is read.
    token.go_on(0);
    database.go_on(0);
    for _ in 0..10_000 {
        assert_eq!(read(&first).await.unwrap().number(), list.number());
    }
    let unknown = KeyId("0a6f1f0e-2b9a-4c55-8a55-2f6f0f3f9a10".to_owned());
    let mut refused = 0;
    for _ in 0..200 {
        let outcome = first.services.revocation_lists.read(&unknown).await;
        refused += u32::from(matches!(outcome, Err(RevocationListError::Busy)));
    }
    assert!(refused > 100, "{refused} of 200 look-ups of an unknown key were not made");
    database.go_on(i64::MAX);
    clock.advance_seconds(22 * HOUR);
    assert_eq!(read(&first).await.unwrap().number(), list.number(), "good for a day");
    clock.advance_seconds(3 * HOUR);
    assert!(matches!(read(&first).await, Err(RevocationListError::Overdue)));
    token.go_on(i64::MAX);
    let next: Arc<RevocationList> = when(async || read(&first).await.ok()).await;
    assert!(next.number() > list.number());
}

async fn start(world: &servers::World, dir: &TempDir, token: &Arc<Life>, database: &Arc<Life>) -> Running {
    let repository = Arc::new(Mortal { real: Arc::clone(&world.repository), life: Arc::clone(database) });
    let token = Arc::new(Mortal { real: Arc::clone(&world.store), life: Arc::clone(token) });
    let trail = in_process::trail(dir.path());
    let clock = Arc::clone(&world.clock);
    let ports = Ports { clock, ..in_process::ports(dir.path(), trail, repository, token) };
    kunji_server::app::start(&servers::World::settings(dir), ports).await.unwrap()
}

async fn when<T>(found: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
