//! The small files beside the segments: the log's name, its checkpoints, the roster.
//!
//! ```text
//! log-id               the log's name, a UUID
//! checkpoints.ndjson   signed checkpoints, one a line, only appended to
//! roster.json          the newest roster that this server has seen, signed
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write as _},
    iter,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::segments::read_small;
use crate::{
    adapters::private_directory,
    domain::audit::statement::{Checkpoint, Signed, is_log_id},
    ports::audit_trail::Checkpoints,
};

const OWNER_ONLY: u32 = 0o600;
/// More than a log's name takes.
const ID_LIMIT_BYTES: u64 = 64;
/// More than any roster takes.
const ROSTER_LIMIT_BYTES: u64 = 16 << 20;
/// More than any checkpoint takes.
const CHECKPOINT_LIMIT_BYTES: u64 = 8 * 1024;

/// The small files.
pub(super) struct Notes {
    directory: PathBuf,
}

impl Notes {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The log's name, given to it when it is asked for first.
    pub(super) fn log_id(&self) -> io::Result<String> {
        let path = self.directory.join("log-id");
        if let Some(text) = read_small(&path, ID_LIMIT_BYTES)? {
            let id = text.trim_end();
            return if is_log_id(id) {
                Ok(id.to_owned())
            } else {
                Err(io::Error::new(io::ErrorKind::InvalidData, "log-id is damaged"))
            };
        }
        let id = Uuid::new_v4().to_string();
        replace(&path, &format!("{id}\n"))?;
        Ok(id)
    }

    /// The checkpoints whose numbers are at least `from`, the oldest first.
    pub(super) fn checkpoints(&self, from: u64) -> io::Result<Checkpoints> {
        let file = match File::open(self.checkpoints_path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Box::new(iter::empty())),
            opened => opened?,
        };
        let lines = BufReader::new(file).lines();
        // An unfinished line is what a crash left; it was never given out.
        let checkpoints = lines.map_while(|line| match line {
            Ok(line) => Signed::<Checkpoint>::from_line(line.as_bytes()).map(Ok),
            Err(error) => Some(Err(error)),
        });
        Ok(Box::new(checkpoints.filter(move |checkpoint| {
            checkpoint.as_ref().map_or(true, |checkpoint| checkpoint.statement.number >= from)
        })))
    }

    /// The newest checkpoint. Cuts off what a crash left of another.
    pub(super) fn last_checkpoint(&self) -> io::Result<Option<Signed<Checkpoint>>> {
        let path = self.checkpoints_path();
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        let offset = length.saturating_sub(2 * CHECKPOINT_LIMIT_BYTES);
        file.seek(SeekFrom::Start(offset))?;
        let mut tail = Vec::new();
        Read::by_ref(&mut file).take(2 * CHECKPOINT_LIMIT_BYTES).read_to_end(&mut tail)?;
        let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if end < tail.len() {
            file.set_len(offset + end as u64)?;
            file.sync_all()?;
        }
        let Some(lines) = tail.get(..end.saturating_sub(1)).filter(|lines| !lines.is_empty()) else {
            return Ok(None);
        };
        let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        Signed::from_line(last).map(Some).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "the last line of checkpoints.ndjson is no checkpoint")
        })
    }

    /// Appends a checkpoint, durably.
    pub(super) fn append_checkpoint(&self, checkpoint: &Signed<Checkpoint>) -> io::Result<()> {
        // Cuts off what an earlier attempt may have left.
        self.last_checkpoint()?;
        let path = self.checkpoints_path();
        let is_new = !path.exists();
        let mut file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
        let length = file.metadata()?.len();
        let line = format!("{}\n", checkpoint.to_line());
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        if written.is_err() {
            // Best effort: the next attempt cuts what is left of it.
            let _ = file.set_len(length);
        } else if is_new {
            private_directory::sync(&self.directory)?;
        }
        written
    }

    /// The roster that was kept last.
    pub(super) fn roster(&self) -> io::Result<Option<String>> {
        read_small(&self.directory.join("roster.json"), ROSTER_LIMIT_BYTES)
    }

    /// Keeps a roster in place of the last one, durably.
    pub(super) fn keep_roster(&self, line: &str) -> io::Result<()> {
        replace(&self.directory.join("roster.json"), line)
    }

    fn checkpoints_path(&self) -> PathBuf {
        self.directory.join("checkpoints.ndjson")
    }
}

/// Writes a file, or what is to stand in its place, whole and durably or not at all.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(OWNER_ONLY).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), private_directory::sync)
}
