//! The form in which a log leaves its server, for whoever wants to verify it elsewhere.
//!
//! NDJSON, each line ended by `\n`. One section for each log:
//!
//! ```text
//! {"export":{"version":1,"log":…,"server":…,"first":1,"frontier":[],"last":2400,"checkpoint":17}}
//! {"roster":{…},"signature":…}
//! {"sequence":1,"time":…,"operation":…,…,"leaf":…}      each event, as it stands in the log, and its hash
//! {"checkpoint":{…},"signature":…}                      between them, where it was made
//! {"checkpoint":{…},"signature":…}                      the last line: it covers the last event
//! ```
//!
//! `leaf` is `SHA-256(0x00 ‖ line)` of the line without this member, base64url. It proves nothing by itself; it tells
//! which entry was changed, when the root says that one was. `frontier` are the roots of the complete subtrees
//! over what comes before `first`, hexadecimal: empty when the log is there from its beginning.

use kunji_shared::encoding::{decode_base64, encode_base64url, encode_hex};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::statement::{hash, is_log_id, is_server_name};
use crate::domain::merkle::{Frontier, Hash, leaf_hash};

/// The form that this module writes and reads.
const VERSION: u64 = 1;
const LEAF: &[u8] = b",\"leaf\":\"";
const END: &[u8] = b"\"}";
/// A hash in base64url.
const LEAF_DIGITS: usize = 43;

/// The first line of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportHeader {
    version: u64,
    /// The log.
    pub log: String,
    /// The server that wrote it.
    pub server: String,
    /// Number of the first event in the section.
    pub first: u64,
    frontier: Vec<String>,
    /// Number of the last event in the section; `first - 1` when there is none.
    pub last: u64,
    /// Number of the first checkpoint in the section.
    pub checkpoint: u64,
}

impl ExportHeader {
    /// For the events behind those that `before` has seen, up to `last`.
    pub fn new(log: String, server: String, before: &Frontier, last: u64, checkpoint: u64) -> Self {
        let frontier = before.peaks().iter().map(|peak| encode_hex(peak)).collect();
        let first = before.size().saturating_add(1);
        Self { version: VERSION, log, server, first, frontier, last, checkpoint }
    }

    /// The tree of all events before the section.
    pub fn before(&self) -> Option<Frontier> {
        let peaks = self.frontier.iter().map(|peak| hash(peak)).collect::<Option<Vec<_>>>()?;
        Frontier::from_peaks(self.first.checked_sub(1)?, peaks)
    }

    /// As a line, without its end.
    pub fn to_line(&self) -> String {
        json!({ "export": self }).to_string()
    }

    /// Reads what [`ExportHeader::to_line`] wrote; `None` for anything else.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(line).ok()?;
        let header: Self = serde_json::from_value(value.get_mut("export")?.take()).ok()?;
        let sound = header.version == VERSION
            && is_log_id(&header.log)
            && is_server_name(&header.server)
            && header.before().is_some()
            && header.to_line().as_bytes() == line;
        sound.then_some(header)
    }
}

/// A line of the log (a JSON object, without its end) as an export has it.
pub fn with_leaf(line: &[u8]) -> Vec<u8> {
    let leaf = encode_base64url(&leaf_hash(line));
    let open = line.strip_suffix(b"}").unwrap_or(line);
    [open, LEAF, leaf.as_bytes(), END].concat()
}

/// Undoes [`with_leaf`]: the line as the log has it, and the hash that the export says it has. `None` when there is
/// none.
pub fn without_leaf(line: &[u8]) -> Option<(Vec<u8>, Hash)> {
    let rest = line.strip_suffix(END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(LEAF_DIGITS)?)?;
    let open = rest.strip_suffix(LEAF)?;
    let leaf = decode_base64(digits, 32).ok()?;
    // A digit more than the hash needs has bits that do not count.
    let same = encode_base64url(&leaf).as_bytes() == digits;
    Some(([open, b"}"].concat(), leaf.try_into().ok().filter(|_| same)?))
}

/// The number of an event's line; `None` when it is no whole line.
pub fn sequence_of(line: &[u8]) -> Option<u64> {
    /// Reading it as JSON proves that the line is whole.
    #[derive(Deserialize)]
    struct Numbered {
        sequence: u64,
    }
    let numbered: Numbered = serde_json::from_slice(line).ok()?;
    Some(numbered.sequence)
}

#[cfg(test)]
mod tests {
    use super::{super::statement::tests::LOG, *};

    #[test]
    fn a_header_has_one_form() {
        let mut before = Frontier::default();
        for n in 0..6_u8 {
            before.push(leaf_hash(&[n]));
        }
        let header = ExportHeader::new(LOG.to_owned(), "kunji".to_owned(), &before, 40, 3);
        let line = header.to_line();
        let read = ExportHeader::from_line(line.as_bytes()).unwrap();
        assert_eq!((&read, read.before(), read.first), (&header, Some(before), 7));
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"first\":7", "\"first\":8"),
            ("\"first\":7", "\"first\":0"),
            ("\"last\"", "\"more\":1,\"last\""),
            ("{\"version\"", "{ \"version\""),
            ("}}", "},\"more\":1}"),
        ] {
            let other = line.replace(from, to);
            assert_ne!(other, line);
            assert!(ExportHeader::from_line(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_line_comes_back_with_its_hash() {
        let line = br#"{"sequence":7,"operation":"packet.decrypt"}"#;
        let exported = with_leaf(line);
        assert!(exported.starts_with(&line[..line.len() - 1]) && exported.ends_with(b"\"}"));
        assert!(serde_json::from_slice::<Value>(&exported).is_ok());
        assert_eq!(without_leaf(&exported), Some((line.to_vec(), leaf_hash(line))));
        assert_eq!(without_leaf(line), None);
        assert_eq!(without_leaf(b"\"}"), None);
        let mut changed = exported.clone();
        let last_digit = changed.len() - 3;
        changed[last_digit] = if changed[last_digit] == b'A' { b'B' } else { b'A' };
        assert_ne!(without_leaf(&changed), Some((line.to_vec(), leaf_hash(line))));
        assert_eq!(sequence_of(line), Some(7));
        assert_eq!(sequence_of(&line[..20]), None);
    }
}
