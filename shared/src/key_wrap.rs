//! Wrapping of data keys to a recipient's public key.

use alloc::{boxed::Box, vec::Vec};

use rand_core::{TryCryptoRng, TryRng};
use rsa::{Oaep, sha2::Sha256};
use sha1::Sha1;
use zeroize::Zeroizing;

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
    wrap_data_key_as(OaepVariant::Sha256, key, recipient, rng)
}

/// The kinds of OAEP that occur in the field, all with SHA-256 as the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OaepVariant {
    /// MGF1 with SHA-256, no label: that of packets.
    Sha256,
    /// MGF1 with SHA-1, no label: that of Android's key store.
    Sha256WithMgf1Sha1,
    /// MGF1 with SHA-256, a label of one zero byte: that of TPMs.
    Sha256WithLabelZero,
}

/// As [`wrap_data_key`], with another OAEP.
///
/// # Errors
/// As for [`wrap_data_key`].
pub fn wrap_data_key_as<R: TryCryptoRng + ?Sized>(
    variant: OaepVariant,
    key: &DataKey,
    recipient: &RsaPublicKey,
    rng: &mut R,
) -> Result<Vec<u8>, RandomnessUnavailable> {
    let recipient = recipient.inner();
    match variant {
        OaepVariant::Sha256 => recipient.encrypt(rng, Oaep::<Sha256>::new(), key.expose()),
        OaepVariant::Sha256WithMgf1Sha1 => {
            recipient.encrypt(rng, Oaep::<Sha256, Sha1>::new_with_mgf_hash(), key.expose())
        }
        OaepVariant::Sha256WithLabelZero => {
            recipient.encrypt(rng, Oaep::<Sha256>::new_with_label([0]), key.expose())
        }
    }
    .map_err(|_| RandomnessUnavailable)
}

/// The seed of one OAEP encryption, drawn before it is used. Kept and wiped as the data key is:
/// whoever knows it can tell whether a guessed key is the wrapped one.
pub(crate) struct OaepSeed(Box<Zeroizing<[u8; Self::BYTES]>>);

impl OaepSeed {
    /// As long as the hash.
    const BYTES: usize = 32;

    pub(crate) fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, RandomnessUnavailable> {
        let mut seed = Box::new(Zeroizing::new([0; Self::BYTES]));
        rng.try_fill_bytes(seed.as_mut_slice()).map_err(|_| RandomnessUnavailable)?;
        Ok(Self(seed))
    }
}

/// Hands the seed out where a padding asks a generator for one.
impl TryRng for OaepSeed {
    type Error = RandomnessUnavailable;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(RandomnessUnavailable)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(RandomnessUnavailable)
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Self::Error> {
        if buffer.len() != Self::BYTES {
            return Err(RandomnessUnavailable);
        }
        buffer.copy_from_slice(self.0.as_slice());
        Ok(())
    }
}

impl TryCryptoRng for OaepSeed {}
