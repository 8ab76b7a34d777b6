//! The check of a certificate before anything is sealed for it.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use kunji_shared::{Certificate, Recipient, RecipientPolicy, UnixTime, certificate::CertificateError};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{failure::Failure, host};

/// Checks the first certificate of `pem` at `now`, in seconds since 1970: the others in `pem` are its chain, each of
/// `anchors` holds pinned certificates.
///
/// # Errors
/// `pem.*` and `certificate.*` for `pem`, `anchors.*`, and `recipient.*` for what the check finds.
#[wasm_bindgen(js_name = checkRecipient)]
pub fn check_recipient(pem: &str, anchors: Vec<String>, now: i64) -> Result<JsValue, JsValue> {
    Ok(check(pem, anchors, UnixTime::from_seconds(now))?)
}

fn check(pem: &str, anchors: Vec<String>, now: UnixTime) -> Result<JsValue, Failure> {
    let mut pinned = Vec::new();
    for anchor in anchors {
        pinned.extend(Certificate::chain_from_pem(&anchor).map_err(Failure::anchors_malformed)?);
    }
    if pinned.is_empty() {
        return Err(Failure::anchors_missing());
    }
    let chain = Certificate::chain_from_pem(pem)?;
    let leaf = chain.first().ok_or(CertificateError::Malformed)?;
    let recipient = Recipient::check(leaf, &chain, &pinned, now, &RecipientPolicy::default())?;
    let certificate = recipient.certificate();
    let modulus_bits = recipient.key().public_key().modulus_length().bits();
    Ok(host::checked_certificate(
        certificate.der(),
        &certificate.to_pem(),
        &certificate.thumbprint().to_string(),
        &certificate.subject(),
        certificate.not_before().seconds(),
        certificate.not_after().seconds(),
        u32::try_from(modulus_bits).unwrap_or_default(),
    ))
}
