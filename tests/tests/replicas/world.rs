//! A primary token with keys, and a clone of it.

use std::time::{Duration, Instant};

use kunji_server::{
    adapters::pkcs11::{Pkcs11KeyStore, Pkcs11Settings},
    domain::key::{CheckValue, KnownKey, TokenKeyId},
    ports::key_store::{KekStore as _, KeyStore as _, KeyStoreError, TokenCondition, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    clones::Home,
    contract::key_store::{fresh_id, sha256, verify},
    fault_module::{Fault, Rule},
};
use zeroize::Zeroizing;

pub(crate) const SECRET: &[u8] = b"a private key, perhaps";
const CONTEXT: &[u8] = b"context";
/// When a test gives up waiting.
const PATIENCE: Duration = Duration::from_mins(1);

/// The keys of an installation.
pub(crate) struct Keys {
    pub(crate) pair: TokenKeyId,
    pub(crate) public: Vec<u8>,
    pub(crate) kek: TokenKeyId,
    pub(crate) wrapped: Vec<u8>,
}

impl Keys {
    pub(crate) async fn make(store: &Pkcs11KeyStore) -> Self {
        Self::make_as(store, fresh_id(), fresh_id()).await
    }

    pub(crate) async fn make_as(store: &Pkcs11KeyStore, pair: TokenKeyId, kek: TokenKeyId) -> Self {
        let public = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
        store.generate_kek(kek, "kek").await.unwrap();
        let wrapped = store.wrap(kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await.unwrap();
        Self { pair, public, kek, wrapped }
    }

    /// The KEK is what a token is recognised by, the pair a key that it may lack.
    pub(crate) fn known(&self) -> Vec<KnownKey> {
        vec![self.known_kek(), self.known_pair()]
    }

    pub(crate) fn known_pair(&self) -> KnownKey {
        let check = CheckValue::PublicKey(self.public.clone());
        KnownKey { id: self.pair, label: "pair".to_owned(), check, is_anchor: false }
    }

    pub(crate) fn known_kek(&self) -> KnownKey {
        let check = CheckValue::Wrapped { context: CONTEXT.to_vec(), blob: self.wrapped.clone() };
        KnownKey { id: self.kek, label: "kek".to_owned(), check, is_anchor: true }
    }

    pub(crate) async fn sign(&self, store: &Pkcs11KeyStore) -> Result<(), KeyStoreError> {
        let signature = store.sign_digest(self.pair, sha256(b"m")).await?;
        verify(&self.public, b"m", &signature);
        Ok(())
    }

    pub(crate) async fn unwrap(&self, store: &Pkcs11KeyStore) -> Result<(), KeyStoreError> {
        let secret = store.unwrap(self.kek, CONTEXT, &self.wrapped).await?;
        assert_eq!(secret.as_slice(), SECRET);
        Ok(())
    }

    pub(crate) async fn wrap(&self, store: &Pkcs11KeyStore) -> Result<(), KeyStoreError> {
        let wrapped = store.wrap(self.kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await?;
        let secret = store.unwrap(self.kek, CONTEXT, &wrapped).await?;
        assert_eq!(secret.as_slice(), SECRET);
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) store: Pkcs11KeyStore,
    pub(crate) primary: Home,
    pub(crate) replica: Home,
    pub(crate) keys: Keys,
}

impl World {
    /// Both tokens with the same keys, recognised.
    pub(crate) async fn open() -> Self {
        let world =
            Self::with_replica(Home::empty(), |world| world.replica.clone_from(&world.primary.tokens()))
                .await;
        world.store.recognise(world.keys.known()).await.unwrap();
        world
    }

    /// A primary with keys, and a replica that `prepare` makes before it is opened.
    pub(crate) async fn with_replica(replica: Home, prepare: impl FnOnce(&Unopened)) -> Self {
        let primary = Home::with_token();
        let alone = Pkcs11KeyStore::open(primary.settings("primary")).await.unwrap();
        let keys = Keys::make(&alone).await;
        drop(alone);
        let unopened = Unopened { primary, replica, keys };
        prepare(&unopened);
        let store = unopened.open().await;
        let Unopened { primary, replica, keys } = unopened;
        Self { store, primary, replica, keys }
    }

    /// What the store says of primary and replica now.
    pub(crate) async fn conditions(&self) -> [TokenCondition; 2] {
        let states = self.store.examine().await;
        assert_eq!([states[0].name.as_str(), states[1].name.as_str()], ["primary", "replica"]);
        [states[0].condition, states[1].condition]
    }

    pub(crate) async fn until(&self, expected: [TokenCondition; 2]) {
        until(async || self.conditions().await == expected, &format!("{expected:?}")).await;
    }
}

pub(crate) struct Unopened {
    pub(crate) primary: Home,
    pub(crate) replica: Home,
    pub(crate) keys: Keys,
}

impl Unopened {
    async fn open(&self) -> Pkcs11KeyStore {
        let replica: Pkcs11Settings = self.replica.settings("replica");
        Pkcs11KeyStore::open_several(self.primary.settings("primary"), vec![replica]).await.unwrap()
    }
}

/// Waits until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool, what: &str) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// The token is pulled.
pub(crate) fn pulled() -> [Rule; 1] {
    [Rule::always("*", Fault::NoToken)]
}
