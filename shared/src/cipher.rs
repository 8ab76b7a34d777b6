//! Content encryption: AES-256-GCM, and the seam for a host that does it faster.

pub mod pieces;

use aes::{
    Aes256,
    cipher::{BlockCipherEncrypt as _, InnerIvInit as _, KeyInit as _, StreamCipherCore as _},
};
use aes_gcm::{Aes256Gcm, Nonce, Tag, aead::AeadInOut as _};
use ctr::{CtrCore, flavors::Ctr32BE};
use ghash::{GHash, universal_hash::UniversalHash as _};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::secret::DataKey;

/// Length of the authentication tag in bytes.
pub const TAG_BYTES: usize = 16;
/// Longest nonce in bytes; the shortest has one byte.
pub const MAX_NONCE_BYTES: usize = 64;
/// Longest content in bytes: `2^39 - 256` bits (NIST SP 800-38D section 5.2.1.1).
pub const MAX_CONTENT_BYTES: u64 = (1 << 36) - 32;

/// The cipher did not do it. Says no more on purpose: for opening, any reason looks alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the content cipher refused")]
pub struct CipherFailure;

/// `(C, T) = AES-256-GCM(key, nonce, aad, P)`, tag of 16 bytes; NIST SP 800-38D.
///
/// Whoever implements this on a host's own cipher takes nonces of 1 to [`MAX_NONCE_BYTES`] bytes
/// as the standard says (`J0` by GHASH unless there are 12), so that the bytes are the same
/// whichever implementation made them. The caller never uses a (key, nonce) pair twice; the
/// packets of this crate never use a *key* twice.
pub trait ContentCipher {
    /// Encrypts `buffer` in place and returns the tag.
    ///
    /// # Errors
    /// [`CipherFailure`] if the nonce or the buffer has a length that GCM does not take. The
    /// content of the buffer is then unspecified.
    fn seal_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherFailure>;

    /// Decrypts `buffer` in place if `tag` authenticates it together with `nonce` and `aad`.
    ///
    /// # Errors
    /// [`CipherFailure`] if it does not, or as for sealing. The buffer then holds no plaintext.
    fn open_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), CipherFailure>;
}

/// AES-256-GCM in portable Rust, with the processor's AES and carry-less multiplication where it
/// has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCipher;

impl ContentCipher for RustCipher {
    fn seal_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherFailure> {
        if let Ok(nonce) = <&Nonce<_>>::try_from(nonce) {
            return Aes256Gcm::new(key.expose().into())
                .encrypt_inout_detached(nonce, aad, buffer.into())
                .map(Into::into)
                .map_err(|_| CipherFailure);
        }
        let gcm = AnyNonceGcm::new(key);
        let (counter, mask) = gcm.start(nonce, buffer)?;
        counter.try_apply_keystream_partial(buffer.into()).map_err(|_| CipherFailure)?;
        Ok(gcm.tag(&mask, aad, buffer))
    }

    fn open_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), CipherFailure> {
        if let Ok(nonce) = <&Nonce<_>>::try_from(nonce) {
            return Aes256Gcm::new(key.expose().into())
                .decrypt_inout_detached(nonce, aad, buffer.into(), &Tag::from(*tag))
                .map_err(|_| CipherFailure);
        }
        let gcm = AnyNonceGcm::new(key);
        let (counter, mask) = gcm.start(nonce, buffer)?;
        if !bool::from(gcm.tag(&mask, aad, buffer).ct_eq(tag)) {
            return Err(CipherFailure);
        }
        counter.try_apply_keystream_partial(buffer.into()).map_err(|_| CipherFailure)
    }
}

/// GCM for nonces of other lengths than 12 bytes.
///
/// `aes-gcm` has the nonce's length in its type; one instance for each of 63 lengths would be code
/// for nothing. This is the same composition of the same parts with the length at run time, and
/// the tests hold it against `aes-gcm`.
struct AnyNonceGcm {
    aes: Aes256,
    ghash: GHash,
}

impl AnyNonceGcm {
    /// `H = CIPH_K(0^128)` keys GHASH.
    fn new(key: &DataKey) -> Self {
        let aes = Aes256::new(key.expose().into());
        let mut hash_key = ghash::Key::default();
        aes.encrypt_block(&mut hash_key);
        let ghash = GHash::new(&hash_key);
        hash_key.zeroize();
        Self { aes, ghash }
    }

    /// `J0 = GHASH_H(IV ‖ 0^(s+64) ‖ [len(IV)]_64)` with `s` zero bits to fill the last block
    /// (section 7.1 step 2), and the first block of key stream, which masks the tag.
    fn start(
        &self,
        nonce: &[u8],
        buffer: &[u8],
    ) -> Result<(CtrCore<&Aes256, Ctr32BE>, ghash::Block), CipherFailure> {
        let content_fits = u64::try_from(buffer.len()).is_ok_and(|length| length <= MAX_CONTENT_BYTES);
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES || !content_fits {
            return Err(CipherFailure);
        }
        let mut ghash = self.ghash.clone();
        ghash.update_padded(nonce);
        ghash.update(&[lengths_block(0, nonce.len())]);
        let mut counter = CtrCore::inner_iv_init(&self.aes, &ghash.finalize());
        let mut mask = ghash::Block::default();
        counter.write_keystream_block(&mut mask);
        Ok((counter, mask))
    }

