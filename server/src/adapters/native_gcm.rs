//! AES-256-GCM by the C libraries: AWS-LC where it can do it, else OpenSSL.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
};
use kunji_shared::{
    cipher::{CipherFailure, ContentCipher, MAX_NONCE_BYTES, TAG_BYTES},
    secret::DataKey,
};
use openssl::{cipher::Cipher, cipher_ctx::CipherCtx, error::ErrorStack};
use zeroize::Zeroize as _;

use crate::ports::bulk_cipher::{BulkCipher, BulkCipherError, StreamOpener, StreamSealer};

/// [`BulkCipher`] for every nonce of 1 to 64 bytes.
///
/// | | 12 bytes of nonce | other lengths |
/// |---|---|---|
/// | a slice | AWS-LC | OpenSSL |
/// | a stream | OpenSSL | OpenSSL |
///
/// AWS-LC's `EVP_AEAD` takes whole messages and no other nonces, but is more than twice as fast as the OpenSSL 3.0
/// of Debian 12, which does not use the wide AES instructions (VAES). The bytes are the same.
///
/// Both compare the tag in constant time (`CRYPTO_memcmp`) and overwrite key schedules when they are freed
/// (AWS-LC `OPENSSL_free`, OpenSSL `OPENSSL_clear_free`).
pub struct NativeGcm {
    // Fetched once: OpenSSL 3 would look it up by name on every use.
    cipher: Cipher,
}

impl NativeGcm {
    /// Looks the cipher up.
    ///
    /// # Errors
    /// [`BulkCipherError`] when the library does not have it.
    pub fn new() -> Result<Self, BulkCipherError> {
        let cipher = Cipher::fetch(None, "AES-256-GCM", None).map_err(|_| BulkCipherError)?;
        Ok(Self { cipher })
    }

    fn start(
        &self,
        direction: Direction,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Stream, BulkCipherError> {
        // The library takes longer ones, the packet format does not.
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
            return Err(BulkCipherError);
        }
        let start = || {
            let mut context = CipherCtx::new()?;
            match direction {
                Direction::Open => context.decrypt_init(Some(&self.cipher), None, None)?,
                Direction::Seal => context.encrypt_init(Some(&self.cipher), None, None)?,
            }
            context.set_iv_length(nonce.len())?;
            // `expose`: the key goes into the cipher's schedule.
            match direction {
                Direction::Open => context.decrypt_init(None, Some(key.expose()), Some(nonce))?,
                Direction::Seal => context.encrypt_init(None, Some(key.expose()), Some(nonce))?,
            }
            for part in aad.chunks(MAX_CALL_BYTES) {
                context.cipher_update(part, None)?;
            }
            Ok(Stream(context))
        };
        start().map_err(|_: ErrorStack| BulkCipherError)
    }
}

impl ContentCipher for NativeGcm {
    fn seal_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CipherFailure> {
        if let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(nonce) {
            return one_shot(key)
                .and_then(|key| {
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    key.seal_in_place_separate_tag(nonce, Aad::from(aad), buffer)
                })
                .ok()
                .and_then(|tag| tag.as_ref().try_into().ok())
                .ok_or(CipherFailure);
        }
        let mut stream = self.start(Direction::Seal, key, nonce, aad).map_err(|_| CipherFailure)?;
        stream.run(buffer).and_then(|()| stream.tag()).map_err(|_| CipherFailure)
    }

    fn open_in_place(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> Result<(), CipherFailure> {
        let authentic = if let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(nonce) {
            let nonce = Nonce::assume_unique_for_key(nonce);
            one_shot(key)
                .and_then(|key| {
                    key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, buffer).map(|_| ())
                })
                .is_ok()
        } else {
            let mut stream = self.start(Direction::Open, key, nonce, aad).map_err(|_| CipherFailure)?;
            stream.run(buffer).is_ok() && stream.tag_fits(tag)
        };
        if authentic {
            return Ok(());
        }
        buffer.zeroize();
        Err(CipherFailure)
    }
}

