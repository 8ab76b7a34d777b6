//! AES-256-GCM of a content that is handled in pieces, for a host whose cipher takes whole messages only.
//!
//! Such a host (WebCrypto) has AES in counter mode, which encrypts any part of a content by itself, and one-shot
//! AES-GCM, which hashes: with a piece of *ciphertext* as associated data and no content, its tag is
//! `t = GHASH_H(c ‖ 0* ‖ [len(c)]_64 ‖ [0]_64) ⊕ E_K(J0′)`. [`join_piece_tags`] makes the tag of the whole out of
//! those. The bytes are the same as in one shot; `docs/packet-format.md` has the proof.
//!
//! All pieces are hashed under one nonce, [`PIECE_NONCE`]. Two such tags would give the hash key away, so they are as
//! secret as the data key: they must not leave the host, and are overwritten when they are joined.

use core::fmt;

use aes::{
    Aes256,
    cipher::{InnerIvInit as _, KeyInit as _, StreamCipherCore as _},
};
use ctr::{CtrCore, flavors::Ctr32BE};
use ghash::{GHash, universal_hash::UniversalHash as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    CipherFailure, ContentCipher as _, MAX_CONTENT_BYTES, MAX_NONCE_BYTES, RustCipher, TAG_BYTES,
    lengths_block,
};
use crate::secret::DataKey;

/// Length of a block of AES in bytes. Every piece but the last is a multiple of it.
pub const BLOCK_BYTES: usize = 16;
/// The nonce under which pieces are hashed: `J0′ = 0^127 ‖ 1`.
pub const PIECE_NONCE: [u8; 12] = [0; 12];

/// `H = E_K(0^128)`, the key of GHASH (NIST SP 800-38D section 6.4). As secret as the data key; wiped when dropped.
pub struct HashKey(Zeroizing<[u8; BLOCK_BYTES]>);

impl HashKey {
    /// Takes over what the host encrypted. The caller wipes its own copy.
    pub fn new(encrypted_zeros: &[u8; BLOCK_BYTES]) -> Self {
        Self(Zeroizing::new(*encrypted_zeros))
    }

    fn ghash(&self) -> GHash {
        GHash::new(&(*self.0).into())
    }

    /// `J0` for a nonce (section 7.1 step 2): `nonce ‖ 0^31 ‖ 1` if it has 12 bytes, otherwise
    /// `GHASH_H(nonce ‖ 0^(s+64) ‖ [len(nonce)]_64)`. The content's block `i`, from 0, is encrypted with
    /// `inc32^(i+1)(J0)`, the tag is masked with `E_K(J0)`.
    ///
    /// # Errors
    /// [`CipherFailure`] unless the nonce has 1 to [`MAX_NONCE_BYTES`] bytes.
    pub fn initial_counter(&self, nonce: &[u8]) -> Result<[u8; BLOCK_BYTES], CipherFailure> {
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
            return Err(CipherFailure);
        }
        if let Ok(nonce) = <[u8; 12]>::try_from(nonce) {
            let mut counter = [0; BLOCK_BYTES];
            counter.iter_mut().zip(nonce.into_iter().chain([0, 0, 0, 1])).for_each(|(to, from)| *to = from);
            return Ok(counter);
        }
        let mut ghash = self.ghash();
        ghash.update_padded(nonce);
        ghash.update(&[lengths_block(0, nonce.len())]);
        Ok(ghash.finalize().into())
    }
}

/// Nothing of it.
impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey([redacted])")
    }
}

/// The pieces of a ciphertext and what each was hashed to.
#[derive(Clone, Copy)]
pub struct PieceTags<'a> {
    /// Length in bytes of every piece but the last, which may be shorter: a multiple of [`BLOCK_BYTES`], not 0.
    pub piece_bytes: u64,
    /// Length in bytes of the ciphertext.
    pub text_bytes: u64,
    /// For each piece the tag of AES-256-GCM under the data key and [`PIECE_NONCE`], with the piece as associated
    /// data and without content.
    pub tags: &'a [[u8; TAG_BYTES]],
}

/// Lengths only.
impl fmt::Debug for PieceTags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceTags({} of {} bytes in all)", self.tags.len(), self.text_bytes)
    }
}