    /// `T = GHASH_H(A ‖ 0* ‖ C ‖ 0* ‖ [len(A)]_64 ‖ [len(C)]_64) ⊕ mask` (steps 4 to 6).
    fn tag(&self, mask: &ghash::Block, aad: &[u8], ciphertext: &[u8]) -> [u8; TAG_BYTES] {
        let mut ghash = self.ghash.clone();
        ghash.update_padded(aad);
        ghash.update_padded(ciphertext);
        ghash.update(&[lengths_block(aad.len(), ciphertext.len())]);
        let mut tag: [u8; TAG_BYTES] = ghash.finalize().into();
        tag.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        tag
    }
}

/// Two lengths in bits, 64-bit big-endian each.
fn lengths_block(first_bytes: usize, second_bytes: usize) -> ghash::Block {
    let bits = ((first_bytes as u128 * 8) << 64) | (second_bytes as u128 * 8);
    bits.to_be_bytes().into()
}

#[cfg(test)]
mod tests {
    use aes_gcm::{AesGcm, aead::array::ArraySize, aes::cipher::consts as n};
    use alloc::{vec, vec::Vec};

    use super::*;

    fn key() -> DataKey {
        DataKey::from_slice(&core::array::from_fn::<u8, 32, _>(|i| pattern(32)[i])).unwrap()
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..=250).map(|i: u8| i.wrapping_mul(31)).cycle().take(length).collect()
    }

    /// `aes-gcm`'s own answer for a nonce of `N` bytes.
    fn reference<N: ArraySize>(aad: &[u8], content: &[u8]) -> (Vec<u8>, [u8; 16]) {
        let nonce = pattern(N::USIZE);
        let mut buffer = content.to_vec();
        let tag = AesGcm::<Aes256, N>::new(key().expose().into())
            .encrypt_inout_detached(nonce.as_slice().try_into().unwrap(), aad, buffer.as_mut_slice().into())
            .unwrap();
        (buffer, tag.into())
    }

    fn ours(nonce: &[u8], aad: &[u8], content: &[u8]) -> (Vec<u8>, [u8; 16]) {
        let mut buffer = content.to_vec();
        let tag = RustCipher.seal_in_place(&key(), nonce, aad, &mut buffer).unwrap();
        let mut opened = buffer.clone();
        RustCipher.open_in_place(&key(), nonce, aad, &mut opened, &tag).unwrap();
        assert_eq!(opened, content);
        (buffer, tag)
    }

    #[test]
    fn nonces_of_every_kind_of_length_agree_with_aes_gcm() {
        for (aad, content) in [(0, 0), (0, 1), (5, 16), (16, 15), (20, 100), (33, 4097)] {
            let (aad, content) = (pattern(aad), pattern(content));
            let check = |length, expected| {
                assert_eq!(ours(&pattern(length), &aad, &content), expected, "{length}");
            };
            check(1, reference::<n::U1>(&aad, &content));
            check(8, reference::<n::U8>(&aad, &content));
            check(11, reference::<n::U11>(&aad, &content));
            check(12, reference::<n::U12>(&aad, &content));
            check(13, reference::<n::U13>(&aad, &content));
            check(16, reference::<n::U16>(&aad, &content));
            check(17, reference::<n::U17>(&aad, &content));
            check(32, reference::<n::U32>(&aad, &content));
            check(60, reference::<n::U60>(&aad, &content));
            check(64, reference::<n::U64>(&aad, &content));
        }
    }

    #[test]
    fn all_nonce_lengths_seal_and_open() {
        for length in 1..=MAX_NONCE_BYTES {
            ours(&pattern(length), b"aad", &pattern(50));
        }
        for length in [0, MAX_NONCE_BYTES + 1] {
            let mut buffer = [0; 4];
            let nonce = vec![0; length];
            assert!(RustCipher.seal_in_place(&key(), &nonce, b"", &mut buffer).is_err());
            assert!(RustCipher.open_in_place(&key(), &nonce, b"", &mut buffer, &[0; 16]).is_err());
        }
    }

    #[test]
    fn a_wrong_tag_opens_nothing_and_leaves_no_plaintext() {
        for nonce in [pattern(12), pattern(16)] {
            let mut sealed = b"attack at dawn".to_vec();
            let mut tag = RustCipher.seal_in_place(&key(), &nonce, b"aad", &mut sealed).unwrap();
            tag[15] ^= 1;
            let mut buffer = sealed.clone();
            assert_eq!(
                RustCipher.open_in_place(&key(), &nonce, b"aad", &mut buffer, &tag),
                Err(CipherFailure)
            );
            assert_eq!(buffer, sealed);
        }
    }
}
