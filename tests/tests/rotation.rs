//! Keys are renewed before their windows close: by one server of several, while requests go on, and with ROOT too under
//! an unchanged pin.
#![cfg(test)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use kunji_server::{
    app::{self, Ports, Running},
    domain::{
        access::CallContext,
        alias::{AliasRole, ApplicationId, KeyAlias},
        jose::SignatureAlgorithm,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::Change,
        policy::KeyPolicy,
        rotation::Event,
    },
    ports::{clock::Clock, key_store::KeyStore, repository::Repository},
    services::{
        Services,
        authorization::Precondition,
        keys::{CertificateChain, SubjectOverrides},
        packets::CallerInputs,
        rotation::{Plan, PlanPlace},
        signatures::{AlgorithmChoice, HeaderRequest, JwsRequest},
    },
};
use kunji_shared::{
    certificate::{Certificate, Recipient, RecipientError, RecipientPolicy},
    secret::Plaintext,
};
use kunji_tests::{
    faults::{Life, ManualClock, Mortal},
    in_process,
    softhsm::Token,
};
use openssl::{
    stack::Stack,
    x509::{X509, X509StoreContext, X509StoreContextRef, store::X509StoreBuilder, verify::X509VerifyParam},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const CONTENT: &[u8] = b"content";

/// Servers of one database, one token and one clock.
struct World {
    clock: Arc<ManualClock>,
    repository: Arc<dyn Repository>,
    store: Arc<dyn KeyStore>,
}

fn caller() -> CallContext {
    in_process::caller("test")
}

fn immortal() -> Arc<Life> {
    Life::of(i64::MAX)
}

fn alias(application: &str, reference: &str) -> KeyAlias {
    KeyAlias::parse(application, reference).unwrap()
}

impl World {
    async fn over(token: &Token) -> Self {
        Self {
            clock: Arc::new(ManualClock::at(1_767_607_872_000)),
            repository: in_process::repository(&in_process::database().await).await,
            store: Arc::new(token.open().await.unwrap()),
        }
    }

    async fn start(&self, data_dir: &TempDir, life: &Arc<Life>) -> Running {
        let environment = [
            ("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION"),
            ("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/*"),
            ("KUNJI_CURRENT_KEY_CACHE_MILLISECONDS", "0"),
        ];
        let settings = in_process::settings(data_dir.path(), &environment);
        let repository = Arc::new(Mortal { real: Arc::clone(&self.repository), life: Arc::clone(life) });
        let token = Arc::new(Mortal { real: Arc::clone(&self.store), life: Arc::clone(life) });
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(&self.clock),
            ..in_process::ports(data_dir.path(), in_process::trail(data_dir.path()), repository, token)
        };
        app::start(&settings, ports).await.unwrap()
    }

    async fn newest(&self, alias: &KeyAlias) -> KeyRecord {
        self.repository.find_newest(alias).await.unwrap().unwrap()
    }

    /// Whether a client that pins this ROOT would seal for the chain's first certificate.
    fn is_believed(&self, chain: &[Vec<u8>], pin: &KeyRecord) -> Result<(), RecipientError> {
        let parsed: Vec<_> = chain.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
        let anchor = Certificate::from_der(&pin.certificate).unwrap();
        let now = self.clock.now().to_unix();
        let policy = RecipientPolicy::default();
        Recipient::check(&parsed[0], &parsed[1..], &[anchor], now, &policy).map(drop)
    }

    /// The same by OpenSSL.
    fn openssl_believes(&self, chain: &[Vec<u8>], pin: &KeyRecord) -> bool {
        let mut parameters = X509VerifyParam::new().unwrap();
        parameters.set_time(self.clock.now().seconds());
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_der(&pin.certificate).unwrap()).unwrap();
        store.set_param(&parameters).unwrap();
        let mut issuers = Stack::new().unwrap();
        for der in &chain[1..] {
            issuers.push(X509::from_der(der).unwrap()).unwrap();
        }
        let leaf = X509::from_der(&chain[0]).unwrap();
        X509StoreContext::new()
            .unwrap()
            .init(&store.build(), &leaf, &issuers, X509StoreContextRef::verify_cert)
            .unwrap()
    }

    fn both_believe(&self, chain: &[Vec<u8>], pin: &KeyRecord) -> bool {
        let (ours, openssls) = (self.is_believed(chain, pin), self.openssl_believes(chain, pin));
        assert_eq!(ours.is_ok(), openssls, "{ours:?}");
        openssls
    }
}

