//! What a start finds: whether the log and what waits in its spool belong together, and are what was signed. Nothing
//! is cut off before both are known.
//!
//! While the spool has events, the log has none behind them (`writer`), and none that differ: what a failing disk took
//! of them before a crash is the same lines. So lines that differ are of another log or another time, and a spool
//! behind whose last event the log goes on is an older copy, of which the log has every line.

use std::{io, path::Path};

use kunji_shared::encoding::encode_hex;

use super::{
    OpenError,
    disk::{self, Opened},
    segments::Segments,
    spool::Spool,
    tree,
};
use crate::domain::{audit::statement::Checkpoint, merkle::leaf_hash};

/// Compares the lines whose numbers log and spool both have, and whether the spool follows without a gap.
///
/// # Errors
/// [`OpenError::Contradiction`], [`OpenError::Gap`], or the operating system's.
pub(super) fn check_spool(
    directory: &Path,
    segments: &Segments,
    opened: &Opened,
    spool: &Spool,
) -> Result<(), OpenError> {
    let Some(first) = spool.first() else { return Ok(()) };
    let next = opened.end.next_sequence;
    let gap = || OpenError::Gap { end: next.saturating_sub(1), spool: first };
    if first > next {
        return Err(gap());
    }
    let both = first..next.min(first.saturating_add(spool.events()));
    let lines = segments.lines(both).map_err(disk::at(directory))?;
    for (line, (event, spooled)) in lines.zip(spool.lines()) {
        match line {
            Ok(line) if line == spooled => {}
            Ok(_) => return Err(OpenError::Contradiction { event, spool: spool.path().to_owned() }),
            // The log has it no more, so that nothing can be compared.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gap()),
            Err(error) => return Err(disk::at(directory)(error)),
        }
    }
    Ok(())
}

/// Whether log and spool together, which [`check_spool`] has found to agree, are what was signed last. Only the part
/// since the last segment began must be at hand: the rest is for those who verify.
///
/// # Errors
/// [`OpenError::Differs`], [`OpenError::Shortened`], or the operating system's.
pub(super) fn check_signed(
    directory: &Path,
    segments: &Segments,
    opened: &Opened,
    spool: Option<&Spool>,
    id: &str,
    signed: &Checkpoint,
) -> Result<(), OpenError> {
    let differs = || OpenError::Differs { size: signed.size, time: signed.time.clone() };
    if signed.log != id {
        return Err(differs());
    }
    let end = opened.tree.size();
    let tree = if signed.size < end {
        let first = signed.size + 1;
        match tree::before(directory, segments, first) {
            // It is archived elsewhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound && first < opened.first => return Ok(()),
            tree => tree.map_err(disk::at(directory))?,
        }
    } else {
        let mut tree = opened.tree.clone();
        let waiting = spool.into_iter().flat_map(Spool::lines);
        for (_, line) in waiting.filter(|(number, _)| (end + 1..=signed.size).contains(number)) {
            tree.push(leaf_hash(line));
        }
        tree
    };
    if tree.size() < signed.size {
        let (end, size, time) = (tree.size(), signed.size, signed.time.clone());
        return Err(OpenError::Shortened { end, size, time });
    }
    if encode_hex(&tree.root()) == signed.root { Ok(()) } else { Err(differs()) }
}

/// Makes the log end where its spool begins, so that what waits there is written again: what the log has of it may
/// be in the system's memory alone, for all that a failed `fdatasync` says. An older copy of a spool is forgotten
/// instead.
///
/// # Errors
/// [`OpenError::Gap`] or the operating system's.
pub(super) fn join(
    directory: &Path,
    segments: &Segments,
    opened: &mut Opened,
    spool: &mut Spool,
) -> Result<(), OpenError> {
    let Some(first) = spool.first() else { return Ok(()) };
    if first.saturating_add(spool.events()) < opened.end.next_sequence {
        spool.forget();
        return Ok(());
    }
    opened.cut_back(directory, segments, first)
}
