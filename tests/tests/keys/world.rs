//! Servers in this process that share a database, a token and a clock, and keys that end there.

use std::{fs, path::PathBuf, sync::Arc};

use kunji_server::{
    app::{self, Ports, Running},
    domain::{
        access::CallContext,
        alias::{ApplicationId, KeyAlias},
        audit::{
            statement::{Signed, VerifyingKeys},
            tombstone::Tombstone,
        },
        authorization::PolicyText,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::{Change, KeyState, Transition},
    },
    ports::{key_store::KeyStore, repository::Repository},
    services::{
        authorization::Precondition,
        keys::{DestructionView, KeyError},
        packets::CallerInputs,
    },
};
use kunji_shared::secret::Plaintext;
use kunji_tests::{
    faults::{Life, ManualClock, Mortal},
    in_process,
};
use surrealdb::{Surreal, engine::any::Any};
use tempfile::TempDir;

/// What is added to each wait: what a use may stay unrecorded for, and the time for which a server goes on that the
/// database does not answer.
pub(crate) const UNRECORDED: i64 = 120 + 300;
/// After that long nobody uses a key that is being destroyed.
pub(crate) const OBEYED: u64 = 150 + 300;
const CONTENT: &[u8] = b"content";

/// Servers of one database, one token and one clock.
pub(crate) struct World {
    pub(crate) database: Surreal<Any>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) store: Arc<dyn KeyStore>,
}

pub(crate) fn caller(name: &str) -> CallContext {
    in_process::caller(name)
}

pub(crate) fn alias(reference: &str) -> KeyAlias {
    KeyAlias::parse("REGISTRATION", reference).unwrap()
}

pub(crate) fn registration() -> ApplicationId {
    ApplicationId::parse("REGISTRATION").unwrap()
}

/// A server, and what it needs as long as it lives.
pub(crate) struct Server {
    pub(crate) running: Running,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = in_process::database().await;
        Self {
            clock: Arc::new(ManualClock::at(1_767_607_872_000)),
            repository: in_process::repository(&database).await,
            database,
            store: Arc::new(crate::token().open().await.unwrap()),
        }
    }

    pub(crate) async fn start(&self, life: &Arc<Life>) -> Server {
        self.start_by(&self.clock, life).await
    }

    /// A server with a clock of its own.
    pub(crate) async fn start_by(&self, clock: &Arc<ManualClock>, life: &Arc<Life>) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let environment = [
            ("KUNJI_KEYS", "ROOT,REGISTRATION"),
            ("KUNJI_CURRENT_KEY_CACHE_MILLISECONDS", "0"),
            // Every use unwraps on the token.
            ("KUNJI_KEY_CACHE_SECONDS", "0"),
            ("KUNJI_DATABASE_AWAY_SECONDS", "300"),
            ("KUNJI_DESTRUCTION_UNWATCHED_SECONDS", "90000"),
        ];
        let settings = in_process::settings(dir.path(), &environment);
        let repository = Arc::new(Mortal { real: Arc::clone(&self.repository), life: Arc::clone(life) });
        let token = Arc::new(Mortal { real: Arc::clone(&self.store), life: Arc::clone(life) });
        let ports = Ports {
            clock: Arc::<ManualClock>::clone(clock),
            ..in_process::ports(dir.path(), in_process::trail(dir.path()), repository, token)
        };
        Server { running: app::start(&settings, ports).await.unwrap(), dir }
    }

    /// Days go by in which the server looks what is due.
    pub(crate) async fn wait_days(&self, server: &Server, days: u64) {
        for _ in 0..days {
            self.clock.advance_days(1);
            server.advance().await;
        }
    }

    pub(crate) async fn record(&self, key: &KeyRecord) -> KeyRecord {
        self.repository.find(&key.id).await.unwrap().unwrap()
    }

    /// Nothing of the key's private part is left, and what stays says so.
    pub(crate) async fn check_tombstone(&self, server: &Server, key: &KeyRecord) -> Tombstone {
        assert!(matches!(self.record(key).await.material, KeyMaterial::Removed { .. }));
        let line = self.repository.find_tombstone(&key.id).await.unwrap().unwrap();
        let signed = Signed::<Tombstone>::from_line(line.as_bytes()).unwrap();
        let pem = server.running.services.audit.certificates(&caller("auditor")).await.unwrap();
        signed.verify(&VerifyingKeys::from_pem(&pem).unwrap()).unwrap();
        assert_eq!(signed.statement.thumbprint, key.thumbprint.to_string());
        assert_eq!((&*signed.statement.requested_by, &*signed.statement.reason), ("keeper", "retired"));
        signed.statement
    }
}

impl Server {
    /// A key that has a successor, and a packet for it.
    pub(crate) async fn superseded(&self, reference: &str) -> (Arc<KeyRecord>, Vec<u8>) {
        let services = &self.running.services;
        let key = services.keys.certificate(&caller("user"), &alias(reference)).await.unwrap();
        let sealed = services
            .packets
            .encrypt(
                &caller("user"),
                &alias(reference),
                Plaintext::new(CONTENT.to_vec()),
                CallerInputs::default(),
            )
            .await
            .unwrap();
        services.keys.rotate(&caller("keeper"), &key.id).await.unwrap();
        (key, sealed)
    }

    pub(crate) async fn opens(&self, reference: &str, sealed: &[u8]) -> bool {
        let packets = &self.running.services.packets;
        let inputs = CallerInputs::default();
        packets.decrypt(&caller("user"), &alias(reference), sealed.to_vec(), inputs).await.is_ok()
    }

    pub(crate) async fn change(&self, key: &KeyRecord, change: Change) -> Result<Transition, KeyError> {
        self.running.services.keys.change(&caller("keeper"), &key.id, change, "retired", false).await
    }

    pub(crate) async fn change_kek(&self, version: u32, change: Change) -> Result<Transition, KeyError> {
        let keys = &self.running.services.keys;
        keys.change_kek(&caller("keeper"), &registration(), version, change, "retired").await
    }

    /// Makes the steps that are due.
    pub(crate) async fn advance(&self) -> usize {
        self.running.services.destruction.advance().await.unwrap()
    }

    pub(crate) async fn view(&self, key: &KeyRecord) -> (KeyState, DestructionView) {
        let shown = self.running.services.keys.describe(&caller("keeper"), &key.id).await.unwrap();
        (shown.key.state, shown.destruction.unwrap())
    }

    /// How often the trail has it of the key.
    pub(crate) fn told(&self, operation: &str, key: &KeyId) -> usize {
        let files = fs::read_dir(self.dir.path().join("audit")).unwrap().map(|file| file.unwrap().path());
        let is_segment = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "ndjson");
        let (operation, key) = (format!("\"{operation}\""), format!("\"{}\"", key.0));
        let count = |file: PathBuf| {
            let text = fs::read_to_string(file).unwrap();
            text.lines().filter(|line| line.contains(&operation) && line.contains(&key)).count()
        };
        files.filter(is_segment).map(count).sum()
    }

    /// Has nobody need to agree.
    pub(crate) async fn without_four_eyes(&self) {
        let authorization = &self.running.services.authorization;
        let shipped = authorization.in_force().policy("kunji.destruction").unwrap();
        let text = PolicyText { enabled: false, ..shipped.text };
        authorization.put(&caller("administrator"), text, &Precondition::Present).await.unwrap();
    }
}
