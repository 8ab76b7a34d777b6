//! Servers that are killed anywhere while they take certificates or make symmetric keys, and two at once.

use std::sync::Arc;

use kunji_server::{
    adapters::system_clock::SystemClock,
    app::{self, Ports, Running},
    config::Settings,
    domain::{access::CallContext, alias::KeyAlias, key::KeyRecord},
    ports::{clock::Clock, key_store::KeyStore, repository::Repository},
    services::{
        keys::{KeyError, SubjectOverrides},
        packets::CallerInputs,
    },
};
use kunji_shared::{pem, secret::Plaintext};
use kunji_tests::{
    faults::{Life, ManualClock, Mortal},
    in_process,
    softhsm::Token,
};
use tempfile::TempDir;

use crate::{
    elsewhere::{Elsewhere, Usage, rsa},
    revocation::lists_outlast_outages,
};

/// What stays when a server dies.
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) store: Arc<dyn KeyStore>,
}

impl World {
    pub(crate) async fn over(store: &Arc<dyn KeyStore>) -> Self {
        let repository = in_process::repository(&in_process::database().await).await;
        Self { clock: Arc::new(SystemClock), repository, store: Arc::clone(store) }
    }

    pub(crate) fn settings(data_dir: &TempDir) -> Settings {
        let environment = [
            ("KUNJI_KEYS", "ROOT,REGISTRATION"),
            ("KUNJI_CURRENT_KEY_CACHE_MILLISECONDS", "0"),
            ("KUNJI_KEY_CACHE_SECONDS", "0"),
        ];
        in_process::settings(data_dir.path(), &environment)
    }

    /// The ports of a server whose life is counted once it has begun.
    fn ports(&self, data_dir: &TempDir, life: &Arc<Life>) -> Ports {
        let repository = Arc::new(Mortal { real: Arc::clone(&self.repository), life: Arc::clone(life) });
        let token = Arc::new(Mortal { real: Arc::clone(&self.store), life: Arc::clone(life) });
        let clock = Arc::clone(&self.clock);
        let trail = in_process::trail(data_dir.path());
        Ports { clock, ..in_process::ports(data_dir.path(), trail, repository, token) }
    }

    async fn start(&self, data_dir: &TempDir, life: &Arc<Life>) -> Running {
        app::start(&Self::settings(data_dir), self.ports(data_dir, life)).await.unwrap()
    }
}

pub(crate) fn caller() -> CallContext {
    in_process::caller("test")
}

pub(crate) fn alias(reference: &str) -> KeyAlias {
    KeyAlias::parse("REGISTRATION", reference).unwrap()
}

async fn csr(server: &Running, alias: &KeyAlias) -> String {
    let made = server
        .services
        .keys
        .request_certificate(&caller(), alias, &SubjectOverrides::default())
        .await
        .unwrap();
    pem::encode("CERTIFICATE REQUEST", &made.1)
}

async fn seal(server: &Running, alias: &KeyAlias) -> Vec<u8> {
    let content = Plaintext::new(b"content".to_vec());
    server.services.packets.encrypt(&caller(), alias, content, CallerInputs::default()).await.unwrap()
}

async fn opens(server: &Running, alias: &KeyAlias, packet: &[u8]) {
    let inputs = CallerInputs::default();
    let opened = server.services.packets.decrypt(&caller(), alias, packet.to_vec(), inputs).await.unwrap();
    assert_eq!(opened.expose(), b"content");
}

fn certificate(key: &KeyRecord) -> String {
    pem::encode("CERTIFICATE", &key.certificate)
}

// One test for all: the library sees only tokens that exist when it is first loaded in a process.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_made_twice() {
    let token = Token::create("uploads");
    let store: Arc<dyn KeyStore> = Arc::new(token.open().await.unwrap());
    killed_anywhere(&store).await;
    two_at_once(&store).await;
    killed_while_making_secrets(&store).await;
    one_secret_for_two_who_force_it(&store).await;
    another_domains_to_its_end(&store).await;
    lists_outlast_outages(&store).await;
}

