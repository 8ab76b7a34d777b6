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
    /// Whether the file still has lines that are in the log by now.
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

    /// Whole lines in sequence count; what follows them was being written when a crash came.
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

    /// Number of the first event that waits.
    pub(super) fn first(&self) -> Option<u64> {
        sequence_of(self.waiting.split(|byte| *byte == b'\n').next()?)
    }

    /// Notes that the log has what waited.
    pub(super) fn written(&mut self) {
        tracing::warn!(
            events = self.events,
            "the audit trail can be written again: it has what waited in the spool"
        );
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
        let length = self.waiting.len() as u64;
        // What an earlier attempt may have left.
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(piece)?;
        self.file.sync_data()?;
        if self.events == 0 {
            tracing::error!(path = %self.path.display(), "the audit trail cannot be written: events wait in the spool");
        }
        self.waiting.extend_from_slice(piece);
        self.events += events;
        Ok(())
    }

    /// Takes out of the file what is in the log. Until that is done nothing may be added to either: a start would
    /// take the file for what the log has not.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        if self.stale {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.sync_data()?;
            self.stale = false;
        }
        Ok(())
    }
}
