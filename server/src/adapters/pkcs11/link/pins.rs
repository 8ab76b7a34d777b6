//! The PIN, read when it is needed, and never tried twice once the token has refused it.
//!
//! A token counts a wrong PIN although whoever gave it has ended before the answer. So engines say when they give it
//! and what came of it ([`Login`]); while an answer is due, nobody else gives the same PIN, and after answers that never
//! came it is given again ever more seldom.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::super::{OpenError, PinSource, protocol::Login};

/// Answers that may fail to come before the next giving has to wait: one, since a token may hang just then.
const UNANSWERED: u32 = 1;
/// How long the next giving then waits, doubled each time up to the longer.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Gives the PIN to whoever logs in.
pub(super) struct Pins {
    source: PinSource,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    last: Option<Arc<SecretString>>,
    /// What the token said to the last one.
    refusal: Option<String>,
    /// Logins with the last one whose answer is due.
    due: u32,
    /// Logins with the last one, in a row, that never had an answer.
    unanswered: u32,
    /// When the last of them was given up.
    abandoned: Option<Instant>,
}

impl Given {
    /// How long the last one is not to be given yet.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let doublings = self.unanswered.checked_sub(UNANSWERED.saturating_add(1))?;
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
        pause.checked_sub(now.duration_since(self.abandoned?)).filter(|left| !left.is_zero())
    }
}

impl Pins {
    pub(super) fn new(source: PinSource) -> Self {
        Self { source, given: Mutex::default() }
    }

    /// The PIN as it is now, for one engine.
    ///
    /// # Errors
    /// [`OpenError::PinRefused`] for one that the token has refused: it takes a few of those, then it locks itself.
    /// [`OpenError::Unavailable`] when it cannot be read, or the token has not answered to it.
    pub(super) fn next(self: &Arc<Self>) -> Result<GivenPin, OpenError> {
        self.next_at(Instant::now())
    }

    fn next_at(self: &Arc<Self>, now: Instant) -> Result<GivenPin, OpenError> {
        let read = self.source.read().map_err(OpenError::Unavailable)?;
        let mut given = self.given();
        let pin = match &given.last {
            Some(last) if equal(last, &read) => Arc::clone(last),
            _ => {
                let pin = Arc::new(read);
                *given = Given { last: Some(Arc::clone(&pin)), ..Given::default() };
                pin
            }
        };
        if let Some(answer) = &given.refusal {
            return Err(OpenError::PinRefused(answer.clone()));
        }
        if given.due > 0 || given.pause(now).is_some() {
            return Err(OpenError::Unavailable("it was given the PIN and has not answered".to_owned()));
        }
        let is_doubtful = given.unanswered > 0;
        drop(given);
        Ok(GivenPin { pins: Arc::clone(self), pin, is_doubtful, is_due: watch::Sender::new(false) })
    }

    /// Whether a token has been given the PIN and has not answered yet.
    pub(super) fn is_answer_due(&self) -> bool {
        self.given().due > 0
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A PIN in the hands of one engine.
pub(in super::super) struct GivenPin {
    pins: Arc<Pins>,
    pin: Arc<SecretString>,
    is_doubtful: bool,
    /// Whether the engine has given it to the token and awaits an answer.
    is_due: watch::Sender<bool>,
}

impl GivenPin {
    pub(in super::super) fn secret(&self) -> &SecretString {
        &self.pin
    }

    /// Whether it was given before and the answer is not known.
    pub(in super::super) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Takes note of a login of the engine.
    pub(in super::super) fn note(&self, login: Login) {
        self.settle(matches!(login, Login::Begun), |given, _| match login {
            Login::Begun => {}
            Login::Answered => given.unanswered = 0,
            Login::Refused(answer) => given.refusal = Some(answer),
        });
    }

    /// Waits until the engine awaits no answer.
    pub(in super::super) async fn answered(&self) {
        // Fails only when the sender is gone, which this is.
        let _ = self.is_due.subscribe().wait_for(|is_due| !is_due).await;
    }

    /// Awaits no answer any more: the engine has ended, or nobody waits for it.
    pub(in super::super) fn abandon(&self) {
        self.abandon_at(Instant::now());
    }

    fn abandon_at(&self, now: Instant) {
        self.settle(false, |given, was_due| {
            if was_due {
                given.unanswered = given.unanswered.saturating_add(1);
                given.abandoned = Some(now);
            }
        });
    }

    /// Changes what is known of this PIN, unless there is another by now.
    fn settle(&self, is_due: bool, change: impl FnOnce(&mut Given, bool)) {
        let mut given = self.pins.given();
        let was_due = self.is_due.send_replace(is_due);
        if !given.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &self.pin)) {
            return;
        }
        given.due = given.due.saturating_add(is_due.into()).saturating_sub(was_due.into());
        change(&mut given, was_due);
    }
}