/// The server dies at its first call to token or database during an upload, at its second, and so on; whatever it had
/// said counts, the alias has one current certificate, and the same upload by the next server goes through.
async fn killed_anywhere(store: &Arc<dyn KeyStore>) {
    let world = World::over(store).await;
    let elsewhere = Elsewhere::new();
    let data_dir = tempfile::tempdir().unwrap();
    let living = world.start(&data_dir, &Life::of(i64::MAX)).await;
    for calls in 0_i64.. {
        assert!(calls < 100, "an upload does not end");
        let mut finished = true;
        for reference in [format!("killed_{calls}"), String::new()] {
            let alias = alias(&reference);
            let usage = if reference.is_empty() { Usage::Issue } else { Usage::Seal };
            let csr = csr(&living, &alias).await;
            let packet = if reference.is_empty() { None } else { Some(seal(&living, &alias).await) };
            let before = world.repository.find_newest(&alias).await.unwrap().unwrap();
            let given = elsewhere.certify(&csr, 1500, usage);

            let dying_dir = tempfile::tempdir().unwrap();
            let life = Life::of(i64::MAX);
            let dying = world.start(&dying_dir, &life).await;
            life.go_on(calls);
            let uploaded = dying.services.keys.upload_certificate(&caller(), &alias, &given).await;
            finished &= uploaded.is_ok() && !life.is_over();
            drop(dying);

            let newest = world.repository.find_newest(&alias).await.unwrap().unwrap();
            if uploaded.is_ok() {
                assert_eq!(certificate(&newest), given);
            } else {
                assert!(newest == before || certificate(&newest) == given, "neither old nor new");
            }
            living.services.keys.upload_certificate(&caller(), &alias, &given).await.unwrap();
            let current = living.services.keys.certificate(&caller(), &alias).await.unwrap();
            assert_eq!(certificate(&current), given);
            assert_eq!(current.generation, before.generation + 1, "one upload is one version");
            if let Some(packet) = packet {
                opens(&living, &alias, &packet).await;
                opens(&living, &alias, &seal(&living, &alias).await).await;
            }
        }
        if finished {
            assert!(calls > 5, "an upload makes more calls than {calls}");
            return;
        }
    }
}

/// Two servers take two certificates for one key at once: one follows the other, and packets for each open.
async fn two_at_once(store: &Arc<dyn KeyStore>) {
    let world = World::over(store).await;
    let elsewhere = Elsewhere::new();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let life = Life::of(i64::MAX);
    let one = world.start(&dirs[0], &life).await;
    let other = world.start(&dirs[1], &life).await;
    let alias = alias("two");
    let csr = csr(&one, &alias).await;
    let mut packets = vec![seal(&one, &alias).await];
    let given = [200, 300, 400, 500].map(|days| elsewhere.certify(&csr, days, Usage::Seal));
    let uploads = given.iter().enumerate().map(|(at, pem)| {
        let server = if at % 2 == 0 { &one } else { &other };
        let alias = &alias;
        async move { server.services.keys.upload_certificate(&caller(), alias, pem).await }
    });
    let outcomes = futures_util::future::join_all(uploads).await;
    let taken = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(taken >= 2, "{outcomes:?}");
    let keys = world.repository.list(&alias, 10).await.unwrap();
    assert_eq!(keys.len(), taken + 1);
    for key in &keys {
        packets.push(kunji_tests::peer::seal_self_contained(&certificate(key), b"content"));
    }
    for (packet, server) in packets.iter().flat_map(|packet| [(packet, &one), (packet, &other)]) {
        opens(server, &alias, packet).await;
    }
    // Another domain's certificate, at once too: each is stored, and both servers name the same one.
    let alias = KeyAlias::parse("PARTNER", "two").unwrap();
    let uploads = given[..2].iter().zip([&one, &other]).map(|(pem, server)| {
        let alias = &alias;
        async move { server.services.keys.upload_other_domain(&caller(), alias, pem).await.unwrap() }
    });
    futures_util::future::join_all(uploads).await;
    assert_eq!(world.repository.list(&alias, 10).await.unwrap().len(), 2);
    let seen = one.services.keys.certificate(&caller(), &alias).await.unwrap();
    assert_eq!(other.services.keys.certificate(&caller(), &alias).await.unwrap().id, seen.id);
}

