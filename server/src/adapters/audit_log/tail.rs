//! Reading the log forwards as it grows: each line once.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom},
    path::PathBuf,
};

use super::segments::{Segments, missing};
use crate::ports::audit_trail::EventTail;

/// Read at once, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// [`EventTail`] over segments.
///
/// Keeps no file open, and nothing that was read beyond its last line: behind what is durable a segment may be cut
/// and written anew.
pub(super) struct Tail {
    segments: Segments,
    next: u64,
    /// Where the next event begins, if it is in that segment.
    place: Option<Place>,
}

struct Place {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    /// Begins with event `next`; all events before it must be durable.
    pub(super) fn new(segments: Segments, next: u64) -> io::Result<Self> {
        let mut tail = Self { segments, next, place: None };
        tail.place = Some(tail.find()?);
        Ok(tail)
    }

    /// Looks for the next event, or for the end behind which it will be.
    fn find(&self) -> io::Result<Place> {
        let segment = self.segments.list()?.into_iter().rfind(|segment| segment.first <= self.next);
        let segment = segment.ok_or_else(missing)?;
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&segment.path)?);
        let mut offset = 0;
        for _ in segment.first..self.next {
            match reader.skip_until(b'\n')? as u64 {
                0 => return Err(missing()),
                length => offset += length,
            }
        }
        Ok(Place { path: segment.path, offset })
    }

    /// Takes lines of one segment from where it stands, until there are enough of them or it ends.
    fn take(
        &mut self,
        place: &mut Place,
        end: u64,
        bytes: usize,
        lines: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, File::open(&place.path)?);
        reader.seek(SeekFrom::Start(place.offset))?;
        let mut taken = 0;
        while self.next < end && taken < bytes {
            let mut line = Vec::new();
            let length = reader.read_until(b'\n', &mut line)?;
            if line.pop() != Some(b'\n') {
                break;
            }
            place.offset += length as u64;
            self.next += 1;
            taken += length;
            lines.push(line);
        }
        Ok(())
    }
}

impl EventTail for Tail {
    fn next(&self) -> u64 {
        self.next
    }

    fn read(&mut self, end: u64, bytes: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        if self.next >= end {
            return Ok(lines);
        }
        if let Some(mut place) = self.place.take() {
            match self.take(&mut place, end, bytes, &mut lines) {
                Ok(()) => self.place = (!lines.is_empty()).then_some(place),
                // It was archived.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if lines.is_empty() {
            // In the next segment, or where the segment is now.
            let mut place = self.find()?;
            self.take(&mut place, end, bytes, &mut lines)?;
            self.place = Some(place);
        }
        if lines.is_empty() { Err(missing()) } else { Ok(lines) }
    }
}
