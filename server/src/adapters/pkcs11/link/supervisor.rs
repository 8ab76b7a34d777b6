//! Watches over one token: examines it, and opens a new engine when the old one is lost.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    super::{
        OpenError,
        protocol::{Answer, Fault, Operation, Order},
    },
    FAILURES_IN_A_ROW, Shared,
    host::Host,
    recognition::Lacking,
    state::{Absence, State},
};

/// How often a token that nobody doubts is examined.
const EXAMINATIONS: Duration = Duration::from_secs(1);
/// Longest time that an examination may take.
const EXAMINATION: Duration = Duration::from_millis(1500);
/// Pauses between openings, doubled up to the longer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE_WHEN_FOREIGN: Duration = Duration::from_secs(1);
/// For how long a start looks again for a token that was not there.
const SECOND_LOOKS: Duration = Duration::from_secs(1);
/// Longest time that the first opening may take, which also tries out what the token can do.
const FIRST_OPENING: Duration = Duration::from_secs(20);
/// Longest time that an opening may take, when the next shall not wait for it and when it may.
const QUICK_OPENING: Duration = Duration::from_millis(1500);
const PATIENT_OPENING: Duration = Duration::from_secs(30);
/// How much longer an opening may take that has given the token the PIN and has no answer to it.
const LOGIN: Duration = Duration::from_secs(10);
/// How long an engine that is to end may go on for the answer to a login. One that hangs must not hold up the next.
const LOGIN_UNDER_WAY: Duration = Duration::from_millis(300);
/// Least time between two new engines for a token that passes its examinations all the same.
const SUSPICION: Duration = Duration::from_secs(5);

/// An engine that has shown our keys.
pub(super) struct Opened {
    host: Arc<Host>,
    lacking: Lacking,
}

/// Never ends.
pub(super) async fn watch_over(shared: Arc<Shared>) {
    let mut ticks = interval(EXAMINATIONS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.doubt.notified() => {}
        }
        let state = shared.state.borrow().clone();
        let host = match state.engine {
            Ok(host) => host,
            Err(absence) => {
                shared.open_at_last(absence, state.version == 0).await;
                continue;
            }
        };
        match shared.examine(&host).await {
            Err(cause) => shared.recover(host, cause).await,
            Ok(_) if shared.is_suspect(state.since) => {
                shared.recover(host, "one call after the other failed".to_owned()).await;
            }
            Ok(stuck) => {
                // Whoever doubts need not wait until those that hang have been dealt with.
                shared.publish(|state| state.version += 1);
                if stuck > 0 {
                    shared.relieve(host, stuck).await;
                }
            }
        }
    }
}

