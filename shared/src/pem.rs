//! PEM blocks (RFC 7468): strict out, tolerant in.

use alloc::{format, string::String, vec::Vec};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::encoding::{self, EncodingError};

/// Longest text that is looked at, in bytes.
pub const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Most blocks read from one text.
pub const MAX_BLOCKS: usize = 16;
/// Largest content of one block, in bytes.
pub const MAX_BLOCK_BYTES: usize = 64 * 1024;

const LINE_COLUMNS: usize = 64;

/// Text that holds no such PEM block, or too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// No block with the label asked for.
    #[error("no such PEM block; the text must hold its BEGIN and END lines")]
    Missing,
    /// A BEGIN line without its END line, or no base64 between them.
    #[error("a PEM block is damaged; copy it again from its BEGIN line to its END line")]
    Damaged,
    /// More text, more blocks or a larger block than is accepted.
    #[error("too much PEM; pass at most {MAX_BLOCKS} blocks of at most {MAX_BLOCK_BYTES} bytes each")]
    TooLarge,
}

impl PemError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "pem.missing",
            Self::Damaged => "pem.damaged",
            Self::TooLarge => "pem.too_large",
        }
    }
}

/// One block: BEGIN line, base64 in lines of 64 columns, END line, each ended by LF.
pub fn encode(label: &str, content: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(content);
    let mut lines = String::with_capacity(base64.len() + base64.len() / LINE_COLUMNS + 1);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(LINE_COLUMNS).unwrap_or((rest, ""));
        lines.push_str(line);
        lines.push('\n');
        rest = tail;
    }
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// The contents of all blocks labelled `label`, in their order.
///
/// Accepts LF, CRLF and CR, lines of any length, indented lines, and text before, between and
/// after the blocks.
///
/// # Errors
/// [`PemError`] if there is no such block, if one is damaged, or if a limit of this module is
/// passed.
pub fn decode_all(text: &str, label: &str) -> Result<Vec<Vec<u8>>, PemError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(PemError::TooLarge);
    }
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after_begin)) = rest.split_once(&begin) {
        if blocks.len() == MAX_BLOCKS {
            return Err(PemError::TooLarge);
        }
        let (body, after_end) = after_begin.split_once(&end).ok_or(PemError::Damaged)?;
        let base64: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let content = encoding::decode_base64(&base64, MAX_BLOCK_BYTES).map_err(|error| match error {
            EncodingError::Length => PemError::TooLarge,
            _ => PemError::Damaged,
        })?;
        if content.is_empty() {
            return Err(PemError::Damaged);
        }
        blocks.push(content);
        rest = after_end;
    }
    if blocks.is_empty() {
        return Err(PemError::Missing);
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn writes_lines_of_64_columns_ended_by_lf() {
        let text = encode("CERTIFICATE", &[0xA5; 60]);
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines.len(), 5);
        assert_eq!((lines[1].len(), lines[2].len(), lines[4]), (64, 16, ""));
        assert!(!text.contains('\r'));
        let exact = encode("CERTIFICATE", &[0xA5; 48]);
        assert_eq!(exact.lines().count(), 3);
    }

    #[test]
    fn reads_what_the_field_has() {
        let (a, b) = (vec![1; 100], vec![2; 200]);
        let text =
            format!("issuer=x\n{}\nnoise\n{}tail", encode("CERTIFICATE", &a), encode("CERTIFICATE", &b));
        let both = Ok(vec![a.clone(), b.clone()]);
        assert_eq!(decode_all(&text, "CERTIFICATE"), both);
        assert_eq!(decode_all(&text.replace('\n', "\r\n"), "CERTIFICATE"), both);
        assert_eq!(decode_all(&text.replace('\n', "\n   "), "CERTIFICATE"), both);
        let one_line = text.replace('\n', "");
        assert_eq!(decode_all(&one_line, "CERTIFICATE"), both);
    }

    #[test]
    fn every_failure_has_its_error() {
        let good = encode("CERTIFICATE", &[1; 100]);
        let cases = [
            (good.replace("CERTIFICATE", "PUBLIC KEY"), PemError::Missing),
            (good[..good.len() - 20].into(), PemError::Damaged),
            (good.replace("AQEB", "!!!!"), PemError::Damaged),
            (encode("CERTIFICATE", &[]), PemError::Damaged),
            (encode("CERTIFICATE", &vec![1; MAX_BLOCK_BYTES + 1]), PemError::TooLarge),
            (good.repeat(MAX_BLOCKS + 1), PemError::TooLarge),
            (" ".repeat(MAX_TEXT_BYTES + 1), PemError::TooLarge),
        ];
        for (text, error) in cases {
            assert_eq!(decode_all(&text, "CERTIFICATE"), Err(error));
        }
    }
}
