//! Reading the compact serialization of a JWS (RFC 7515 3.1), detached or not, encoded or not (RFC 7797).

use kunji_shared::encoding::{decode_base64, encode_base64url};
use serde_json::{Map, Value};

use super::SignatureError;
use crate::domain::jose::SignatureAlgorithm;

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
    pub(super) fn signing_input(&self, payload: Option<&[u8]>) -> Vec<u8> {
        let head = [self.header_text.as_bytes(), b"."];
        match payload {
            None => [head.concat().as_slice(), self.payload_text.as_bytes()].concat(),
            Some(payload) if self.is_encoded() => {
                [head.concat().as_slice(), encode_base64url(payload).as_bytes()].concat()
            }
            Some(payload) => [head.concat().as_slice(), payload].concat(),
        }
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// Whether base64url of the payload was signed.
    fn is_encoded(&self) -> bool {
        self.header.get("b64") != Some(&Value::Bool(false))
    }

    /// The algorithm, if it is one that is verified here.
    pub(super) fn algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::parse(self.header.get("alg")?.as_str()?)
    }

    /// Whether the header asks for nothing that is not understood: such a token must fail (RFC 7515 4.1.11). `crit` names extensions that are there and understood, each once; `b64` is, and must be named where it is false
    /// (RFC 7797 6).
    pub(super) fn is_understood(&self) -> bool {
        let b64 = self.header.get("b64");
        match self.header.get("crit") {
            None => matches!(b64, None | Some(Value::Bool(true))),
            Some(Value::Array(names)) => {
                matches!(names.as_slice(), [name] if name == "b64") && matches!(b64, Some(Value::Bool(_)))
            }
            Some(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AAEC", encode_base64url(header.as_bytes()))
    }

    fn passes(header: &str) -> bool {
        let token = token(header);
        let jws = CompactJws::parse(&token).unwrap();
        jws.algorithm().is_some() && jws.is_understood()
    }

    #[test]
    fn three_parts_and_an_object_in_front() {
        let header = encode_base64url(br#"{"alg":"RS256","kid":"k"}"#);
        let token = format!("{header}..AAEC");
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.key_id(), Some("k"));
        assert_eq!(jws.algorithm(), Some(SignatureAlgorithm::Rs256));
        assert_eq!(jws.signing_input(Some(b"x")), format!("{header}.eA").into_bytes());
        for bad in ["", "a.b", "a.b.c.d", "....", "e30", &format!("{header}.x.!"), "WzFd.x.AAEC"] {
            assert!(CompactJws::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unencoded_payload_is_signed_as_it_is() {
        let header = r#"{"alg":"PS256","b64":false,"crit":["b64"]}"#;
        let text = token(header);
        let jws = CompactJws::parse(&text).unwrap();
        assert_eq!(jws.algorithm(), Some(SignatureAlgorithm::Ps256));
        let head = encode_base64url(header.as_bytes());
        assert_eq!(jws.signing_input(Some(b"a.b\xff")), [head.as_bytes(), b".a.b\xff"].concat());
    }

    #[test]
    fn unknown_algorithms_and_extensions_do_not_pass() {
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","crit":["x"],"x":1}"#,
            r#"{"alg":"RS256","crit":["b64"]}"#,
            r#"{"alg":"RS256","crit":["b64","b64"],"b64":false}"#,
            r#"{"alg":"RS256","crit":["b64","x"],"b64":false,"x":1}"#,
            r#"{"alg":"RS256","crit":["b64"],"b64":"false"}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","crit":"b64","b64":false}"#,
            r#"{"alg":"RS256","crit":null}"#,
            r#"{"alg":"RS256","b64":false}"#,
            r#"{"alg":"RS256","b64":0}"#,
            "{}",
        ] {
            assert!(!passes(header), "{header}");
        }
        for header in [r#"{"alg":"RS256","b64":true}"#, r#"{"alg":"RS256","b64":true,"crit":["b64"]}"#] {
            assert!(passes(header), "{header}");
        }
    }
}
