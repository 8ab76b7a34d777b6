//! A link to one token that heals itself.
//!
//! - An operation goes to the engine that is open now. When its outcome casts doubt on the token, the caller does not
//!   decide what that means: the supervisor ([`supervisor`]) examines the token over a fresh session, once for all
//!   who doubt, and the operation is repeated once if that may help and does no harm.
//! - A token that fails its examination is away: callers are told so at once, until an engine has been opened anew and
//!   shows our keys ([`recognition`]). The supervisor tries that from within a tenth of a second to every half second.
//! - How much is under way has a bound; more is refused at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{
    OpenError, Pkcs11Settings,
    engine::{Capabilities, EngineSettings},
    protocol::{Answer, Fault, KeyName, Operation, Order},
};
use crate::{
    domain::key::KnownKey,
    ports::key_store::{KeyStoreError, Presence, TokenCondition},
};

mod expected;
mod host;
mod pins;
mod recognition;
mod state;
mod steadiness;
mod supervisor;

pub(super) use expected::Expected;
use host::{Host, Opener};
pub(super) use pins::GivenPin;
use pins::Pins;
use recognition::Shown;
use state::{Absence, KnownKeys, State};

/// How long a caller whose operation met with a fault waits for the token's return before giving up.
pub(super) const RETURN_PATIENCE: Duration = Duration::from_millis(1500);
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
    pins: Arc<Pins>,
    deadline: Duration,
    places: Semaphore,
    state: watch::Sender<State>,
    doubt: Notify,
    failures: AtomicU32,
    /// Keys being made.
    generations: AtomicUsize,
    known: Mutex<KnownKeys>,
    expected: Arc<Expected>,
    /// What the token can do. It was found out once and stays: an engine that is opened later costs less.
    capabilities: OnceLock<Capabilities>,
}

impl Link {
    /// Opens the token and begins to watch over it.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be opened now; nothing is then left behind.
    pub(super) async fn open(settings: Pkcs11Settings, expected: Arc<Expected>) -> Result<Self, OpenError> {
        let shared = Shared::new(settings, expected);
        let opened = timeout(START_PATIENCE, shared.open_at_start())
            .await
            .unwrap_or_else(|_| Err(OpenError::Unavailable("no answer within two minutes".to_owned())))?;
        shared.back(opened);
        Ok(Self::watched(shared))
    }

    /// Begins to watch over a token, and opens it as soon as it can be.
    pub(super) fn watch(settings: Pkcs11Settings, expected: Arc<Expected>) -> Self {
        Self::watched(Shared::new(settings, expected))
    }

    /// Waits until the token is there, or could not be opened at the first attempt, for the cause that is returned.
    pub(super) async fn first_opening(&self) -> Result<(), String> {
        let mut state = self.shared.state.subscribe();
        let tried = state.wait_for(|state| state.version > 0).await;
        tried.map_or_else(
            |_| Err("it is no longer watched over".to_owned()),
            |state| state.engine.as_ref().map(drop).map_err(|absence| absence.cause.to_string()),
        )
    }

    fn watched(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let supervisor = tokio::spawn(supervisor::watch_over(Arc::clone(&shared)));
        Self { shared, supervisor }
    }

