//! The record of who did what, as those read it who verify it.
//!
//! Methods that return [`io::Result`] read or write files and block the calling thread.

use std::{io, ops::Range};

use tokio::sync::watch;

use super::audit_sink::AuditSink;
use crate::domain::{
    audit::statement::{Checkpoint, Signed},
    merkle::Frontier,
};

/// Lines of events in order, without their ends.
pub type EventLines = Box<dyn Iterator<Item = io::Result<Vec<u8>>> + Send>;

/// Checkpoints in order.
pub type Checkpoints = Box<dyn Iterator<Item = io::Result<Signed<Checkpoint>>> + Send>;

/// Numbers and lines of events, backwards.
pub type EventLinesBackwards = Box<dyn Iterator<Item = io::Result<(u64, Vec<u8>)>> + Send>;

/// Reads events forwards as they come, each line once. After an error it reads no more.
pub trait EventTail: Send {
    /// Number of the next event.
    fn next(&self) -> u64;

    /// The lines of the next events below number `end`, which must be durable: at least one unless there is none, and
    /// no more once they have `bytes`.
    ///
    /// # Errors
    /// The operating system's; `NotFound` when they are not at hand.
    fn read(&mut self, end: u64, bytes: usize) -> io::Result<Vec<Vec<u8>>>;
}

/// The log that a sink keeps, and what was signed about it.
///
/// Events are numbered from 1 without gaps. The leaf of event `n` in the log's Merkle tree is its line, at index
/// `n - 1`.
pub trait AuditTrail: AuditSink {
    /// The log's name, a UUID.
    fn log(&self) -> &str;

    /// The tree over all events that are durable in the log.
    fn head(&self) -> Frontier;

    /// Tells of new events: the number of those that are durable in the log.
    fn growth(&self) -> watch::Receiver<u64>;

    /// Events that are durable elsewhere for as long as the log cannot be written.
    fn spooled(&self) -> u64;

    /// Number of the first event that is at hand; earlier ones were moved away.
    ///
    /// # Errors
    /// The operating system's.
    fn first(&self) -> io::Result<u64>;

    /// The tree over all events before number `first`.
    ///
    /// # Errors
    /// `NotFound` when they are not at hand.
    fn tree_before(&self, first: u64) -> io::Result<Frontier>;

    /// The lines of the events with these numbers, which must be durable.
    ///
    /// # Errors
    /// The operating system's; `NotFound` when they are not at hand.
    fn lines(&self, range: Range<u64>) -> io::Result<EventLines>;

    /// The events below number `below`, backwards, as far as they are at hand.
    ///
    /// # Errors
    /// The operating system's.
    fn backwards(&self, below: u64) -> io::Result<EventLinesBackwards>;

    /// Reads from event `from` on, as they come; all events before it must be durable.
    ///
    /// # Errors
    /// The operating system's; `NotFound` when the events before it are not at hand.
    fn tail(&self, from: u64) -> io::Result<Box<dyn EventTail>>;

    /// The checkpoints whose numbers are at least `from`, the oldest first.
    ///
    /// # Errors
    /// The operating system's.
    fn checkpoints(&self, from: u64) -> io::Result<Checkpoints>;

    /// The newest checkpoint.
    ///
    /// # Errors
    /// The operating system's.
    fn last_checkpoint(&self) -> io::Result<Option<Signed<Checkpoint>>>;

    /// Keeps a checkpoint, durably.
    ///
    /// # Errors
    /// The operating system's; then it is not kept.
    fn keep_checkpoint(&self, checkpoint: &Signed<Checkpoint>) -> io::Result<()>;

    /// Keeps the certificates (PEM) of the keys that sign, durably, where those look who verify.
    ///
    /// # Errors
    /// The operating system's.
    fn keep_certificates(&self, pem: &str) -> io::Result<()>;

    /// The roster that was kept last.
    ///
    /// # Errors
    /// The operating system's.
    fn roster(&self) -> io::Result<Option<String>>;

    /// Keeps a roster, durably, in place of the one before.
    ///
    /// # Errors
    /// The operating system's.
    fn keep_roster(&self, line: &str) -> io::Result<()>;

    /// The finished segments at hand that are not archived yet, the oldest first: numbers of their events.
    ///
    /// # Errors
    /// The operating system's.
    fn finished_segments(&self) -> io::Result<Vec<Range<u64>>>;

    /// Moves the finished segment that begins with event `first` into the archive, durably, after comparing the
    /// copy. Until it is whole there, it stays here.
    ///
    /// # Errors
    /// The operating system's; `Unsupported` when no archive is set.
    fn archive(&self, first: u64) -> io::Result<()>;
}
