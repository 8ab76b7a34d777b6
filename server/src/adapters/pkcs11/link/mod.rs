//! A link to one token that heals itself.
//!
//! - An operation goes to the engine that is open now. When its outcome casts doubt on the token, the caller does not
//!   decide what that means: the supervisor ([`supervisor`]) examines the token over a fresh session, once for all
//!   who doubt, and the operation is repeated once if that may help and does no harm.
//! - A token that fails its examination is away: callers are told so at once, until an engine has been opened anew and
//!   shows our keys. The supervisor tries that from within a tenth of a second to every half second.
//! - How much is under way has a bound; more is refused at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    OpenError, Pkcs11Settings,
    engine::EngineSettings,
    protocol::{Answer, Fault, Operation, Order},
};
use crate::ports::key_store::KeyStoreError;

mod host;
mod pins;
mod state;
mod supervisor;

use host::{Host, Opener};
use pins::Pins;
use state::{KnownKeys, State};

/// How long a caller whose operation met with a fault waits for the token's return before giving up.
const RETURN_PATIENCE: Duration = Duration::from_millis(1500);
/// Longest time that a start waits for the token: trying out what it can do takes long on some.
const START_PATIENCE: Duration = Duration::from_mins(2);
/// Longest time that a health check by a caller waits for the examination.
const EXAMINATION_PATIENCE: Duration = Duration::from_secs(4);
/// Failures in a row that make a token suspect although it passes examinations.
const FAILURES_IN_A_ROW: u32 = 5;

/// A token, as far as it can be reached.
pub(super) struct Link {
    shared: Arc<Shared>,
    supervisor: JoinHandle<()>,
}

struct Shared {
    /// What an engine is opened with, but for the keys that are known by then.
    engine: EngineSettings,
    opener: Opener,
    pins: Pins,
    deadline: Duration,
    places: Semaphore,
    state: watch::Sender<State>,
    doubt: Notify,
    failures: AtomicU32,
    /// Keys being made.
    generations: AtomicUsize,
    known: Mutex<KnownKeys>,
}

impl Link {
    /// Opens the token and begins to watch over it.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be opened now; nothing is then left behind.
    pub(super) async fn open(settings: Pkcs11Settings) -> Result<Self, OpenError> {
        let mut shared = Shared::new(settings);
        let (host, capabilities) = timeout(START_PATIENCE, shared.open_first())
            .await
            .unwrap_or_else(|_| Err(OpenError::Unavailable("no answer within two minutes".to_owned())))?;
        // What the token can do was found out once and stays: an engine that is opened later costs less.
        shared.engine.tried_out = Some(capabilities);
        shared.back(Arc::new(host));
        Ok(Self::watched(shared))
    }

    /// Begins to watch over a token that is away, for this cause, and opens it as soon as it can be.
    pub(super) fn open_later(settings: Pkcs11Settings, cause: &OpenError) -> Self {
        let shared = Shared::new(settings);
        shared.away(&cause.to_string());
        Self::watched(shared)
    }

    fn watched(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let supervisor = tokio::spawn(supervisor::watch_over(Arc::clone(&shared)));
        Self { shared, supervisor }
    }

    /// Has the token carry out an operation; `make` makes it anew for each attempt.
    ///
    /// # Errors
    /// What the token answers; [`KeyStoreError::Busy`] when too much is under way;
    /// [`KeyStoreError::Unavailable`] at once when the token is away, else at the deadline.
    pub(super) async fn perform(&self, make: impl Fn() -> Operation) -> Result<Answer, KeyStoreError> {
        let shared = &self.shared;
        let Ok(_place) = shared.places.try_acquire() else { return Err(KeyStoreError::Busy) };
        let operation = make();
        let (key, repeatable) = (operation.key(), operation.is_repeatable());
        let (outcome, version) = shared.attempt(operation).await?;
        let doubtful = match &outcome {
            Ok(answer) => !answer.shows_key() && key.is_some_and(|key| shared.known().contains(key)),
            Err(Fault::NotFound) => key.is_some_and(|key| shared.known().contains(key)),
            Err(Fault::Gone(_) | Fault::PinRefused(_)) => true,
            Err(_) => false,
        };
        let outcome = if doubtful {
            if !shared.doubted(RETURN_PATIENCE, |state| state.version > version && state.engine.is_ok()).await
            {
                // Whatever it said, it was not well when it did.
                return Err(shared.now().0.err().unwrap_or_else(|| outcome_of(outcome)));
            }
            if repeatable { shared.attempt(make()).await?.0 } else { outcome }
        } else {
            outcome
        };
        if let (Ok(answer), Some(key)) = (&outcome, key)
            && answer.shows_key()
        {
            shared.known().learn(key);
        }
        Ok(outcome?)
    }

