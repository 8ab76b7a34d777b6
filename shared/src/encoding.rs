//! Base64 and hexadecimal text (RFC 4648).

use alloc::{string::String, vec::Vec};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const TOLERANT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, TOLERANT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, TOLERANT);

/// Text that is not what it should encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// Not base64 in one alphabet throughout.
    #[error(
        "not base64; use the url-safe or the standard alphabet (not both in one text), with or \
         without padding, without line breaks or blanks"
    )]
    Base64,
    /// Not hexadecimal digits.
    #[error("not hexadecimal; use an even number of the digits 0-9, a-f, A-F")]
    Hex,
    /// More bytes than the caller allows here, or another number than needed.
    #[error("the encoded value has a length that is not allowed here")]
    Length,
}

impl EncodingError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Base64 => "encoding.base64",
            Self::Hex => "encoding.hex",
            Self::Length => "encoding.length",
        }
    }
}

/// Decodes base64 of RFC 4648 section 4 (standard) or section 5 (url-safe), padded or not.
///
/// One text uses one alphabet; white space is not accepted, nor are non-zero bits after the last
/// byte. Not constant-time: for ciphertexts and request members, not for keys.
///
/// # Errors
/// [`EncodingError::Base64`] if the text is not base64, [`EncodingError::Length`] if it holds more
/// than `max_bytes`, which is found out before anything is allocated.
pub fn decode_base64(text: impl AsRef<[u8]>, max_bytes: usize) -> Result<Vec<u8>, EncodingError> {
    let text = text.as_ref();
    let unpadded = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    // 4 digits hold 3 bytes; a rest of 2 or 3 digits holds 1 or 2.
    if unpadded.len() / 4 * 3 + (unpadded.len() % 4).saturating_sub(1) > max_bytes {
        return Err(EncodingError::Length);
    }
    // Without an early end, so that the compiler looks at many bytes at once.
    let standard_digits = text.iter().fold(0, |found, byte| found | u8::from(matches!(byte, b'+' | b'/')));
    let engine = if standard_digits == 0 { &URL_SAFE } else { &STANDARD };
    engine.decode(text).map_err(|_| EncodingError::Base64)
}

/// Encodes with the url-safe alphabet (RFC 4648 section 5), without padding.
pub fn encode_base64url(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Decodes hexadecimal digits of either case.
///
/// # Errors
/// [`EncodingError::Hex`] if the text is not hexadecimal, [`EncodingError::Length`] if it holds
/// more than `max_bytes`.
pub fn decode_hex(text: &str, max_bytes: usize) -> Result<Vec<u8>, EncodingError> {
    if text.len() / 2 > max_bytes {
        return Err(EncodingError::Length);
    }
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return Err(EncodingError::Hex);
    };
    pairs
        .iter()
        .map(|&[high, low]| Some(hex_value(high)? << 4 | hex_value(low)?))
        .collect::<Option<Vec<u8>>>()
        .ok_or(EncodingError::Hex)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Encodes as lower-case hexadecimal digits.
pub fn encode_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0F])
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_alphabets_padded_or_not_are_read() {
        // RFC 4648 section 10, and bytes that need the last two digits of the alphabet.
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg", b"f"),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9vYmE", b"fooba"),
            ("Zm9vYmFy", b"foobar"),
            ("+/+/", b"\xfb\xff\xbf"),
            ("-_-_", b"\xfb\xff\xbf"),
            ("-_8=", b"\xfb\xff"),
            ("+/8", b"\xfb\xff"),
        ] {
            assert_eq!(decode_base64(text, 6).as_deref(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn garbage_is_refused() {
        for text in [
            "A",
            "Zg===",
            "Z===",
            "=",
            "Zg==Zg==",
            "+_8",
            "-/8",
            "Zm9v\n",
            " Zm9v",
            "Zm9v YmFy",
            "Zm9*",
            "Zh",
            "Zm9",
            "Zm9vYg=a",
            "\u{e9}abc",
        ] {
            assert_eq!(decode_base64(text, 99), Err(EncodingError::Base64), "{text:?}");
        }
    }

    #[test]
    fn limits_are_exact() {
        assert_eq!(decode_base64("Zm9vYmFy", 5), Err(EncodingError::Length));
        assert_eq!(decode_base64("Zm8=", 1), Err(EncodingError::Length));
        assert_eq!(decode_hex("00ff", 1), Err(EncodingError::Length));
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(decode_hex("00fFAa", 3).as_deref(), Ok(&[0x00, 0xFF, 0xAA][..]));
        assert_eq!(encode_hex(&[0x00, 0xFF, 0xAA]), "00ffaa");
        for text in ["0", "0g", "0x", "\u{e9}", " 0"] {
            assert_eq!(decode_hex(text, 9), Err(EncodingError::Hex), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE};
            for text in [
                encode_base64url(&bytes),
                BASE64_STANDARD.encode(&bytes),
                BASE64_STANDARD_NO_PAD.encode(&bytes),
                BASE64_URL_SAFE.encode(&bytes),
            ] {
                prop_assert_eq!(decode_base64(text, bytes.len()), Ok(bytes.clone()));
            }
            prop_assert_eq!(decode_hex(&encode_hex(&bytes), bytes.len()), Ok(bytes));
        }
    }
}
