//! The demo: what its form must know, and the inbox between form and reviewer.

use std::{io, sync::Arc};

use bytes::Bytes;

use super::{
    authorization::{AccessRefusal, Authorizer},
    keys::{KeyError, KeyService},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        demo::{InboxEntry, PacketId},
    },
    ports::{
        clock::Clock,
        demo_inbox::{DemoInbox, InboxError},
        entropy::{Entropy, EntropyError},
    },
};

/// What the demo's pages ask for. Nothing here opens a packet.
pub struct DemoService {
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) inbox: Option<Arc<dyn DemoInbox>>,
    pub(crate) keys: Arc<KeyService>,
    pub(crate) recipient: KeyAlias,
}

impl DemoService {
    /// Whose certificate the form encrypts for.
    pub fn recipient(&self) -> &KeyAlias {
        &self.recipient
    }

    /// Whether packets are taken.
    pub fn has_inbox(&self) -> bool {
        self.inbox.is_some()
    }

    /// The certificates (DER) that the form trusts: ROOT's.
    ///
    /// # Errors
    /// [`DemoError::Keys`].
    pub async fn anchors(&self) -> Result<Vec<Vec<u8>>, DemoError> {
        Ok(self.keys.root_certificates().await?)
    }

    /// Keeps a packet, durably.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn receive(&self, packet: Bytes) -> Result<InboxEntry, DemoError> {
        let mut random = [0; 16];
        self.entropy.fill(&mut random)?;
        let (id, received) = (PacketId::from_random(random), self.clock.now());
        let bytes = packet.len() as u64;
        self.with_inbox(move |inbox| Ok(inbox.store(id, received, &packet)?)).await?;
        Ok(InboxEntry { id, received, bytes })
    }

    /// Whether the caller may open what the form seals, and so may fetch it.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub fn check_reviewer(&self, call: &CallContext) -> Result<(), AccessRefusal> {
        self.authorizer.check(call, Operation::Decrypt, &self.recipient)
    }

    /// What is in the inbox, newest first.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn list(&self) -> Result<Vec<InboxEntry>, DemoError> {
        self.with_inbox(|inbox| Ok(inbox.list()?)).await
    }

    /// A packet of the inbox.
    ///
    /// # Errors
    /// [`DemoError`].
    pub async fn read(&self, id: PacketId) -> Result<Vec<u8>, DemoError> {
        self.with_inbox(move |inbox| inbox.read(id)?.ok_or(DemoError::NotFound)).await
    }

    async fn with_inbox<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn DemoInbox) -> Result<T, DemoError> + Send + 'static,
    ) -> Result<T, DemoError> {
        let inbox = Arc::clone(self.inbox.as_ref().ok_or(DemoError::Off)?);
        tokio::task::spawn_blocking(move || work(&*inbox))
            .await
            .map_err(|_| DemoError::Internal("a worker ended early"))?
    }
}

/// Why the demo cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// There is no randomness to name a packet with.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The inbox has as many packets as it may have.
    #[error("the inbox is full")]
    Full,
    /// The inbox cannot be read or written.
    #[error("the inbox cannot be read or written")]
    Inbox(#[from] io::Error),
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The certificates cannot be read.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// There is no such packet.
    #[error("there is no such packet")]
    NotFound,
    /// The inbox is switched off.
    #[error("the inbox is switched off")]
    Off,
}

impl From<InboxError> for DemoError {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Full => Self::Full,
            InboxError::Io(error) => Self::Inbox(error),
        }
    }
}
