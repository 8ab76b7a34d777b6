//! A token with keys, and every operation on it with its right answer.

use std::time::{Duration, Instant};

use kunji_server::{
    adapters::pkcs11::{Pkcs11KeyStore, Pkcs11Settings},
    domain::key::TokenKeyId,
    ports::key_store::{KekStore as _, KeyStore as _, KeyStoreError, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    contract::key_store::{fresh_id, sha256, verify},
    fault_module::FaultModule,
    softhsm::{Token, isolated},
};
use zeroize::Zeroizing;

const SECRET: &[u8] = b"a private key, perhaps";
const CONTEXT: &[u8] = b"context";
/// Long enough for any call that does not hang, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(1);
/// When a test gives up waiting for the token's return.
const PATIENCE: Duration = Duration::from_secs(20);

/// The operations of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Sign,
    Unwrap,
    Wrap,
    FindPair,
    HasKek,
    WasMadeAs,
    MakeKek,
    MakePair,
}

impl Operation {
    pub(crate) const ALL: [Self; 8] = [
        Self::Sign,
        Self::Unwrap,
        Self::Wrap,
        Self::FindPair,
        Self::HasKek,
        Self::WasMadeAs,
        Self::MakeKek,
        Self::MakePair,
    ];

    /// Making a key is not repeated when it is unknown whether it was made.
    fn may_fail(self) -> bool {
        matches!(self, Self::MakeKek | Self::MakePair)
    }
}

pub(crate) struct World {
    pub(crate) store: Pkcs11KeyStore,
    pub(crate) module: FaultModule,
    pub(crate) pair: TokenKeyId,
    pub(crate) public: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
    kek: TokenKeyId,
    _token: Token,
}

impl World {
    /// A token of its own behind a module of its own, in a process of its own.
    pub(crate) async fn open() -> Self {
        let token = Token::create("faults");
        let module = FaultModule::new();
        let settings = Pkcs11Settings {
            module: module.path(),
            isolation: isolated(),
            deadline: DEADLINE,
            ..token.settings()
        };
        let store = Pkcs11KeyStore::open(settings).await.unwrap();
        let (pair, kek) = (fresh_id(), fresh_id());
        let public = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
        store.generate_kek(kek, "kek").await.unwrap();
        let wrapped = store.wrap(kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await.unwrap();
        Self { store, module, pair, public, wrapped, kek, _token: token }
    }

    pub(crate) async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.store.unwrap(self.kek, CONTEXT, wrapped).await
    }

    /// Performs it; an error that says another thing than that the token is not available is a wrong answer.
    pub(crate) async fn attempt(&self, operation: Operation) -> Result<(), String> {
        let outcome = match operation {
            Operation::Sign => self
                .store
                .sign_digest(self.pair, sha256(b"m"))
                .await
                .map(|signature| verify(&self.public, b"m", &signature)),
            Operation::Unwrap => {
                self.unwrap(&self.wrapped).await.map(|secret| assert_eq!(secret.as_slice(), SECRET))
            }
            // Whether it can be unwrapped is seen when the fault has gone.
            Operation::Wrap => {
                self.store.wrap(self.kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await.map(drop)
            }
            Operation::FindPair => self
                .store
                .find_signing_pair(self.pair)
                .await
                .map(|public| assert_eq!(public.as_deref(), Some(self.public.as_slice()))),
            Operation::HasKek => {
                self.store.has_kek(self.kek).await.map(|there| assert!(there, "a KEK was reported as absent"))
            }
            Operation::WasMadeAs => self
                .store
                .was_made_as(self.kek, "kek")
                .await
                .map(|ours| assert!(ours, "a KEK was reported as another's")),
            Operation::MakeKek => self.store.generate_kek(fresh_id(), "new").await,
            Operation::MakePair => {
                self.store.generate_signing_pair(fresh_id(), "new", ModulusLength::Rsa2048).await.map(drop)
            }
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(KeyStoreError::Unavailable(cause)) => {
                if operation.may_fail() {
                    Ok(())
                } else {
                    Err(cause)
                }
            }
            // A key that the token does not show as safe is not used, whatever the reason.
            Err(KeyStoreError::Unsupported(_)) if operation.may_fail() => Ok(()),
            Err(other) => panic!("{operation:?}: {other:?}"),
        }
    }

    /// Performs it, well.
    pub(crate) async fn right(&self, operation: Operation) {
        self.store.check_health().await.unwrap();
        self.attempt(operation).await.unwrap();
    }

    /// How long it takes until the token is well and the operation works.
    pub(crate) async fn back(&self, operation: Operation, fault: &str) -> Duration {
        let begun = Instant::now();
        let works = async || self.store.check_health().await.is_ok() && self.attempt(operation).await.is_ok();
        while !works().await {
            assert!(begun.elapsed() < PATIENCE, "{fault}, {operation:?}: not back");
            tokio::task::yield_now().await;
        }
        begun.elapsed()
    }
}
