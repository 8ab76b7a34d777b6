//! The Merkle tree up to each segment's beginning: `tree-<first>.json` beside the segment.
//!
//! It is derived from the segments before, which may be archived; with it, a start reads the last segment only.

use std::{io, path::Path};

use kunji_shared::encoding::{decode_hex, encode_hex};
use serde::{Deserialize, Serialize};

use super::{
    notes,
    segments::{Segments, read_small},
};
use crate::domain::merkle::{Frontier, leaf_hash};

/// More than any tree's file has.
const LIMIT_BYTES: u64 = 16 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeFile {
    size: u64,
    peaks: Vec<String>,
}

fn name(first: u64) -> String {
    format!("tree-{first:020}.json")
}

/// Writes down, durably, the tree before the segment that begins behind it.
pub(super) fn write(directory: &Path, tree: &Frontier) -> io::Result<()> {
    let peaks = tree.peaks().iter().map(|peak| encode_hex(peak)).collect();
    let text = serde_json::to_string(&TreeFile { size: tree.size(), peaks })?;
    notes::replace(&directory.join(name(tree.size() + 1)), &text)
}

/// The tree of all events before `first`: as it was written down, or from the segments.
///
/// # Errors
/// `NotFound` when it was not written down and segments before are missing.
pub(super) fn before(directory: &Path, segments: &Segments, first: u64) -> io::Result<Frontier> {
    let size = first.saturating_sub(1);
    let list = segments.list()?;
    // From the nearest segment before whose tree is known.
    for segment in list.iter().rev().filter(|segment| segment.first <= first) {
        let from =
            if segment.first == 1 { Some(Frontier::default()) } else { read(directory, segment.first)? };
        if let Some(tree) = from {
            return grow(segments, tree, size);
        }
    }
    grow(segments, Frontier::default(), size)
}

/// Adds the events up to number `size`.
fn grow(segments: &Segments, mut tree: Frontier, size: u64) -> io::Result<Frontier> {
    for line in segments.lines(tree.size() + 1..size + 1)? {
        tree.push(leaf_hash(&line?));
    }
    Ok(tree)
}

fn read(directory: &Path, first: u64) -> io::Result<Option<Frontier>> {
    let Some(text) = read_small(&directory.join(name(first)), LIMIT_BYTES)? else { return Ok(None) };
    let tree = || {
        let TreeFile { size, peaks } = serde_json::from_str(&text).ok()?;
        let peaks =
            peaks.iter().map(|peak| decode_hex(peak, 32).ok()?.try_into().ok()).collect::<Option<_>>()?;
        Frontier::from_peaks(size, peaks).filter(|tree| tree.size() + 1 == first)
    };
    tree().map(Some).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is damaged; remove it to have it made anew", name(first)),
        )
    })
}