async fn public_chain(services: &Services, alias: &KeyAlias) -> CertificateChain {
    services.keys.public_certificate(alias).await.unwrap().unwrap()
}

// One test for all: the library sees only tokens that exist when it is first loaded in a process.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renewed_in_time() {
    let mut tokens = Token::create_all("rotation", 5);
    under_an_unchanged_pin(&tokens.pop().unwrap()).await;
    under_load(&tokens.pop().unwrap()).await;
    killed_on_the_way(&tokens.pop().unwrap()).await;
    made_on_request(&tokens.pop().unwrap()).await;
    by_itself(&tokens.pop().unwrap()).await;
}

/// Clients that pin an old ROOT go on under the next and the one after it, until the old one's end.
async fn under_an_unchanged_pin(token: &Token) {
    let world = World::over(token).await;
    let data_dir = tempfile::tempdir().unwrap();
    let running = world.start(&data_dir, &immortal()).await;
    let services = &running.services;
    let (root, module, base) = (alias("ROOT", ""), alias("REGISTRATION", ""), alias("REGISTRATION", "1_1"));
    services.keys.certificate(&caller(), &base).await.unwrap();
    let first = world.newest(&root).await;
    let chain = public_chain(services, &base).await;
    assert_eq!(chain.certificates.len(), 3);
    assert!(world.both_believe(&chain.certificates, &first));
    assert_eq!(services.rotation.renew_due().await.unwrap(), 0);
    the_plan_says_so(services, &root, &base).await;

    world.clock.advance_days(1_066);
    services.rotation.renew_due().await.unwrap();
    assert_eq!(services.rotation.renew_due().await.unwrap(), 0, "nothing is left");
    let second = world.newest(&root).await;
    let (module_key, base_key) = (world.newest(&module).await, world.newest(&base).await);
    assert_eq!((second.generation, module_key.generation, base_key.generation), (2, 2, 2));
    assert_eq!((&module_key.issuer, &base_key.issuer), (&second.id, &module_key.id));
    assert_eq!(world.newest(&KeyAlias::kernel_sign()).await.generation, 2);
    let kek = world.repository.find_newest_kek(&module.application).await.unwrap().unwrap();
    assert_eq!(kek.version, 2);
    let chain = public_chain(services, &base).await;
    assert_eq!(chain.certificates.len(), 4);
    assert_eq!(chain.certificates[3], second.certificate, "ROOT is the last");
    for pin in [&first, &second] {
        assert!(world.both_believe(&chain.certificates, pin), "{}", pin.generation);
    }
    let [leaf, issuer, cross, top] = &chain.certificates[..] else { panic!("a chain of four") };
    let without = [leaf, issuer, top].map(Clone::clone);
    assert!(!world.both_believe(&without, &first), "the cross-certificate is what does it");
    let cross = Certificate::from_der(cross).unwrap();
    assert!(cross.not_after().seconds() <= first.period.not_after.seconds());

    world.clock.advance_days(1_066);
    services.rotation.renew_due().await.unwrap();
    let third = world.newest(&root).await;
    let chain = public_chain(services, &base).await;
    assert_eq!((third.generation, chain.certificates.len()), (3, 5));
    for pin in [&first, &second, &third] {
        assert!(world.both_believe(&chain.certificates, pin), "{}", pin.generation);
    }

    world.clock.advance_days(800);
    services.rotation.renew_due().await.unwrap();
    let chain = public_chain(services, &base).await;
    assert_eq!(chain.certificates.len(), 4, "what has ended leads nowhere");
    assert!(world.both_believe(&chain.certificates, &second));
    assert!(world.both_believe(&chain.certificates, &third));
    assert!(!world.both_believe(&chain.certificates, &first));
}

/// In how many days the alias's key is renewed, or ends, by this plan.
fn planned(plan: &Plan, alias: &KeyAlias, is_wanted: fn(&Event) -> bool) -> Vec<i64> {
    let steps = plan.forecast.steps.iter().filter(|step| step.alias == *alias);
    let days = steps.map(|step| {
        assert!(is_wanted(&step.event), "{step:?}");
        (step.at.millis() - plan.from.millis()).div_euclid(86_400_000)
    });
    days.collect()
}

