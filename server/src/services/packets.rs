//! Sealing and opening packets.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use kunji_shared::{packet::FormatError, secret::Plaintext};

use crate::{
    domain::{access::CallContext, alias::KeyAlias},
    ports::audit_sink::AuditError,
};

use super::keys::KeyError;

/// What the caller gives beside the packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerInputs {
    /// The GCM nonce, 1 to 64 bytes; `None` when the packet carries its own.
    pub salt: Option<Vec<u8>>,
    /// Additional authenticated data.
    pub aad: Option<Vec<u8>>,
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
pub struct PacketService {}

impl PacketService {
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
        let _ = (call, alias, content, inputs);
        todo!()
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
        let _ = (call, alias, packet, inputs);
        todo!()
    }

    /// As [`PacketService::encrypt`], for content larger than memory, up to the packet limit.
    ///
    /// # Errors
    /// [`PacketError`].
    pub async fn encrypt_stream(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        content: BodyStream,
        inputs: CallerInputs,
    ) -> Result<ContentStream, PacketError> {
        let _ = (call, alias, content, inputs);
        todo!()
    }

    /// As [`PacketService::decrypt`], for packets larger than memory, up to the packet limit. Nothing is given
    /// out before the tag was verified.
    ///
    /// # Errors
    /// [`PacketError`].
    pub async fn decrypt_stream(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        packet: BodyStream,
        inputs: CallerInputs,
    ) -> Result<ContentStream, PacketError> {
        let _ = (call, alias, packet, inputs);
        todo!()
    }
}

/// Why a packet was not sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The policy's access list does not admit the caller.
    #[error("the application's policy does not admit the caller")]
    AccessListed,
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The body ended early or could not be read.
    #[error("the body could not be read")]
    Body(#[source] std::io::Error),
    /// It did not open: one answer for whatever was wrong after a private key was used.
    #[error("the packet does not open")]
    DecryptionFailed,
    /// There is nothing to seal.
    #[error("there is no content to seal")]
    Empty,
    /// The thumbprint is of another application's or reference's key.
    #[error("the key that the packet names is of another alias")]
    ForeignKey,
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// The key was not found or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its public bytes are no packet.
    #[error(transparent)]
    Malformed(#[from] FormatError),
    /// Module keys and `KERNEL/SIGN` do not seal.
    #[error("the alias is of a signing key")]
    SigningKey,
    /// It is larger than the limit.
    #[error("the content is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// No key of the server has the thumbprint.
    #[error("no key has the thumbprint that the packet names")]
    UnknownKey,
}
