use alloc::vec::Vec;

use super::{ContentFrame, FormatError, OpenError, layout::to_usize};
use crate::{
    cipher::{ContentCipher, MAX_NONCE_BYTES, TAG_BYTES},
    secret::{DataKey, Plaintext, SecretBuffer},
};

/// `P = AES-256-GCM⁻¹(data key, nonce, AAD, C, T)`; NIST SP 800-38D section 7.2.
///
/// Decrypts in place inside the buffer that `packet` is; no second buffer of its size is made.
/// `content` comes from [`Frame::content`](super::Frame::content) of this packet, `key` from
/// whoever could unwrap it.
///
/// # Errors
/// [`OpenError::Format`] if `content` points outside of `packet`, [`OpenError::Decryption`] for
/// everything else, without saying what.
pub fn open<C: ContentCipher + ?Sized>(
    packet: Vec<u8>,
    content: &ContentFrame<'_>,
    key: &DataKey,
    cipher: &C,
) -> Result<Plaintext, OpenError> {
    // Wiped also when opening fails: a host's cipher may have decrypted before it judged.
    let mut buffer = SecretBuffer(packet);
    let ciphertext = to_usize(&content.ciphertext).ok_or(FormatError::Truncated)?;
    let tag_range = to_usize(&content.tag).ok_or(FormatError::Truncated)?;
    let tag: [u8; TAG_BYTES] =
        buffer.0.get(tag_range).and_then(|tag| tag.try_into().ok()).ok_or(FormatError::Truncated)?;
    let mut nonce_buffer = [0; MAX_NONCE_BYTES];
    let nonce = content
        .nonce
        .resolve(&buffer.0)
        .and_then(|nonce| copy_into(&mut nonce_buffer, nonce))
        .ok_or(FormatError::Truncated)?;
    // Associated data in the packet are a part of the buffer that is decrypted in place.
    let mut aad_buffer = Vec::new();
    let aad = match &content.aad {
        super::Part::FromCaller(aad) => aad,
        in_packet @ super::Part::InPacket(_) => {
            aad_buffer.extend_from_slice(in_packet.resolve(&buffer.0).ok_or(FormatError::Truncated)?);
            aad_buffer.as_slice()
        }
    };
    let text = buffer.0.get_mut(ciphertext.clone()).ok_or(FormatError::Truncated)?;
    cipher.open_in_place(key, nonce, aad, text, &tag).map_err(|_| OpenError::Decryption)?;
    Ok(Plaintext::within(buffer, ciphertext))
}

fn copy_into<'a>(buffer: &'a mut [u8], bytes: &[u8]) -> Option<&'a [u8]> {
    let target = buffer.get_mut(..bytes.len())?;
    target.copy_from_slice(bytes);
    Some(target)
}
