//! Watches over one token: examines it, and opens a new engine when the old one is lost.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    super::{
        OpenError,
        engine::Capabilities,
        protocol::{Answer, Fault, Operation, Order},
    },
    FAILURES_IN_A_ROW, Shared,
    host::Host,
    state::State,
};

/// How often a token that nobody doubts is examined.
const EXAMINATIONS: Duration = Duration::from_secs(1);
/// Longest time that an examination may take.
const EXAMINATION: Duration = Duration::from_millis(1500);
/// Pauses between openings, doubled up to the longer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Longest time that an opening may take, when the next shall not wait for it and when it may.
const QUICK_OPENING: Duration = Duration::from_millis(1500);
const PATIENT_OPENING: Duration = Duration::from_secs(30);
/// Least time between two new engines for a token that passes its examinations all the same.
const SUSPICION: Duration = Duration::from_secs(5);

/// Never ends.
pub(super) async fn watch_over(shared: Arc<Shared>) {
    shared.open_if_away().await;
    let mut ticks = interval(EXAMINATIONS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.doubt.notified() => {}
        }
        let state = shared.state.borrow().clone();
        let Ok(host) = state.engine else { continue };
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
            Err(Fault::PinRefused(answer)) => {
                self.pins.refused(&answer);
                Err(format!("the PIN was refused ({answer})"))
            }
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
        self.publish(|state| {
            if state.engine.is_ok() {
                state.since = Instant::now();
            }
            state.version += 1;
            state.engine = Err(cause.into());
        });
    }

    pub(super) fn back(&self, host: Arc<Host>) {
        self.failures.store(0, Ordering::Relaxed);
        self.publish(|state| {
            state.version += 1;
            state.since = Instant::now();
            state.engine = Ok(host);
        });
    }

    /// The first opening of a token that was away at the start.
    async fn open_if_away(&self) {
        let state = self.state.borrow().clone();
        if let Err(cause) = state.engine {
            let host = self.open_again(cause.to_string()).await;
            tracing::info!(token = self.engine.token_label, "the token is there");
            self.back(Arc::new(host));
        }
    }

    /// Ends the engine and opens another, however long that takes.
    async fn recover(&self, host: Arc<Host>, cause: String) {
        let (token, lost) = (self.engine.token_label.as_str(), Instant::now());
        tracing::error!(token, cause, "the token is lost; it is opened anew until it is back");
        self.away(&cause);
        host.kill();
        // Its sessions are closed before others are opened: their numbers may be given out again.
        let _ = spawn_blocking(move || drop(host)).await;
        let host = self.open_again(cause).await;
        tracing::info!(token, away_milliseconds = lost.elapsed().as_millis(), "the token is back");
        self.back(Arc::new(host));
    }

    /// Tries, quickly and often, until an engine is open. A library that waits for something that will never come
    /// would hold up the others, so each opening has little time; for tokens that need more, another goes on beside
    /// them as soon as one was too slow.
    async fn open_again(&self, mut cause: String) -> Host {
        let mut pause = FIRST_PAUSE;
        let (mut patient, mut too_slow) = (pin!(self.open_patiently()), false);
        loop {
            let quick = timeout(QUICK_OPENING, self.open());
            let opened = tokio::select! {
                host = &mut patient, if too_slow => return host,
                opened = quick => opened,
            };
            match opened {
                Ok(Ok(host)) => return host,
                Ok(Err(error)) => self.note(&error.to_string(), &mut cause),
                Err(_) => {
                    self.note("no answer while it was opened", &mut cause);
                    too_slow = true;
                }
            }
            tokio::select! {
                host = &mut patient, if too_slow => return host,
                () = sleep(pause) => pause = LONGEST_PAUSE.min(pause.saturating_mul(2)),
            }
        }
    }

    async fn open_beside(&self) -> Host {
        loop {
            if let Ok(Ok(host)) = timeout(QUICK_OPENING, self.open()).await {
                return host;
            }
            sleep(LONGEST_PAUSE).await;
        }
    }

    async fn open_patiently(&self) -> Host {
        loop {
            if let Ok(Ok(host)) = timeout(PATIENT_OPENING, self.open()).await {
                return host;
            }
            sleep(LONGEST_PAUSE).await;
        }
    }

    /// One line for each new cause, not for each attempt.
    fn note(&self, cause: &str, known: &mut String) {
        if cause != known {
            tracing::warn!(token = self.engine.token_label, cause, "the token is still away");
            cause.clone_into(known);
            self.away(cause);
        }
    }

    /// Puts a new engine in the place of one whose workers hang.
    async fn relieve(&self, host: Arc<Host>, stuck: usize) {
        if !host.can_be_killed() {
            return self.wait_for_workers(&host, stuck).await;
        }
        match timeout(QUICK_OPENING, self.open()).await {
            Ok(Ok(new)) => self.take_over(host, new, "calls hang"),
            _ if stuck >= self.engine.workers => {
                self.recover(host, "every call hangs".to_owned()).await;
            }
            _ => {}
        }
    }

    /// What is under way in the old engine may end there.
    fn take_over(&self, old: Arc<Host>, new: Host, cause: &str) {
        tracing::warn!(token = self.engine.token_label, cause, "a new engine takes over");
        self.back(Arc::new(new));
        let longest = self.longest();
        tokio::spawn(async move {
            sleep(longest).await;
            old.kill();
        });
    }

    /// Threads cannot be killed: another engine would only lose more of them.
    async fn wait_for_workers(&self, host: &Arc<Host>, mut stuck: usize) {
        if stuck < self.engine.workers {
            return;
        }
        let token = self.engine.token_label.as_str();
        tracing::error!(token, "every call hangs; unless they end, only a restart of the server helps");
        self.away("every call hangs");
        while stuck >= self.engine.workers {
            sleep(LONGEST_PAUSE).await;
            match self.examine(host).await {
                Ok(still) => stuck = still,
                Err(cause) => return self.recover(Arc::clone(host), cause).await,
            }
        }
        self.back(Arc::clone(host));
    }

    /// Opens an engine that nothing is known of yet, and says what the token can do.
    pub(super) async fn open_first(&self) -> Result<(Host, Capabilities), OpenError> {
        self.opener.open(self.engine.clone(), &self.pins.next()?).await
    }

    async fn open(&self) -> Result<Host, OpenError> {
        let mut settings = self.engine.clone();
        settings.known = self.known().marks();
        let opened = self.opener.open(settings, &self.pins.next()?).await;
        if let Err(OpenError::PinRefused(answer)) = &opened {
            self.pins.refused(answer);
        }
        opened.map(|(host, _)| host)
    }
}
