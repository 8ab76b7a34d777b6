//! The audit trail on disk: an append-only log of segments, one for each server.
//!
//! # Layout
//!
//! ```text
//! <data directory>/audit/                 0700
//!   lock                                  held while a server writes here
//!   events-00000000000000000001.ndjson    0600; the number is the sequence of the segment's first event
//!   events-00000000000000240313.ndjson    the last segment is the one being written
//!   events-….ndjson.<offset>-<n>.torn     what a crash left unfinished, set aside
//! ```
//!
//! A segment is NDJSON: one event a line, ended by `\n`, written once and never changed. Events are numbered
//! from 1 without gaps over all segments. The members of a line, absent ones left out:
//!
//! | Member | Type | Meaning |
//! |---|---|---|
//! | `sequence` | integer | number of the event, always first |
//! | `time` | string | when it ended, RFC 3339, UTC, milliseconds |
//! | `operation` | string | for example `packet.decrypt` |
//! | `principal` | string | who |
//! | `address` | string | the peer |
//! | `requestId` | string | the request |
//! | `application`, `reference` | string | the alias it was about; the reference may be empty |
//! | `keyId` | string | the key version used or made |
//! | `outcome` | string | `succeeded`, `failed`, `refused` |
//! | `code` | string | why it failed or was refused |
//!
//! Readers skip members they do not know. Lines carry no hash of their predecessor: whoever can change one can
//! compute all that follow. What makes changes visible is signed from outside the log, over the exact bytes of
//! its lines.
//!
//! # Durability
//!
//! One thread writes. It takes all events that wait, numbers them, writes them in one piece, calls `fdatasync`
//! once, and only then are their callers told; callers who come at about the same time share a piece. When writing
//! fails, every caller of that piece is told so, and before anything else is written the segment is cut back to
//! what was durable; while that fails, every event is refused. So the numbers of durable events have no gaps. After a crash the end of the last segment may hold
//! events that nobody was told were durable: whole lines in sequence are kept (they happened), the rest is set
//! aside.

mod disk;
mod line;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::{
    disk::{Disk, SegmentDirectory},
    writer::{Entry, Ledger, Load},
};
use crate::{
    domain::audit::AuditEvent,
    ports::audit_sink::{Announcement, AuditError, AuditSink},
};

/// [`AuditSink`] in `<data directory>/audit`.
///
/// When more than [`QUEUE_EVENTS`] events wait, callers wait for room. An event whose caller stops waiting is
/// written all the same. Dropping the log ends the thread, after all events it was given are written.
pub struct AuditLog {
    // Taken when dropped.
    outbox: Option<mpsc::Sender<Entry>>,
    writer: Option<JoinHandle<()>>,
    load: Arc<Load>,
}

impl AuditLog {
    /// Opens the log, or starts it. What a crash left at its end is repaired, see the module.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        let (disk, end) = SegmentDirectory::open(&data_dir.join("audit"))?;
        Self::start(Ledger::new(disk, end, SEGMENT_BYTES)).map_err(OpenError::Thread)
    }

    fn start(ledger: Ledger<impl Disk>) -> io::Result<Self> {
        let (outbox, inbox) = mpsc::channel(QUEUE_EVENTS);
        let load = Arc::new(Load::default());
        let seen = Arc::clone(&load);
        let writer = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer::run(ledger, inbox, &seen))?;
        Ok(Self { outbox: Some(outbox), writer: Some(writer), load })
    }
}

#[async_trait]
impl AuditSink for AuditLog {
    fn announce(&self) -> Announcement {
        Announcement::counted(&self.load.announced)
    }

    async fn record(&self, event: AuditEvent) -> Result<(), AuditError> {
        let line = line::encode(&event).map_err(AuditError)?;
        let (entry, durable) = Entry::new(line);
        let outbox = self.outbox.as_ref().ok_or_else(ended)?;
        let room = outbox.reserve().await.map_err(|_| ended())?;
        self.load.waiting.fetch_add(1, Ordering::Relaxed);
        room.send(entry);
        if let Some(writer) = self.writer.as_ref().filter(|_| self.load.is_gathered()) {
            writer.thread().unpark();
        }
        durable.await.map_err(|oneshot::error::RecvError { .. }| ended())?.map_err(AuditError)
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        drop(self.outbox.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the thread was reported to every caller already.
            let _ = writer.join();
        }
    }
}

/// Why the log was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Lines that were durable once are not what was written.
    #[error(
        "the audit trail is damaged: {segment} makes no sense from byte {offset} on, and that is more than a crash \
         leaves; restore the file, or move the directory away to start a new trail"
    )]
    Damaged {
        /// The last segment.
        segment: PathBuf,
        /// Where it stops making sense.
        offset: u64,
    },
    /// Another process writes there.
    #[error(
        "the audit trail in {0} is in use by another server; each server needs a data directory of its own"
    )]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("the audit trail at {path} cannot be opened")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The operating system gave no thread.
    #[error("the thread of the audit trail did not start")]
    Thread(#[source] io::Error),
}

/// Events that may wait before callers wait for room.
pub const QUEUE_EVENTS: usize = 1024;
/// A segment is ended by the first piece that takes it to this length.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Most that is written between two `fdatasync`: a crash leaves no more than this unfinished.
const MAX_PIECE_BYTES: usize = 1 << 20;

fn ended() -> AuditError {
    AuditError(io::Error::other("the thread of the audit trail has ended"))
}
