//! Opening: where the parts of a packet stand, for a host that decrypts by itself, and decryption for one that cannot.

use alloc::{string::ToString as _, vec::Vec};
use core::ops::Range;

use kunji_shared::{
    DataKey, Envelope, Frame, ModulusLength, OpenInputs, RustCipher, Splitter,
    packet::{self, ContentFrame, FormatError, HEAD_BYTES, OpenError, Part, registration},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{
    failure::Failure,
    host,
    layout::{Layout, splitter},
};

/// Bytes before the packet that a registration packet holds.
const REGISTRATION_BYTES: usize = registration::NONCE_BYTES + registration::AAD_BYTES;

/// How much of a packet's beginning [`read_frame`] looks at.
#[wasm_bindgen(js_name = headBytes)]
pub fn head_bytes() -> usize {
    HEAD_BYTES + REGISTRATION_BYTES
}

/// Where the parts of a packet of `total_len` bytes stand, wrapped for a key of `modulus_bits`. `head` is its first
/// [`head_bytes`], or all of it.
///
/// # Errors
/// `packet.*` for what can be told from public bytes.
#[wasm_bindgen(js_name = readFrame)]
pub fn read_frame(
    head: &[u8],
    total_len: u64,
    modulus_bits: usize,
    is_registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
    splitter_bytes: Option<Vec<u8>>,
) -> Result<JsValue, JsValue> {
    let layout = Layout::new(is_registration, salt, aad);
    let splitter = splitter(splitter_bytes).map_err(Failure::from)?;
    Ok(describe(head, total_len, modulus_bits, &layout, &splitter).map_err(Failure::from)?)
}

fn describe(
    head: &[u8],
    total_len: u64,
    modulus_bits: usize,
    layout: &Layout,
    splitter: &Splitter,
) -> Result<JsValue, FormatError> {
    let before = if layout.registration { REGISTRATION_BYTES as u64 } else { 0 };
    let (packet, inputs) = inner(head, layout)?;
    let packet_len = total_len.checked_sub(before).ok_or(FormatError::Truncated)?;
    let frame = frame(packet, packet_len, modulus_bits, splitter)?;
    let content = frame.content(&inputs)?;
    let shifted = |offset: u64| offset.saturating_add(before);
    let (nonce, aad) = if layout.registration {
        let nonce_end = registration::NONCE_BYTES as u64;
        (Some(0..nonce_end), Some(nonce_end..before))
    } else {
        (place(&content.nonce), place(&content.aad))
    };
    Ok(host::frame(
        shifted(frame.wrapped_key.start),
        shifted(frame.wrapped_key.end),
        shifted(content.ciphertext.start),
        shifted(content.tag.end),
        nonce.as_ref().map(|range| range.start),
        nonce.as_ref().map(|range| range.end),
        aad.as_ref().map(|range| range.start),
        aad.as_ref().map(|range| range.end),
    ))
}

/// Decrypts a packet whose data key the host has unwrapped.
///
/// # Errors
/// As for [`read_frame`]; `packet.decryption_failed`.
#[wasm_bindgen]
pub fn open(
    packet: &[u8],
    data_key: &[u8],
    modulus_bits: usize,
    is_registration: bool,
    salt: Option<Vec<u8>>,
    aad: Option<Vec<u8>>,
    splitter_bytes: Option<Vec<u8>>,
) -> Result<Vec<u8>, JsValue> {
    let layout = Layout::new(is_registration, salt, aad);
    let splitter = splitter(splitter_bytes).map_err(Failure::from)?;
    Ok(decrypt(packet, data_key, modulus_bits, &layout, &splitter).map_err(Failure::from)?)
}

fn decrypt(
    packet: &[u8],
    data_key: &[u8],
    modulus_bits: usize,
    layout: &Layout,
    splitter: &Splitter,
) -> Result<Vec<u8>, OpenError> {
    let (packet, inputs) = inner(packet, layout)?;
    let content: ContentFrame<'_> =
        frame(packet, packet.len() as u64, modulus_bits, splitter)?.content(&inputs)?;
    let data_key = DataKey::from_slice(data_key).map_err(|_| OpenError::Decryption)?;
    let plaintext = packet::open(packet.to_vec(), &content, &data_key, &RustCipher)?;
    Ok(core::mem::take(&mut *plaintext.into_inner()))
}

/// The packet inside a registration packet, or the packet itself, and what opens it.
fn inner<'a>(packet: &'a [u8], layout: &'a Layout) -> Result<(&'a [u8], OpenInputs<'a>), FormatError> {
    if layout.registration {
        let parts = registration::split(packet)?;
        Ok((parts.packet, parts.inputs()))
    } else {
        Ok((packet, layout.inputs()))
    }
}

/// The thumbprint is a claim, and there is only one key: a packet is read without one where the splitter says so.
fn frame(
    packet: &[u8],
    packet_len: u64,
    modulus_bits: usize,
    splitter: &Splitter,
) -> Result<Frame, FormatError> {
    let modulus = ModulusLength::from_bits(modulus_bits).ok_or(FormatError::SplitterMisplaced)?;
    let envelope = Envelope::read(packet, packet_len, splitter)?;
    envelope.with_thumbprint(modulus).or_else(|error| match error {
        FormatError::ThumbprintMissing => envelope.without_thumbprint(modulus),
        error => Err(error),
    })
}

fn place(part: &Part<'_>) -> Option<Range<u64>> {
    match part {
        Part::InPacket(range) => Some(range.clone()),
        Part::FromCaller(_) => None,
    }
}

/// What a packet shows without a key: whether it has a header, its thumbprint, and how it is laid out for keys of each
/// size that it may be for.
///
/// # Errors
/// `packet.*`
#[wasm_bindgen(js_name = parsePacket)]
pub fn parse_packet(head: &[u8], total_len: u64, is_registration: bool) -> Result<JsValue, JsValue> {
    let layout = Layout::new(is_registration, None, None);
    let parsed = inner(head, &layout).and_then(|(packet, _)| {
        let before = (head.len() - packet.len()) as u64;
        let packet_len = total_len.checked_sub(before).ok_or(FormatError::Truncated)?;
        let splitter = Splitter::default();
        Ok((Envelope::read(packet, packet_len, &splitter)?, before, splitter))
    });
    let (envelope, before, splitter) = parsed.map_err(Failure::from)?;
    let mut readings = Vec::new();
    for modulus in ModulusLength::ALL {
        for (has_thumbprint, frame) in
            [(true, envelope.with_thumbprint(modulus)), (false, envelope.without_thumbprint(modulus))]
        {
            let Ok(frame) = frame else { continue };
            readings.push(host::reading(
                u32::try_from(modulus.bits()).unwrap_or_default(),
                has_thumbprint,
                frame.wrapped_key.start + before,
                splitter.as_bytes().len() as u64,
                frame.body.start + before,
                frame.body.end + before,
            ));
        }
    }
    let thumbprint = envelope.claimed_thumbprint().map(|thumbprint| thumbprint.to_string());
    Ok(host::parsed_packet(envelope.has_header(), thumbprint, readings))
}
