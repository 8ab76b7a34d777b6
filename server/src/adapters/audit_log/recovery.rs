//! Where the log ends, told from the last bytes of its last segment.

use super::{MAX_PIECE_BYTES, line};
use crate::domain::audit::export::sequence_of;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// Number of the next event.
    pub(super) next_sequence: u64,
    /// Length of the last segment in bytes, all of it whole lines.
    pub(super) segment_length: u64,
}

/// From `offset` of the segment on there are more senseless bytes than a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) offset: u64,
}

/// How much of a segment's end [`find_end`] needs to see.
pub(super) const WINDOW_BYTES: u64 = 2 * MAX_UNFINISHED_BYTES as u64;

/// The most that was being written when a crash came: one piece.
const MAX_UNFINISHED_BYTES: usize = MAX_PIECE_BYTES + line::MAX_LINE_BYTES;

/// Finds the end of the log.
///
/// `tail` is the segment's last [`WINDOW_BYTES`] (or all of it), which begin at `offset`; `first` is the number
/// of the segment's first event. Whole lines in sequence count; whatever comes after them was being written
/// when a crash came. Its parts may have reached the disk in any order, so nothing behind a gap counts.
///
/// # Errors
/// [`Damage`] when no crash can have left this.
pub(super) fn find_end(tail: &[u8], offset: u64, first: u64) -> Result<LogEnd, Damage> {
    let mut expected = (offset == 0).then_some(first);
    let mut rest = tail;
    if offset > 0 {
        // The window begins somewhere in a line.
        rest = split_line(tail).map_or(tail, |(_, rest)| rest);
    }
    while let Some((line, behind)) = split_line(rest) {
        let next = sequence_of(line)
            .filter(|sequence| expected.map_or(*sequence >= first, |expected| *sequence == expected))
            .and_then(|sequence| sequence.checked_add(1));
        if next.is_none() {
            break;
        }
        (expected, rest) = (next, behind);
    }
    let end = offset + (tail.len() - rest.len()) as u64;
    match expected {
        Some(next_sequence) if rest.len() <= MAX_UNFINISHED_BYTES => {
            Ok(LogEnd { next_sequence, segment_length: end })
        }
        _ => Err(Damage { offset: end }),
    }
}

/// The first line, without its end, and what follows; `None` when no line ends.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, rest.split_first()?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(sequences: std::ops::Range<u64>) -> Vec<u8> {
        sequences
            .flat_map(|n| format!("{{\"sequence\":{n},\"outcome\":\"succeeded\"}}\n").into_bytes())
            .collect()
    }

    fn end(next_sequence: u64, segment_length: usize) -> LogEnd {
        LogEnd { next_sequence, segment_length: segment_length as u64 }
    }

    #[test]
    fn empty_segment_begins_with_its_first_event() {
        assert_eq!(find_end(b"", 0, 1), Ok(end(1, 0)));
        assert_eq!(find_end(b"", 0, 500), Ok(end(500, 0)));
    }

    #[test]
    fn whole_lines_count_to_the_last_byte() {
        let log = lines(8..12);
        assert_eq!(find_end(&log, 0, 8), Ok(end(12, log.len())));
    }

    #[test]
    fn line_cut_anywhere_does_not_count() {
        let (whole, log) = (lines(1..3), lines(1..4));
        for length in whole.len()..log.len() {
            assert_eq!(find_end(&log[..length], 0, 1), Ok(end(3, whole.len())));
        }
    }

    #[test]
    fn nothing_behind_a_gap_counts() {
        let whole = lines(1..3);
        for unfinished in
            [vec![0; 5000], lines(4..6), lines(2..4), lines(1..2), [&b"\n"[..], &lines(3..5)].concat()]
        {
            assert_eq!(find_end(&[&whole[..], &unfinished].concat(), 0, 1), Ok(end(3, whole.len())));
        }
        let mut holed = lines(1..6);
        holed[whole.len() + 4..whole.len() + 20].fill(0);
        assert_eq!(find_end(&holed, 0, 1), Ok(end(3, whole.len())));
    }

    #[test]
    fn first_line_must_be_the_one_that_the_name_says() {
        assert_eq!(find_end(&lines(2..4), 0, 1), Ok(end(1, 0)));
    }

    #[test]
    fn window_into_a_long_segment_finds_the_same_end() {
        let log = lines(1..200);
        for begin in 1..100 {
            assert_eq!(find_end(&log[begin..], begin as u64, 1), Ok(end(200, log.len())));
        }
        assert_eq!(find_end(&[&log[50..], b"{\"sequ"].concat(), 50, 1), Ok(end(200, log.len())));
    }

    #[test]
    fn more_than_one_piece_of_nonsense_is_damage() {
        let whole = lines(1..3);
        let nonsense = |length| [&whole[..], &vec![0; length]].concat();
        assert_eq!(find_end(&nonsense(MAX_UNFINISHED_BYTES), 0, 1), Ok(end(3, whole.len())));
        let damage = Err(Damage { offset: whole.len() as u64 });
        assert_eq!(find_end(&nonsense(MAX_UNFINISHED_BYTES + 1), 0, 1), damage);
        assert_eq!(find_end(&vec![0; 4096], 8192, 1), Err(Damage { offset: 8192 }));
        assert_eq!(find_end(b"half\n{\"sequence\":oops}\n", 10, 1), Err(Damage { offset: 15 }));
    }
}