    /// Has the token carry out an operation; `make` makes it anew for each attempt. A caller whose operation meets with
    /// a fault waits for the token's return for as long as `patience`.
    ///
    /// # Errors
    /// What the token answers; [`KeyStoreError::Busy`] when too much is under way;
    /// [`KeyStoreError::Unavailable`] at once when the token is away, else at the deadline.
    pub(super) async fn perform(
        &self,
        make: impl Fn() -> Operation,
        patience: Duration,
    ) -> Result<Answer, KeyStoreError> {
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
            if !shared.doubted(patience, |state| state.version > version && state.engine.is_ok()).await {
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

    /// Whether the token is there, as far as is known.
    pub(super) fn is_there(&self) -> bool {
        self.shared.state.borrow().engine.is_ok()
    }

    /// Whether the token is there with this key, as far as is known.
    pub(super) fn serves(&self, key: KeyName) -> bool {
        let state = self.shared.state.borrow();
        state.engine.is_ok() && !state.lacking.contains(&key)
    }

    /// Whether the token has not been lost lately.
    pub(super) fn is_settled(&self) -> bool {
        self.shared.state.borrow().steadiness.is_settled(Instant::now())
    }

    /// What is known of the token.
    pub(super) fn condition(&self) -> TokenCondition {
        let state = self.shared.state.borrow();
        match &state.engine {
            Ok(_) if state.lacking.is_empty() => TokenCondition::Ready,
            Ok(_) => TokenCondition::Incomplete,
            Err(absence) if absence.is_foreign => TokenCondition::Refused,
            Err(_) => TokenCondition::Unavailable,
        }
    }

    /// Has the token show the keys that are expected now, and stop being used when they are not ours.
    ///
    /// # Errors
    /// [`KeyStoreError::Foreign`], [`KeyStoreError::Unavailable`].
    pub(super) async fn recognise(&self) -> Result<(), KeyStoreError> {
        let shared = &self.shared;
        let host = shared.now().0?;
        match shared.recognise(&host).await {
            Ok(lacking) => {
                shared.recognised(&host, lacking);
                Ok(())
            }
            Err(OpenError::Foreign(cause)) => {
                shared.refuse(host, &OpenError::Foreign(cause.clone())).await;
                Err(KeyStoreError::Foreign(cause))
            }
            Err(error) => {
                // One that has shown its keys before is only busy, perhaps: the supervisor finds out.
                let was_recognised = shared.state.borrow().is_recognised;
                if !was_recognised {
                    shared.away(&error.to_string());
                    supervisor::discard(host).await;
                }
                shared.doubt.notify_one();
                Err(KeyStoreError::Unavailable(error.to_string()))
            }
        }
    }

    /// Whether the token has this key now.
    ///
    /// # Errors
    /// Why not.
    pub(super) async fn shows(&self, key: &KnownKey) -> Result<(), String> {
        let host = self.shared.now().0.map_err(|error| error.to_string())?;
        match self.shared.ask_for(&host, key).await {
            Shown::Ours => {
                self.shared.known().learn(key.id.into());
                Ok(())
            }
            Shown::Another => Err("another key has its id".to_owned()),
            Shown::Nothing(cause) | Shown::Failure(cause) => Err(cause),
        }
    }

    /// What the token has under the ids of these keys now.
    ///
    /// # Errors
    /// Why it cannot be asked.
    pub(super) async fn view(&self, keys: &[KnownKey]) -> Result<Vec<Presence>, String> {
        let host = self.shared.now().0.map_err(|error| error.to_string())?;
        let mut seen = Vec::with_capacity(keys.len());
        for group in keys.chunks(self.shared.engine.workers) {
            let questions: Vec<_> = group.iter().map(|key| self.shared.ask_for(&host, key)).collect();
            for shown in join_all(questions).await {
                seen.push(match shown {
                    Shown::Ours => Presence::Present,
                    Shown::Another => Presence::Another,
                    Shown::Nothing(cause) => Presence::Absent(cause),
                    Shown::Failure(cause) => return Err(cause),
                });
            }
        }
        Ok(seen)
    }

    /// Expects a key that was seen on the token no more.
    pub(super) fn forget(&self, key: KeyName) {
        self.shared.known().forget(key);
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
    fn new(settings: Pkcs11Settings, expected: Arc<Expected>) -> Self {
        let engine = EngineSettings {
            name: settings.name,
            module: settings.module,
            initialize_argument: settings.initialize_argument,
            token_label: settings.token_label,
            token_serial: settings.token_serial,
            workers: settings.workers.max(1),
            wrapping: settings.wrapping,
            tried_out: None,
            known: Vec::new(),
            is_pin_doubtful: false,
        };
        let places = engine.workers.saturating_add(settings.queue).min(Semaphore::MAX_PERMITS);
        Self {
            engine,
            opener: Opener::new(settings.isolation),
            pins: Arc::new(Pins::new(settings.pin)),
            deadline: settings.deadline,
            places: Semaphore::new(places),
            state: watch::Sender::new(State::unopened()),
            doubt: Notify::new(),
            failures: AtomicU32::new(0),
            generations: AtomicUsize::new(0),
            known: Mutex::default(),
            expected,
            capabilities: OnceLock::new(),
        }
    }

    /// The engine, or why there is none; and the state's version.
    fn now(&self) -> (Result<Arc<Host>, KeyStoreError>, u64) {
        let state = self.state.borrow();
        let engine = state
            .engine
            .clone()
            .map_err(|Absence { cause, .. }| KeyStoreError::Unavailable(cause.to_string()));
        (engine, state.version)
    }

    /// One attempt, and the version of the state that it relied on.
    async fn attempt(&self, operation: Operation) -> Result<(Result<Answer, Fault>, u64), KeyStoreError> {
        let (engine, version) = self.now();
        let patience = operation.patience(self.deadline);
        let _generation = (!operation.is_repeatable()).then(|| Generation::begin(self));
        let engine = engine?;
        let outcome = engine.perform(Order { operation, patience }).await;
        if matches!(outcome, Err(Fault::Failed(_))) {
            if self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= FAILURES_IN_A_ROW {
                self.doubt.notify_one();
            }
        } else {
            self.failures.store(0, Ordering::Relaxed);
        }
        Ok((outcome, version))
    }

    /// Asks for an examination, and waits for such a state. Whether it came in time.
    async fn doubted(&self, patience: Duration, is_settled: impl FnMut(&State) -> bool) -> bool {
        let mut state = self.state.subscribe();
        self.doubt.notify_one();
        matches!(timeout(patience, state.wait_for(is_settled)).await, Ok(Ok(_)))
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
