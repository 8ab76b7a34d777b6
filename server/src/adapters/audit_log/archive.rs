//! Moves finished segments to where they are kept for long.

use std::{
    fs::{self, File},
    io::{self, Read},
    ops::Range,
    path::Path,
};

use super::disk::{segment_first, segment_name};
use crate::adapters::private_directory;

/// The segments before the one being written: numbers of their events.
pub(super) fn finished(directory: &Path) -> io::Result<Vec<Range<u64>>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(directory)? {
        firsts.extend(entry?.file_name().to_str().and_then(segment_first));
    }
    firsts.sort_unstable();
    Ok(firsts.iter().zip(firsts.iter().skip(1)).map(|(first, next)| *first..*next).collect())
}

/// Copies the segment, durably, compares the copy, and only then removes the original. Whatever stops this in
/// between leaves at least one whole segment.
pub(super) fn move_segment(directory: &Path, archive: &Path, first: u64) -> io::Result<()> {
    private_directory::ensure(archive)?;
    let name = segment_name(first);
    let (from, to) = (directory.join(&name), archive.join(&name));
    let temporary = archive.join(format!("{name}.part"));
    fs::copy(&from, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    if !same_content(&from, &temporary)? {
        return Err(io::Error::other("the copy of an audit segment differs from it"));
    }
    fs::rename(&temporary, &to)?;
    private_directory::sync(archive)?;
    fs::remove_file(&from)?;
    private_directory::sync(directory)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    const PIECE_BYTES: u64 = 1 << 20;
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    loop {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        Read::by_ref(&mut one).take(PIECE_BYTES).read_to_end(&mut left)?;
        Read::by_ref(&mut other).take(PIECE_BYTES).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}
