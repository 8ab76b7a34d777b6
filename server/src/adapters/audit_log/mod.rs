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
//!   tree-00000000000000240313.json        the Merkle tree before that segment
//!   log-id, checkpoints.ndjson, roster.json, keys.pem   its name, and what was signed about it by which keys
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
//! | `client` | string | the client that was made or changed |
//! | `application`, `reference` | string | the alias it was about; the reference may be empty |
//! | `keyId` | string | the key version used or made |
//! | `outcome` | string | `succeeded`, `failed`, `refused` |
//! | `code` | string | why it failed or was refused |
//! | `microseconds` | integer | how long it took |
//! | `details` | object | what else there is to know, by operation |
//!
//! Readers skip members they do not know. Lines carry no hash of their predecessor: whoever can change one can
//! compute all that follow. What makes changes visible is the Merkle tree over the exact bytes of the lines
//! (RFC 6962 hashing), whose root the token signs. The tree's frontier is kept in memory and computed again at a
//! start, which also compares it with the newest checkpoint.
//!
//! # Durability
//!
//! One thread writes. It takes all events that wait, numbers them, writes them in one piece, calls `fdatasync`
//! once, and only then are their callers told; callers who come at about the same time share a piece. When writing
//! fails, every caller of that piece is told so, and before anything else is written the segment is cut back to
//! what was durable; while that fails, every event is refused, or waits in the spool if there is one (`spool`). So
//! the numbers of durable events have no gaps. After a crash the end of the last segment may hold events that nobody
//! was told were durable: whole lines in sequence are kept (they happened), the rest is set aside.

mod archive;
mod disk;
mod line;
mod notes;
mod published;
mod recovery;
mod segments;
mod spool;
mod start;
mod tail;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

use std::{
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    disk::{Disk, SegmentDirectory},
    notes::Notes,
    published::Published,
    segments::Segments,
    spool::Spool,
    tail::Tail,
    writer::{Entry, Ledger, Load},
};
use crate::{
    domain::{
        audit::{
            AuditEvent,
            statement::{Checkpoint, Signed},
        },
        merkle::Frontier,
    },
    ports::{
        audit_sink::{Announcement, AuditError, AuditSink},
        audit_trail::{AuditTrail, Checkpoints, EventLines, EventLinesBackwards, EventTail},
    },
};

/// [`AuditSink`] and [`AuditTrail`] in `<data directory>/audit`.
///
/// When more than [`QUEUE_EVENTS`] events wait, callers wait for room. An event whose caller stops waiting is
/// written all the same. Dropping the log ends the thread, after all events it was given are written.
pub struct AuditLog {
    // Taken when dropped.
    outbox: Option<mpsc::Sender<Entry>>,
    writer: Option<JoinHandle<()>>,
    load: Arc<Load>,
    files: Files,
    published: Arc<Published>,
}

/// What lies beside the segment being written.
struct Files {
    directory: PathBuf,
    archive: Option<PathBuf>,
    id: String,
    notes: Notes,
    segments: Segments,
}

/// What the composition root decides about the log.
#[derive(Debug)]
pub struct AuditLogSettings {
    /// Where finished segments are archived, and read from.
    pub archive: Option<PathBuf>,
    /// A segment is ended by the first piece that takes it to this length.
    pub segment_bytes: u64,
    /// Where events wait that the log cannot take, and how many bytes of them.
    pub spool: Option<(PathBuf, u64)>,
}

impl Default for AuditLogSettings {
    /// Neither archive nor spool; segments of 64 MiB.
    fn default() -> Self {
        Self { archive: None, segment_bytes: SEGMENT_BYTES, spool: None }
    }
}

impl AuditLog {
    /// Opens the log, or starts it, with neither archive nor spool. What a crash left at its end is repaired, see the
    /// module.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(data_dir: &Path) -> Result<Self, OpenError> {
        Self::open_with(data_dir, AuditLogSettings::default())
    }

    /// As [`AuditLog::open`], with these settings.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(data_dir: &Path, settings: AuditLogSettings) -> Result<Self, OpenError> {
        Self::start(&data_dir.join("audit"), settings, |disk| disk)
    }

    fn start<D: Disk>(
        directory: &Path,
        settings: AuditLogSettings,
        wrap: impl FnOnce(SegmentDirectory) -> D,
    ) -> Result<Self, OpenError> {
        let AuditLogSettings { archive, segment_bytes, spool } = settings;
        let mut spool = spool.map(|(directory, limit)| Spool::open(&directory, limit)).transpose()?;
        let segments = Segments::new(directory, archive.clone());
        let mut opened = SegmentDirectory::open(directory, &segments)?;
        if let Some(spool) = &spool {
            start::check_spool(directory, &segments, &opened, spool)?;
        }
        let notes = Notes::new(directory);
        let at = disk::at;
        let id = notes.log_id().map_err(at(directory))?;
        let last = notes.last_checkpoint().map_err(at(directory))?;
        if let Some(Signed { statement, .. }) = last {
            start::check_signed(directory, &segments, &opened, spool.as_ref(), &id, &statement)?;
        }
        if let Some(spool) = &mut spool {
            start::join(directory, &segments, &mut opened, spool)?;
        }
        let files = Files { directory: directory.to_owned(), archive, id, notes, segments };
        let ledger = Ledger::new(opened, wrap, segment_bytes, spool);
        Self::run(ledger, files).map_err(OpenError::Thread)
    }

    fn run(ledger: Ledger<impl Disk>, files: Files) -> io::Result<Self> {
        let (outbox, inbox) = mpsc::channel(QUEUE_EVENTS);
        let load = Arc::new(Load::default());
        let published = ledger.published();
        let seen = Arc::clone(&load);
        let writer = thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer::run(ledger, inbox, &seen))?;
        Ok(Self { outbox: Some(outbox), writer: Some(writer), load, files, published })
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

