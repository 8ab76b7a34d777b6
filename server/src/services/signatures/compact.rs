//! The compact serialization of a JWS (RFC 7515 3.1), detached or not.

use kunji_shared::encoding::{decode_base64, encode_base64url};
use serde_json::{Map, Value};

use super::SignatureError;

/// Largest header, in bytes: room for a chain of certificates.
const HEADER_MAX_BYTES: usize = 64 * 1024;
/// Largest signature, in bytes.
const SIGNATURE_MAX_BYTES: usize = 1024;

/// A compact JWS taken apart; nothing about it is verified.
pub(super) struct CompactJws<'a> {
    /// The header as it stands in the token.
    header_text: &'a str,
    /// The payload as it stands in the token; empty when detached.
    payload_text: &'a str,
    /// The header's members.
    pub(super) header: Map<String, Value>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> CompactJws<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, SignatureError> {
        let mut parts = token.trim().split('.');
        let (Some(header_text), Some(payload_text), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SignatureError::Token);
        };
        let decode = |text: &str, most| decode_base64(text, most).map_err(|_| SignatureError::Token);
        let header = decode(header_text, HEADER_MAX_BYTES)?;
        Ok(Self {
            header_text,
            payload_text,
            header: serde_json::from_slice(&header).map_err(|_| SignatureError::Token)?,
            signature: decode(signature, SIGNATURE_MAX_BYTES)?,
        })
    }

    /// `header.payload`, with `payload` in place of the token's own if given.
    pub(super) fn signing_input(&self, payload: Option<&[u8]>) -> String {
        match payload {
            Some(payload) => format!("{}.{}", self.header_text, encode_base64url(payload)),
            None => format!("{}.{}", self.header_text, self.payload_text),
        }
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Whether the header asks for RS256 and for no extension: one that is critical and not understood must
    /// fail (RFC 7515 4.1.11).
    pub(super) fn is_rs256_without_extensions(&self) -> bool {
        self.header.get("alg").and_then(Value::as_str) == Some("RS256") && !self.header.contains_key("crit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_and_an_object_in_front() {
        let header = encode_base64url(br#"{"alg":"RS256","kid":"k"}"#);
        let token = format!("{header}..AAEC");
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.key_id(), Some("k"));
        assert!(jws.is_rs256_without_extensions());
        assert_eq!(jws.signing_input(Some(b"x")), format!("{header}.eA"));
        for bad in ["", "a.b", "a.b.c.d", "....", "e30", &format!("{header}.x.!"), "WzFd.x.AAEC"] {
            assert!(CompactJws::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_algorithms_and_extensions_do_not_pass() {
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"alg":"RS256","crit":["x"]}"#, "{}"] {
            let token = format!("{}.e30.AAEC", encode_base64url(header.as_bytes()));
            assert!(!CompactJws::parse(&token).unwrap().is_rs256_without_extensions(), "{header}");
        }
    }
}
