//! The thread that writes, and what it knows of the disk.

use std::io;

use tokio::sync::{mpsc, oneshot};

use super::{MAX_PIECE_BYTES, disk::Disk, line::UnnumberedLine, recovery::LogEnd};

/// An event on its way to the disk, and who waits for it.
pub(super) struct Entry {
    line: UnnumberedLine,
    durable: oneshot::Sender<io::Result<()>>,
}

impl Entry {
    /// The entry, and what tells when it is durable.
    pub(super) fn new(line: UnnumberedLine) -> (Self, oneshot::Receiver<io::Result<()>>) {
        let (durable, receiver) = oneshot::channel();
        (Self { line, durable }, receiver)
    }
}

/// Writes until nobody can send any more. Entries that came while a piece was being written make the next piece.
pub(super) fn run(mut ledger: Ledger<impl Disk>, mut inbox: mpsc::Receiver<Entry>) {
    let mut waiting = Vec::with_capacity(super::QUEUE_EVENTS);
    let mut piece = Vec::new();
    let mut callers = Vec::new();
    while inbox.blocking_recv_many(&mut waiting, super::QUEUE_EVENTS) > 0 {
        let mut entries = waiting.drain(..).peekable();
        while entries.peek().is_some() {
            let mut sequence = ledger.next_sequence();
            while piece.len() < MAX_PIECE_BYTES {
                let Some(entry) = entries.next() else { break };
                entry.line.write(sequence, &mut piece);
                callers.push(entry.durable);
                sequence += 1;
            }
            let result = ledger.append(&piece, sequence);
            for caller in callers.drain(..) {
                // A caller who no longer waits has nothing to be told.
                let _ = caller.send(result.as_ref().copied().map_err(duplicate));
            }
            piece.clear();
        }
    }
}

/// The end of the log, and whether the disk agrees with it.
pub(super) struct Ledger<D> {
    disk: D,
    /// What is durable.
    end: LogEnd,
    segment_bytes: u64,
    /// Whether something was written after `end` that may or may not be on disk.
    unsettled: bool,
}

impl<D: Disk> Ledger<D> {
    /// `end` is where `disk` stands, all of it durable.
    pub(super) const fn new(disk: D, end: LogEnd, segment_bytes: u64) -> Self {
        Self { disk, end, segment_bytes, unsettled: false }
    }

    fn next_sequence(&self) -> u64 {
        self.end.next_sequence
    }

    /// Makes `piece`, whole lines numbered from [`Ledger::next_sequence`] up to but not including `next`,
    /// durable: all of it or, on an error, nothing.
    fn append(&mut self, piece: &[u8], next: u64) -> io::Result<()> {
        if self.unsettled {
            self.disk.cut(self.end.segment_length)?;
            self.unsettled = false;
        }
        if self.end.segment_length >= self.segment_bytes {
            self.disk.begin_segment(self.end.next_sequence)?;
            self.end.segment_length = 0;
        }
        // Also when `sync` fails: what is in the file then is unknown, and asking again may answer wrongly.
        self.unsettled = true;
        self.disk.write(piece)?;
        self.disk.sync()?;
        self.unsettled = false;
        self.end.segment_length += piece.len() as u64;
        self.end.next_sequence = next;
        Ok(())
    }
}

/// One failure for several callers.
fn duplicate(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}
