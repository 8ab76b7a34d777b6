//! Keys are made on the primary, and become current when every token has them: at a first start, in time, after a
//! restart, on another server, and wherever one is killed.

use std::sync::Arc;

use kunji_server::{
    adapters::pkcs11::Pkcs11KeyStore,
    app::{self, Ports, Running},
    domain::{
        alias::KeyAlias,
        key::{KeyMaterial, KeyRecord, TokenKeyId},
    },
    ports::{
        key_store::{KeyStore, TokenCondition},
        repository::Repository,
    },
    services::readiness::State,
};
use kunji_tests::{
    clones::Home,
    faults::{Life, ManualClock, Mortal},
    in_process,
};
use tempfile::TempDir;

use crate::world::{pulled, until};

struct Installation {
    primary: Home,
    replica: Home,
    clock: Arc<ManualClock>,
    repository: Arc<dyn Repository>,
    store: Arc<dyn KeyStore>,
}

impl Installation {
    async fn new() -> Self {
        let (primary, replica) = (Home::with_token(), Home::with_token());
        replica.clone_from(&primary.tokens());
        let store =
            Pkcs11KeyStore::open_several(primary.settings("primary"), vec![replica.settings("replica")]);
        Self {
            clock: Arc::new(ManualClock::at(1_767_607_872_000)),
            repository: in_process::repository(&in_process::database().await).await,
            store: Arc::new(store.await.unwrap()),
            primary,
            replica,
        }
    }

    async fn start(&self, life: &Arc<Life>) -> anyhow::Result<Server> {
        let dir = tempfile::tempdir().unwrap();
        let environment =
            [("KUNJI_KEYS", "ROOT,REGISTRATION"), ("KUNJI_CURRENT_KEY_CACHE_MILLISECONDS", "0")];
        let settings = in_process::settings(dir.path(), &environment);
        let repository = Arc::new(Mortal { real: Arc::clone(&self.repository), life: Arc::clone(life) });
        let token = Arc::new(Mortal { real: Arc::clone(&self.store), life: Arc::clone(life) });
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(&self.clock),
            ..in_process::ports(dir.path(), in_process::trail(dir.path()), repository, token)
        };
        Ok(Server { running: app::start(&settings, ports).await?, _dir: dir })
    }

    async fn live(&self) -> Server {
        self.start(&Life::of(i64::MAX)).await.unwrap()
    }

    fn clone_keys(&self) {
        self.replica.clone_from(&self.primary.tokens());
    }

    async fn newest(&self, application: &str) -> KeyRecord {
        self.repository.find_newest(&alias(application, "")).await.unwrap().unwrap()
    }

    async fn kek_version(&self) -> u32 {
        let application = alias("REGISTRATION", "").application;
        self.repository.find_newest_kek(&application).await.unwrap().unwrap().version
    }

    async fn intent(&self, slot: &str) -> [u8; 16] {
        self.repository.find_intent(slot).await.unwrap().unwrap().0
    }
}

struct Server {
    running: Running,
    _dir: TempDir,
}

impl Server {
    async fn certificate(&self, reference: &str) -> KeyRecord {
        let call = in_process::caller("test");
        let key = self.running.services.keys.certificate(&call, &alias("REGISTRATION", reference)).await;
        KeyRecord::clone(&key.unwrap())
    }

    /// How the token is, and how many keys wait.
    async fn token(&self) -> (State, usize) {
        let token = self.running.services.readiness.check().await.token;
        (token.state, token.waiting_keys)
    }
}

fn alias(application: &str, reference: &str) -> KeyAlias {
    KeyAlias::parse(application, reference).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_become_current_when_every_token_has_them() {
    let installation = Installation::new().await;
    let refused = installation.start(&Life::of(i64::MAX)).await.err().unwrap();
    let told = format!("{refused:#}");
    assert!(told.contains("clone it from the primary") && told.contains("replica"), "{told}");
    // All that a first start needs has been made by then: to clone once is enough.
    installation.clone_keys();
    let server = installation.live().await;
    assert_eq!(server.token().await, (State::Ready, 0));
    let first = installation.newest("REGISTRATION").await;

    // The module's key nears its end, and its successor is on the primary alone.
    installation.clock.advance_days(1095 - 59);
    let base = server.certificate("10001_1").await;
    assert_eq!(base.issuer, first.id, "base keys are made as before, under the key that is current");
    assert_eq!(server.token().await, (State::Degraded, 1));
    let made = installation.intent("sign/REGISTRATION//2").await;

    // Another server, and this one after a restart, find it so and go on from there. They need new keys for access
    // tokens and for the audit trail, too.
    let other = installation.live().await;
    drop(server);
    // What it held when it was ended runs out.
    installation.clock.advance_seconds(60);
    let server = installation.live().await;
    for server in [&server, &other] {
        assert_eq!(server.certificate("").await.id, first.id);
        assert_eq!(server.token().await, (State::Degraded, 3));
    }
    installation.clone_keys();
    until(async || server.token().await == (State::Ready, 0), "nothing waits any more").await;
    let second = installation.newest("REGISTRATION").await;
    assert_eq!((second.generation, second.material), (2, KeyMaterial::Token(TokenKeyId(made))));
    assert_eq!(
        installation.kek_version().await,
        2,
        "it was made with the pair, so that it is cloned with it"
    );
    assert_eq!(server.certificate("10001_2").await.issuer, second.id);

    // What is current works without the primary, and a start does too.
    installation.primary.module.set(pulled());
    until(
        async || installation.store.examine().await[0].condition == TokenCondition::Unavailable,
        "the primary is away",
    )
    .await;
    let alone = installation.live().await;
    alone.certificate("10001_3").await;
    assert_eq!(alone.token().await, (State::Degraded, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_while_a_key_waits_leaves_it_to_the_next() {
    let installation = Installation::new().await;
    installation.start(&Life::of(i64::MAX)).await.err().unwrap();
    installation.clone_keys();
    drop(installation.live().await);
    let first = installation.newest("REGISTRATION").await;
    installation.clock.advance_days(1095 - 59);
    for calls in (0..60).step_by(3) {
        let life = Life::of(calls);
        let started = installation.start(&life).await;
        drop(started);
        assert_eq!(installation.newest("REGISTRATION").await.id, first.id, "killed after {calls} calls");
        // What the dead server holds runs out.
        installation.clock.advance_seconds(60);
    }
    let server = installation.live().await;
    let intended = installation.intent("sign/REGISTRATION//2").await;
    installation.clone_keys();
    until(async || server.token().await == (State::Ready, 0), "nothing waits any more").await;
    let second = installation.newest("REGISTRATION").await;
    assert_eq!((second.generation, second.material), (2, KeyMaterial::Token(TokenKeyId(intended))));
    assert_eq!(installation.newest("ROOT").await.generation, 1);
}