impl BulkCipher for NativeGcm {
    fn sealer(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Box<dyn StreamSealer>, BulkCipherError> {
        Ok(Box::new(self.start(Direction::Seal, key, nonce, aad)?))
    }

    fn opener(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Box<dyn StreamOpener>, BulkCipherError> {
        Ok(Box::new(self.start(Direction::Open, key, nonce, aad)?))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Open,
    Seal,
}

/// A context with key, nonce and associated data in it.
struct Stream(CipherCtx);

impl Stream {
    fn run(&mut self, content: &mut [u8]) -> Result<(), BulkCipherError> {
        for piece in content.chunks_mut(MAX_CALL_BYTES) {
            let length = piece.len();
            let written = self.0.cipher_update_inplace(piece, length).map_err(|_| BulkCipherError)?;
            // A stream cipher gives as much as it takes; anything else would leave a gap.
            if written != length {
                return Err(BulkCipherError);
            }
        }
        Ok(())
    }

    fn tag(&mut self) -> Result<[u8; TAG_BYTES], BulkCipherError> {
        let mut tag = [0; TAG_BYTES];
        let finish = self.0.cipher_final(&mut []).and_then(|_| self.0.tag(&mut tag));
        finish.map(|()| tag).map_err(|_| BulkCipherError)
    }

    fn tag_fits(&mut self, tag: &[u8; TAG_BYTES]) -> bool {
        self.0.set_tag(tag).and_then(|()| self.0.cipher_final(&mut [])).is_ok()
    }
}

impl StreamSealer for Stream {
    fn update(&mut self, piece: &mut [u8]) -> Result<(), BulkCipherError> {
        self.run(piece)
    }

    fn finish(mut self: Box<Self>) -> Result<[u8; TAG_BYTES], BulkCipherError> {
        self.tag()
    }
}

impl StreamOpener for Stream {
    fn update(&mut self, piece: &mut [u8]) -> Result<(), BulkCipherError> {
        self.run(piece)
    }

    fn finish(mut self: Box<Self>, tag: &[u8; TAG_BYTES]) -> bool {
        self.tag_fits(tag)
    }
}

/// `expose`: the key goes into the cipher's schedule.
fn one_shot(key: &DataKey) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&AES_256_GCM, key.expose()).map(LessSafeKey::new)
}

/// OpenSSL counts in `int`. A multiple of the block, so that no call starts inside one.
const MAX_CALL_BYTES: usize = 1 << 30;

#[cfg(test)]
mod tests {
    use kunji_shared::RustCipher;

    use super::*;

    fn key() -> DataKey {
        DataKey::from_slice(&std::array::from_fn::<u8, 32, _>(|i| u8::try_from(i).unwrap() * 7)).unwrap()
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
    }

    fn gcm() -> NativeGcm {
        NativeGcm::new().unwrap()
    }

    /// `C, T` by the portable cipher.
    fn reference(nonce: &[u8], aad: &[u8], content: &[u8]) -> (Vec<u8>, [u8; TAG_BYTES]) {
        let mut sealed = content.to_vec();
        let tag = RustCipher.seal_in_place(&key(), nonce, aad, &mut sealed).unwrap();
        (sealed, tag)
    }

    #[test]
    fn bytes_are_those_of_the_portable_cipher() {
        let gcm = gcm();
        let sizes = [0, 1, 15, 16, 17, 255, 1024, 4097];
        for nonce in 1..=MAX_NONCE_BYTES {
            for (content, aad) in sizes.into_iter().zip([0, 5, 16, 20, 0, 33, 64, 1000]) {
                let (nonce, aad, content) = (pattern(nonce), pattern(aad), pattern(content));
                let mut buffer = content.clone();
                let tag = gcm.seal_in_place(&key(), &nonce, &aad, &mut buffer).unwrap();
                assert_eq!((buffer.clone(), tag), reference(&nonce, &aad, &content));
                gcm.open_in_place(&key(), &nonce, &aad, &mut buffer, &tag).unwrap();
                assert_eq!(buffer, content);
            }
        }
    }

