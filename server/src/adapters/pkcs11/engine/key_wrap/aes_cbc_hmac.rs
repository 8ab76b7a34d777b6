//! `iv ‖ C ‖ M`, `C = AES-256-CBC(KEK, iv, secret)` with PKCS#7 padding (NIST SP 800-38A),
//! `M = HMAC-SHA-256(MAC key, (context, iv, C))` (FIPS 198-1) over the length-prefixed members.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 16 | iv, random |
//! | 16 | whole blocks | C |
//! | | 32 | M |
//!
//! Encrypt, then MAC: nothing is decrypted before the token has found the code right, so the padding tells nothing.

use cryptoki::{mechanism::Mechanism, object::ObjectHandle, session::Session};
use zeroize::Zeroizing;

use super::{Failure, UNAUTHENTIC};
use crate::domain::key::length_prefixed;

const BLOCK_BYTES: usize = 16;
const MAC_BYTES: usize = 32;

pub(super) fn seal(
    session: &Session,
    kek: ObjectHandle,
    mac_key: ObjectHandle,
    context: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut iv = [0; BLOCK_BYTES];
    session.generate_random_slice(&mut iv)?;
    let ciphertext = session.encrypt(&Mechanism::AesCbcPad(iv), kek, secret)?;
    let mac =
        session.sign(&Mechanism::Sha256Hmac, mac_key, &length_prefixed(&[context, &iv, &ciphertext]))?;
    Ok([iv.as_slice(), &ciphertext, &mac].concat())
}

pub(super) fn open(
    session: &Session,
    kek: ObjectHandle,
    mac_key: ObjectHandle,
    context: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (iv, rest) = sealed.split_first_chunk::<BLOCK_BYTES>().ok_or(UNAUTHENTIC)?;
    let (ciphertext, mac) = rest.split_last_chunk::<MAC_BYTES>().ok_or(UNAUTHENTIC)?;
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK_BYTES) {
        return Err(UNAUTHENTIC);
    }
    let covered = length_prefixed(&[context, iv, ciphertext]);
    session.verify(&Mechanism::Sha256Hmac, mac_key, &covered, mac)?;
    Ok(Zeroizing::new(session.decrypt(&Mechanism::AesCbcPad(*iv), kek, ciphertext)?))
}
