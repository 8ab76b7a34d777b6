//! The token by PKCS#11: keeps the promises of [`crate::ports::key_store`].
//!
//! Four layers, each with one duty:
//! - [`engine`]: PKCS#11 itself, blocking calls on threads that own sessions. It mends sessions, login and handles.
//! - [`child`] and [`protocol`]: an engine in a process of its own, which can be killed when its library hangs or has
//!   gone mad.
//! - [`link`]: watches over one token, whichever way its engine runs; knows whether it is there and has our keys, and
//!   opens it anew until it does.
//! - [`replicas`]: several tokens with the same keys, of which one is enough.

use std::{ffi::OsString, fmt, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use kunji_shared::ModulusLength;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    domain::{
        doctor::TokenObject,
        jose::SignatureAlgorithm,
        key::{KnownKey, TokenKeyId},
        key_type::Curve,
    },
    ports::key_store::{KekStore, KeyStore, KeyStoreError, TokenSigner, TokenState, TokenView},
};

mod child;
mod engine;
mod link;
mod protocol;
mod replicas;

pub use child::{WorkerError, serve_parent};
pub use engine::WrappingRoute;
use protocol::{Answer, Operation, Secret};
use replicas::Replicas;

/// Where the PIN comes from: asked at each login, so that it can be changed without a restart.
#[derive(Clone)]
pub struct PinSource(Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>);

impl PinSource {
    /// Asks `read`, which may block for as long as reading a file takes; its error says why there is no PIN.
    pub fn new(read: impl Fn() -> Result<SecretString, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Always the same.
    pub fn fixed(pin: SecretString) -> Self {
        Self::new(move || Ok(pin.clone()))
    }

    fn read(&self) -> Result<SecretString, String> {
        (self.0)()
    }
}

impl fmt::Debug for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinSource(…)")
    }
}

/// Where the PKCS#11 library runs.
#[derive(Clone, Debug)]
pub enum Isolation {
    /// In this process. When the library hangs or crashes, so does the server.
    None,
    /// In a child process, which is replaced when the library hangs or crashes.
    Process(WorkerProgram),
}

/// The program that calls [`serve_parent`].
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What is added to the environment that it gets from this process: some libraries are told by it where their
    /// token is.
    pub environment: Vec<(OsString, OsString)>,
}

/// How to reach the token, and how much of it to use.
#[derive(Debug)]
pub struct Pkcs11Settings {
    /// What the token is called in logs and in its state.
    pub name: String,
    /// The PKCS#11 library.
    pub module: PathBuf,
    /// Text that the library is given in `pReserved` of `C_Initialize`, where it wants one. A library is
    /// initialised once a process: what it is given first is what it has.
    pub initialize_argument: Option<String>,
    /// Label of the token; exactly one token must have it, and this serial number if one is given.
    pub token_label: String,
    /// Serial number of the token, where the label is not enough.
    pub token_serial: Option<String>,
    /// PIN of the token's normal user.
    pub pin: PinSource,
    /// Where the library runs.
    pub isolation: Isolation,
    /// Threads that each own a session, at least 1.
    pub workers: usize,
    /// Calls that may wait for a worker before more are refused.
    pub queue: usize,
    /// Longest time that a caller waits for an operation that makes no key; one that makes a key gets six times as
    /// long.
    pub deadline: Duration,
    /// How new keys are wrapped; `None` takes the best way the token can.
    pub wrapping: Option<WrappingRoute>,
}

/// Why the token cannot be used at all.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
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
    /// None, or several, of the tokens have the label, and the serial number if one is asked for.
    #[error(
        "{matching} of {present} tokens have the label {label:?}{}; exactly one must have it",
        serial.as_ref().map(|serial| format!(" and the serial number {serial:?}")).unwrap_or_default()
    )]
    TokenNotUnique {
        /// The label asked for.
        label: String,
        /// The serial number asked for.
        serial: Option<String>,
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
    /// The token has other keys than ours.
    #[error("the token does not have our keys: {0}")]
    Foreign(String),
}

/// Keys on one PKCS#11 token, or on several that have the same.
///
/// Dropping it ends the work on the token, within a few seconds after it.
pub struct Pkcs11KeyStore {
    tokens: Replicas,
}

impl Pkcs11KeyStore {
    /// Loads the library, finds the token, logs in, and tries out with keys that live as long as a session what
    /// the token can do. From then on the token is watched over by a task of this runtime.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: Pkcs11Settings) -> Result<Self, OpenError> {
        Ok(Self { tokens: Replicas::one(settings).await? })
    }

    /// As [`Pkcs11KeyStore::open`], with `replicas` that have the same keys as the token of `primary`. One of all is
    /// enough; the others are opened as soon as they can be.
    ///
    /// # Errors
    /// [`OpenError`] when none can be opened now.
    pub async fn open_several(
        primary: Pkcs11Settings,
        replicas: Vec<Pkcs11Settings>,
    ) -> Result<Self, OpenError> {
        if replicas.is_empty() {
            return Self::open(primary).await;
        }
        Ok(Self { tokens: Replicas::several(primary, replicas).await? })
    }

    /// Has a token that is well carry out what changes nothing.
    async fn use_key(&self, id: TokenKeyId, make: impl Fn() -> Operation) -> Result<Answer, KeyStoreError> {
        self.tokens.perform(id.into(), make).await
    }

    /// Has the primary, where keys are made, carry out the operation.
    async fn ask_primary(&self, make: impl Fn() -> Operation) -> Result<Answer, KeyStoreError> {
        self.tokens.perform_on_primary(make).await
    }
}

