//! First starts that crash anywhere, or happen twice at once, end in the same state.
#![cfg(test)]

use std::{collections::HashSet, sync::Arc};

use futures_util::{StreamExt as _, stream};
use kunji_server::{
    adapters::system_clock::SystemClock,
    app::{self, Ports},
    config::Settings,
    domain::{
        access::CallContext,
        alias::KeyAlias,
        key::{KeyMaterial, KeyRecord},
    },
    ports::{clock::Clock, key_store::KeyStore, repository::Repository},
};
use kunji_tests::{
    faults::{Life, ManualClock, Mortal},
    in_process,
    softhsm::Token,
};
use tempfile::TempDir;

/// What stays when a server dies.
struct World {
    clock: Arc<ManualClock>,
    repository: Arc<dyn Repository>,
    store: Arc<dyn KeyStore>,
}

fn settings(data_dir: &TempDir) -> Settings {
    let environment = [("KUNJI_KEYS", "ROOT,REGISTRATION"), ("KUNJI_CURRENT_KEY_CACHE_MILLISECONDS", "0")];
    in_process::settings(data_dir.path(), &environment)
}

impl World {
    async fn over(store: Arc<dyn KeyStore>) -> Self {
        Self {
            clock: Arc::new(ManualClock::at(1_767_607_872_000)),
            repository: in_process::repository(&in_process::database().await).await,
            store,
        }
    }

    /// The ports of a server that lives for so many calls to the token and the database.
    fn ports(&self, data_dir: &TempDir, life: &Arc<Life>) -> Ports {
        let repository = Arc::new(Mortal { real: Arc::clone(&self.repository), life: Arc::clone(life) });
        let token = Arc::new(Mortal { real: Arc::clone(&self.store), life: Arc::clone(life) });
        Ports {
            clock: Arc::<ManualClock>::clone(&self.clock),
            ..in_process::ports(data_dir.path(), in_process::trail(data_dir.path()), repository, token)
        }
    }

    /// Every key there is, after checking that it can be used.
    async fn usable_keys(&self) -> Vec<KeyRecord> {
        let mut keys = Vec::new();
        for name in [("ROOT", ""), ("REGISTRATION", "")] {
            let alias = KeyAlias::parse(name.0, name.1).unwrap();
            let newest = self.repository.find_newest(&alias).await.unwrap().unwrap();
            assert_eq!(newest.generation, 1, "{alias}: a crash must not use up generations");
            let KeyMaterial::Token(id) = newest.material else { panic!("{alias} is not on the token") };
            self.store.sign_digest(id, [1; 32]).await.unwrap();
            keys.push(newest);
        }
        let kek = self.repository.find_newest_kek(&keys[1].alias.application).await.unwrap().unwrap();
        assert_eq!(kek.version, 1);
        assert!(self.store.has_kek(kek.token_key).await.unwrap());
        keys
    }
}

fn caller() -> CallContext {
    in_process::caller("test")
}

// One test for all: the library sees only tokens that exist when it is first loaded in a process.
#[tokio::test(flavor = "multi_thread")]
async fn first_starts() {
    let mut tokens = Token::create_all("provisioning", 3);
    killed_anywhere(tokens.pop().unwrap()).await;
    two_at_once(tokens.pop().unwrap()).await;
    renewed_in_time(tokens.pop().unwrap()).await;
}

/// Worlds that are tried at once.
const WORLDS_AT_ONCE: usize = 2;

/// First starts are killed at their first call to token or database, at their second, and so on, until one lives
/// long enough to end; after each, the next start brings everything into the one right state.
async fn killed_anywhere(token: Token) {
    let store: Arc<dyn KeyStore> = Arc::new(token.open().await.unwrap());
    let mut lives = stream::iter(0..)
        .map(|calls| tokio::spawn(killed_at(calls, Arc::clone(&store))))
        .buffered(WORLDS_AT_ONCE);
    let mut kills = 0;
    while !lives.next().await.unwrap().unwrap() {
        kills += 1;
    }
    assert!(kills > 30, "a first start and a first key make more calls than {kills}");
}

