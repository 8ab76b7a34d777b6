//! The tag of a packet whose content the host encrypts and hashes in pieces, and the encryption for a host that cannot;
//! [`seal_content`](crate::layouts::seal_content) hashes.

use alloc::vec::Vec;

use kunji_shared::{
    DataKey,
    cipher::{
        CipherFailure,
        pieces::{self, BLOCK_BYTES, HashKey, PieceTags},
    },
    packet::SealError,
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::failure::Failure;

/// `J0` for this nonce, given `H`.
///
/// # Errors
/// `packet.salt_length` unless the nonce has 1 to 64 bytes.
#[wasm_bindgen(js_name = initialCounter)]
pub fn initial_counter(hash_key: &[u8], nonce: &[u8]) -> Result<Vec<u8>, JsValue> {
    let counter = HashKey::new(&block(hash_key)?).initial_counter(nonce);
    Ok(counter.map_err(|_| Failure::from(SealError::SaltLength))?.to_vec())
}

/// The tag of the whole. `tags` are those of the pieces, one behind the other.
///
/// # Errors
/// `packet.cipher_failed` if the pieces do not fit together.
#[wasm_bindgen(js_name = joinPieceTags)]
pub fn join_piece_tags(
    hash_key: &[u8],
    piece_mask: &[u8],
    tag_mask: &[u8],
    aad: &[u8],
    piece_bytes: u64,
    text_bytes: u64,
    tags: &[u8],
) -> Result<Vec<u8>, JsValue> {
    let pieces = PieceTags { piece_bytes, text_bytes, tags: tags.as_chunks().0 };
    let tag = pieces::join_piece_tags(
        &HashKey::new(&block(hash_key)?),
        &block(piece_mask)?,
        &block(tag_mask)?,
        aad,
        &pieces,
    );
    Ok(tag.map_err(failed)?.to_vec())
}

/// Encrypts or decrypts a piece.
///
/// # Errors
/// `packet.cipher_failed` for keys and counters of another length.
#[wasm_bindgen(js_name = cryptPiece)]
pub fn crypt_piece(key: &[u8], counter: &[u8], piece: &[u8]) -> Result<Vec<u8>, JsValue> {
    let mut text = piece.to_vec();
    pieces::apply_key_stream(&data_key(key)?, &block(counter)?, &mut text);
    Ok(text)
}

fn data_key(bytes: &[u8]) -> Result<DataKey, Failure> {
    DataKey::from_slice(bytes).map_err(|_| SealError::Cipher.into())
}

fn block(bytes: &[u8]) -> Result<[u8; BLOCK_BYTES], Failure> {
    bytes.try_into().map_err(|_| SealError::Cipher.into())
}

fn failed(_: CipherFailure) -> Failure {
    SealError::Cipher.into()
}
