//! Sealing and opening packets.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use kunji_shared::{
    certificate::Certificate,
    packet::{FormatError, RecipientKey, SealError, Shape, Splitter, open, seal},
    secret::Plaintext,
};
use moka::sync::Cache;
use tokio::sync::Semaphore;

use super::{
    auditor::Auditor,
    authorization::Authorizer,
    keys::{KeyService, directory::KeyDirectory, policies::PolicyTable, private_keys::PrivateKeys},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KeyId, KeyRecord},
    },
    ports::{
        bulk_cipher::BulkCipher,
        entropy::{Entropy, EntropyRng},
        spool::Spool,
    },
};

mod error;
mod spooled;
mod unlocking;
mod wiped;

pub use error::PacketError;
pub(crate) use wiped::wiped_after_use;

use unlocking::Unlocker;

/// Content above this many bytes is not sealed or opened on an async thread: AES-256-GCM takes about as long for
/// it as one RSA-2048 private operation, which is the longest that runs there.
const INLINE_MAX_BYTES: usize = 256 * 1024;

/// What the caller gives beside the packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerInputs {
    /// The GCM nonce, 1 to 64 bytes; `None` when the packet carries its own.
    pub salt: Option<Vec<u8>>,
    /// Additional authenticated data.
    pub aad: Option<Vec<u8>>,
}

impl CallerInputs {
    /// The layout that these inputs ask for.
    fn shape(&self) -> Shape<'_> {
        match (&self.salt, &self.aad) {
            (Some(salt), aad) => Shape::CallerNonce { salt, aad: aad.as_deref().unwrap_or_default() },
            (None, Some(aad)) => Shape::AppendedNonce { aad },
            (None, None) => Shape::SelfContained,
        }
    }
}

/// A body on its way in; an error item ends it.
pub type BodyStream = BoxStream<'static, Result<Bytes, std::io::Error>>;

/// Content of known length on its way out, in bounded memory.
pub struct ContentStream {
    /// Bytes in all.
    pub length: u64,
    /// The pieces.
    pub pieces: BodyStream,
}

/// Sealing and opening.
pub struct PacketService {
    auditor: Arc<Auditor>,
    authorizer: Arc<Authorizer>,
    cipher: Arc<dyn BulkCipher>,
    entropy: Arc<dyn Entropy>,
    keys: Arc<KeyService>,
    recipients: Cache<KeyId, Arc<RecipientKey>>,
    settings: PacketSettings,
    spool: Arc<dyn Spool>,
    spool_places: Arc<Semaphore>,
    unlocker: Unlocker,
}

/// What the composition root decides about packets.
pub(crate) struct PacketSettings {
    /// Largest packet or content on the streaming calls.
    pub(crate) limit_bytes: u64,
    /// Most streams spooled at once; more wait.
    pub(crate) spooled_bodies: usize,
    /// How long they wait; meanwhile nothing is read of them.
    pub(crate) patience: Duration,
    /// Streams above this are spooled.
    pub(crate) spool_threshold_bytes: u64,
    /// Stands between the wrapped key and the content.
    pub(crate) splitter: Splitter,
    /// Most keys tried for a packet without a thumbprint; `None` refuses such packets.
    pub(crate) keys_without_thumbprint: Option<usize>,
}

/// What packets share with the other services.
pub(crate) struct PacketDependencies {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) cipher: Arc<dyn BulkCipher>,
    pub(crate) directory: Arc<KeyDirectory>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) keys: Arc<KeyService>,
    pub(crate) policies: Arc<PolicyTable>,
    pub(crate) private_keys: Arc<PrivateKeys>,
    pub(crate) spool: Arc<dyn Spool>,
}

impl PacketService {
    pub(crate) fn new(dependencies: PacketDependencies, settings: PacketSettings) -> Self {
        let unlocker = Unlocker {
            authorizer: Arc::clone(&dependencies.authorizer),
            directory: dependencies.directory,
            keys_without_thumbprint: settings.keys_without_thumbprint,
            policies: dependencies.policies,
            private_keys: dependencies.private_keys,
            splitter: settings.splitter.clone(),
        };
        Self {
            auditor: dependencies.auditor,
            authorizer: dependencies.authorizer,
            cipher: dependencies.cipher,
            entropy: dependencies.entropy,
            keys: dependencies.keys,
            recipients: Cache::new(100_000),
            spool_places: Arc::new(Semaphore::new(settings.spooled_bodies)),
            settings,
            spool: dependencies.spool,
            unlocker,
        }
    }