/// The GCM tag of a ciphertext, out of the tags of its pieces.
///
/// `piece_mask = E_K(J0′)`, `tag_mask = E_K(J0)`. With `Z` for a hash times `H`, which is what the masked tags hold:
///
/// ```text
/// Z    := GHASH_H(A ‖ 0*) · H
/// Z    := Z · H^m ⊕ t ⊕ piece_mask ⊕ ([len(c)]_64 ‖ [0]_64) · H     for each piece c of m blocks
/// T     = Z ⊕ ([len(A)]_64 ‖ [len(C)]_64) · H ⊕ tag_mask
/// ```
///
/// One multiplication for each piece, and one power of `H` for all pieces of the same length.
///
/// # Errors
/// [`CipherFailure`] if number and lengths of the pieces do not fit together or are more than GCM takes.
pub fn join_piece_tags(
    hash_key: &HashKey,
    piece_mask: &[u8; BLOCK_BYTES],
    tag_mask: &[u8; BLOCK_BYTES],
    aad: &[u8],
    pieces: &PieceTags<'_>,
) -> Result<[u8; TAG_BYTES], CipherFailure> {
    let &PieceTags { piece_bytes, text_bytes, tags } = pieces;
    let is_whole_blocks = piece_bytes != 0 && piece_bytes.is_multiple_of(BLOCK_BYTES as u64);
    if !is_whole_blocks
        || text_bytes > MAX_CONTENT_BYTES
        || text_bytes.div_ceil(piece_bytes) != tags.len() as u64
    {
        return Err(CipherFailure);
    }
    let h = hash_key.0.as_slice();
    let mut ghash = hash_key.ghash();
    ghash.update_padded(aad);
    let mut sum = multiply(&ghash.finalize().into(), h);
    let full_power = power(h, piece_bytes / BLOCK_BYTES as u64);
    let full_lengths = multiply(&lengths(piece_bytes, 0), h);
    let mut left = text_bytes;
    for tag in tags {
        let length = left.min(piece_bytes);
        left -= length;
        let (shift, lengths_part) = if length == piece_bytes {
            (full_power, full_lengths)
        } else {
            (power(h, length.div_ceil(BLOCK_BYTES as u64)), multiply(&lengths(length, 0), h))
        };
        sum = multiply(&sum, &shift);
        for part in [tag, piece_mask, &lengths_part] {
            add(&mut sum, part);
        }
    }
    add(&mut sum, &multiply(&lengths(aad.len() as u64, text_bytes), h));
    add(&mut sum, tag_mask);
    Ok(sum)
}

type Element = [u8; BLOCK_BYTES];

/// `x · y` in GHASH's field: the hash of the one block `x` under `y`.
fn multiply(x: &Element, y: &[u8]) -> Element {
    let mut key = ghash::Key::default();
    key.iter_mut().zip(y).for_each(|(to, from)| *to = *from);
    let mut ghash = GHash::new(&key);
    key.zeroize();
    ghash.update(&[(*x).into()]);
    ghash.finalize().into()
}

/// `h^exponent` for an exponent of at least 1, by squaring.
fn power(h: &[u8], exponent: u64) -> Element {
    let mut square = Element::default();
    square.iter_mut().zip(h).for_each(|(to, from)| *to = *from);
    let mut product: Option<Element> = None;
    let mut left = exponent;
    while left != 0 {
        if left & 1 == 1 {
            product = Some(product.map_or(square, |product| multiply(&product, &square)));
        }
        square = multiply(&square, &square);
        left >>= 1;
    }
    let power = product.unwrap_or(square);
    square.zeroize();
    power
}

fn add(sum: &mut Element, part: &Element) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum ^= part);
}

fn lengths(first_bytes: u64, second_bytes: u64) -> Element {
    let bits = ((u128::from(first_bytes) * 8) << 64) | (u128::from(second_bytes) * 8);
    bits.to_be_bytes()
}

/// AES-256 in counter mode as GCM uses it (`inc32`), in place: what a host without a cipher of its own encrypts pieces
/// with. The piece at block `i` of the content starts from `inc32^(i+1)(J0)`.
pub fn apply_key_stream(key: &DataKey, counter: &[u8; BLOCK_BYTES], piece: &mut [u8]) {
    let aes = Aes256::new(key.expose().into());
    let core: CtrCore<&Aes256, Ctr32BE> = CtrCore::inner_iv_init(&aes, &(*counter).into());
    // Fails for more than 2^32 blocks only, which no memory of this crate's hosts holds.
    let _ = core.try_apply_keystream_partial(piece.into());
}

