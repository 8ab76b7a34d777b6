//! The files.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    OpenError,
    recovery::{self, Damage, LogEnd},
    segments::Segments,
    tree,
};
use crate::{
    adapters::private_directory,
    domain::merkle::{Frontier, leaf_hash},
};

/// What the writer does to the last segment. A trait so that tests can make each of it fail.
pub(super) trait Disk: Send + 'static {
    /// Appends.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the segment back to `length`, durably.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Ends the segment and begins the next one, behind all events of `tree`. May be called again after it failed.
    fn begin_segment(&mut self, tree: &Frontier) -> io::Result<()>;
}

/// The directory of the log, locked, with the last segment open.
pub(super) struct SegmentDirectory {
    directory: PathBuf,
    segment: File,
    /// Locked as long as it is open.
    _lock: File,
}

/// The log as it was found.
pub(super) struct Opened {
    pub(super) disk: SegmentDirectory,
    pub(super) end: LogEnd,
    pub(super) tree: Frontier,
    /// Number of the last segment's first event.
    pub(super) first: u64,
}

impl Opened {
    /// Cuts off event `next` and those behind it, all of which the caller has durably elsewhere.
    ///
    /// # Errors
    /// [`OpenError::Gap`] when that is before the last segment; the operating system's.
    pub(super) fn cut_back(
        &mut self,
        directory: &Path,
        segments: &Segments,
        next: u64,
    ) -> Result<(), OpenError> {
        if next >= self.end.next_sequence {
            return Ok(());
        }
        if next < self.first {
            return Err(OpenError::Gap { end: self.end.next_sequence - 1, spool: next });
        }
        let path = directory.join(segment_name(self.first));
        let mut tree = tree::before(directory, segments, self.first).map_err(at(directory))?;
        let length = grow(&path, &mut tree, next - self.first).map_err(at(&path))?;
        cut(&self.disk.segment, length).map_err(at(&path))?;
        self.end = LogEnd { next_sequence: next, segment_length: length };
        self.tree = tree;
        Ok(())
    }
}

impl SegmentDirectory {
    /// Makes the directory if it is not there, locks it, repairs the end of the log and says where that is.
    pub(super) fn open(directory: &Path, segments: &Segments) -> Result<Opened, OpenError> {
        private_directory::ensure(directory).map_err(at(directory))?;
        let lock = lock(directory)?;
        let first = last_segment(directory).map_err(at(directory))?.unwrap_or(1);
        let path = directory.join(segment_name(first));
        let segment = open_segment(&path).map_err(at(&path))?;
        let end = repair(&path, &segment, first)?;
        // The entry of a segment that is new, or that a crash kept from being synced.
        private_directory::sync(directory).map_err(at(directory))?;
        let mut tree = tree::before(directory, segments, first).map_err(at(directory))?;
        grow(&path, &mut tree, end.next_sequence - first).map_err(at(&path))?;
        let disk = Self { directory: directory.to_owned(), segment, _lock: lock };
        Ok(Opened { disk, end, tree, first })
    }
}

/// Adds the first `events` lines of a segment to the tree; says how many bytes they have.
fn grow(segment: &Path, tree: &mut Frontier, events: u64) -> io::Result<u64> {
    let (mut reader, mut length) = (BufReader::with_capacity(256 * 1024, File::open(segment)?), 0);
    let mut line = Vec::new();
    for _ in 0..events {
        line.clear();
        length += reader.read_until(b'\n', &mut line)? as u64;
        tree.push(leaf_hash(line.strip_suffix(b"\n").unwrap_or(&line)));
    }
    Ok(length)
}

impl Disk for SegmentDirectory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.segment.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.segment.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        cut(&self.segment, length)
    }

    fn begin_segment(&mut self, tree: &Frontier) -> io::Result<()> {
        tree::write(&self.directory, tree)?;
        let segment = open_segment(&self.directory.join(segment_name(tree.size() + 1)))?;
        if segment.metadata()?.len() > 0 {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a later audit segment is there already",
            ));
        }
        private_directory::sync(&self.directory)?;
        self.segment = segment;
        Ok(())
    }
}

/// Name of the segment whose first event is `first`. Names sort as the segments do.
pub(super) fn segment_name(first: u64) -> String {
    format!("{PREFIX}{first:020}{SUFFIX}")
}

/// Undoes [`segment_name`]; `None` for other files.
pub(super) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let first = digits.parse().ok()?;
    (segment_name(first) == name).then_some(first)
}

const PREFIX: &str = "events-";
const SUFFIX: &str = ".ndjson";
const OWNER_ONLY: u32 = 0o600;

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { path: path.to_owned(), source }
}

/// The lock of the directory. The system takes it back when the process ends, however that happens.
pub(super) fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(OWNER_ONLY)
        .open(&path)
        .map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

fn last_segment(directory: &Path) -> io::Result<Option<u64>> {
    let mut last = None;
    for entry in fs::read_dir(directory)? {
        last = last.max(entry?.file_name().to_str().and_then(segment_first));
    }
    Ok(last)
}

fn open_segment(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(OWNER_ONLY).open(path)
}

/// Finds the end of the log in its last segment, sets aside what a crash left behind it, and makes the rest
/// durable: a crash of the process alone leaves whole lines that were never synced.
fn repair(path: &Path, segment: &File, first: u64) -> Result<LogEnd, OpenError> {
    let (tail, offset) = read_tail(segment).map_err(at(path))?;
    let end = recovery::find_end(&tail, offset, first)
        .map_err(|Damage { offset }| OpenError::Damaged { segment: path.to_owned(), offset })?;
    let kept = usize::try_from(end.segment_length - offset).unwrap_or(usize::MAX);
    match tail.get(kept..) {
        Some(unfinished) if !unfinished.is_empty() => {
            set_aside(path, end.segment_length, unfinished).map_err(at(path))?;
            cut(segment, end.segment_length)
        }
        _ => segment.sync_all(),
    }
    .map_err(at(path))?;
    Ok(end)
}

/// The last bytes of the segment, and where they begin.
fn read_tail(mut segment: &File) -> io::Result<(Vec<u8>, u64)> {
    let offset = segment.metadata()?.len().saturating_sub(recovery::WINDOW_BYTES);
    segment.seek(SeekFrom::Start(offset))?;
    let mut tail = Vec::new();
    segment.take(recovery::WINDOW_BYTES).read_to_end(&mut tail)?;
    Ok((tail, offset))
}

/// Keeps, durably and under a name not taken, what is about to be cut off.
pub(super) fn set_aside(file: &Path, offset: u64, unfinished: &[u8]) -> io::Result<()> {
    let mut attempt = 0_u32;
    let mut aside = loop {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{offset}-{attempt}.torn"));
        match OpenOptions::new().create_new(true).write(true).mode(OWNER_ONLY).open(PathBuf::from(name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            opened => break opened?,
        }
    };
    aside.write_all(unfinished)?;
    aside.sync_all()?;
    file.parent().map_or(Ok(()), private_directory::sync)
}

fn cut(segment: &File, length: u64) -> io::Result<()> {
    segment.set_len(length)?;
    segment.sync_all()
}
