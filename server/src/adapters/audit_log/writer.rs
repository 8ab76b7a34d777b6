//! The thread that writes, and what it knows of the disk.

use std::{
    io, iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use super::{
    MAX_PIECE_BYTES, QUEUE_EVENTS,
    disk::{Disk, Opened, SegmentDirectory},
    line::UnnumberedLine,
    published::Published,
    recovery::LogEnd,
    spool::Spool,
};
use crate::domain::merkle::{Frontier, leaf_hash};

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

/// How many events there are on their way.
#[derive(Default)]
pub(super) struct Load {
    /// Of operations that go on, those included whose event waits.
    pub(super) announced: Arc<AtomicUsize>,
    /// Given to the thread and not yet written.
    pub(super) waiting: AtomicUsize,
}

impl Load {
    /// Whether three quarters of all that is announced wait. The others make the next piece, so that the
    /// processors are not idle while the disk is busy.
    pub(super) fn is_gathered(&self) -> bool {
        let announced = self.announced.load(Ordering::Relaxed);
        self.waiting.load(Ordering::Relaxed).saturating_mul(4) >= announced.saturating_mul(3)
    }
}

/// Writes until nobody can send any more. Entries that came while a piece was being written make the next piece.
pub(super) fn run(mut ledger: Ledger<impl Disk>, mut inbox: mpsc::Receiver<Entry>, load: &Load) {
    let mut last = None;
    let mut waiting = Vec::with_capacity(QUEUE_EVENTS);
    let mut piece = Vec::new();
    let mut callers = Vec::new();
    while inbox.blocking_recv_many(&mut waiting, QUEUE_EVENTS) > 0 {
        wait_for_company(last, load);
        last = Some(Instant::now());
        waiting.extend(iter::from_fn(|| inbox.try_recv().ok()).take(QUEUE_EVENTS));
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
            load.waiting.fetch_sub(callers.len(), Ordering::Relaxed);
            for caller in callers.drain(..) {
                // A caller who no longer waits has nothing to be told.
                let _ = caller.send(result.as_ref().copied().map_err(duplicate));
            }
            piece.clear();
        }
    }
}

/// Waits while others are on their way, at most until [`SYNC_INTERVAL`] after the `last` sync began.
///
/// A sync costs about as much processor time as a dozen events, so callers share one. A lone caller is served at
/// once, and so is everyone on a disk that takes longer than the interval for a sync. Whoever makes the load
/// gathered wakes this thread.
fn wait_for_company(last: Option<Instant>, load: &Load) {
    while let Some(pause) = pause(last, Instant::now(), load) {
        thread::park_timeout(pause);
    }
}

fn pause(last: Option<Instant>, now: Instant, load: &Load) -> Option<Duration> {
    let since = now.saturating_duration_since(last?);
    (since < SYNC_INTERVAL && !load.is_gathered()).then(|| SYNC_INTERVAL.saturating_sub(since))
}

const SYNC_INTERVAL: Duration = Duration::from_millis(4);

/// The end of the log, and whether the disk agrees with it.
pub(super) struct Ledger<D> {
    disk: D,
    /// What is durable in the log.
    end: LogEnd,
    /// The Merkle tree over it.
    tree: Frontier,
    segment_bytes: u64,
    /// Whether something was written after `end` that may or may not be on disk.
    unsettled: bool,
    /// Whether that is of callers who were refused. Nothing may then go to the spool under its numbers: a start would
    /// not know which of the two counts.
    refused: bool,
    /// Takes what the log cannot take, if there is one.
    spool: Option<Spool>,
    published: Arc<Published>,
}

impl<D: Disk> Ledger<D> {
    /// Goes on where a log was opened, over its disk as `wrap` makes it. What waits in the spool is written first, if
    /// that can be done.
    pub(super) fn new(
        opened: Opened,
        wrap: impl FnOnce(SegmentDirectory) -> D,
        segment_bytes: u64,
        spool: Option<Spool>,
    ) -> Self {
        let Opened { disk, end, tree, .. } = opened;
        let published = Arc::new(Published::new(tree.clone()));
        let mut ledger = Self {
            disk: wrap(disk),
            end,
            tree,
            segment_bytes,
            unsettled: false,
            refused: false,
            spool,
            published,
        };
        if let Err(error) = ledger.drain_spool() {
            tracing::error!(%error, "the audit trail cannot take what waits in its spool yet");
        }
        ledger.publish();
        ledger
    }

