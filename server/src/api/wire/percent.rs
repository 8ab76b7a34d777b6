//! Percent-encoding (RFC 3986 2.1) and its variant in forms.

use kunji_shared::encoding::encode_hex;

/// What `+` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plus {
    /// A blank, as in `application/x-www-form-urlencoded`.
    Blank,
    /// Itself, as in paths.
    Literal,
}

/// Decodes `text`; `None` for a `%` that two hexadecimal digits do not follow, and for what is not UTF-8.
pub(crate) fn percent_decode(text: &str, plus: Plus) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let (&[high, low], tail) = rest.split_first_chunk::<2>()?;
                rest = tail;
                decoded.push(hex_digit(high)? << 4 | hex_digit(low)?);
            }
            b'+' if plus == Plus::Blank => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok()
}

/// Encodes all but unreserved characters (RFC 3986 2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&encode_hex(&[byte]).to_ascii_uppercase());
        }
    }
    encoded
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_comes_back() {
        assert_eq!(percent_encode("a_1-.~: @/%é"), "a_1-.~%3A%20%40%2F%25%C3%A9");
        assert_eq!(percent_decode(&percent_encode("a: @/%é+"), Plus::Blank).as_deref(), Some("a: @/%é+"));
    }

    #[test]
    fn text_is_decoded_or_refused() {
        assert_eq!(percent_decode("a%20b+c%C3%a9", Plus::Literal).as_deref(), Some("a b+cé"));
        assert_eq!(percent_decode("a+b", Plus::Blank).as_deref(), Some("a b"));
        for text in ["%", "%4", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decode(text, Plus::Literal), None, "{text}");
        }
    }
}