/// A first start that lives for so many calls, and the one after it. Whether the first lived to its end.
async fn killed_at(calls: i64, store: Arc<dyn KeyStore>) -> bool {
    let alias = KeyAlias::parse("REGISTRATION", "10001_110011").unwrap();
    let world = World::over(store).await;
    // Each server has a data directory of its own, as separate hosts do.
    let data_dir = tempfile::tempdir().unwrap();
    let life = Life::of(calls);
    let started = app::start(&settings(&data_dir), world.ports(&data_dir, &life)).await;
    match started {
        Ok(running) => {
            let certificate = running.services.keys.certificate(&caller(), &alias).await;
            // The server looks into the database by itself too, so that its life may end a moment later.
            assert!(certificate.is_ok() || life.is_over(), "without being killed: {certificate:?}");
        }
        Err(error) => assert!(life.is_over(), "it failed without being killed: {error:?}"),
    }
    if !life.is_over() {
        return true;
    }
    // What the dead server holds runs out.
    world.clock.advance_seconds(60);
    let data_dir = tempfile::tempdir().unwrap();
    let ports = world.ports(&data_dir, &Life::of(i64::MAX));
    let running = app::start(&settings(&data_dir), ports).await.unwrap();
    let key = running.services.keys.certificate(&caller(), &alias).await.unwrap();
    assert_eq!(key.generation, 1);
    world.usable_keys().await;
    false
}

/// Two servers start at the same moment on one empty token and database.
async fn two_at_once(token: Token) {
    let world = World::over(Arc::new(token.open().await.unwrap())).await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let life = Life::of(i64::MAX);
    let settings: Vec<_> = dirs.iter().map(settings).collect();
    let (one, other) = tokio::join!(
        app::start(&settings[0], world.ports(&dirs[0], &life)),
        app::start(&settings[1], world.ports(&dirs[1], &life)),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    world.usable_keys().await;

    // Both are asked for the same new base key, many times at once: there is one.
    let alias = KeyAlias::parse("REGISTRATION", "10001_110011").unwrap();
    let calls = (0..16).map(|i| {
        let services = if i % 2 == 0 { &one.services } else { &other.services };
        let alias = &alias;
        async move { services.keys.certificate(&caller(), alias).await.unwrap().thumbprint }
    });
    let seen: HashSet<_> = futures_util::future::join_all(calls).await.into_iter().collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(world.repository.list(&alias, 10).await.unwrap().len(), 1);
}

/// A base key nears its end: its successor comes by itself, after that of its module, which must live as long, and of
/// ROOT. Old keys stay.
async fn renewed_in_time(token: Token) {
    let world = World::over(Arc::new(token.open().await.unwrap())).await;
    let data_dir = tempfile::tempdir().unwrap();
    let settings = settings(&data_dir);
    let running = app::start(&settings, world.ports(&data_dir, &Life::of(i64::MAX))).await.unwrap();
    let keys = &running.services.keys;
    let alias = KeyAlias::parse("REGISTRATION", "10001_110011").unwrap();
    let first = keys.certificate(&caller(), &alias).await.unwrap();
    assert_eq!(first.period.not_after.millis(), world.clock.now().millis() + 730 * 86_400_000);
    // A clock that was set back makes nothing new.
    world.clock.set_back_seconds(3_600);
    assert_eq!(keys.certificate(&caller(), &alias).await.unwrap().id, first.id);
    world.clock.advance_seconds(3_600);
    world.clock.advance_days(699);
    assert_eq!(keys.certificate(&caller(), &alias).await.unwrap().id, first.id);
    world.clock.advance_days(2);
    let second = keys.certificate(&caller(), &alias).await.unwrap();
    assert_eq!(second.generation, 2);
    let full_life = |key: &KeyRecord| {
        assert_eq!(key.period.not_after.millis(), world.clock.now().millis() + 730 * 86_400_000);
    };
    full_life(&second);
    let module = world.repository.find(&second.issuer).await.unwrap().unwrap();
    assert_eq!(module.generation, 2, "the first one's 394 days are fewer than a base key's 730 and 30");
    let kek = world.repository.find_newest_kek(&module.alias.application).await.unwrap().unwrap();
    assert_eq!(kek.version, 2, "a new module key brings a new KEK");
    assert!(matches!(second.material, KeyMaterial::Wrapped { kek_version: 2, .. }));
    world.clock.advance_days(701);
    let third = keys.certificate(&caller(), &alias).await.unwrap();
    full_life(&third);
    let next_module = world.repository.find(&third.issuer).await.unwrap().unwrap();
    let root = world.repository.find(&next_module.issuer).await.unwrap().unwrap();
    assert_eq!((third.generation, next_module.generation, root.generation), (3, 3, 2));
    let ids: Vec<_> =
        world.repository.list(&alias, 10).await.unwrap().into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [third.id.clone(), second.id.clone(), first.id.clone()]);
    // The clock of the test, not the machine's, decided all this.
    assert_ne!(world.clock.now().seconds() / 86_400, SystemClock.now().seconds() / 86_400);
}
