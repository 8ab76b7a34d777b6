//! Sealing, in two ways: as a plan for a host that encrypts by itself, and as a whole.
//!
//! `random` is what the random number generator is asked for, in its order (`ContentPlan::draw`), and possibly more.
//! A plan is made twice out of the same `random`, first the inputs of the content's encryption and then, while that
//! is under way, what stands around it: a call keeps nothing for the next.

use alloc::vec::Vec;

use kunji_shared::{
    Certificate, RecipientKey, RustCipher,
    packet::{ContentPlan, SealPlan},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    failure::Failure,
    host,
    layout::{Layout, splitter},
    random::Given,
};

/// Data key, nonce and associated data of a packet.
///
/// # Errors
/// `packet.salt_length`; `randomness.unavailable` if `random` is too short.
#[wasm_bindgen(js_name = contentInputs)]
pub fn content_inputs(
    random: &[u8],
    registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
) -> Result<JsValue, JsValue> {
    let layout = Layout::new(registration, salt, aad);
    let plan = ContentPlan::draw(layout.shape(), &mut Given(random)).map_err(Failure::from)?;
    Ok(host::content_inputs(plan.data_key().expose(), plan.nonce(), plan.aad()))
}

/// What stands around the ciphertext of `content_len` bytes of content.
///
/// # Errors
/// As for [`content_inputs`]; `packet.empty_content`, `packet.too_long`; `certificate.*` and `public_key.*` if
/// `certificate` is not one that was checked.
#[wasm_bindgen]
pub fn surroundings(
    content_len: u64,
    certificate: &[u8],
    random: &[u8],
    registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
    splitter_bytes: Option<Vec<u8>>,
) -> Result<JsValue, JsValue> {
    let layout = Layout::new(registration, salt, aad);
    let plan = plan(certificate, random, &layout, splitter_bytes)?;
    plan.packet_len(content_len).map_err(Failure::from)?;
    Ok(host::surroundings(plan.prefix(), plan.suffix()))
}

/// The whole packet.
///
/// # Errors
/// As for [`surroundings`].
#[wasm_bindgen]
pub fn seal(
    content: &[u8],
    certificate: &[u8],
    random: &[u8],
    registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
    splitter_bytes: Option<Vec<u8>>,
) -> Result<Vec<u8>, JsValue> {
    let layout = Layout::new(registration, salt, aad);
    let plan = plan(certificate, random, &layout, splitter_bytes)?;
    let mut packet = Vec::new();
    plan.seal_into(content, &RustCipher, &mut packet).map_err(Failure::from)?;
    Ok(packet)
}

fn plan<'a>(
    certificate: &[u8],
    random: &[u8],
    layout: &'a Layout,
    splitter_bytes: Option<Vec<u8>>,
) -> Result<SealPlan<'a>, Failure> {
    let certificate = Certificate::from_der(certificate)?;
    let recipient = RecipientKey::new(certificate.thumbprint(), certificate.public_key()?);
    Ok(SealPlan::prepare(&recipient, layout.shape(), &splitter(splitter_bytes)?, &mut Given(random))?)
}