impl Shared {
    /// How many workers hang, or why the token is away. Some tokens answer nobody while they make a key, or nobody in
    /// that process: then another engine takes over.
    async fn examine(&self, host: &Arc<Host>) -> Result<usize, String> {
        let mut answer = self.ask_health(host, EXAMINATION).await;
        if matches!(answer, Err(Fault::Gone(_) | Fault::Failed(_))) {
            // SoftHSM fails while another process writes its token.
            sleep(FIRST_PAUSE).await;
            answer = self.ask_health(host, EXAMINATION).await;
        }
        if matches!(answer, Err(Fault::Expired)) && self.is_making_keys() {
            let late = self.ask_health(host, self.longest());
            answer = tokio::select! {
                late = late => late,
                new = self.open_beside(), if host.can_be_killed() => {
                    self.take_over(Arc::clone(host), new, "no answer while a key is made");
                    return Ok(0);
                }
            };
        }
        match answer {
            Ok(Answer::Health { stuck }) => Ok(stuck),
            Ok(_) => Err("its answer to a health check makes no sense".to_owned()),
            Err(Fault::Expired) => Err("no answer to a health check".to_owned()),
            Err(Fault::PinRefused(answer)) => Err(format!("the PIN was refused ({answer})")),
            Err(Fault::Gone(cause) | Fault::Failed(cause) | Fault::Unsupported(cause)) => Err(cause),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    fn is_making_keys(&self) -> bool {
        self.generations.load(Ordering::Relaxed) > 0
    }

    /// Longest time that what is under way may take.
    fn longest(&self) -> Duration {
        if self.is_making_keys() { Operation::generation_patience(self.deadline) } else { self.deadline }
    }

    async fn ask_health(&self, host: &Host, patience: Duration) -> Result<Answer, Fault> {
        let operation = Operation::CheckHealth { known: self.known().marks() };
        host.perform(Order { operation, patience }).await
    }

    fn is_suspect(&self, since: Instant) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW && since.elapsed() >= SUSPICION
    }

    fn publish(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    pub(super) fn away(&self, cause: &str) {
        self.absent(cause, false);
    }

    fn absent(&self, cause: &str, is_foreign: bool) {
        self.publish(|state| {
            let now = Instant::now();
            if state.engine.is_ok() {
                state.since = now;
                state.steadiness.lost(now);
            }
            state.version += 1;
            state.engine = Err(Absence { cause: cause.into(), is_foreign });
        });
    }

    pub(super) fn back(&self, Opened { host, lacking }: Opened) {
        self.failures.store(0, Ordering::Relaxed);
        let is_recognised = !self.expected.all().is_empty();
        self.publish(|state| {
            let now = Instant::now();
            if state.engine.is_err() {
                state.steadiness.back(now);
            }
            state.version += 1;
            state.since = now;
            state.engine = Ok(host);
            state.lacking = lacking;
            state.is_recognised = is_recognised;
        });
    }

    /// Takes note of what the engine has shown.
    pub(super) fn recognised(&self, host: &Arc<Host>, lacking: Lacking) {
        self.publish(|state| {
            if state.engine.as_ref().is_ok_and(|engine| Arc::ptr_eq(engine, host)) {
                state.lacking = lacking;
                state.is_recognised = true;
            }
        });
    }

    /// Uses the engine no longer: its keys are not ours.
    pub(super) async fn refuse(&self, host: Arc<Host>, error: &OpenError) {
        let cause = error.to_string();
        tracing::error!(token = self.engine.name, cause, "the token is refused");
        self.absent(&cause, true);
        self.doubt.notify_one();
        discard(host).await;
    }

    /// Opens a token that is away and has no engine to be rid of.
    async fn open_at_last(&self, absence: Absence, is_first: bool) {
        let mut cause = absence.cause.to_string();
        if is_first {
            let error = match timeout(FIRST_OPENING, self.open()).await {
                Ok(Ok(opened)) => return self.back(opened),
                Ok(Err(error)) => error,
                Err(_) => no_answer(),
            };
            self.note(&error, &mut cause);
        } else if absence.is_foreign {
            sleep(LONGEST_PAUSE_WHEN_FOREIGN).await;
        }
        let opened = self.open_again(cause).await;
        tracing::info!(token = self.engine.name, "the token is there");
        self.back(opened);
    }

    /// Ends the engine and opens another, however long that takes.
    async fn recover(&self, host: Arc<Host>, cause: String) {
        let (token, lost) = (self.engine.name.as_str(), Instant::now());
        tracing::error!(token, cause, "the token is lost; it is opened anew until it is back");
        self.away(&cause);
        // Its sessions are closed before others are opened: their numbers may be given out again.
        discard(host).await;
        let opened = self.open_again(cause).await;
        tracing::info!(token, away_milliseconds = lost.elapsed().as_millis(), "the token is back");
        self.back(opened);
    }

    /// Tries, quickly and often, until an engine is open. A library that waits for something that will never come
    /// would hold up the others, so each opening has little time; for tokens that need more, another goes on beside
    /// them as soon as one was too slow.
    async fn open_again(&self, mut cause: String) -> Opened {
        let mut pause = FIRST_PAUSE;
        let (mut patient, mut too_slow) = (pin!(self.open_patiently()), false);
        loop {
            let opened = tokio::select! {
                opened = &mut patient, if too_slow => return opened,
                opened = self.open_quickly() => opened,
            };
            let error = match opened {
                Some(Ok(opened)) => return opened,
                Some(Err(error)) => error,
                None => {
                    too_slow = true;
                    no_answer()
                }
            };
            self.note(&error, &mut cause);
            let longest = if is_foreign(&error) { LONGEST_PAUSE_WHEN_FOREIGN } else { LONGEST_PAUSE };
            tokio::select! {
                opened = &mut patient, if too_slow => return opened,
                () = sleep(pause) => pause = longest.min(pause.saturating_mul(2)),
            }
        }
    }

    /// Nothing when there is no answer in time. A PIN that has been given is not taken back, so its answer is waited
    /// for.
    async fn open_quickly(&self) -> Option<Result<Opened, OpenError>> {
        let mut opening = pin!(self.open());
        if let Ok(opened) = timeout(QUICK_OPENING, &mut opening).await {
            return Some(opened);
        }
        if !self.pins.is_answer_due() {
            return None;
        }
        timeout(LOGIN, opening).await.ok()
    }

    async fn open_beside(&self) -> Opened {
        loop {
            if let Some(Ok(opened)) = self.open_quickly().await {
                return opened;
            }
            sleep(LONGEST_PAUSE).await;
        }
    }

    async fn open_patiently(&self) -> Opened {
        loop {
            if let Ok(Ok(opened)) = timeout(PATIENT_OPENING, self.open()).await {
                return opened;
            }
            sleep(LONGEST_PAUSE).await;
        }
    }

    /// One line for each new cause, not for each attempt.
    fn note(&self, error: &OpenError, known: &mut String) {
        let (token, cause) = (self.engine.name.as_str(), error.to_string());
        if cause == *known {
            return;
        }
        if is_foreign(error) {
            tracing::error!(token, cause, "the token is refused");
        } else {
            tracing::warn!(token, cause, "the token is still away");
        }
        self.absent(&cause, is_foreign(error));
        *known = cause;
    }

    /// Puts a new engine in the place of one whose workers hang.
    async fn relieve(&self, host: Arc<Host>, stuck: usize) {
        if !host.can_be_killed() {
            return self.wait_for_workers(&host, stuck).await;
        }
        match self.open_quickly().await {
            Some(Ok(new)) => self.take_over(host, new, "calls hang"),
            _ if stuck >= self.engine.workers => {
                self.recover(host, "every call hangs".to_owned()).await;
            }
            _ => {}
        }
    }

    /// What is under way in the old engine may end there.
    fn take_over(&self, old: Arc<Host>, new: Opened, cause: &str) {
        tracing::warn!(token = self.engine.name, cause, "a new engine takes over");
        self.back(new);
        let longest = self.longest();
        tokio::spawn(async move {
            sleep(longest).await;
            discard(old).await;
        });
    }

    /// Threads cannot be killed: another engine would only lose more of them.
    async fn wait_for_workers(&self, host: &Arc<Host>, mut stuck: usize) {
        if stuck < self.engine.workers {
            return;
        }
        let token = self.engine.name.as_str();
        tracing::error!(token, "every call hangs; unless they end, only a restart of the server helps");
        self.away("every call hangs");
        while stuck >= self.engine.workers {
            sleep(LONGEST_PAUSE).await;
            match self.examine(host).await {
                Ok(still) => stuck = still,
                Err(cause) => return self.recover(Arc::clone(host), cause).await,
            }
        }
        match self.recognise(host).await {
            Ok(lacking) => self.back(Opened { host: Arc::clone(host), lacking }),
            Err(error) => self.recover(Arc::clone(host), error.to_string()).await,
        }
    }

    /// Opens an engine for a start, which has nobody else to try again. For a moment a token may look as if it were not
    /// there: SoftHSM shows none to whoever begins while another process logs in.
    ///
    /// # Errors
    /// [`OpenError`] at once when another look would find no more.
    pub(super) async fn open_at_start(&self) -> Result<Opened, OpenError> {
        let mut failed: Option<Instant> = None;
        loop {
            let opened = self.open().await;
            let may_pass = matches!(
                opened,
                Err(OpenError::TokenNotUnique { matching: 0, .. } | OpenError::Unavailable(_))
            );
            if !may_pass || failed.get_or_insert_with(Instant::now).elapsed() >= SECOND_LOOKS {
                return opened;
            }
            sleep(FIRST_PAUSE).await;
        }
    }

    /// Opens an engine and has it show our keys.
    pub(super) async fn open(&self) -> Result<Opened, OpenError> {
        let mut settings = self.engine.clone();
        settings.tried_out = self.capabilities.get().copied();
        if self.expected.all().is_empty() {
            // Nothing is known of its keys but that it has shown these.
            settings.known = self.known().marks();
        }
        let pin = self.pins.next()?;
        settings.is_pin_doubtful = pin.is_doubtful();
        let (host, capabilities) = self.opener.open(settings, Arc::new(pin)).await?;
        let _ = self.capabilities.set(capabilities);
        let host = Unproven(Some(Arc::new(host)));
        let lacking = match &host.0 {
            Some(host) => self.recognise(host).await?,
            None => Lacking::default(),
        };
        host.proven().map(|host| Opened { host, lacking }).ok_or_else(no_answer)
    }
}

/// An engine that has not shown our keys, and is ended if that comes to nothing.
struct Unproven(Option<Arc<Host>>);

impl Unproven {
    fn proven(mut self) -> Option<Arc<Host>> {
        self.0.take()
    }
}

impl Drop for Unproven {
    fn drop(&mut self) {
        if let Some(host) = self.0.take() {
            host.kill();
            // Not here, if possible: it may take a while.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn_blocking(move || drop(host));
            }
        }
    }
}

/// Ends an engine without regard to what is under way but a login, and waits for that. SoftHSM writes its token at each
/// login, in place: a process that is killed just then leaves an empty one behind, and with it no key.
pub(super) async fn discard(host: Arc<Host>) {
    let _ = timeout(LOGIN_UNDER_WAY, host.login_answered()).await;
    host.kill();
    let _ = spawn_blocking(move || drop(host)).await;
}

fn no_answer() -> OpenError {
    OpenError::Unavailable("no answer while it was opened".to_owned())
}

fn is_foreign(error: &OpenError) -> bool {
    matches!(error, OpenError::Foreign(_))
}
