//! A database behind a proxy, and every operation on it with its right answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use kunji_server::{
    adapters::surreal::{DatabaseSettings, SurrealRepository},
    domain::{
        alias::{ApplicationId, KeyAlias},
        authorization::approval::Approval,
        client::{ClientId, ClientRecord},
        cross_certificate::CrossCertificate,
        key::{KekRecord, KeyId, KeyRecord, TokenKeyId},
        policy::AccessList,
        time::Timestamp,
    },
    ports::{
        key_policies::{KeyPolicyChange, KeyPolicyRecord, KeyPolicyRepository as _},
        repository::{
            ApprovalRepository as _, ClientRepository as _, KeyRepository as _, ProvisioningRepository as _,
            Repository as _, RepositoryError, SystemSecret,
        },
        rotation::CrossCertificateRepository as _,
    },
};
use kunji_shared::Thumbprint;
use kunji_tests::{
    contract::repository::{alias, approval, client, kek, key, policy},
    proxy::Proxy,
    surreal_server::{Database, SurrealServer},
};

/// When a test gives up waiting for the database's return.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKEN_KEY: TokenKeyId = TokenKeyId([0xB7; 16]);

/// The operations of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    CheckHealth,
    FindNewest,
    FindByThumbprint,
    Find,
    List,
    FindNewestKek,
    FindKek,
    FindIntent,
    FindSystemSecret,
    FindClient,
    HasClients,
    ListPolicies,
    InsertSuccessor,
    InsertKekSuccessor,
    TryLease,
    ReleaseLease,
    PutIntent,
    InsertSystemSecret,
    InsertClient,
    InsertCrossCertificate,
    PutApproval,
}

impl Operation {
    pub(crate) const ALL: [Self; 21] = [
        Self::CheckHealth,
        Self::FindNewest,
        Self::FindByThumbprint,
        Self::Find,
        Self::List,
        Self::FindNewestKek,
        Self::FindKek,
        Self::FindIntent,
        Self::FindSystemSecret,
        Self::FindClient,
        Self::HasClients,
        Self::ListPolicies,
        Self::InsertSuccessor,
        Self::InsertKekSuccessor,
        Self::TryLease,
        Self::ReleaseLease,
        Self::PutIntent,
        Self::InsertSystemSecret,
        Self::InsertClient,
        Self::InsertCrossCertificate,
        Self::PutApproval,
    ];
}

/// What a change would have written, to look for it.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Successor(Box<KeyRecord>),
    Kek(KekRecord),
    Lease(String),
    Release(String),
    Intent(String, TokenKeyId),
    Secret(String, SystemSecret),
    Client(ClientRecord),
    CrossCertificate(CrossCertificate),
    Approval(Box<Approval>),
}

impl Change {
    pub(crate) const OPERATIONS: [Operation; 9] = [
        Operation::InsertSuccessor,
        Operation::InsertKekSuccessor,
        Operation::TryLease,
        Operation::ReleaseLease,
        Operation::PutIntent,
        Operation::InsertSystemSecret,
        Operation::InsertClient,
        Operation::InsertCrossCertificate,
        Operation::PutApproval,
    ];
}

pub(crate) struct World {
    pub(crate) server: Arc<SurrealServer>,
    pub(crate) proxy: Proxy,
    /// Through the proxy.
    pub(crate) repository: SurrealRepository,
    /// Past the proxy: it sees what is there.
    pub(crate) truth: SurrealRepository,
    database: Database,
    numbers: AtomicU32,
}

impl World {
    pub(crate) async fn open() -> Self {
        Self::over(SurrealServer::shared().unwrap()).await
    }

    pub(crate) async fn over(server: Arc<SurrealServer>) -> Self {
        let database = server.create_database().await.unwrap();
        let proxy = Proxy::to(server.address());
        let repository = connect(&format!("ws://{}", proxy.address()), &database).await;
        let truth = connect(server.url(), &database).await;
        let world = Self { server, proxy, repository, truth, database, numbers: AtomicU32::new(0) };
        world.fill().await;
        world
    }

    /// The rows that are read.
    async fn fill(&self) {
        let repository = &self.repository;
        repository.insert_successor(&known_key()).await.unwrap();
        repository.insert_kek_successor(&kek(1, 1).unwrap()).await.unwrap();
        repository.put_intent("known", TOKEN_KEY).await.unwrap();
        assert!(repository.insert_system_secret("known", &known_secret()).await.unwrap());
        repository.insert_client(&client("known").unwrap()).await.unwrap();
        let known = [known_policy()];
        repository.change_key_policies(0, KeyPolicyChange::Put(&known)).await.unwrap();
    }

