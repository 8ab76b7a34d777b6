//! The documents say what the code does.

use kunji_shared::packet::{FormatError, HEAD_BYTES, OpenError, SealError, SplitterLength};

#[test]
fn the_format_document_lists_exactly_the_codes() {
    let document = include_str!("../../docs/packet-format.md");
    let codes = [
        FormatError::SplitterMissing.code(),
        FormatError::SplitterMisplaced.code(),
        FormatError::ThumbprintMissing.code(),
        FormatError::Truncated.code(),
        FormatError::TooLong.code(),
        FormatError::SaltLength.code(),
        SplitterLength.code(),
        FormatError::HeadIncomplete.code(),
        OpenError::Decryption.code(),
        SealError::EmptyContent.code(),
        SealError::Cipher.code(),
    ];
    let listed: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `packet.")?.split_once('`'))
        .map(|(code, _)| code)
        .collect();
    assert_eq!(listed, codes.map(|code| code.strip_prefix("packet.").unwrap()));
    assert!(document.contains(&format!("first {HEAD_BYTES} bytes")));
}
