//! The thread that writes, and what it knows of the disk.

use std::{
    io, iter, thread,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{MAX_PIECE_BYTES, QUEUE_EVENTS, disk::Disk, line::UnnumberedLine, recovery::LogEnd};

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
    let mut pace = Pace::default();
    let mut waiting = Vec::with_capacity(QUEUE_EVENTS);
    let mut piece = Vec::new();
    let mut callers = Vec::new();
    while inbox.blocking_recv_many(&mut waiting, QUEUE_EVENTS) > 0 {
        let pause = pace.pause(Instant::now(), waiting.len());
        if !pause.is_zero() {
            thread::park_timeout(pause);
            waiting.extend(iter::from_fn(|| inbox.try_recv().ok()).take(QUEUE_EVENTS));
        }
        pace.begin(Instant::now(), waiting.len());
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

/// How often the disk is asked.
///
/// A sync costs about as much processor time as a dozen events. A lone caller is served at once; when several
/// come, syncs begin at least [`SYNC_INTERVAL`] apart, so that they share them. A disk that takes longer than
/// that for a sync is never waited for.
#[derive(Default)]
struct Pace {
    last: Option<(Instant, usize)>,
}

impl Pace {
    /// How long to wait for company, when `waiting` events wait at `now`.
    fn pause(&self, now: Instant, waiting: usize) -> Duration {
        match self.last {
            Some((began, events)) if events > 1 || waiting > 1 => {
                SYNC_INTERVAL.saturating_sub(now.saturating_duration_since(began))
            }
            _ => Duration::ZERO,
        }
    }

    /// `events` events are being written from `now` on.
    fn begin(&mut self, now: Instant, events: usize) {
        self.last = Some((now, events));
    }
}

const SYNC_INTERVAL: Duration = Duration::from_millis(1);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_caller_never_waits() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.pause(now, 1), Duration::ZERO);
        pace.begin(now, 1);
        assert_eq!(pace.pause(now, 1), Duration::ZERO);
    }

    #[test]
    fn several_callers_wait_until_the_interval_is_over() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.pause(now, 5), Duration::ZERO);
        for (before, waiting) in [(1, 2), (2, 1), (9, 9)] {
            pace.begin(now, before);
            assert_eq!(pace.pause(now, waiting), SYNC_INTERVAL);
            assert_eq!(pace.pause(now + SYNC_INTERVAL / 4, waiting), SYNC_INTERVAL * 3 / 4);
            assert_eq!(pace.pause(now + SYNC_INTERVAL * 2, waiting), Duration::ZERO);
        }
    }
}
