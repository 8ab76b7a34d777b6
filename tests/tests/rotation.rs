//! Keys are renewed before their windows close: by one server of several, while requests go on, and with ROOT too under
//! an unchanged pin.
#![cfg(test)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use kunji_server::{
    app::{self, Ports, Running},
    domain::{
        access::CallContext,
        alias::{AliasRole, KeyAlias},
        jose::SignatureAlgorithm,
        key::{KeyMaterial, KeyRecord},
        rotation::Event,
    },
    ports::{clock::Clock, key_store::KeyStore, repository::Repository},
    services::{
        Services,
        keys::CertificateChain,
        packets::CallerInputs,
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
    let mut tokens = Token::create_all("rotation", 3);
    under_an_unchanged_pin(&tokens.pop().unwrap()).await;
    under_load(&tokens.pop().unwrap()).await;
    killed_on_the_way(&tokens.pop().unwrap()).await;
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

async fn the_plan_says_so(services: &Services, root: &KeyAlias, base: &KeyAlias) {
    let plan = services.rotation.plan(1_100, None, 100).await.unwrap();
    assert!(plan.next.is_none() && !plan.forecast.truncated);
    let of = |alias: &KeyAlias| {
        let steps = plan.forecast.steps.iter().filter(|step| step.alias == *alias);
        let days = steps.map(|step| {
            assert!(matches!(step.event, Event::Renewed(_)), "{step:?}");
            (step.at.millis() - plan.from.millis()).div_euclid(86_400_000)
        });
        days.collect::<Vec<_>>()
    };
    assert_eq!(of(root), [1_065], "2920 days less 1460 and 395");
    assert_eq!(of(base), [700]);
    assert_eq!(of(&alias("REGISTRATION", "")), [335, 670, 1_005]);
    // Page by page it is the same.
    let (mut steps, mut after) = (0, None);
    loop {
        let page = services.rotation.plan(1_100, after.as_ref(), 1).await.unwrap();
        steps += page.forecast.steps.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(steps, plan.forecast.steps.len());
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
    for alias in [alias("ROOT", ""), alias("REGISTRATION", ""), base(0), base(1), base(2)] {
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
    assert_eq!(generations, [2, 4, 2, 2, 2]);
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
    let request = JwsRequest {
        alias: None,
        payload: b"{}".to_vec(),
        algorithm: AlgorithmChoice::Usual { rsa: SignatureAlgorithm::Rs256 },
        must_be_json: false,
        header: HeaderRequest::default(),
        include_payload: true,
        encode_payload: true,
    };
    services.signatures.sign_jws(&caller(), request).await.unwrap();
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
