//! The certificates in a JWS header, in all the forms that senders use.

use kunji_shared::{Certificate, encoding::decode_base64};
use serde_json::{Map, Value};

use super::SignatureError;

/// Largest certificate, in bytes before base64 (or of the PEM text that some senders encode again).
const CERTIFICATE_MAX_BYTES: usize = 16 * 1024;
/// Most certificates that are read of one header.
pub(super) const CHAIN_MAX: usize = 8;

/// The certificates of `x5c`, the signer's first; none when the header has none. Base64 of DER as RFC 7515 4.1.6 says,
/// but also of PEM text, with line breaks, and in the URL-safe alphabet. Others than the first that cannot be read are
/// left out: they are there to help.
pub(super) fn read(header: &Map<String, Value>) -> Result<Vec<Certificate>, SignatureError> {
    let Some(chain) = header.get("x5c") else { return Ok(Vec::new()) };
    let chain = chain.as_array().map(Vec::as_slice).unwrap_or_default();
    let first = chain.first().and_then(read_one).ok_or(SignatureError::Certificate)?;
    let others = chain.iter().take(CHAIN_MAX).skip(1).filter_map(read_one);
    Ok(std::iter::once(first).chain(others).collect())
}

fn read_one(member: &Value) -> Option<Certificate> {
    let text: String = member.as_str()?.split_ascii_whitespace().collect();
    let bytes = decode_base64(text, CERTIFICATE_MAX_BYTES).ok()?;
    match std::str::from_utf8(&bytes) {
        Ok(pem) if pem.contains("-----BEGIN") => Certificate::from_pem(pem),
        _ => Certificate::from_der(&bytes),
    }
    .ok()
}