impl Drop for GivenPin {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn equal(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn pins() -> (Arc<Mutex<String>>, Arc<Pins>) {
        let now = Arc::new(Mutex::new("1234".to_owned()));
        let source = Arc::clone(&now);
        let read = move || Ok(SecretString::from(source.lock().unwrap().clone()));
        (now, Arc::new(Pins::new(PinSource::new(read))))
    }

    fn refusal() -> Login {
        Login::Refused("C_Login: PinIncorrect".to_owned())
    }

    #[test]
    fn a_refused_pin_is_not_given_again_and_another_is() {
        let (now, pins) = pins();
        pins.next().unwrap();
        pins.next().unwrap().note(refusal());
        for _ in 0..3 {
            assert!(
                matches!(pins.next(), Err(OpenError::PinRefused(answer)) if answer == "C_Login: PinIncorrect")
            );
        }
        *now.lock().unwrap() = "5678".to_owned();
        assert_eq!(pins.next().unwrap().secret().expose_secret(), "5678");
        pins.next().unwrap();
    }

    #[test]
    fn a_late_refusal_of_an_earlier_pin_is_not_held_against_the_next() {
        let (now, pins) = pins();
        let first = pins.next().unwrap();
        first.note(Login::Begun);
        *now.lock().unwrap() = "5678".to_owned();
        let second = pins.next().unwrap();
        first.note(refusal());
        drop(first);
        assert!(!second.is_doubtful() && !pins.is_answer_due());
        pins.next().unwrap();
    }

    #[test]
    fn nobody_gives_a_pin_whose_answer_is_due() {
        let (_, pins) = pins();
        let first = pins.next().unwrap();
        first.note(Login::Begun);
        assert!(pins.is_answer_due());
        assert!(matches!(pins.next(), Err(OpenError::Unavailable(_))));
        first.note(Login::Answered);
        assert!(!pins.is_answer_due() && !pins.next().unwrap().is_doubtful());
    }

    #[tokio::test]
    async fn an_answer_is_waited_for_only_while_it_is_due() {
        let (_, pins) = pins();
        let pin = pins.next().unwrap();
        pin.answered().await;
        pin.note(Login::Begun);
        assert!(timeout(Duration::ZERO, pin.answered()).await.is_err());
        pin.note(Login::Answered);
        pin.answered().await;
        pin.note(Login::Begun);
        pin.abandon();
        pin.answered().await;
    }

    #[test]
    fn a_pin_that_is_never_answered_is_given_ever_more_seldom() {
        let (_, pins) = pins();
        let mut now = Instant::now();
        for pause in [0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600].map(Duration::from_secs) {
            let pin = pins.next_at(now).unwrap();
            pin.note(Login::Begun);
            pin.abandon_at(now);
            if !pause.is_zero() {
                let almost = pause.saturating_sub(Duration::from_millis(1));
                assert!(matches!(pins.next_at(now + almost), Err(OpenError::Unavailable(_))), "{pause:?}");
            }
            now += pause;
            assert!(pins.next_at(now).unwrap().is_doubtful());
        }
        let pin = pins.next_at(now).unwrap();
        pin.note(Login::Begun);
        pin.note(Login::Answered);
        assert!(!pins.next_at(now).unwrap().is_doubtful());
    }
}
