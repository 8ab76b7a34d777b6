//! Wrapping of data keys to a recipient's public key.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use rsa::{Oaep, sha2::Sha256};

use crate::{
    public_key::RsaPublicKey,
    secret::{DataKey, RandomnessUnavailable},
};

/// `RSAES-OAEP-ENCRYPT((n, e), data key, L = "")` with SHA-256 and MGF1-SHA-256; RFC 8017 section
/// 7.1.1.
///
/// Draws 32 bytes from `rng`: the OAEP seed. The result is as long as the modulus. Only the public
/// key is ever used in this crate; unwrapping is the business of whoever holds the private key.
///
/// # Errors
/// [`RandomnessUnavailable`] if `rng` fails: the only way to fail, since a 32-byte key fits every
/// [`ModulusLength`](crate::ModulusLength).
pub fn wrap_data_key<R: TryCryptoRng + ?Sized>(
    key: &DataKey,
    recipient: &RsaPublicKey,
    rng: &mut R,
) -> Result<Vec<u8>, RandomnessUnavailable> {
    recipient.inner().encrypt(rng, Oaep::<Sha256>::new(), key.expose()).map_err(|_| RandomnessUnavailable)
}
