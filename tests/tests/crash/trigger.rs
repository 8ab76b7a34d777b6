//! Kills a server when it asks its database for the nth change, or is about to hear that it was made; or after some time.

use std::{
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use kunji_tests::proxy::Direction;

/// When, seen from the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The change is not asked for.
    Before,
    /// The change is made, and the server does not hear of it.
    After,
}

/// Who is killed, and when.
#[derive(Default)]
pub(crate) struct Trigger(Mutex<State>);

#[derive(Default)]
struct State {
    process: u32,
    armed: Option<(Moment, u64)>,
    /// The change was passed on; the next answer is not.
    is_asked: bool,
    has_fired: bool,
}

impl Trigger {
    /// The server that is watched now.
    pub(crate) fn watch(&self, process: u32) {
        self.state().process = process;
    }

    /// Kills at the nth change from now.
    pub(crate) fn arm(&self, moment: Moment, nth: u64) {
        let process = self.state().process;
        *self.state() = State { process, armed: Some((moment, nth)), ..State::default() };
    }

    /// Kills after so long, whatever the server is at then.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time is what is tried; nothing waits for anything to happen"
    )]
    pub(crate) fn kill_after(self: &Arc<Self>, time: Duration) -> JoinHandle<()> {
        let trigger = Arc::clone(self);
        thread::spawn(move || {
            thread::sleep(time);
            trigger.state().fire();
        })
    }

    /// Kills no more; whether it has.
    pub(crate) fn disarm(&self) -> bool {
        let mut state = self.state();
        state.armed = None;
        state.is_asked = false;
        std::mem::take(&mut state.has_fired)
    }

    /// Sees what passes between server and database; whether it is to be passed on.
    pub(crate) fn see(&self, direction: Direction, bytes: &[u8]) -> bool {
        let mut state = self.state();
        if state.has_fired {
            return false;
        }
        match direction {
            Direction::FromTarget if state.is_asked => state.fire(),
            Direction::ToTarget => {
                for _ in 0..changes(bytes) {
                    match state.armed {
                        Some((moment, 1)) => {
                            state.armed = None;
                            if moment == Moment::Before {
                                return state.fire();
                            }
                            state.is_asked = true;
                        }
                        Some((moment, nth)) => state.armed = Some((moment, nth - 1)),
                        None => {}
                    }
                }
                true
            }
            Direction::FromTarget => true,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fire(&mut self) -> bool {
        self.has_fired = true;
        let killed = Command::new("kill").args(["-KILL", &self.process.to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()), "the server has gone before");
        false
    }
}

/// What `trigger` sees, as a proxy asks for it.
pub(crate) fn watch(trigger: &Arc<Trigger>) -> kunji_tests::proxy::Watch {
    let trigger = Arc::clone(trigger);
    Arc::new(move |direction, bytes| trigger.see(direction, bytes))
}

/// Changes in what a client sends: messages whose text begins a transaction. The client masks its messages (RFC 6455
/// 5.3).
fn changes(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Some((payload, rest)) = message(bytes) {
        count += usize::from(payload.windows(6).any(|window| window == b"BEGIN;"));
        bytes = rest;
    }
    count
}

/// The first message, unmasked, and what comes after it; `None` for what does not begin with one that is whole.
fn message(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(2)?;
    if head[1] & 0x80 == 0 {
        return None;
    }
    let (length, rest) = match head[1] & 0x7f {
        126 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (usize::from(u16::from_be_bytes(length.try_into().ok()?)), rest)
        }
        127 => {
            let (length, rest) = rest.split_at_checked(8)?;
            (usize::try_from(u64::from_be_bytes(length.try_into().ok()?)).ok()?, rest)
        }
        length => (usize::from(length), rest),
    };
    let (mask, rest) = rest.split_at_checked(4)?;
    let (masked, rest) = rest.split_at_checked(length)?;
    Some((masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect(), rest))
}
