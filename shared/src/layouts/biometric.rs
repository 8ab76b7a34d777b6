//! Biometric blocks of capture devices and registration clients: `C ‖ T`, with a nonce and associated data that follow
//! from the time stamp and the transaction of the capture.
//!
//! `x = timestamp ⊕ transaction` over their UTF-8 bytes, the shorter one filled up with zero bytes on the left. The
//! nonce is the last 12 bytes of `x`, the associated data are its last 16. Data key and thumbprint travel beside it.

use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;

use super::{Body, BodyPlan};
use crate::{
    key_wrap::{OaepSeed, wrap_data_key},
    packet::{FormatError, RecipientKey, SealError},
    secret::DataKey,
};

/// Length of the nonce in bytes.
pub const NONCE_BYTES: usize = 12;
/// Length of the associated data in bytes.
pub const AAD_BYTES: usize = 16;

/// Time stamp and transaction are both shorter than the associated data that follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time stamp and transaction are too short; one of them needs at least 16 bytes")]
pub struct CaptureLength;

impl CaptureLength {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        "layout.capture_length"
    }
}

/// What a block is bound to. Not a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    last: [u8; AAD_BYTES],
}

impl Capture {
    /// `timestamp` and `transaction` exactly as they stand in the message.
    ///
    /// # Errors
    /// [`CaptureLength`] if both are shorter than 16 bytes.
    pub fn new(timestamp: &str, transaction: &str) -> Result<Self, CaptureLength> {
        if timestamp.len().max(transaction.len()) < AAD_BYTES {
            return Err(CaptureLength);
        }
        let from_end = |text: &'_ str| {
            text.bytes().rev().chain(core::iter::repeat(0)).take(AAD_BYTES).collect::<Vec<u8>>()
        };
        let mut last = [0; AAD_BYTES];
        let both = from_end(timestamp).into_iter().zip(from_end(transaction));
        last.iter_mut().rev().zip(both).for_each(|(to, (one, other))| *to = one ^ other);
        Ok(Self { last })
    }

    /// The GCM nonce.
    pub fn nonce(&self) -> &[u8] {
        self.last.last_chunk::<NONCE_BYTES>().map_or(&[], |nonce| nonce.as_slice())
    }

    /// The associated data.
    pub const fn aad(&self) -> &[u8; AAD_BYTES] {
        &self.last
    }

    /// Takes a block apart.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if it is shorter than a tag.
    pub fn read<'a>(&'a self, block: &'a [u8]) -> Result<Body<'a>, FormatError> {
        Body::new(self.nonce(), &self.last, block)
    }
}

/// Nothing of it: it follows from who was captured when.
impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Capture")
    }
}

/// What sealing a block needs.
pub struct BlockPlan {
    data_key: DataKey,
    session_key: Vec<u8>,
    body: BodyPlan,
}

impl BlockPlan {
    /// Draws data key (32 bytes) and OAEP seed (32), in this order, and wraps the key.
    ///
    /// # Errors
    /// [`SealError::Randomness`] if `rng` fails.
    pub fn prepare<R: TryCryptoRng + ?Sized>(
        recipient: &RecipientKey,
        capture: &Capture,
        rng: &mut R,
    ) -> Result<Self, SealError> {
        let data_key = DataKey::generate(rng)?;
        let mut seed = OaepSeed::generate(rng)?;
        let session_key = wrap_data_key(&data_key, recipient.public_key(), &mut seed)?;
        let (nonce, aad) = (capture.nonce().to_vec(), capture.aad().to_vec());
        let body = BodyPlan { prefix: Vec::new(), nonce, aad, suffix: Vec::new() };
        Ok(Self { data_key, session_key, body })
    }

    /// Data key, the same wrapped, and what the content is sealed with.
    pub fn into_parts(self) -> (DataKey, Vec<u8>, BodyPlan) {
        (self.data_key, self.session_key, self.body)
    }
}

/// Lengths only.
impl fmt::Debug for BlockPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockPlan(session key of {} bytes)", self.session_key.len())
    }
}
