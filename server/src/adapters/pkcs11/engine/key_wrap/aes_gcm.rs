//! `nonce ‖ C ‖ T`, `(C, T) = AES-256-GCM(KEK, nonce, AAD, secret)`, NIST SP 800-38D.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 12 | nonce, random |
//! | 12 | as the secret | C |
//! | | 16 | T |
//!
//! The nonce comes from the token's generator: 96 random bits allow 2³² wrappings under one KEK (SP 800-38D 8.3),
//! far more than there are keys.

use cryptoki::{
    error::Error,
    mechanism::{Mechanism, aead::GcmParams},
    object::ObjectHandle,
    session::Session,
};
use zeroize::Zeroizing;

use super::{Failure, UNAUTHENTIC};

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const TAG_BITS: u64 = 128;

pub(super) fn seal(
    session: &Session,
    kek: ObjectHandle,
    aad: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    let mut nonce = [0; NONCE_BYTES];
    session.generate_random_slice(&mut nonce)?;
    let sealed = session.encrypt(&mechanism(&mut nonce, aad)?, kek, secret)?;
    // Read after the call: a token that insists on nonces of its own writes them here.
    Ok([nonce.as_slice(), &sealed].concat())
}

pub(super) fn open(
    session: &Session,
    kek: ObjectHandle,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(UNAUTHENTIC)?;
    if sealed.len() < TAG_BYTES {
        return Err(UNAUTHENTIC);
    }
    let mut nonce = *nonce;
    Ok(Zeroizing::new(session.decrypt(&mechanism(&mut nonce, aad)?, kek, sealed)?))
}

fn mechanism<'a>(nonce: &'a mut [u8], aad: &'a [u8]) -> Result<Mechanism<'a>, Error> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, aad, TAG_BITS.into())?))
}