impl fmt::Debug for Pkcs11KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11KeyStore").field("tokens", &self.tokens.names()).finish_non_exhaustive()
    }
}

/// The answer of another operation than the one that was asked for: nothing that a token could cause.
fn mismatch() -> KeyStoreError {
    KeyStoreError::Unavailable("its answer is to another question".to_owned())
}

#[async_trait]
impl TokenSigner for Pkcs11KeyStore {
    async fn generate_signing_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        modulus: ModulusLength,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let modulus_bits = u32::try_from(modulus.bits())
            .map_err(|_| KeyStoreError::Unsupported("a modulus of this size".to_owned()))?;
        let make = || Operation::GenerateSigningPair { id: id.into(), label: label.to_owned(), modulus_bits };
        match self.ask_primary(make).await? {
            Answer::PublicKey(Some(key)) => Ok(key),
            _ => Err(mismatch()),
        }
    }

    async fn generate_curve_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        curve: Curve,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let make = || Operation::GenerateCurvePair { id: id.into(), label: label.to_owned(), curve };
        match self.ask_primary(make).await? {
            Answer::PublicKey(Some(key)) => Ok(key),
            _ => Err(mismatch()),
        }
    }

    async fn find_signing_pair(&self, id: TokenKeyId) -> Result<Option<Vec<u8>>, KeyStoreError> {
        match self.ask_primary(|| Operation::FindSigningPair { id: id.into() }).await? {
            Answer::PublicKey(key) => Ok(key),
            _ => Err(mismatch()),
        }
    }

    async fn sign(
        &self,
        id: TokenKeyId,
        algorithm: SignatureAlgorithm,
        input: &[u8],
    ) -> Result<Vec<u8>, KeyStoreError> {
        let make = || Operation::Sign { id: id.into(), algorithm, input: input.to_vec() };
        match self.use_key(id, make).await? {
            Answer::Bytes(signature) => Ok(signature),
            _ => Err(mismatch()),
        }
    }
}

#[async_trait]
impl KekStore for Pkcs11KeyStore {
    async fn generate_kek(&self, id: TokenKeyId, label: &str) -> Result<(), KeyStoreError> {
        let make = || Operation::GenerateKek { id: id.into(), label: label.to_owned() };
        match self.ask_primary(make).await? {
            Answer::Done => Ok(()),
            _ => Err(mismatch()),
        }
    }

    async fn has_kek(&self, id: TokenKeyId) -> Result<bool, KeyStoreError> {
        match self.ask_primary(|| Operation::HasKek { id: id.into() }).await? {
            Answer::Flag(there) => Ok(there),
            _ => Err(mismatch()),
        }
    }

    async fn wrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, KeyStoreError> {
        let make = || Operation::Wrap {
            kek: kek.into(),
            context: context.to_vec(),
            secret: Secret::new(Zeroizing::new(secret.to_vec())),
        };
        match self.use_key(kek, make).await? {
            Answer::Bytes(wrapped) => Ok(wrapped),
            _ => Err(mismatch()),
        }
    }

    async fn unwrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        engine::check_wrapped_length(wrapped)?;
        let make =
            || Operation::Unwrap { kek: kek.into(), context: context.to_vec(), wrapped: wrapped.to_vec() };
        match self.use_key(kek, make).await? {
            Answer::Secret(secret) => Ok(secret.into_bytes()),
            _ => Err(mismatch()),
        }
    }
}

#[async_trait]
impl KeyStore for Pkcs11KeyStore {
    async fn was_made_as(&self, id: TokenKeyId, label: &str) -> Result<bool, KeyStoreError> {
        let make = || Operation::WasMadeAs { id: id.into(), label: label.to_owned() };
        match self.ask_primary(make).await? {
            Answer::Flag(ours) => Ok(ours),
            _ => Err(mismatch()),
        }
    }

    async fn check_health(&self) -> Result<(), KeyStoreError> {
        self.tokens.check_health().await
    }

    async fn examine(&self) -> Vec<TokenState> {
        self.tokens.examine().await
    }

    async fn recognise(&self, keys: Vec<KnownKey>) -> Result<(), KeyStoreError> {
        self.tokens.recognise(keys).await
    }

    async fn confirm(&self, key: KnownKey) -> Result<(), KeyStoreError> {
        self.tokens.confirm(key).await
    }

    async fn list_objects(&self) -> Result<Vec<TokenObject>, KeyStoreError> {
        let mut all: Vec<TokenObject> = Vec::new();
        loop {
            let after = all.last().map(|object| object.id.into());
            match self.ask_primary(|| Operation::ListObjects { after }).await? {
                Answer::Objects { objects, more } => {
                    let is_end = objects.is_empty() || !more;
                    all.extend(objects.into_iter().map(TokenObject::from));
                    if is_end {
                        return Ok(all);
                    }
                }
                _ => return Err(mismatch()),
            }
        }
    }

    async fn show(&self, keys: &[KnownKey]) -> Vec<TokenView> {
        self.tokens.show(keys).await
    }

    async fn destroy(&self, id: TokenKeyId, labels: &[String]) -> Result<(), KeyStoreError> {
        let make = || Operation::Destroy { id: id.into(), labels: labels.to_vec() };
        self.tokens.destroy(id, make).await
    }
}