    /// How long the token has been away, as far as is known; `None` when it is there.
    pub(super) fn away_for(&self) -> Option<Duration> {
        self.shared.away_for()
    }

    /// Has the token examined now.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`] when it is away, or cannot be examined in time.
    pub(super) async fn check_health(&self) -> Result<(), KeyStoreError> {
        let (engine, version) = self.shared.now();
        engine?;
        if self.shared.doubted(EXAMINATION_PATIENCE, |state| state.version > version).await {
            self.shared.now().0.map(drop)
        } else {
            Err(unexamined())
        }
    }
}

/// What a caller is told whose doubts were not settled in time.
fn outcome_of(outcome: Result<Answer, Fault>) -> KeyStoreError {
    match outcome {
        Err(Fault::Gone(cause)) => KeyStoreError::Unavailable(cause),
        _ => unexamined(),
    }
}

fn unexamined() -> KeyStoreError {
    KeyStoreError::Unavailable("the token could not be examined in time".to_owned())
}

impl Drop for Link {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

impl Shared {
    fn new(settings: Pkcs11Settings) -> Self {
        let engine = EngineSettings {
            module: settings.module,
            initialize_argument: settings.initialize_argument,
            token_label: settings.token_label,
            workers: settings.workers.max(1),
            wrapping: settings.wrapping,
            tried_out: None,
            known: Vec::new(),
        };
        let places = engine.workers.saturating_add(settings.queue).min(Semaphore::MAX_PERMITS);
        Self {
            engine,
            opener: Opener::new(settings.isolation),
            pins: Pins::new(settings.pin),
            deadline: settings.deadline,
            places: Semaphore::new(places),
            state: watch::Sender::new(State::unopened()),
            doubt: Notify::new(),
            failures: AtomicU32::new(0),
            generations: AtomicUsize::new(0),
            known: Mutex::default(),
        }
    }

    /// The engine, or why there is none; and the state's version.
    fn now(&self) -> (Result<Arc<Host>, KeyStoreError>, u64) {
        let state = self.state.borrow();
        let engine = state.engine.clone().map_err(|cause| KeyStoreError::Unavailable(cause.to_string()));
        (engine, state.version)
    }

    /// One attempt, and the version of the state that it relied on.
    async fn attempt(&self, operation: Operation) -> Result<(Result<Answer, Fault>, u64), KeyStoreError> {
        let (engine, version) = self.now();
        let patience = operation.patience(self.deadline);
        let _generation = (!operation.is_repeatable()).then(|| Generation::begin(self));
        let engine = engine?;
        let outcome = engine.perform(Order { operation, patience }).await;
        if let Err(Fault::PinRefused(answer)) = &outcome {
            self.note_refusal(&engine, answer);
        }
        if matches!(outcome, Err(Fault::Failed(_))) {
            if self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= FAILURES_IN_A_ROW {
                self.doubt.notify_one();
            }
        } else {
            self.failures.store(0, Ordering::Relaxed);
        }
        Ok((outcome, version))
    }

    /// Notes that the PIN of this engine was refused: while the engine is the present one, no other PIN has been given.
    fn note_refusal(&self, engine: &Arc<Host>, answer: &str) {
        let state = self.state.borrow();
        if state.engine.as_ref().is_ok_and(|present| Arc::ptr_eq(present, engine)) {
            self.pins.refused(answer);
        }
    }

    /// Asks for an examination, and waits for such a state. Whether it came in time.
    async fn doubted(&self, patience: Duration, is_settled: impl FnMut(&State) -> bool) -> bool {
        let mut state = self.state.subscribe();
        self.doubt.notify_one();
        matches!(timeout(patience, state.wait_for(is_settled)).await, Ok(Ok(_)))
    }

    /// How long the token has been away; `None` when it is there.
    fn away_for(&self) -> Option<Duration> {
        let state = self.state.borrow();
        state.engine.is_err().then(|| state.since.elapsed())
    }

    fn known(&self) -> MutexGuard<'_, KnownKeys> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key is being made for as long as this lives.
struct Generation<'a>(&'a AtomicUsize);

impl<'a> Generation<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.generations.fetch_add(1, Ordering::Relaxed);
        Self(&shared.generations)
    }
}

impl Drop for Generation<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
