//! Performs an operation on a session, and puts right what can be put right when it fails.
//!
//! Each remedy is tried once for one operation. An operation that failed for good leaves no session behind: an
//! interrupted one may have left something active in it.

use std::sync::Arc;

use cryptoki::{error::Error, session::Session};

use super::{
    return_values::{Verdict, describe, judge},
    token::{LoginError, Token, is_user},
};
use crate::ports::key_store::KeyStoreError;

/// One attempt at an operation.
pub(super) struct Call<'a> {
    pub(super) token: &'a Token,
    pub(super) session: &'a Session,
    /// The login that handles must belong to.
    pub(super) epoch: u64,
}

impl Call<'_> {
    /// Tells an empty answer from a hidden one.
    pub(super) fn check_logged_in(&self) -> Result<(), Failure> {
        if is_user(self.session)? { Ok(()) } else { Err(Failure::LoggedOut) }
    }
}

/// Why an attempt gave no result.
pub(super) enum Failure {
    /// The token has spoken; there is nothing to put right.
    Answer(KeyStoreError),
    /// A call failed.
    Token(Error),
    /// The token no longer knows us, and says so only by what it shows.
    LoggedOut,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Token(error)
    }
}

/// Whether an operation may be performed twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It changes nothing.
    Freely,
    /// It makes an object: again only when the token refused the attempt before doing anything.
    OnlyIfNotDone,
}

/// Owns a session and the means to replace it.
pub(super) struct Worker {
    token: Arc<Token>,
    session: Option<Session>,
}

impl Worker {
    pub(super) fn new(token: Arc<Token>) -> Self {
        Self { token, session: None }
    }

    /// Closes the session; the next operation opens another.
    pub(super) fn discard_session(&mut self) {
        self.session = None;
    }

    /// Performs `operation` until it succeeds or nothing is left to try.
    pub(super) fn perform<T>(
        &mut self,
        repeat: Repeat,
        mut operation: impl FnMut(&Call<'_>) -> Result<T, Failure>,
    ) -> Result<T, KeyStoreError> {
        let mut tried = Vec::new();
        loop {
            let epoch = self.token.epoch();
            let session = match self.session.take() {
                Some(session) => session,
                None => self.token.open_session().map_err(|error| unavailable(&error))?,
            };
            let answer = match operation(&Call { token: &self.token, session: &session, epoch }) {
                Ok(done) => Ok(done),
                Err(Failure::Answer(error)) => Err(error),
                Err(failure) => {
                    // Closed before another is opened: its number may be given out again.
                    drop(session);
                    let (verdict, cause) = match failure {
                        Failure::Token(error) => (judge(&error), describe(&error)),
                        _ => (Verdict::LoginLost, "logged out".to_owned()),
                    };
                    self.remedy(verdict, cause, repeat, epoch, &mut tried)?;
                    continue;
                }
            };
            self.session = Some(session);
            // Across a new login an old handle may have named another object.
            if repeat == Repeat::Freely && self.token.epoch() != epoch {
                once(Verdict::LoginLost, &mut tried, "the login changed meanwhile")?;
                continue;
            }
            return answer;
        }
    }

    /// Whether the token answers, and still knows us; logs in again when it does not.
    pub(super) fn check_health(&self) -> Result<(), KeyStoreError> {
        let epoch = self.token.epoch();
        self.token.probe().map_err(|error| unavailable(&error))?;
        if self.token.is_logged_in() { Ok(()) } else { self.restore_login(epoch) }
    }

    /// Makes another attempt worth while, or says why there is to be none.
    fn remedy(
        &self,
        verdict: Verdict,
        cause: String,
        repeat: Repeat,
        epoch: u64,
        tried: &mut Vec<Verdict>,
    ) -> Result<(), KeyStoreError> {
        tracing::debug!(token = self.token.label(), ?verdict, cause, "a token call failed");
        match verdict {
            Verdict::SessionLost => once(verdict, tried, &cause),
            Verdict::LoginLost => {
                once(verdict, tried, &cause)?;
                self.restore_login(epoch)
            }
            Verdict::HandleStale => {
                once(verdict, tried, &cause)?;
                self.token.handles().clear();
                Ok(())
            }
            Verdict::InputRefused => Err(KeyStoreError::Unauthentic),
            Verdict::InputDoubtful => match self.token.probe() {
                Ok(()) => Err(KeyStoreError::Unauthentic),
                Err(_) => Err(KeyStoreError::Unavailable(cause)),
            },
            Verdict::TokenDoubtful if repeat == Repeat::Freely => {
                once(verdict, tried, &cause)?;
                self.token.probe().map_err(|error| unavailable(&error))
            }
            Verdict::Unsupported => Err(KeyStoreError::Unsupported(cause)),
            Verdict::TokenDoubtful | Verdict::Unavailable => Err(KeyStoreError::Unavailable(cause)),
        }
    }

    fn restore_login(&self, seen: u64) -> Result<(), KeyStoreError> {
        self.token.restore_login(seen).map_err(|error| match error {
            LoginError::PinRefused(answer) => {
                KeyStoreError::Unavailable(format!("the PIN was refused ({answer})"))
            }
            LoginError::Failed(error) => unavailable(&error),
        })
    }
}

fn once(verdict: Verdict, tried: &mut Vec<Verdict>, cause: &str) -> Result<(), KeyStoreError> {
    if tried.contains(&verdict) {
        return Err(KeyStoreError::Unavailable(cause.to_owned()));
    }
    tried.push(verdict);
    Ok(())
}

pub(super) fn unavailable(error: &Error) -> KeyStoreError {
    KeyStoreError::Unavailable(describe(error))
}
