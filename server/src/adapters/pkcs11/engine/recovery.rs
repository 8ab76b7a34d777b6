//! Performs an operation on a session, and puts right what can be put right when it fails.
//!
//! Each remedy is tried once for one operation. An operation that failed for good leaves no session behind: an
//! interrupted one may have left something active in it.

use std::sync::Arc;

use cryptoki::{error::Error, session::Session};

use super::{
    super::protocol::Fault,
    return_values::{Verdict, describe, is_of_making, judge},
    templates,
    token::{LoginError, Token, is_user},
};
use crate::domain::key::TokenKeyId;

/// One attempt at an operation.
pub(super) struct Call<'a> {
    pub(super) token: &'a Token,
    pub(super) session: &'a Session,
    /// The login that handles must belong to.
    pub(super) epoch: u64,
}

impl Call<'_> {
    /// Tells an empty answer from a hidden one. Who is logged in now may have been so only since the answer: the login
    /// must also be the one that the call began with.
    pub(super) fn check_logged_in(&self) -> Result<(), Failure> {
        if is_user(self.session)? && self.token.epoch() == self.epoch {
            Ok(())
        } else {
            Err(Failure::LoggedOut)
        }
    }
}

/// Why an attempt gave no result.
pub(super) enum Failure {
    /// The token has spoken; there is nothing to put right.
    Answer(Fault),
    /// A call failed.
    Token(Error),
    /// A call succeeded, and what it gave is wrong.
    Nonsense(&'static str),
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
    /// It makes an object, after a look whether there is one: again only when the token refused the attempt before doing
    /// anything. A vague value is no such refusal: elsewhere in a cluster the key may be there, and would have a twin.
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
    ) -> Result<T, Fault> {
        let mut tried = Vec::new();
        let mut was_making = false;
        self.token.retries().deposit();
        loop {
            let epoch = self.token.epoch();
            let session = match self.session.take() {
                Some(session) => session,
                None => self.token.open_session().map_err(|error| unopened(&error))?,
            };
            let answer = match operation(&Call { token: &self.token, session: &session, epoch }) {
                Ok(done) => Ok(done),
                // What an attempt before this one has left is nobody else's.
                Err(Failure::Answer(Fault::AlreadyExists)) if was_making => {
                    Err(Fault::Failed("a part is left of a key that could not be made".to_owned()))
                }
                Err(Failure::Answer(error)) => Err(error),
                Err(failure) => {
                    // Closed before another is opened: its number may be given out again.
                    drop(session);
                    let (verdict, cause) = match failure {
                        Failure::Token(error) => {
                            was_making |= is_of_making(&error);
                            (judge(&error), describe(&error))
                        }
                        Failure::Nonsense(what) => (Verdict::TokenDoubtful, what.to_owned()),
                        _ => (Verdict::LoginLost, "logged out".to_owned()),
                    };
                    self.remedy(verdict, cause, repeat, epoch, &mut tried)?;
                    continue;
                }
            };
            self.session = Some(session);
            // Across a new login an old handle may have named another object.
            if repeat == Repeat::Freely && self.token.epoch() != epoch {
                self.once(Verdict::LoginLost, &mut tried, "the login changed meanwhile")?;
                continue;
            }
            return answer;
        }
    }

    /// Whether the token answers, still knows us (if not, logs in again), and has one of the `known` keys, if any
    /// is named: a token may answer although its objects are gone, or be another one of the same label.
    pub(super) fn check_health(&mut self, known: &[TokenKeyId]) -> Result<(), Fault> {
        let epoch = self.token.epoch();
        self.token.probe().map_err(|error| gone(&error))?;
        if !self.token.is_logged_in() {
            self.restore_login(epoch)?;
        }
        if known.is_empty() {
            return Ok(());
        }
        let known = known.to_vec();
        self.perform(Repeat::Freely, move |call| {
            for template in known.iter().flat_map(|id| templates::searches_any(*id)) {
                if !call.session.find_objects(&template)?.is_empty() {
                    return Ok(());
                }
            }
            Err(Failure::Answer(Fault::Gone("the token shows none of our keys".to_owned())))
        })
    }

    /// Makes another attempt worth while, or says why there is to be none.
    fn remedy(
        &self,
        verdict: Verdict,
        cause: String,
        repeat: Repeat,
        epoch: u64,
        tried: &mut Vec<Verdict>,
    ) -> Result<(), Fault> {
        tracing::debug!(token = self.token.name(), ?verdict, cause, "a token call failed");
        match verdict {
            Verdict::SessionLost | Verdict::TemplateDoubtful => self.once(verdict, tried, &cause),
            Verdict::LoginLost => {
                self.once(verdict, tried, &cause)?;
                self.restore_login(epoch)
            }
            Verdict::HandleStale => {
                self.once(verdict, tried, &cause)?;
                self.token.handles().clear();
                Ok(())
            }
            Verdict::InputRefused => Err(Fault::Unauthentic),
            Verdict::InputDoubtful | Verdict::TokenDoubtful => {
                self.token.probe().map_err(|error| gone(&error))?;
                match repeat {
                    // Some are as vague about a key that they no longer show, after a logout (kryoptic). Another
                    // worker may have logged in since.
                    Repeat::Freely if self.token.epoch() != epoch || !self.token.is_logged_in() => {
                        self.once(Verdict::LoginLost, tried, &cause)?;
                        self.restore_login(epoch)
                    }
                    _ if verdict == Verdict::InputDoubtful => Err(Fault::Unauthentic),
                    Repeat::Freely => self.once(verdict, tried, &cause),
                    Repeat::OnlyIfNotDone => Err(Fault::Failed(cause)),
                }
            }
            Verdict::Exhausted => Err(Fault::Failed(cause)),
            Verdict::Unsupported => Err(Fault::Unsupported(cause)),
            Verdict::Unavailable => Err(Fault::Gone(cause)),
        }
    }

    /// One more attempt after this verdict, if it is the first for this operation and the budget allows it.
    fn once(&self, verdict: Verdict, tried: &mut Vec<Verdict>, cause: &str) -> Result<(), Fault> {
        if tried.contains(&verdict) || !self.token.retries().take() {
            return Err(Fault::Failed(cause.to_owned()));
        }
        tried.push(verdict);
        Ok(())
    }

    fn restore_login(&self, seen: u64) -> Result<(), Fault> {
        self.token.restore_login(seen).map_err(|error| match error {
            LoginError::PinRefused(answer) => Fault::PinRefused(answer),
            LoginError::Failed(error) => gone(&error),
        })
    }
}

/// Without a session nothing works, but a token that has none left may be well.
fn unopened(error: &Error) -> Fault {
    match judge(error) {
        Verdict::Exhausted => Fault::Failed(describe(error)),
        _ => gone(error),
    }
}

fn gone(error: &Error) -> Fault {
    Fault::Gone(describe(error))
}
