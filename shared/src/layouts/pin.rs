//! Contents under a PIN: `salt(32) ‖ nonce(12) ‖ C ‖ T`, with the salt as associated data.
//!
//! `key = PBKDF2-HMAC-SHA-512(PIN, salt, iterations, 32)`; RFC 8018 section 5.2. The iterations do not stand in the
//! bytes: both sides have to know them. Few digits are tried in seconds, whatever their number: such a content is
//! as safe as the way to it.

use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::{Body, BodyPlan};
use crate::{
    packet::{FormatError, SealError},
    secret::{DataKey, RandomnessUnavailable},
};

/// Length of the salt in bytes.
pub const SALT_BYTES: usize = 32;
/// Length of the nonce in bytes.
pub const NONCE_BYTES: usize = 12;
/// What installations use unless they changed it.
pub const DEFAULT_ITERATIONS: u32 = 100_000;
/// More would be a way to keep a processor busy.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// A number of iterations that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number of iterations that is not supported; use 1 to {max}, and 100000 unless told otherwise", max = MAX_ITERATIONS)]
pub struct IterationCount;

impl IterationCount {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        "layout.iterations"
    }
}

/// A PIN. Wiped when dropped.
pub struct Pin(Zeroizing<Vec<u8>>);

impl Pin {
    /// The PIN's characters as UTF-8.
    pub fn new(pin: &str) -> Self {
        Self(Zeroizing::new(pin.as_bytes().to_vec()))
    }

    /// `PBKDF2-HMAC-SHA-512(PIN, salt, iterations, 32)`.
    ///
    /// # Errors
    /// [`IterationCount`] unless there are 1 to [`MAX_ITERATIONS`].
    pub fn derive_key(&self, salt: &[u8], iterations: u32) -> Result<DataKey, IterationCount> {
        if iterations == 0 || iterations > MAX_ITERATIONS {
            return Err(IterationCount);
        }
        let mut key = Zeroizing::new([0; DataKey::BYTES]);
        pbkdf2::pbkdf2_hmac::<Sha512>(&self.0, salt, iterations, key.as_mut_slice());
        DataKey::from_slice(key.as_slice()).map_err(|_| IterationCount)
    }
}

/// Nothing of it.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin([redacted])")
    }
}

/// Draws salt (32 bytes) and nonce (12), in this order. The salt is the plan's associated data.
///
/// # Errors
/// [`SealError::Randomness`] if `rng` fails.
pub fn plan<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<BodyPlan, SealError> {
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    rng.try_fill_bytes(&mut salt).map_err(|_| RandomnessUnavailable)?;
    rng.try_fill_bytes(&mut nonce).map_err(|_| RandomnessUnavailable)?;
    let prefix = [salt.as_slice(), &nonce].concat();
    Ok(BodyPlan { prefix, nonce: nonce.to_vec(), aad: salt.to_vec(), suffix: Vec::new() })
}

/// Takes a content under a PIN apart. Its associated data are the salt.
///
/// # Errors
/// [`FormatError::Truncated`] if it is shorter than salt, nonce and tag.
pub fn read(sealed: &[u8]) -> Result<Body<'_>, FormatError> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_BYTES>().ok_or(FormatError::Truncated)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(FormatError::Truncated)?;
    Body::new(nonce, salt, text)
}
