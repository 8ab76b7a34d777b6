//! The check of a certificate before anything is sealed for it, or a signature of its key is believed.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};

use kunji_shared::{
    Certificate, Recipient, RecipientPolicy, UnixTime,
    certificate::{self, CertificateError},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{failure::Failure, host};

/// Checks the first certificate of `pem` at `now`, in seconds since 1970: the others in `pem` are its chain, each of
/// `anchors` holds pinned certificates. It is to be sealed for, or `signs`.
///
/// # Errors
/// `pem.*` and `certificate.*` for `pem`, `anchors.*`, and `recipient.*` for what the check finds.
#[wasm_bindgen(js_name = checkCertificate)]
pub fn check_certificate(pem: &str, anchors: Vec<String>, now: i64, signs: bool) -> Result<JsValue, JsValue> {
    Ok(check(pem, anchors, UnixTime::from_seconds(now), signs)?)
}

fn check(pem: &str, anchors: Vec<String>, now: UnixTime, signs: bool) -> Result<JsValue, Failure> {
    let mut pinned = Vec::new();
    for anchor in anchors {
        pinned.extend(Certificate::chain_from_pem(&anchor).map_err(Failure::anchors_malformed)?);
    }
    if pinned.is_empty() {
        return Err(Failure::anchors_missing());
    }
    let chain = Certificate::chain_from_pem(pem)?;
    let leaf = chain.first().ok_or(CertificateError::Malformed)?;
    let modulus_bits = if signs {
        certificate::check_signer(leaf, &chain, &pinned, now)?;
        0
    } else {
        let recipient = Recipient::check(leaf, &chain, &pinned, now, &RecipientPolicy::default())?;
        recipient.key().public_key().modulus_length().bits()
    };
    Ok(host::checked_certificate(
        leaf.der(),
        leaf.public_key_der(),
        &leaf.to_pem(),
        &leaf.thumbprint().to_string(),
        &leaf.subject(),
        leaf.not_before().seconds(),
        leaf.not_after().seconds(),
        u32::try_from(modulus_bits).unwrap_or_default(),
    ))
}