/// The server dies at its first call while it makes a symmetric key, at its second, and so on; the next one goes on with
/// what it left on the token, also when it was to replace a key.
async fn killed_while_making_secrets(store: &Arc<dyn KeyStore>) {
    let clock = Arc::new(ManualClock::at(1_767_607_872_000));
    let world = World { clock: Arc::<ManualClock>::clone(&clock), ..World::over(store).await };
    let data_dir = tempfile::tempdir().unwrap();
    let living = world.start(&data_dir, &Life::of(i64::MAX)).await;
    let mut generation = 0;
    for calls in 0_i64.. {
        assert!(calls < 100, "a key is never made");
        let alias = alias("secret");
        let dying_dir = tempfile::tempdir().unwrap();
        let life = Life::of(i64::MAX);
        let dying = world.start(&dying_dir, &life).await;
        life.go_on(calls);
        let made = dying.services.keys.generate_symmetric(&caller(), &alias, true).await;
        let finished = made.is_ok() && !life.is_over();
        drop(dying);
        // What the dead server holds runs out.
        clock.advance_seconds(60);

        let newest = world.repository.find_newest_symmetric(&alias).await.unwrap();
        let found = newest.map_or(0, |newest| newest.generation);
        assert!(found == generation + 1 || found == generation && made.is_err(), "{calls}: {found}");
        let slot = format!("symmetric/{alias}/{}", found + 1);
        let left = world.repository.find_intent(&slot).await.unwrap();
        let next = living.services.keys.generate_symmetric(&caller(), &alias, true).await.unwrap();
        assert!(next.made);
        let newest = world.repository.find_newest_symmetric(&alias).await.unwrap().unwrap();
        assert_eq!((newest.generation, &newest.id), (found + 1, &next.id));
        assert!(world.store.has_kek(newest.token_key).await.unwrap());
        if let Some(left) = left
            && world.store.has_kek(left).await.unwrap()
        {
            assert_eq!(newest.token_key, left, "{calls}: an object without a record stays");
        }
        generation = newest.generation;
        if finished {
            assert!(calls > 5, "a key is made with more calls than {calls}");
            return;
        }
    }
}

/// Two servers are asked at once for a key in the place of the same one: they make one.
async fn one_secret_for_two_who_force_it(store: &Arc<dyn KeyStore>) {
    let world = World::over(store).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let life = Life::of(i64::MAX);
    let slow = world.start(&dirs[0], &life).await;
    let fast = world.start(&dirs[1], &Life::of(i64::MAX)).await;
    let alias = alias("forced");
    let force = |server: &Running| {
        let (keys, alias) = (Arc::clone(&server.services.keys), alias.clone());
        async move { keys.generate_symmetric(&caller(), &alias, true).await.unwrap() }
    };
    for generation in [1, 2] {
        // It knows by then which key is to be replaced.
        let pause = life.pause_at("try_lease");
        let overtakes = async {
            pause.reached().await;
            let made = force(&fast).await;
            pause.end();
            made
        };
        let (second, first) = tokio::join!(force(&slow), overtakes);
        assert!(first.made && !second.made);
        assert_eq!(second.id, first.id);
        let newest = world.repository.find_newest_symmetric(&alias).await.unwrap().unwrap();
        assert_eq!((newest.generation, newest.id), (generation, first.id));
    }
    assert!(force(&slow).await.made, "what is asked for after that is another one");
}

/// Another domain's certificate counts until it ends, without any time before that in which it would be replaced; then
/// nothing takes its place but the next one.
async fn another_domains_to_its_end(store: &Arc<dyn KeyStore>) {
    let now = u64::try_from(SystemClock.now().millis()).unwrap();
    let clock = Arc::new(ManualClock::at(now));
    let world = World { clock: Arc::<ManualClock>::clone(&clock), ..World::over(store).await };
    let data_dir = tempfile::tempdir().unwrap();
    let server = world.start(&data_dir, &Life::of(i64::MAX)).await;
    let keys = &server.services.keys;
    let (elsewhere, alias) = (Elsewhere::new(), alias("partner"));
    let until = |days: i64| elsewhere.certify_key("partner", &rsa(), (-60, days * 86_400));
    keys.upload_other_domain(&caller(), &alias, &until(100)).await.unwrap();
    clock.advance_days(99);
    assert_eq!(server.services.rotation.renew_due().await.unwrap(), 0);
    assert!(keys.certificate(&caller(), &alias).await.unwrap().is_elsewhere());
    clock.advance_days(1);
    clock.advance_seconds(60);
    let ended = keys.certificate(&caller(), &alias).await;
    assert!(matches!(ended, Err(KeyError::BaseKeyNotAllowed)), "{ended:?}");
    assert_eq!(server.services.rotation.renew_due().await.unwrap(), 0);
    assert_eq!(world.repository.list(&alias, 10).await.unwrap().len(), 1);
    keys.upload_other_domain(&caller(), &alias, &until(200)).await.unwrap();
    assert_eq!(keys.certificate(&caller(), &alias).await.unwrap().generation, 2);
}