    /// Seals `content` for the current key of the alias (which is made when there is none), in the layout that
    /// the inputs ask for.
    ///
    /// # Errors
    /// [`PacketError`].
    pub async fn encrypt(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        content: Plaintext,
        inputs: CallerInputs,
    ) -> Result<Vec<u8>, PacketError> {
        let sealed = async {
            self.check_may_seal(call, alias)?;
            self.seal(call, alias, content, inputs).await
        };
        let (_, packet) = self
            .auditor
            .audited(call, Operation::Encrypt, Some(alias), sealed, |(key, _)| Some(&key.id))
            .await?;
        Ok(packet)
    }

    /// Whether the caller may seal for the alias.
    fn check_may_seal(&self, call: &CallContext, alias: &KeyAlias) -> Result<(), PacketError> {
        self.authorizer.check(call, Operation::Encrypt, alias).map_err(PacketError::Refused)
    }

    /// Whether the caller still may, after its content took its time to come. Counts against no limit.
    fn check_may_still_seal(&self, call: &CallContext, alias: &KeyAlias) -> Result<(), PacketError> {
        self.authorizer.check_again(call, Operation::Encrypt, Some(alias)).map_err(PacketError::Refused)
    }

    /// Seals for a caller who may.
    async fn seal(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        content: Plaintext,
        inputs: CallerInputs,
    ) -> Result<(Arc<KeyRecord>, Vec<u8>), PacketError> {
        let (key, recipient) = self.recipient(call, alias, content.is_empty()).await?;
        let (cipher, entropy) = (Arc::clone(&self.cipher), Arc::clone(&self.entropy));
        let splitter = self.settings.splitter.clone();
        let packet = off_thread_if(content.len() > INLINE_MAX_BYTES, move || {
            let rng = &mut EntropyRng(&*entropy);
            seal(content.expose(), &recipient, inputs.shape(), &splitter, rng, &*cipher)
        })
        .await??;
        Ok((key, packet))
    }

    /// Opens `packet` with the key that it names, which must be of the alias.
    ///
    /// # Errors
    /// [`PacketError`]; everything that fails after a private key was used is
    /// [`PacketError::DecryptionFailed`].
    pub async fn decrypt(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        packet: Vec<u8>,
        inputs: CallerInputs,
    ) -> Result<Plaintext, PacketError> {
        let opened = async {
            self.unlocker.check_admitted(call, alias)?;
            self.open(call, alias, packet, inputs).await
        };
        let (_, content) =
            self.auditor.audited(call, Operation::Decrypt, Some(alias), opened, |(key, _)| Some(key)).await?;
        Ok(content)
    }

    /// Opens for a caller who may.
    async fn open(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        packet: Vec<u8>,
        inputs: CallerInputs,
    ) -> Result<(KeyId, Plaintext), PacketError> {
        let total = packet.len() as u64;
        let unlocked = self.unlocker.unlock(call, alias, &packet, total, &inputs).await?;
        let cipher = Arc::clone(&self.cipher);
        let key = unlocked.key.clone();
        let content = off_thread_if(packet.len() > INLINE_MAX_BYTES, move || {
            let content = unlocked.content(&inputs)?;
            let opened = open(packet, &content, &unlocked.data_key, &*cipher);
            opened.ok().filter(|_| unlocked.genuine).ok_or(PacketError::DecryptionFailed)
        })
        .await??;
        Ok((key, content))
    }

    /// The current key to seal for. `empty`: there is no content, so no key is made either.
    async fn recipient(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        empty: bool,
    ) -> Result<(Arc<KeyRecord>, Arc<RecipientKey>), PacketError> {
        if empty {
            return Err(PacketError::Empty);
        }
        if alias.role() != AliasRole::Base {
            return Err(PacketError::SigningKey);
        }
        let key = self.keys.current(call, alias).await?;
        if let Some(recipient) = self.recipients.get(&key.id) {
            return Ok((key, recipient));
        }
        let public_key = Certificate::from_der(&key.certificate)
            .ok()
            .and_then(|certificate| certificate.public_key().ok())
            .ok_or(PacketError::Internal("a stored certificate cannot be read"))?;
        let recipient = Arc::new(RecipientKey::new(key.thumbprint, public_key));
        self.recipients.insert(key.id.clone(), Arc::clone(&recipient));
        Ok((key, recipient))
    }
}

/// Runs `work` here when it is short, else where it may take its time.
async fn off_thread_if<T: Send + 'static>(
    long: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PacketError> {
    if !long {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| PacketError::Internal("a worker ended early"))
}

impl From<SealError> for PacketError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::EmptyContent => Self::Empty,
            SealError::SaltLength => FormatError::SaltLength.into(),
            SealError::TooLong => FormatError::TooLong.into(),
            _ => Self::Internal("the content could not be sealed"),
        }
    }
}