    #[test]
    fn content_in_pieces_of_any_size_is_the_content_at_once() {
        let (gcm, content) = (gcm(), pattern(10_000));
        for nonce in [pattern(1), pattern(12), pattern(16), pattern(64)] {
            let expected = reference(&nonce, b"aad", &content);
            for piece in [1, 7, 16, 31, 4096, 10_000] {
                let mut buffer = content.clone();
                let mut sealer = gcm.sealer(&key(), &nonce, b"aad").unwrap();
                buffer.chunks_mut(piece).for_each(|piece| sealer.update(piece).unwrap());
                sealer.update(&mut []).unwrap();
                assert_eq!((buffer.clone(), sealer.finish().unwrap()), expected);

                let mut opener = gcm.opener(&key(), &nonce, b"aad").unwrap();
                buffer.chunks_mut(piece).for_each(|piece| opener.update(piece).unwrap());
                assert!(opener.finish(&expected.1));
                assert_eq!(buffer, content);
            }
        }
    }

    #[test]
    fn empty_content_streams_too() {
        let (_, tag) = reference(&[1; 12], b"", b"");
        assert_eq!(gcm().sealer(&key(), &[1; 12], b"").unwrap().finish().unwrap(), tag);
        assert!(gcm().opener(&key(), &[1; 12], b"").unwrap().finish(&tag));
    }

    #[test]
    fn any_change_is_refused_and_leaves_no_plaintext() {
        let (gcm, content) = (gcm(), pattern(100));
        for nonce in [pattern(12), pattern(16)] {
            let (sealed, tag) = reference(&nonce, b"aad", &content);
            let opens = |nonce: &[u8], aad: &[u8], mut sealed: Vec<u8>, tag: [u8; TAG_BYTES]| {
                let mut opener = gcm.opener(&key(), nonce, aad).unwrap();
                opener.update(&mut sealed.clone()).unwrap();
                let streamed = opener.finish(&tag);
                let at_once = gcm.open_in_place(&key(), nonce, aad, &mut sealed, &tag).is_ok();
                assert_eq!(streamed, at_once);
                assert_eq!(sealed, if at_once { content.clone() } else { vec![0; sealed.len()] });
                at_once
            };
            assert!(opens(&nonce, b"aad", sealed.clone(), tag));
            for bit in 0..128 {
                let mut tag = tag;
                tag[bit / 8] ^= 1 << (bit % 8);
                assert!(!opens(&nonce, b"aad", sealed.clone(), tag));
            }
            let mut changed = sealed.clone();
            changed[99] ^= 0x80;
            assert!(!opens(&nonce, b"aad", changed, tag));
            assert!(!opens(&nonce, b"aae", sealed.clone(), tag));
            assert!(!opens(&nonce, b"", sealed.clone(), tag));
            assert!(!opens(&pattern(13), b"aad", sealed.clone(), tag));
            assert!(!opens(&nonce, b"aad", sealed[..99].to_vec(), tag));
        }
    }

    #[test]
    fn nonces_of_other_lengths_are_refused() {
        for length in [0, MAX_NONCE_BYTES + 1, 128, 1000] {
            assert!(gcm().seal_in_place(&key(), &vec![0; length], b"", &mut [0; 4]).is_err());
            assert!(
                gcm().open_in_place(&key(), &vec![0; length], b"", &mut [0; 4], &[0; TAG_BYTES]).is_err()
            );
            assert!(gcm().sealer(&key(), &vec![0; length], b"").is_err());
            assert!(gcm().opener(&key(), &vec![0; length], b"").is_err());
        }
    }
}
