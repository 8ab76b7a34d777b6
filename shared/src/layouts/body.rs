use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize as _;

use crate::{
    cipher::{ContentCipher, MAX_CONTENT_BYTES, TAG_BYTES},
    packet::{FormatError, OpenError, SealError},
    secret::{DataKey, Plaintext, SecretBuffer},
};

/// All of a sealed content but the content: `prefix ‖ C ‖ T ‖ suffix`, with `(C, T) = AES-256-GCM(key, nonce, AAD,
/// content)`; NIST SP 800-38D.
///
/// For one content only. Whoever encrypts by themselves takes the parts; [`seal`](Self::seal) does it here.
pub struct BodyPlan {
    pub(super) prefix: Vec<u8>,
    pub(super) nonce: Vec<u8>,
    pub(super) aad: Vec<u8>,
    pub(super) suffix: Vec<u8>,
}

impl BodyPlan {
    /// All before the ciphertext.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The GCM nonce.
    pub fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// The associated data.
    pub fn aad(&self) -> &[u8] {
        &self.aad
    }

    /// All behind the tag.
    pub fn suffix(&self) -> &[u8] {
        &self.suffix
    }

    /// Seals `content` under `key`, and uses the plan up.
    ///
    /// # Errors
    /// [`SealError::EmptyContent`] and [`SealError::TooLong`] for content of such lengths, [`SealError::Cipher`] if
    /// `cipher` fails.
    pub fn seal<C: ContentCipher + ?Sized>(
        self,
        key: &DataKey,
        content: &[u8],
        cipher: &C,
    ) -> Result<Vec<u8>, SealError> {
        if content.is_empty() {
            return Err(SealError::EmptyContent);
        }
        if content.len() as u64 > MAX_CONTENT_BYTES {
            return Err(SealError::TooLong);
        }
        let around = self.prefix.len() + TAG_BYTES + self.suffix.len();
        let mut sealed = Vec::new();
        sealed.reserve_exact(content.len().checked_add(around).ok_or(SealError::TooLong)?);
        sealed.extend_from_slice(&self.prefix);
        sealed.extend_from_slice(content);
        let text = sealed.get_mut(self.prefix.len()..).unwrap_or_default();
        let Ok(tag) = cipher.seal_in_place(key, &self.nonce, &self.aad, text) else {
            text.zeroize();
            return Err(SealError::Cipher);
        };
        sealed.extend_from_slice(&tag);
        sealed.extend_from_slice(&self.suffix);
        Ok(sealed)
    }
}

/// Lengths only.
impl fmt::Debug for BodyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyPlan({} bytes before, {} bytes behind)", self.prefix.len(), self.suffix.len())
    }
}

/// A sealed content, taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    nonce: &'a [u8],
    aad: &'a [u8],
    text: &'a [u8],
}

impl<'a> Body<'a> {
    /// `text` is `C ‖ T`.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if it is shorter than a tag, [`FormatError::TooLong`] if it is longer than AES-GCM
    /// allows.
    pub fn new(nonce: &'a [u8], aad: &'a [u8], text: &'a [u8]) -> Result<Self, FormatError> {
        let length = text.len().checked_sub(TAG_BYTES).ok_or(FormatError::Truncated)?;
        if length as u64 > MAX_CONTENT_BYTES {
            return Err(FormatError::TooLong);
        }
        Ok(Self { nonce, aad, text })
    }

    /// The GCM nonce.
    pub const fn nonce(&self) -> &'a [u8] {
        self.nonce
    }

    /// The associated data.
    pub const fn aad(&self) -> &'a [u8] {
        self.aad
    }

    /// Ciphertext and tag.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// `P = AES-256-GCM⁻¹(key, nonce, AAD, C, T)`; NIST SP 800-38D section 7.2.
    ///
    /// # Errors
    /// [`OpenError::Decryption`], without saying what does not fit.
    pub fn open<C: ContentCipher + ?Sized>(&self, key: &DataKey, cipher: &C) -> Result<Plaintext, OpenError> {
        let (text, tag) = self.text.split_last_chunk::<TAG_BYTES>().ok_or(FormatError::Truncated)?;
        let mut buffer = SecretBuffer(text.to_vec());
        cipher
            .open_in_place(key, self.nonce, self.aad, &mut buffer.0, tag)
            .map_err(|_| OpenError::Decryption)?;
        let length = buffer.0.len();
        Ok(Plaintext::within(buffer, 0..length))
    }
}

/// Lengths only.
impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nonce, aad, text } = self;
        write!(
            f,
            "Body(nonce of {}, associated data of {}, text of {} bytes)",
            nonce.len(),
            aad.len(),
            text.len()
        )
    }
}