    /// A number that no other call has got.
    pub(crate) fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    /// The change that the operation makes next; of new records, so that changes do not depend on each other.
    pub(crate) fn next_change(&self, operation: Operation) -> Change {
        let number = self.number();
        let name = format!("n{number}");
        match operation {
            Operation::InsertSuccessor => Change::Successor(Box::new(new_key(&name, 1, number))),
            Operation::InsertKekSuccessor => Change::Kek(KekRecord {
                application: ApplicationId::parse(&format!("A{number}")).unwrap(),
                ..kek(1, 9).unwrap()
            }),
            Operation::TryLease => Change::Lease(name),
            Operation::ReleaseLease => Change::Release(name),
            Operation::PutIntent => Change::Intent(name, TOKEN_KEY),
            Operation::InsertSystemSecret => Change::Secret(name, known_secret()),
            Operation::InsertClient => Change::Client(client(&name).unwrap()),
            Operation::InsertCrossCertificate => Change::CrossCertificate(CrossCertificate {
                key: KeyId(name),
                issuer: known_key().id,
                certificate: vec![0x30, 0x00],
                period: known_key().period,
            }),
            Operation::PutApproval => Change::Approval(Box::new(approval(&name))),
            _ => panic!("{operation:?} changes nothing"),
        }
    }

    /// Makes the change; whether it was made by this call.
    pub(crate) async fn make(&self, change: &Change) -> Result<bool, RepositoryError> {
        let repository = &self.repository;
        let (now, until) = (Timestamp::from_seconds(0), Timestamp::from_seconds(10));
        match change {
            Change::Successor(record) => repository.insert_successor(record).await.map(|()| true),
            Change::Kek(record) => repository.insert_kek_successor(record).await.map(|()| true),
            Change::Lease(name) => repository.try_lease(name, "holder", now, until).await,
            Change::Release(name) => repository.release_lease(name, "holder").await.map(|()| true),
            Change::Intent(slot, id) => repository.put_intent(slot, *id).await.map(|()| true),
            Change::Secret(name, secret) => repository.insert_system_secret(name, secret).await,
            Change::Client(record) => repository.insert_client(record).await.map(|()| true),
            Change::CrossCertificate(cross) => {
                repository.insert_cross_certificate(cross).await.map(|()| true)
            }
            Change::Approval(approval) => repository.put_approval(approval).await.map(|()| true),
        }
    }

    /// Performs the operation and compares its answer with the right one. An error may say that the database is not
    /// available, or that it is not known what came of a change, and nothing else.
    pub(crate) async fn attempt(&self, operation: Operation) -> Result<(), String> {
        let repository = &self.repository;
        let known = known_key();
        let outcome = match operation {
            Operation::CheckHealth => repository.check_health().await,
            Operation::FindNewest => {
                repository.find_newest(&known.alias).await.map(|found| assert_eq!(found, Some(known)))
            }
            Operation::FindByThumbprint => repository
                .find_by_thumbprint(&known.thumbprint)
                .await
                .map(|found| assert_eq!(found, Some(known))),
            Operation::Find => repository.find(&known.id).await.map(|found| assert_eq!(found, Some(known))),
            Operation::List => repository.list(&known.alias, 8).await.map(|found| assert_eq!(found, [known])),
            Operation::FindNewestKek => repository
                .find_newest_kek(&kek(1, 1).unwrap().application)
                .await
                .map(|found| assert_eq!(found, Some(kek(1, 1).unwrap()))),
            Operation::FindKek => repository
                .find_kek(&kek(1, 1).unwrap().application, 1)
                .await
                .map(|found| assert_eq!(found, Some(kek(1, 1).unwrap()))),
            Operation::FindIntent => {
                repository.find_intent("known").await.map(|found| assert_eq!(found, Some(TOKEN_KEY)))
            }
            Operation::FindSystemSecret => repository
                .find_system_secret("known")
                .await
                .map(|found| assert_eq!(found, Some(known_secret()))),
            Operation::FindClient => repository
                .find_client(&ClientId::parse("known").unwrap())
                .await
                .map(|found| assert_eq!(found, Some(client("known").unwrap()))),
            Operation::HasClients => repository.has_clients().await.map(|any| assert!(any)),
            Operation::ListPolicies => repository
                .list_key_policies()
                .await
                .map(|found| assert_eq!((found.version, found.policies), (1, vec![known_policy()]))),
            change => {
                let change = self.next_change(change);
                let outcome = self.make(&change).await;
                if let Ok(made) = &outcome {
                    assert!(made, "{change:?} was there before");
                    // What was acknowledged is there.
                    assert!(self.is_there(&change).await, "{change:?} is lost");
                }
                outcome.map(drop)
            }
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(RepositoryError::Unavailable(cause) | RepositoryError::OutcomeUnknown(cause)) => Err(cause),
            Err(other) => panic!("{operation:?}: {other:?}"),
        }
    }