fn is_renewed(event: &Event) -> bool {
    matches!(event, Event::Renewed(_))
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended)
}

/// The plan for so many days; page by page it is the same.
async fn plan(services: &Services, days: u32) -> Plan {
    let plan = services.rotation.plan(days, None, 100).await.unwrap();
    assert!(plan.next.is_none() && !plan.forecast.truncated);
    for limit in [1, 2] {
        let (mut steps, mut after) = (0, None);
        loop {
            let page = services.rotation.plan(days, after.as_ref(), limit).await.unwrap();
            steps += page.forecast.steps.len();
            after = page.next.map(|next| PlanPlace::parse(&next.to_text()).unwrap());
            if after.is_none() {
                break;
            }
        }
        assert_eq!(steps, plan.forecast.steps.len(), "{limit}");
    }
    plan
}

async fn the_plan_says_so(services: &Services, root: &KeyAlias, base: &KeyAlias) {
    let plan = plan(services, 1_100).await;
    let of = |alias: &KeyAlias| planned(&plan, alias, is_renewed);
    assert_eq!(of(root), [1_065], "2920 days less 1460 and 395");
    assert_eq!(of(base), [700]);
    assert_eq!(of(&alias("REGISTRATION", "")), [335, 670, 1_005]);
}

/// What has been asked of the servers meanwhile.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    done: AtomicU64,
}