/// The tag that [`PieceTags`] wants for a piece of ciphertext.
///
/// # Errors
/// [`CipherFailure`], in type only.
pub fn piece_tag(key: &DataKey, piece: &[u8]) -> Result<[u8; TAG_BYTES], CipherFailure> {
    RustCipher.seal_in_place(key, &PIECE_NONCE, piece, &mut [])
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    fn block(key: &DataKey, counter: [u8; 16]) -> [u8; 16] {
        let mut block = [0; 16];
        apply_key_stream(key, &counter, &mut block);
        block
    }

    fn advanced(counter: [u8; 16], blocks: u32) -> [u8; 16] {
        let number = u128::from_be_bytes(counter);
        let low = u32::try_from(number & 0xFFFF_FFFF).unwrap().wrapping_add(blocks);
        ((number >> 32 << 32) | u128::from(low)).to_be_bytes()
    }

    /// As a host does it: encrypt and hash piece by piece, join at the end.
    fn seal_in_pieces(
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        content: &[u8],
        piece: usize,
    ) -> (Vec<u8>, [u8; 16]) {
        let hash_key = HashKey::new(&block(key, [0; 16]));
        let initial = hash_key.initial_counter(nonce).unwrap();
        let mut text = content.to_vec();
        let mut tags = vec![];
        for (index, part) in text.chunks_mut(piece).enumerate() {
            apply_key_stream(key, &advanced(initial, 1 + u32::try_from(index * piece / 16).unwrap()), part);
            tags.push(piece_tag(key, part).unwrap());
        }
        let pieces = PieceTags { piece_bytes: piece as u64, text_bytes: text.len() as u64, tags: &tags };
        let mut piece_mask_counter = [0; 16];
        piece_mask_counter[15] = 1;
        let masks = (block(key, piece_mask_counter), block(key, initial));
        let tag = join_piece_tags(&hash_key, &masks.0, &masks.1, aad, &pieces).unwrap();
        (text, tag)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_bytes_are_those_of_one_shot(
            key in any::<[u8; 32]>(),
            nonce in prop_oneof![
                proptest::collection::vec(any::<u8>(), 12),
                proptest::collection::vec(any::<u8>(), 1..=64),
            ],
            aad in proptest::collection::vec(any::<u8>(), 0..70),
            content in proptest::collection::vec(any::<u8>(), 0..3000),
            blocks in 1..40_usize,
        ) {
            let key = DataKey::from_slice(&key).unwrap();
            let mut expected = content.clone();
            let tag = RustCipher.seal_in_place(&key, &nonce, &aad, &mut expected).unwrap();
            prop_assert_eq!(seal_in_pieces(&key, &nonce, &aad, &content, blocks * 16), (expected, tag));
        }

        #[test]
        fn counts_and_lengths_that_do_not_fit_are_refused(
            piece_bytes in any::<u64>(), text_bytes in any::<u64>(), count in 0..5_usize,
        ) {
            let tags = vec![[7; 16]; count];
            let fits = piece_bytes != 0 && piece_bytes % 16 == 0 && text_bytes <= MAX_CONTENT_BYTES
                && text_bytes.div_ceil(piece_bytes) == count as u64;
            let joined = join_piece_tags(
                &HashKey::new(&[1; 16]), &[2; 16], &[3; 16], b"",
                &PieceTags { piece_bytes, text_bytes, tags: &tags },
            );
            prop_assert_eq!(joined.is_ok(), fits);
        }
    }

    #[test]
    fn a_wrapping_counter_goes_on_from_zero_in_its_low_32_bits() {
        let key = DataKey::from_slice(&[9; 32]).unwrap();
        let mut near_end = [0xA5; 16];
        near_end[12..].copy_from_slice(&[0xFF, 0xFF, 0xFF, 0xFE]);
        let mut through = [0; 64];
        apply_key_stream(&key, &near_end, &mut through);
        for (index, part) in through.chunks(16).enumerate() {
            assert_eq!(part, block(&key, advanced(near_end, u32::try_from(index).unwrap())));
        }
    }

    #[test]
    fn nonces_have_1_to_64_bytes() {
        let key = HashKey::new(&[5; 16]);
        for (length, is_taken) in [(0, false), (1, true), (12, true), (64, true), (65, false)] {
            assert_eq!(key.initial_counter(&vec![1; length]).is_ok(), is_taken, "{length}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", HashKey::new(&[0xAB; 16])), "HashKey([redacted])");
        let tags = PieceTags { piece_bytes: 16, text_bytes: 20, tags: &[[0xAB; 16]; 2] };
        assert_eq!(format!("{tags:?}"), "PieceTags(2 of 20 bytes in all)");
    }
}
