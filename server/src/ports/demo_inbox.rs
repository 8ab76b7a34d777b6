//! The demo's inbox.

use std::io;

use crate::domain::{
    demo::{InboxEntry, PacketId},
    time::Timestamp,
};

/// Keeps a bounded number of sealed packets. Every method blocks the calling thread.
pub trait DemoInbox: Send + Sync {
    /// Keeps a packet: whole and durable when this returns; nothing of it is to be seen when it fails.
    ///
    /// # Errors
    /// [`InboxError`].
    fn store(&self, id: PacketId, received: Timestamp, packet: &[u8]) -> Result<(), InboxError>;

    /// What is there, newest first.
    ///
    /// # Errors
    /// The operating system's.
    fn list(&self) -> io::Result<Vec<InboxEntry>>;

    /// A packet; `None` when it is not there.
    ///
    /// # Errors
    /// The operating system's.
    fn read(&self, id: PacketId) -> io::Result<Option<Vec<u8>>>;
}

/// Why a packet was not kept.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// There are as many as may be.
    #[error("the inbox is full")]
    Full,
    /// The disk failed.
    #[error("the inbox cannot be written")]
    Io(#[from] io::Error),
}