impl AuditTrail for AuditLog {
    fn log(&self) -> &str {
        &self.files.id
    }

    fn head(&self) -> Frontier {
        self.published.tree()
    }

    fn growth(&self) -> watch::Receiver<u64> {
        self.published.growth()
    }

    fn spooled(&self) -> u64 {
        self.published.spooled()
    }

    fn first(&self) -> io::Result<u64> {
        Ok(self.files.segments.list()?.first().map_or(1, |segment| segment.first))
    }

    fn tree_before(&self, first: u64) -> io::Result<Frontier> {
        tree::before(&self.files.directory, &self.files.segments, first)
    }

    fn lines(&self, range: Range<u64>) -> io::Result<EventLines> {
        Ok(Box::new(self.files.segments.lines(range)?))
    }

    fn backwards(&self, below: u64) -> io::Result<EventLinesBackwards> {
        Ok(Box::new(self.files.segments.backwards(below)?))
    }

    fn tail(&self, from: u64) -> io::Result<Box<dyn EventTail>> {
        Ok(Box::new(Tail::new(self.files.segments.clone(), from)?))
    }

    fn checkpoints(&self, from: u64) -> io::Result<Checkpoints> {
        self.files.notes.checkpoints(from)
    }

    fn last_checkpoint(&self) -> io::Result<Option<Signed<Checkpoint>>> {
        self.files.notes.last_checkpoint()
    }

    fn keep_checkpoint(&self, checkpoint: &Signed<Checkpoint>) -> io::Result<()> {
        self.files.notes.append_checkpoint(checkpoint)
    }

    fn keep_certificates(&self, pem: &str) -> io::Result<()> {
        notes::replace(&self.files.directory.join(CERTIFICATES_FILE), pem)
    }

    fn roster(&self) -> io::Result<Option<String>> {
        self.files.notes.roster()
    }

    fn keep_roster(&self, line: &str) -> io::Result<()> {
        self.files.notes.keep_roster(line)
    }

    fn finished_segments(&self) -> io::Result<Vec<Range<u64>>> {
        archive::finished(&self.files.directory)
    }

    fn archive(&self, first: u64) -> io::Result<()> {
        let archive = self.files.archive.as_deref().ok_or(io::ErrorKind::Unsupported)?;
        archive::move_segment(&self.files.directory, archive, first)
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
    /// The log and what waits in its spool have different events of one number.
    #[error(
        "event {event} of the audit trail is another one in its spool, {spool}: they do not belong together; restore \
         the one that is not the newest, or move the spool's file away and keep it"
    )]
    Contradiction {
        /// The first such event.
        event: u64,
        /// The spool's file.
        spool: PathBuf,
    },
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
    /// The log is not the one that the last checkpoint was signed over.
    #[error(
        "the audit trail is not what was signed: its first {size} events are others than at {time}; restore the \
         files, or move the directory away and keep it to start a new trail"
    )]
    Differs {
        /// Events that the checkpoint covers.
        size: u64,
        /// When it was made.
        time: String,
    },
    /// What waits in the spool does not follow the log's end.
    #[error(
        "the audit trail ends with event {end} and its spool begins with {spool}: they do not belong together; \
         restore the one that is not the newest"
    )]
    Gap {
        /// The last event in the log.
        end: u64,
        /// The first event in the spool.
        spool: u64,
    },
    /// Events are missing that a checkpoint covers.
    #[error(
        "the audit trail was cut: it ends with event {end} and had {size} when a checkpoint was signed at {time}; \
         restore the files, or move the directory away and keep it to start a new trail"
    )]
    Shortened {
        /// The last event in the log.
        end: u64,
        /// Events that the checkpoint covers.
        size: u64,
        /// When it was made.
        time: String,
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

/// Certificates of the keys that sign about the log, PEM, in its directory.
pub const CERTIFICATES_FILE: &str = "keys.pem";
/// Events that may wait before callers wait for room.
pub const QUEUE_EVENTS: usize = 1024;
/// A segment's length as shipped.
const SEGMENT_BYTES: u64 = 64 << 20;
/// Most that is written between two `fdatasync`: a crash leaves no more than this unfinished.
const MAX_PIECE_BYTES: usize = 1 << 20;

fn ended() -> AuditError {
    AuditError(io::Error::other("the thread of the audit trail has ended"))
}
