//! Where events wait, durably and in order, for as long as the log cannot be written: `audit-spool.ndjson` in a
//! directory that should be on another disk. Bounded.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{OpenError, disk};
use crate::{adapters::private_directory, domain::audit::export::sequence_of};

/// The spool, and what waits in it.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    /// The same lines as in the file.
    waiting: Vec<u8>,
    events: u64,
    /// Whether the file may have more than that: lines that are in the log by now, or whose callers were refused.
    stale: bool,
    limit: usize,
    _lock: File,
}

impl Spool {
    /// Opens the spool in `directory`, with the events that an earlier process left in it.
    pub(super) fn open(directory: &Path, limit_bytes: u64) -> Result<Self, OpenError> {
        private_directory::ensure(directory).map_err(disk::at(directory))?;
        let lock = disk::lock(directory)?;
        let path = directory.join("audit-spool.ndjson");
        let (file, waiting, events) = Self::read(&path).map_err(disk::at(&path))?;
        private_directory::sync(directory).map_err(disk::at(directory))?;
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        Ok(Self { path, file, waiting, events, stale: false, limit, _lock: lock })
    }

    /// Whole lines in sequence count; what follows them was being written when a crash came, and is set aside.
    fn read(path: &Path) -> io::Result<(File, Vec<u8>, u64)> {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
        let mut waiting = Vec::new();
        file.read_to_end(&mut waiting)?;
        let (mut whole, mut events, mut expected) = (0, 0, None);
        for line in waiting.split_inclusive(|byte| *byte == b'\n') {
            let Some(sequence) = line.strip_suffix(b"\n").and_then(sequence_of) else { break };
            if expected.is_some_and(|expected| expected != sequence) {
                break;
            }
            expected = sequence.checked_add(1);
            events += 1;
            whole += line.len();
        }
        match waiting.get(whole..) {
            Some(unfinished) if !unfinished.is_empty() => disk::set_aside(path, whole as u64, unfinished)?,
            _ => {}
        }
        waiting.truncate(whole);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_all()?;
        Ok((file, waiting, events))
    }

    /// Events that wait.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// The lines that wait.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.waiting
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Numbers and lines, without their ends, of the events that wait.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let lines = self.waiting.split_inclusive(|byte| *byte == b'\n');
        lines.filter_map(|line| line.strip_suffix(b"\n")).filter_map(|line| Some((sequence_of(line)?, line)))
    }

    /// Number of the first event that waits.
    pub(super) fn first(&self) -> Option<u64> {
        self.lines().next().map(|(number, _)| number)
    }

    /// Notes that the log has what waited.
    pub(super) fn written(&mut self) {
        tracing::warn!(
            events = self.events,
            "the audit trail can be written again: it has what waited in the spool"
        );
        self.clear();
    }

    /// Notes that a start found every line in the log, and later events behind them.
    pub(super) fn forget(&mut self) {
        tracing::warn!(
            events = self.events,
            path = %self.path.display(),
            "the spool of the audit trail is an older copy: the log has all of it"
        );
        self.clear();
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.events = 0;
        self.stale = true;
    }

    /// Makes whole lines durable here: all of them or, on an error, none.
    pub(super) fn add(&mut self, piece: &[u8], events: u64) -> io::Result<()> {
        if self.waiting.len().saturating_add(piece.len()) > self.limit {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the spool of the audit trail is full"));
        }
        self.settle()?;
        // Until it is known to be whole and durable.
        self.stale = true;
        self.file.write_all(piece)?;
        self.file.sync_data()?;
        self.stale = false;
        if self.events == 0 {
            tracing::error!(path = %self.path.display(), "the audit trail cannot be written: events wait in the spool");
        }
        self.waiting.extend_from_slice(piece);
        self.events += events;
        Ok(())
    }

    /// Takes out of the file what does not wait. Until that is done nothing may be added to it or to the log: a start
    /// would take the file for what the log has not.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.stale {
            self.file.set_len(self.waiting.len() as u64)?;
            self.file.seek(SeekFrom::End(0))?;
            self.file.sync_data()?;
            self.stale = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"{\"sequence\":1}\n";

    #[test]
    fn what_a_failed_attempt_left_is_taken_out_before_anything_else_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(directory.path(), 1 << 20).unwrap();
        let path = spool.path().to_owned();
        let writable = std::mem::replace(&mut spool.file, File::open(&path).unwrap());
        assert!(spool.add(LINE, 1).is_err());
        // For all that is known, it is in the file.
        std::fs::write(&path, LINE).unwrap();
        assert!(spool.settle().is_err());
        spool.file = writable;
        spool.settle().unwrap();
        assert_eq!((spool.events(), std::fs::read(&path).unwrap()), (0, Vec::new()));
        spool.add(LINE, 1).unwrap();
        assert_eq!((spool.first(), std::fs::read(&path).unwrap()), (Some(1), LINE.to_vec()));
    }

    #[test]
    fn what_makes_no_sense_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit-spool.ndjson");
        let behind = b"{\"sequence\":7}\n{\"seq";
        std::fs::write(&path, [LINE, behind].concat()).unwrap();
        let spool = Spool::open(directory.path(), 1 << 20).unwrap();
        assert_eq!((spool.events(), std::fs::read(&path).unwrap()), (1, LINE.to_vec()));
        let aside = directory.path().join(format!("audit-spool.ndjson.{}-0.torn", LINE.len()));
        assert_eq!(std::fs::read(aside).unwrap(), behind);
    }
}