/// Two servers serve and renew at once: every request is answered, and every key has one successor.
async fn under_load(token: &Token) {
    let world = World::over(token).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let servers = [world.start(&dirs[0], &immortal()).await, world.start(&dirs[1], &immortal()).await];
    let base = |number: usize| alias("REGISTRATION", &format!("{number}_1"));
    let (packets, content) = (&servers[0].services.packets, Plaintext::new(CONTENT.to_vec()));
    let first = packets.encrypt(&caller(), &base(0), content, CallerInputs::default()).await.unwrap();
    let first = Arc::new(first);
    for number in 1..3 {
        servers[1].services.keys.certificate(&caller(), &base(number)).await.unwrap();
    }
    for alias in on_curves() {
        let keys = &servers[1].services.keys;
        keys.generate_on_curve(&caller(), &alias, &SubjectOverrides::default()).await.unwrap();
    }
    let load = Arc::new(Load::default());
    let callers: Vec<_> = (0..4)
        .map(|number| {
            let (load, first) = (Arc::clone(&load), Arc::clone(&first));
            let services = servers[number % 2].services.clone();
            tokio::spawn(async move {
                while !load.stop.load(Ordering::SeqCst) {
                    call(&services, &base(number % 3), &base(0), &first).await;
                    load.done.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();

    let mut renewed_before = 0;
    for days in [340, 361, 370] {
        some_calls(&load, &callers).await;
        world.clock.advance_days(days);
        let [one, other] = &servers;
        let (one, other) =
            tokio::join!(one.services.rotation.renew_due(), other.services.rotation.renew_due());
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one == 0 || other == 0, "{one} and {other}: one server does it");
        renewed_before += one + other;
        some_calls(&load, &callers).await;
    }
    assert!(renewed_before > 0);
    load.stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }

    // Successors came one after the other, each in the time of the one before it.
    let mut generations = Vec::new();
    let [ec, ed] = on_curves();
    for alias in [alias("ROOT", ""), alias("REGISTRATION", ""), base(0), base(1), base(2), ec, ed] {
        let versions = world.repository.list(&alias, 100).await.unwrap();
        for pair in versions.windows(2) {
            assert!(pair[0].period.not_before < pair[1].period.not_after, "{alias}: a gap");
        }
        if alias.role() != AliasRole::Root {
            let issuer = world.repository.find(&versions[0].issuer).await.unwrap().unwrap();
            assert!(versions[0].period.not_after <= issuer.period.not_after, "{alias}");
        }
        generations.push(versions[0].generation);
    }
    assert_eq!(generations, [2, 4, 2, 2, 2, 2, 2]);
}

/// One of each kind of request; all of them are answered.
async fn call(services: &Services, alias: &KeyAlias, of_first: &KeyAlias, first: &[u8]) {
    let inputs = CallerInputs::default;
    let packets = &services.packets;
    services.keys.certificate(&caller(), alias).await.unwrap();
    let packet = packets.encrypt(&caller(), alias, Plaintext::new(CONTENT.to_vec()), inputs()).await.unwrap();
    let opened = packets.decrypt(&caller(), alias, packet, inputs()).await.unwrap();
    assert_eq!(opened.expose(), CONTENT);
    // What was sealed at the beginning opens for ever.
    let opened = packets.decrypt(&caller(), of_first, first.to_vec(), inputs()).await.unwrap();
    assert_eq!(opened.expose(), CONTENT);
    for alias in [None].into_iter().chain(on_curves().map(Some)) {
        let request = JwsRequest {
            alias,
            payload: b"{}".to_vec(),
            algorithm: AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Rs256 },
            must_be_json: false,
            header: HeaderRequest::default(),
            include_payload: true,
            encode_payload: true,
        };
        services.signatures.sign_jws(&caller(), request).await.unwrap();
    }
}

/// Waits until some requests more were answered.
async fn some_calls(load: &Load, callers: &[JoinHandle<()>]) {
    let until = load.done.load(Ordering::SeqCst) + 8;
    while load.done.load(Ordering::SeqCst) < until {
        assert!(callers.iter().all(|caller| !caller.is_finished()), "a request failed");
        tokio::task::yield_now().await;
    }
}

/// A server dies here and there while it renews everything; what comes after it goes on, and every alias has one
/// successor, certified by one, under the pin of the ROOT before.
async fn killed_on_the_way(token: &Token) {
    let world = World::over(token).await;
    let (data_dir, life) = (tempfile::tempdir().unwrap(), immortal());
    let running = world.start(&data_dir, &life).await;
    let (services, base) = (&running.services, alias("REGISTRATION", "1_1"));
    let aliases = [alias("ROOT", ""), alias("REGISTRATION", ""), KeyAlias::kernel_sign(), base.clone()];
    services.keys.certificate(&caller(), &base).await.unwrap();
    for (round, calls) in (0..).step_by(11).enumerate() {
        let pin = world.newest(&aliases[0]).await;
        world.clock.advance_days(1_066);
        life.go_on(calls);
        let outcome = services.rotation.renew_due().await;
        let died = life.is_over();
        assert!(died || outcome.is_ok(), "{outcome:?}");
        life.go_on(i64::MAX);
        // What the dead server holds runs out.
        world.clock.advance_seconds(600);
        services.rotation.renew_due().await.unwrap();
        for alias in &aliases {
            let newest = world.newest(alias).await;
            let expected = u32::try_from(round).unwrap() + 2;
            assert_eq!(newest.generation, expected, "{alias}, killed at call {calls}");
            if let KeyMaterial::Token(id) = newest.material {
                world.store.sign_digest(id, [1; 32]).await.unwrap();
            }
        }
        let chain = public_chain(services, &base).await;
        assert!(world.both_believe(&chain.certificates, &pin), "killed at call {calls}");
        if !died {
            assert!(round > 4, "renewing makes more calls than {calls}");
            break;
        }
    }
}

/// A key on a curve that the token takes, and one on a curve of which it would need the whole message.
fn on_curves() -> [KeyAlias; 2] {
    [alias("REGISTRATION", "EC_SECP256R1_SIGN"), alias("REGISTRATION", "ED25519_SIGN")]
}

/// How often the trail has it that a server made this key of itself.
fn told_of_making(data_dir: &Path, key: &KeyId) -> usize {
    let (operation, key) = ("\"key.create\"", format!("\"{}\"", key.0));
    let of_segment = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().filter(|line| line.contains(operation) && line.contains(&key)).count()
    };
    let files = std::fs::read_dir(data_dir.join("audit")).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .map(|path| of_segment(&path))
        .sum()
}

/// Has successors of `REGISTRATION`'s and base keys made before their end, or not.
async fn set_automatic(services: &Services, automatic_rotation: bool) {
    for application in ["BASE", "REGISTRATION"] {
        let stored = services.key_policies.policy(&ApplicationId::parse_any(application).unwrap()).unwrap();
        let policy = KeyPolicy { automatic_rotation, ..stored.policy };
        services.key_policies.put(&caller(), policy, &Precondition::Present).await.unwrap();
    }
}

/// Keys on curves, on the token and in the records, and symmetric keys are renewed too: unless a policy says otherwise,
/// or somebody suspended them.
async fn made_on_request(token: &Token) {
    let world = World::over(token).await;
    let data_dir = tempfile::tempdir().unwrap();
    let running = world.start(&data_dir, &immortal()).await;
    let (services, subject) = (&running.services, SubjectOverrides::default());
    let ([ec, ed], secret) = (on_curves(), alias("REGISTRATION", "SECRET"));
    for alias in [&ec, &ed] {
        services.keys.generate_on_curve(&caller(), alias, &subject).await.unwrap();
    }
    services.keys.generate_symmetric(&caller(), &secret, false).await.unwrap();
    assert!(matches!(world.newest(&ec).await.material, KeyMaterial::Token(_)));
    assert!(matches!(world.newest(&ed).await.material, KeyMaterial::Wrapped { .. }));
    let generations = async || {
        let newest_secret = world.repository.find_newest_symmetric(&secret).await.unwrap().unwrap();
        [world.newest(&ec).await.generation, world.newest(&ed).await.generation, newest_secret.generation]
    };

    let foreseen = plan(services, 3_650).await;
    assert_eq!(planned(&foreseen, &ec, is_renewed), [1_065, 2_130, 3_195]);
    assert_eq!(planned(&foreseen, &ed, is_renewed), [1_065, 2_070, 3_075], "each ends with its module's key");
    assert_eq!(planned(&foreseen, &secret, is_renewed), [3_620]);

    world.clock.advance_days(1_064);
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [1, 1, 1], "not yet");
    world.clock.advance_days(2);
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [2, 2, 1]);
    assert_eq!(services.rotation.renew_due().await.unwrap(), 0, "nothing is left");
    for alias in [&ec, &ed] {
        let (newest, first) =
            (world.newest(alias).await, world.repository.list(alias, 2).await.unwrap().remove(1));
        assert!(newest.period.not_before < first.period.not_after, "{alias}: no gap");
        assert_eq!(told_of_making(data_dir.path(), &newest.id), 1, "{alias}");
    }
    let root = world.newest(&alias("ROOT", "")).await;
    assert_eq!(world.newest(&ec).await.issuer, root.id);

    let suspended = world.newest(&ec).await.id;
    services.keys.change(&caller(), &suspended, Change::Suspend, "lost", false).await.unwrap();
    assert_eq!(planned(&plan(services, 1_100).await, &ec, is_end), [1_095]);
    world.clock.advance_days(1_067);
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [2, 3, 1]);
    services.keys.change(&caller(), &suspended, Change::Resume, "found", false).await.unwrap();
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [3, 3, 1]);

    set_automatic(services, false).await;
    world.clock.advance_days(1_488);
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [3, 3, 1], "the policy does not let it");
    assert_eq!(planned(&plan(services, 60).await, &secret, is_end), [29]);
    set_automatic(services, true).await;
    services.rotation.renew_due().await.unwrap();
    assert_eq!(generations().await, [4, 4, 2]);
    let newest_secret = world.repository.find_newest_symmetric(&secret).await.unwrap().unwrap();
    assert!(world.store.has_kek(newest_secret.token_key).await.unwrap());
    assert_eq!(told_of_making(data_dir.path(), &newest_secret.id), 1);
    assert_eq!(services.rotation.renew_due().await.unwrap(), 0, "nothing is left");
}

/// A server looks of itself: nobody asks for a key, nor for renewals.
async fn by_itself(token: &Token) {
    const PATIENCE: Duration = Duration::from_mins(2);
    let world = World::over(token).await;
    let data_dir = tempfile::tempdir().unwrap();
    let running = world.start(&data_dir, &immortal()).await;
    let (keys, [ec, _], base) = (&running.services.keys, on_curves(), alias("REGISTRATION", "1_1"));
    keys.generate_on_curve(&caller(), &ec, &SubjectOverrides::default()).await.unwrap();
    keys.certificate(&caller(), &base).await.unwrap();
    world.clock.advance_days(1_066);
    let renewed = async {
        for alias in [alias("ROOT", ""), alias("REGISTRATION", ""), base, ec] {
            while world.newest(&alias).await.generation < 2 {
                world.clock.end_pauses();
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("the server does not look");
}
