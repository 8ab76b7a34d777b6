//! Which segments there are, and reading them. Everything here blocks.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    ops::Range,
    path::{Path, PathBuf},
};

use super::disk::segment_first;

/// Read at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// The segments in the log's directory, and those that were archived.
#[derive(Clone)]
pub(super) struct Segments {
    directory: PathBuf,
    archive: Option<PathBuf>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Number of its first event.
    pub(super) first: u64,
    pub(super) path: PathBuf,
}

impl Segments {
    pub(super) fn new(directory: &Path, archive: Option<PathBuf>) -> Self {
        Self { directory: directory.to_owned(), archive }
    }

    /// All, the oldest first. One that is in both places counts once: archiving was interrupted.
    pub(super) fn list(&self) -> io::Result<Vec<Segment>> {
        let mut segments = list(&self.directory)?;
        if let Some(archive) = self.archive.as_deref().filter(|archive| archive.is_dir()) {
            segments.extend(list(archive)?);
        }
        segments.sort_by_key(|segment| segment.first);
        segments.dedup_by_key(|segment| segment.first);
        Ok(segments)
    }

    /// Lines of the events with these numbers, in order.
    pub(super) fn lines(&self, range: Range<u64>) -> io::Result<Lines> {
        let segments = self.list()?;
        let begin = segments.partition_point(|segment| segment.first <= range.start).saturating_sub(1);
        let mut segments: Vec<_> = segments.into_iter().skip(begin).collect();
        segments.reverse();
        Ok(Lines { segments, reader: None, next: range.start, end: range.end })
    }

    /// Numbers and lines of the events below `below`, backwards. Holds one segment at a time.
    pub(super) fn backwards(&self, below: u64) -> io::Result<Backwards> {
        let mut segments = self.list()?;
        segments.retain(|segment| segment.first < below);
        Ok(Backwards { segments, text: Vec::new(), next: below })
    }
}

fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(first) = entry.file_name().to_str().and_then(segment_first) {
            segments.push(Segment { first, path: entry.path() });
        }
    }
    Ok(segments)
}

/// Lines forwards.
pub(super) struct Lines {
    /// Those to come, the last one first.
    segments: Vec<Segment>,
    reader: Option<BufReader<File>>,
    next: u64,
    end: u64,
}

impl Lines {
    fn read(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(reader) = &mut self.reader {
                let mut line = Vec::new();
                reader.read_until(b'\n', &mut line)?;
                if line.pop() == Some(b'\n') {
                    self.next += 1;
                    return Ok(line);
                }
                self.reader = None;
            }
            self.open_next()?;
        }
    }

    /// Opens the segment with the next event, at that event.
    fn open_next(&mut self) -> io::Result<()> {
        let segment = self.segments.pop().filter(|segment| segment.first <= self.next).ok_or_else(missing)?;
        // The one being written may be followed by none although the event was said to be there.
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(segment.path)?);
        for _ in segment.first..self.next {
            if reader.skip_until(b'\n')? == 0 {
                return Err(missing());
            }
        }
        self.reader = Some(reader);
        Ok(())
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let line = self.read();
        if line.is_err() {
            self.next = self.end;
        }
        Some(line)
    }
}

/// Lines backwards.
pub(super) struct Backwards {
    /// Those to come, the first one first.
    segments: Vec<Segment>,
    /// What is left of the segment at hand: whole lines.
    text: Vec<u8>,
    /// Number of the event after the next one.
    next: u64,
}

impl Backwards {
    /// Reads the lines of the segment before, as far as they are wanted. `false` when there is none.
    fn load(&mut self) -> io::Result<bool> {
        let Some(segment) = self.segments.pop() else { return Ok(false) };
        self.text.clear();
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(segment.path)?);
        for _ in segment.first..self.next {
            if reader.read_until(b'\n', &mut self.text)? == 0 {
                return Err(missing());
            }
        }
        Ok(true)
    }

    fn read(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        while self.text.is_empty() {
            if !self.load()? {
                return Ok(None);
            }
        }
        self.text.pop();
        let begin = self.text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.next = self.next.saturating_sub(1);
        Ok(Some((self.next, self.text.split_off(begin))))
    }
}

impl Iterator for Backwards {
    type Item = io::Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.read();
        if line.is_err() {
            self.segments.clear();
            self.text.clear();
        }
        line.transpose()
    }
}

/// Reads a small file; `None` when there is none.
pub(super) fn read_small(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// What tells of events that are not at hand.
pub(super) fn missing() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "events are not in the audit trail's directory: were they moved away?",
    )
}
