//! The certificate in a JWS header, in all the forms that senders use.

use kunji_shared::{Certificate, encoding::decode_base64};
use serde_json::{Map, Value};

use super::SignatureError;

/// Largest certificate, in bytes before base64 (or of the PEM text that some senders encode again).
const CERTIFICATE_MAX_BYTES: usize = 16 * 1024;

/// The first certificate of `x5c`; `None` when the header has none. Base64 of DER as RFC 7515 4.1.6 says, but
/// also of PEM text, with line breaks, and in the URL-safe alphabet.
pub(super) fn read(header: &Map<String, Value>) -> Result<Option<Certificate>, SignatureError> {
    let Some(chain) = header.get("x5c") else { return Ok(None) };
    let first = chain.as_array().and_then(|chain| chain.first()).and_then(Value::as_str);
    let text: String = first.ok_or(SignatureError::Certificate)?.split_ascii_whitespace().collect();
    let bytes = decode_base64(text, CERTIFICATE_MAX_BYTES).map_err(|_| SignatureError::Certificate)?;
    let certificate = match std::str::from_utf8(&bytes) {
        Ok(pem) if pem.contains("-----BEGIN") => Certificate::from_pem(pem),
        _ => Certificate::from_der(&bytes),
    };
    certificate.map(Some).map_err(|_| SignatureError::Certificate)
}