    /// Lets our user in from now on, on these terms.
    pub(crate) async fn let_user_in(&self, terms: &str) {
        self.define_user(&self.database.password, terms).await;
    }

    /// Refuses our user from now on; who is in stays in.
    pub(crate) async fn lock_user_out(&self) {
        self.define_user("another password", "").await;
    }

    async fn define_user(&self, password: &str, terms: &str) {
        let user = &self.database.user;
        let text =
            format!("DEFINE USER OVERWRITE {user} ON DATABASE PASSWORD '{password}' ROLES EDITOR {terms};");
        self.server.ask(&self.database, &text).await.unwrap();
    }

    /// Whether what the change writes is there.
    pub(crate) async fn is_there(&self, change: &Change) -> bool {
        let begun = Instant::now();
        loop {
            match self.look_for(change).await {
                Ok(there) => return there,
                // It has gone away for the truth as well.
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
            }
            look_again().await;
        }
    }

    async fn look_for(&self, change: &Change) -> anyhow::Result<bool> {
        let truth = &self.truth;
        Ok(match change {
            Change::Successor(record) => truth.find(&record.id).await?.as_ref() == Some(&**record),
            Change::Kek(record) => {
                truth.find_kek(&record.application, record.version).await?.as_ref() == Some(record)
            }
            Change::Lease(name) => self.is_leased(name).await?,
            Change::Release(name) => !self.is_leased(name).await?,
            Change::Intent(slot, id) => truth.find_intent(slot).await? == Some(*id),
            Change::Secret(name, secret) => truth.find_system_secret(name).await?.as_ref() == Some(secret),
            Change::Client(record) => truth.find_client(&record.id).await?.as_ref() == Some(record),
            Change::CrossCertificate(cross) => {
                truth.find_cross_certificate(&cross.key).await?.as_ref() == Some(cross)
            }
            Change::Approval(approval) => {
                truth.find_approval(&approval.id).await?.as_ref() == Some(&**approval)
            }
        })
    }

    async fn is_leased(&self, name: &str) -> anyhow::Result<bool> {
        let text = format!("RETURN type::record('lease', '{name}').exists()");
        Ok(self.server.ask(&self.database, &text).await?.into_bool()?)
    }

    /// How long it takes until the operation works.
    pub(crate) async fn back(&self, operation: Operation, fault: &str) -> Duration {
        let begun = Instant::now();
        while let Err(cause) = self.attempt(operation).await {
            assert!(begun.elapsed() < PATIENCE, "{fault}, {operation:?}: not back: {cause}");
            look_again().await;
        }
        begun.elapsed()
    }

    /// Waits until the link knows that the database is away.
    pub(crate) async fn away(&self) -> Duration {
        let begun = Instant::now();
        while self.repository.away_for().is_none() {
            assert!(begun.elapsed() < PATIENCE, "nobody notices that the database is away");
            look_again().await;
        }
        begun.elapsed()
    }
}

/// Before a condition is looked at again.
pub(crate) async fn look_again() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

async fn connect(url: &str, database: &Database) -> SurrealRepository {
    let repository = SurrealRepository::connect(DatabaseSettings {
        url: url.to_owned(),
        namespace: database.namespace.clone(),
        database: database.database.clone(),
        user: database.user.clone(),
        password: Some(database.password.clone().into()),
        cache_bytes: 1 << 20,
    })
    .await
    .unwrap();
    repository.install_integrity_key([0x5A; 32].into());
    repository
}

fn known_policy() -> KeyPolicyRecord {
    policy("REGISTRATION", 1, AccessList::AnyRoleHolder).unwrap()
}

fn known_key() -> KeyRecord {
    key(&alias("known").unwrap(), 1, 0xFF)
}

fn known_secret() -> SystemSecret {
    SystemSecret { kek: TOKEN_KEY, blob: vec![7; 60] }
}

/// A key of an alias of `REGISTRATION`, told apart from all others by `number`.
pub(crate) fn new_key(reference: &str, generation: u32, number: u32) -> KeyRecord {
    let mut thumbprint = [0; 32];
    thumbprint[..4].copy_from_slice(&number.to_be_bytes());
    KeyRecord {
        id: KeyId(format!("00000000-0000-4000-8000-1{number:011x}")),
        thumbprint: Thumbprint::from_bytes(thumbprint),
        ..key(&KeyAlias::parse("REGISTRATION", reference).unwrap(), generation, 3)
    }
}
