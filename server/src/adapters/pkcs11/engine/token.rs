//! One token: its sessions and its login.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cryptoki::{
    context::Pkcs11,
    error::{Error, RvError},
    session::{Session, SessionState, UserType},
    slot::Slot,
};
use secrecy::SecretString;

use super::{
    super::{OpenError, protocol::Login as Event},
    EngineSettings, LoginWitness,
    handles::HandleCache,
    library::{self, Wanted},
    retries::RetryBudget,
    return_values::{describe, refuses_pin},
    signing::Verifiers,
};
use crate::domain::key::TokenKeyId;

/// A token that this process is logged in to.
pub(super) struct Token {
    library: Pkcs11,
    slot: Slot,
    name: String,
    pin: SecretString,
    witness: LoginWitness,
    login: Mutex<Login>,
    /// Counts beginnings and ends of logins: odd while one is under way. Handles belong to one; an answer during which
    /// it changed is not trusted.
    epoch: AtomicU64,
    handles: HandleCache,
    reserved: Mutex<HashSet<TokenKeyId>>,
    retries: RetryBudget,
    verifiers: Verifiers,
}

struct Login {
    /// Keeps the process logged in when no other session is open.
    anchor: Option<Session>,
    /// What the token said to the PIN. It is not asked again.
    refusal: Option<String>,
}

/// Why there is no login.
pub(super) enum LoginError {
    /// The PIN is wrong, locked or expired.
    PinRefused(String),
    /// Anything else.
    Failed(Error),
}

impl Token {
    /// Finds the token and logs in.
    pub(super) fn open(
        settings: &EngineSettings,
        pin: SecretString,
        witness: LoginWitness,
    ) -> Result<Self, OpenError> {
        let wanted = Wanted { label: &settings.token_label, serial: settings.token_serial.as_deref() };
        let argument = settings.initialize_argument.as_deref();
        let (library, slot) = library::find_token(&settings.module, argument, wanted)?;
        let token = Self {
            library,
            slot,
            name: settings.name.clone(),
            pin,
            witness,
            login: Mutex::new(Login { anchor: None, refusal: None }),
            epoch: AtomicU64::new(0),
            handles: HandleCache::default(),
            reserved: Mutex::default(),
            retries: RetryBudget::default(),
            verifiers: Verifiers::default(),
        };
        if settings.is_pin_doubtful && token.was_given_wrong_pin() {
            let answer = "it has been given a wrong one".to_owned();
            (token.witness)(Event::Refused(answer.clone()));
            return Err(OpenError::PinRefused(answer));
        }
        match token.restore_login(0) {
            Ok(()) => Ok(token),
            Err(LoginError::PinRefused(answer)) => Err(OpenError::PinRefused(answer)),
            Err(LoginError::Failed(error)) => Err(OpenError::Unavailable(describe(&error))),
        }
    }

    /// What it is called in logs.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Names the present login. Waits for one that is under way: what is begun meanwhile would fail for want of it, and
    /// take that for the loss of the new one.
    pub(super) fn epoch(&self) -> u64 {
        let epoch = self.epoch.load(Ordering::SeqCst);
        if epoch.is_multiple_of(2) {
            return epoch;
        }
        let _ended = lock(&self.login);
        self.epoch.load(Ordering::SeqCst)
    }

    pub(super) fn handles(&self) -> &HandleCache {
        &self.handles
    }

    pub(super) fn retries(&self) -> &RetryBudget {
        &self.retries
    }

    pub(super) fn verifiers(&self) -> &Verifiers {
        &self.verifiers
    }

    /// Reserves an id, from the check that it is free until the object is there; `None` while another call has it. A
    /// call that hangs keeps its own id from others and nothing else.
    pub(super) fn reserve(&self, id: TokenKeyId) -> Option<Reserved<'_>> {
        // A value that is made and not given would give the id free.
        lock(&self.reserved).insert(id).then(|| Reserved { token: self, id })
    }

    pub(super) fn open_session(&self) -> Result<Session, Error> {
        self.library.open_rw_session(self.slot)
    }

    /// Logs in again, unless somebody has since the caller read `seen` from [`Token::epoch`].
    pub(super) fn restore_login(&self, seen: u64) -> Result<(), LoginError> {
        let mut login = lock(&self.login);
        if self.epoch.load(Ordering::SeqCst) != seen {
            return Ok(());
        }
        if let Some(answer) = &login.refusal {
            return Err(LoginError::PinRefused(answer.clone()));
        }
        // Before the login too: whoever uses an old handle in the new login then sees the change.
        self.epoch.fetch_or(1, Ordering::SeqCst);
        let answer = self.log_in(&mut login);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        answer
    }

    fn log_in(&self, login: &mut Login) -> Result<(), LoginError> {
        // Before the new session, not after: its number may be given out again.
        login.anchor = None;
        let session = self.open_session().map_err(LoginError::Failed)?;
        (self.witness)(Event::Begun);
        let answer = session.login(UserType::User, Some(&self.pin));
        (self.witness)(match &answer {
            Err(error) if refuses_pin(error) => Event::Refused(describe(error)),
            _ => Event::Answered,
        });
        match answer {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                login.anchor = Some(session);
                tracing::info!(token = self.name, "logged in to the token");
                Ok(())
            }
            Err(error) if refuses_pin(&error) => {
                let answer = describe(&error);
                tracing::error!(
                    token = self.name,
                    answer,
                    "the token refused the PIN; it will not be tried again"
                );
                login.refusal = Some(answer.clone());
                Err(LoginError::PinRefused(answer))
            }
            Err(error) => Err(LoginError::Failed(error)),
        }
    }

    /// Whether the token says that the last PIN was wrong. Not every token says so.
    fn was_given_wrong_pin(&self) -> bool {
        self.library.get_token_info(self.slot).is_ok_and(|info| {
            info.user_pin_count_low() || info.user_pin_final_try() || info.user_pin_locked()
        })
    }

    /// Whether the anchor session is open and logged in.
    pub(super) fn is_logged_in(&self) -> bool {
        lock(&self.login).anchor.as_ref().is_some_and(|anchor| is_user(anchor).unwrap_or(false))
    }

    /// Whether the token answers at all: its description, and one random byte over a fresh session.
    pub(super) fn probe(&self) -> Result<(), Error> {
        self.library.get_token_info(self.slot)?;
        self.open_session()?.generate_random_slice(&mut [0; 1])
    }
}

/// An id that an object is being made for.
pub(super) struct Reserved<'a> {
    token: &'a Token,
    id: TokenKeyId,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        lock(&self.token.reserved).remove(&self.id);
    }
}

/// Whether this session is logged in as the token's user.
pub(super) fn is_user(session: &Session) -> Result<bool, Error> {
    let state = session.get_session_info()?.session_state();
    Ok(matches!(state, SessionState::RwUser | SessionState::RoUser))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
