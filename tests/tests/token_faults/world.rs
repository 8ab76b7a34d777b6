//! A token with keys, and every operation on it with its right answer.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use kunji_server::{
    adapters::pkcs11::{Pkcs11KeyStore, Pkcs11Settings},
    domain::key::TokenKeyId,
    ports::key_store::{KekStore as _, KeyStore as _, KeyStoreError, TokenSigner as _},
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    clones::Home,
    contract::key_store::{fresh_id, sha256, verifies},
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

    /// Whether it makes a key: that is not repeated when it is unknown whether the key was made.
    pub(crate) fn makes_key(self) -> bool {
        matches!(self, Self::MakeKek | Self::MakePair)
    }
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Right,
    /// The token is not available, for this cause.
    Refused(String),
    /// The token cannot do it, for this cause.
    Unsupported(String),
    /// Something else that is not right.
    Wrong(String),
}

/// What was reported as done.
enum Done {
    Kek(TokenKeyId),
    Pair(TokenKeyId, Vec<u8>),
    Wrapped(Vec<u8>),
}

pub(crate) struct World {
    pub(crate) store: Pkcs11KeyStore,
    pub(crate) home: Home,
    pub(crate) pair: TokenKeyId,
    pub(crate) public: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
    kek: TokenKeyId,
    done: Mutex<Vec<Done>>,
}

impl World {
    /// A token of its own behind a module of its own, in a process of its own. Alone in its home: SoftHSM reads every key
    /// of every token there when it is initialised.
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    /// The same, with `change` made to its settings.
    pub(crate) async fn open_with(change: impl FnOnce(&mut Pkcs11Settings)) -> Self {
        let home = Home::with_token();
        let mut settings = Pkcs11Settings { deadline: DEADLINE, ..home.settings("faults") };
        change(&mut settings);
        let store = Pkcs11KeyStore::open(settings).await.unwrap();
        let (pair, kek) = (fresh_id(), fresh_id());
        let public = store.generate_signing_pair(pair, "pair", ModulusLength::Rsa2048).await.unwrap();
        store.generate_kek(kek, "kek").await.unwrap();
        let wrapped = store.wrap(kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await.unwrap();
        Self { store, home, pair, public, wrapped, kek, done: Mutex::default() }
    }

    pub(crate) async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.store.unwrap(self.kek, CONTEXT, wrapped).await
    }

    /// Performs it and looks at the answer.
    pub(crate) async fn attempt(&self, operation: Operation) -> Outcome {
        match self.perform(operation).await {
            Ok(true) => Outcome::Right,
            Ok(false) => Outcome::Wrong(format!("{operation:?}: another answer")),
            Err(KeyStoreError::Unavailable(cause)) => Outcome::Refused(cause),
            Err(KeyStoreError::Unsupported(cause)) => Outcome::Unsupported(cause),
            Err(other) => Outcome::Wrong(format!("{operation:?}: {other:?}")),
        }
    }

    /// Whether it has succeeded with the right answer; what it has done is kept for [`World::lost`].
    async fn perform(&self, operation: Operation) -> Result<bool, KeyStoreError> {
        let store = &self.store;
        Ok(match operation {
            Operation::Sign => {
                verifies(&self.public, b"m", &store.sign_digest(self.pair, sha256(b"m")).await?)
            }
            Operation::Unwrap => self.unwrap(&self.wrapped).await?.as_slice() == SECRET,
            Operation::Wrap => {
                let wrapped = store.wrap(self.kek, CONTEXT, Zeroizing::new(SECRET.to_vec())).await?;
                self.is_done(Done::Wrapped(wrapped))
            }
            Operation::FindPair => store.find_signing_pair(self.pair).await?.as_ref() == Some(&self.public),
            Operation::HasKek => store.has_kek(self.kek).await?,
            Operation::WasMadeAs => store.was_made_as(self.kek, "kek").await?,
            Operation::MakeKek => {
                let id = fresh_id();
                store.generate_kek(id, "new").await?;
                self.is_done(Done::Kek(id))
            }
            Operation::MakePair => {
                let id = fresh_id();
                let public = store.generate_signing_pair(id, "new", ModulusLength::Rsa2048).await?;
                self.is_done(Done::Pair(id, public))
            }
        })
    }

    fn is_done(&self, done: Done) -> bool {
        self.done().push(done);
        true
    }

    fn done(&self) -> MutexGuard<'_, Vec<Done>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of what was reported as done since the last time is not there now.
    pub(crate) async fn lost(&self) -> usize {
        let mut lost = 0;
        let done = mem::take(&mut *self.done());
        for done in done {
            let is_there = match &done {
                Done::Kek(id) => matches!(self.store.has_kek(*id).await, Ok(true)),
                Done::Pair(id, public) => {
                    matches!(self.store.find_signing_pair(*id).await, Ok(Some(found)) if found == *public)
                }
                Done::Wrapped(wrapped) => {
                    matches!(self.unwrap(wrapped).await, Ok(secret) if secret.as_slice() == SECRET)
                }
            };
            lost += usize::from(!is_there);
        }
        lost
    }

    /// Works well for a while, as a token does between two faults: without operations that succeed, nothing pays for
    /// the calls that are repeated.
    pub(crate) async fn earn_retries(&self) {
        const RETRIES: usize = 4;
        const OPERATIONS_PER_RETRY: usize = 10;
        for _ in 0..RETRIES * OPERATIONS_PER_RETRY {
            // The first may meet what the last fault has left behind.
            self.attempt(Operation::HasKek).await;
        }
    }

    /// Performs it, well.
    pub(crate) async fn right(&self, operation: Operation) {
        self.store.check_health().await.unwrap();
        assert_eq!(self.attempt(operation).await, Outcome::Right, "{operation:?}");
    }

    /// How long it takes until the token is well and the operation has worked; where it makes a key, which takes as
    /// long as it takes, until it was asked for.
    pub(crate) async fn back(&self, operation: Operation, fault: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let well = self.store.check_health().await.is_ok();
            let asked = begun.elapsed();
            if well && self.attempt(operation).await == Outcome::Right {
                return if operation.makes_key() { asked } else { begun.elapsed() };
            }
            assert!(begun.elapsed() < PATIENCE, "{fault}, {operation:?}: not back");
            tokio::task::yield_now().await;
        }
    }
}
