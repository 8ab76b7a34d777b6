//! What the JavaScript side makes out of a call's results: plain objects and errors, so that nothing has to be freed.
//!
//! Byte slices are views into this module's memory; the other side copies them before it returns.

use alloc::{string::String, vec::Vec};

use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

#[wasm_bindgen(raw_module = "#host")]
extern "C" {
    /// An error with a stable code, what is wrong, and what to do about it.
    pub(crate) fn failure(code: &str, message: &str, hint: &str) -> JsValue;

    /// A checked certificate. Instants are seconds since 1970; the size is in bits, and 0 for one that signs.
    #[wasm_bindgen(js_name = checkedCertificate)]
    pub(crate) fn checked_certificate(
        der: &[u8],
        public_key: &[u8],
        pem: &str,
        thumbprint: &str,
        subject: &str,
        not_before: i64,
        not_after: i64,
        modulus_length: u32,
    ) -> JsValue;

    /// What AES-256-GCM takes beside the content.
    #[wasm_bindgen(js_name = contentInputs)]
    pub(crate) fn content_inputs(key: &[u8], nonce: &[u8], aad: &[u8]) -> JsValue;

    /// What stands before the ciphertext and behind the tag.
    pub(crate) fn surroundings(prefix: &[u8], suffix: &[u8]) -> JsValue;

    /// How a packet is laid out for a key of this size in bits. The splitter stands between wrapped key and body.
    pub(crate) fn reading(
        modulus_length: u32,
        has_thumbprint: bool,
        wrapped_key_start: u64,
        splitter_len: u64,
        body_start: u64,
        body_end: u64,
    ) -> JsValue;

    /// What a packet shows without a key.
    #[wasm_bindgen(js_name = parsedPacket)]
    pub(crate) fn parsed_packet(
        has_header: bool,
        thumbprint: Option<String>,
        readings: Vec<JsValue>,
    ) -> JsValue;

    /// What a content is sealed with, and what stands around it.
    #[wasm_bindgen(js_name = bodyPlan)]
    pub(crate) fn body_plan(
        key: &[u8],
        wrapped_key: &[u8],
        prefix: &[u8],
        nonce: &[u8],
        aad: &[u8],
        suffix: &[u8],
    ) -> JsValue;

    /// A sealed content, taken apart.
    pub(crate) fn body(nonce: &[u8], aad: &[u8], text: &[u8]) -> JsValue;

    /// An entry of an archive.
    pub(crate) fn entry(name: &str, stored: &[u8], is_deflated: bool, length: u32, crc32: u32) -> JsValue;

    /// Where the parts of a packet stand, as offsets. Nonce and associated data have none if the caller gave them.
    pub(crate) fn frame(
        wrapped_key_start: u64,
        wrapped_key_end: u64,
        text_start: u64,
        text_end: u64,
        nonce_start: Option<u64>,
        nonce_end: Option<u64>,
        aad_start: Option<u64>,
        aad_end: Option<u64>,
    ) -> JsValue;
}
