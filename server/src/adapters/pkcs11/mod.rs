//! The token by PKCS#11: keeps the promises of [`crate::ports::key_store`].
//!
//! What one must know of PKCS#11 to read this:
//! - A library is initialised once a process ([`library`]) and never finalised: others may use it too.
//! - A token is chosen by its label ([`token`]); slot numbers are not stable.
//! - Login belongs to the token, not to the session, and ends with the last session. One session, the anchor,
//!   stays open and logged in; *already logged in* is success; a refused PIN is never tried again.
//! - A session serves one thread at a time: each worker ([`workers`]) owns one, discards it after any error and
//!   opens another ([`recovery`]). Opening costs next to nothing, logging in does.
//! - Object handles are volatile: they are cached for one login ([`handles`]) and found again in the next.
//! - Tokens keep neither ids nor labels unique: a lookup that finds several objects uses none.
//! - The same return value means different things from different functions: [`return_values`] is the only place
//!   that interprets them.
//!
//! A call into the library cannot be cancelled. Callers stop waiting at their deadline; a call that hangs
//! occupies its worker and no more.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use kunji_shared::ModulusLength;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::{
    domain::key::TokenKeyId,
    ports::key_store::{KekStore, KeyStore, KeyStoreError, TokenSigner},
};

mod capabilities;
mod generation;
mod handles;
mod kek;
mod key_wrap;
mod library;
mod public_key;
mod recovery;
mod return_values;
mod signing;
mod templates;
mod token;
mod workers;

use capabilities::Capabilities;
pub use key_wrap::WrappingRoute;
use recovery::{Call, Failure, Repeat};
use token::Token;
use workers::Workers;

/// Longest time that a health check may take.
const HEALTH_DEADLINE: Duration = Duration::from_secs(2);
/// Health checks that may wait for the one under way.
const HEALTH_QUEUE: usize = 16;

/// How to reach the token, and how much of it to use.
#[derive(Debug)]
pub struct Pkcs11Settings {
    /// The PKCS#11 library.
    pub module: PathBuf,
    /// Label of the token; exactly one token must have it.
    pub token_label: String,
    /// PIN of the token's normal user.
    pub pin: SecretString,
    /// Threads that each own a session, at least 1.
    pub workers: usize,
    /// Calls that may wait for a worker before more are refused.
    pub queue: usize,
    /// Longest time that a caller waits.
    pub deadline: Duration,
    /// How new keys are wrapped; `None` takes the best way the token can.
    pub wrapping: Option<WrappingRoute>,
}

/// Why the token cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The library cannot be loaded or initialised.
    #[error("the PKCS#11 library {} cannot be used: {reason}", module.display())]
    Library {
        /// The library.
        module: PathBuf,
        /// What the system or the library says.
        reason: String,
    },
    /// None, or several, of the tokens have the label.
    #[error("{matching} of {present} tokens have the label {label:?}; exactly one must have it")]
    TokenNotUnique {
        /// The label asked for.
        label: String,
        /// Tokens with this label.
        matching: usize,
        /// Initialised tokens that the library shows.
        present: usize,
    },
    /// The token refused the PIN. Trying again would only lock it.
    #[error("the token refused the PIN ({0}); it was tried once")]
    PinRefused(String),
    /// The token lacks an ability without which nothing works.
    #[error("the token cannot do this: {0}")]
    Unsupported(String),
    /// The token or the system failed.
    #[error("the token is not available: {0}")]
    Unavailable(String),
}

/// Keys on one PKCS#11 token.
///
/// Dropping it blocks until the calls under way have ended, but not longer than a few seconds.
pub struct Pkcs11KeyStore {
    // Dropped in this order: no more work, then the sessions, then the login.
    workers: Workers,
    health: Workers,
    token: Arc<Token>,
    capabilities: Capabilities,
    deadline: Duration,
}

impl Pkcs11KeyStore {
    /// Loads the library, finds the token, logs in, and tries out with keys that live as long as a session what
    /// the token can do. Blocks for as long as that takes (a second or so).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(settings: Pkcs11Settings) -> Result<Self, OpenError> {
        let token = Arc::new(Token::open(&settings.module, settings.token_label, settings.pin)?);
        let capabilities = capabilities::find(&token, settings.wrapping)?;
        let start = |name, threads, queue| {
            Workers::start(name, threads, queue, &token)
                .map_err(|error| OpenError::Unavailable(format!("its threads cannot be started: {error}")))
        };
        Ok(Self {
            workers: start("kunji-token", settings.workers.max(1), settings.queue)?,
            health: start("kunji-health", 1, HEALTH_QUEUE)?,
            token,
            capabilities,
            deadline: settings.deadline,
        })
    }

    async fn perform<T: Send + 'static>(
        &self,
        repeat: Repeat,
        operation: impl FnMut(&Call<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        self.workers.call(self.deadline, move |worker| worker.perform(repeat, operation)).await
    }
}

impl fmt::Debug for Pkcs11KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11KeyStore")
            .field("token", &self.token.label())
            .field("capabilities", &self.capabilities)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenSigner for Pkcs11KeyStore {
    async fn generate_signing_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        modulus: ModulusLength,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let (capabilities, label) = (self.capabilities, label.to_owned());
        self.perform(Repeat::OnlyIfNotDone, move |call| {
            signing::generate_pair(call, capabilities, id, &label, modulus.bits())
        })
        .await
    }

    async fn find_signing_pair(&self, id: TokenKeyId) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.perform(Repeat::Freely, move |call| signing::find_pair(call, id)).await
    }

    async fn sign_digest(&self, id: TokenKeyId, digest: [u8; 32]) -> Result<Vec<u8>, KeyStoreError> {
        self.perform(Repeat::Freely, move |call| signing::sign_digest(call, id, &digest)).await
    }
}

#[async_trait]
impl KekStore for Pkcs11KeyStore {
    async fn generate_kek(&self, id: TokenKeyId, label: &str) -> Result<(), KeyStoreError> {
        let (capabilities, label) = (self.capabilities, label.to_owned());
        self.perform(Repeat::OnlyIfNotDone, move |call| kek::generate(call, capabilities, id, &label)).await
    }

    async fn has_kek(&self, id: TokenKeyId) -> Result<bool, KeyStoreError> {
        let route = self.capabilities.wrapping;
        self.perform(Repeat::Freely, move |call| kek::exists(call, route, id)).await
    }

    async fn wrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let (route, context) = (self.capabilities.wrapping, context.to_vec());
        self.perform(Repeat::Freely, move |call| key_wrap::wrap(call, route, kek, &context, &secret)).await
    }

    async fn unwrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        key_wrap::check_length(wrapped)?;
        let (context, wrapped) = (context.to_vec(), wrapped.to_vec());
        self.perform(Repeat::Freely, move |call| key_wrap::unwrap(call, kek, &context, &wrapped)).await
    }
}

#[async_trait]
impl KeyStore for Pkcs11KeyStore {
    async fn was_made_as(&self, id: TokenKeyId, label: &str) -> Result<bool, KeyStoreError> {
        let label = label.to_owned();
        self.perform(Repeat::Freely, move |call| generation::was_made_as(call, id, &label)).await
    }

    async fn check_health(&self) -> Result<(), KeyStoreError> {
        let deadline = self.deadline.min(HEALTH_DEADLINE);
        self.health.call(deadline, |worker| worker.check_health()).await.map_err(|error| match error {
            KeyStoreError::Busy => KeyStoreError::Unavailable("earlier health checks hang".to_owned()),
            other => other,
        })
    }
}