    /// What readers see of the log.
    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    fn next_sequence(&self) -> u64 {
        self.end.next_sequence + self.spool.as_ref().map_or(0, Spool::events)
    }

    /// Makes `piece`, whole lines numbered from [`Ledger::next_sequence`] up to but not including `next`,
    /// durable: all of it or, on an error, nothing.
    fn append(&mut self, piece: &[u8], next: u64) -> io::Result<()> {
        let events = next - self.next_sequence();
        let written = self.drain_spool().and_then(|()| self.write(piece, next));
        let taken = match written {
            Err(error) if self.spool.is_some() => self.set_down(piece, events).map_err(|refused| {
                tracing::error!(%refused, "the audit trail cannot be written, nor its spool");
                error
            }),
            written => written,
        };
        self.publish();
        taken
    }

    /// Makes a piece that the log did not take durable in the spool.
    fn set_down(&mut self, piece: &[u8], events: u64) -> io::Result<()> {
        if self.refused {
            self.settle()?;
        }
        let spool = self.spool.as_mut().ok_or(io::ErrorKind::Unsupported)?;
        let added = spool.add(piece, events);
        // What waits in the spool is what the log was being given first.
        self.refused = added.is_err() && self.unsettled && spool.events() == 0;
        added
    }

    /// Cuts off what does not count.
    fn settle(&mut self) -> io::Result<()> {
        if self.unsettled {
            self.disk.cut(self.end.segment_length)?;
            (self.unsettled, self.refused) = (false, false);
        }
        Ok(())
    }

    /// Writes to the log what waits in the spool.
    fn drain_spool(&mut self) -> io::Result<()> {
        let Some(mut spool) = self.spool.take() else { return Ok(()) };
        let mut drained = Ok(());
        if spool.events() > 0 {
            drained = self.write(spool.waiting(), self.end.next_sequence + spool.events());
            if drained.is_ok() {
                spool.written();
            }
        }
        let settled = drained.and_then(|()| spool.settle());
        self.spool = Some(spool);
        settled
    }

    /// Writes lines to the log: all of them or, on an error, nothing that counts.
    fn write(&mut self, piece: &[u8], next: u64) -> io::Result<()> {
        self.settle()?;
        if self.end.segment_length >= self.segment_bytes {
            self.disk.begin_segment(&self.tree)?;
            self.end.segment_length = 0;
        }
        // Also when `sync` fails: what is in the file then is unknown, and asking again may answer wrongly.
        self.unsettled = true;
        self.disk.write(piece)?;
        self.disk.sync()?;
        self.unsettled = false;
        self.end.segment_length += piece.len() as u64;
        self.end.next_sequence = next;
        for line in piece.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.tree.push(leaf_hash(line));
        }
        Ok(())
    }

    fn publish(&self) {
        self.published.set(&self.tree, self.spool.as_ref().map_or(0, Spool::events));
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

    fn load(announced: usize, waiting: usize) -> Load {
        Load { announced: Arc::new(announced.into()), waiting: waiting.into() }
    }

    #[test]
    fn lone_callers_and_whole_companies_never_wait() {
        let now = Instant::now();
        for (announced, waiting) in [(0, 1), (1, 1), (16, 12), (16, 16), (3, 3)] {
            assert_eq!(pause(Some(now), now, &load(announced, waiting)), None, "{waiting} of {announced}");
        }
    }

    #[test]
    fn others_on_their_way_are_waited_for_until_the_interval_is_over() {
        let last = Instant::now();
        for (announced, waiting) in [(2, 1), (16, 11), (usize::MAX, 1)] {
            let load = load(announced, waiting);
            assert_eq!(pause(None, last, &load), None);
            assert_eq!(pause(Some(last), last, &load), Some(SYNC_INTERVAL));
            let later = last + SYNC_INTERVAL / 4;
            assert_eq!(pause(Some(last), later, &load), Some(SYNC_INTERVAL * 3 / 4));
            assert_eq!(pause(Some(last), last + SYNC_INTERVAL, &load), None);
        }
    }
}
