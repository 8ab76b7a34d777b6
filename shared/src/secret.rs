//! Secrets: wiped when dropped, not printable, not copyable, not serialisable.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, mem, ops::Range};

use rand_core::TryCryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// A source of randomness refused to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the random number generator failed; nothing was sealed, try again once it works")]
pub struct RandomnessUnavailable;

impl RandomnessUnavailable {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        "randomness.unavailable"
    }
}

/// The bytes offered as a data key are not 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a data key has exactly 32 bytes; pass the unwrapped key itself")]
pub struct DataKeyLength;

impl DataKeyLength {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        "data_key.length"
    }
}

/// Data-encryption key (DEK): an AES-256 key used for one packet and never again.
///
/// Lives on the heap, so that moving it leaves no copy behind, and is wiped when dropped.
pub struct DataKey(Box<Zeroizing<[u8; Self::BYTES]>>);

impl DataKey {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    fn zeroed() -> Self {
        Self(Box::new(Zeroizing::new([0; Self::BYTES])))
    }

    /// Draws a new key: 32 bytes of `rng`, written in place.
    ///
    /// # Errors
    /// [`RandomnessUnavailable`] if `rng` fails.
    pub fn generate<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<Self, RandomnessUnavailable> {
        let mut key = Self::zeroed();
        rng.try_fill_bytes(key.0.as_mut_slice()).map_err(|_| RandomnessUnavailable)?;
        Ok(key)
    }

    /// Takes an unwrapped key over. The caller wipes its own copy.
    ///
    /// # Errors
    /// [`DataKeyLength`] unless there are exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DataKeyLength> {
        if bytes.len() != Self::BYTES {
            return Err(DataKeyLength);
        }
        let mut key = Self::zeroed();
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// The key itself. For implementations of [`ContentCipher`](crate::cipher::ContentCipher) and
    /// for wrapping, which hand it to a cipher; nothing else has a reason to look.
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// A buffer that is wiped, in its whole capacity, when dropped.
#[derive(Default)]
pub(crate) struct SecretBuffer(pub(crate) Vec<u8>);

impl Drop for SecretBuffer {
    fn drop(&mut self) {
        // `zeroize` writes the elements of a vector one by one, but its spare capacity in bulk:
        // for a buffer without elements that is the same wipe at the speed of memory.
        self.0.clear();
        self.0.zeroize();
    }
}

/// Opened content: the bytes somebody sealed. Wiped when dropped.
pub struct Plaintext {
    buffer: SecretBuffer,
    // Opening works in place inside the packet's own buffer: the content is a part of it.
    content: Range<usize>,
}

impl Plaintext {
    /// Takes a buffer over; no copy is made.
    pub fn new(bytes: Vec<u8>) -> Self {
        let content = 0..bytes.len();
        Self { buffer: SecretBuffer(bytes), content }
    }

    /// `content` of `buffer` is the plaintext; the rest of the buffer never shows.
    pub(crate) fn within(buffer: SecretBuffer, content: Range<usize>) -> Self {
        Self { buffer, content }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The content, for the one who asked for it: to answer a request, to hand it to a caller.
    pub fn expose(&self) -> &[u8] {
        self.buffer.0.get(self.content.clone()).unwrap_or_default()
    }

    /// The content as a buffer of its own, still wiped when dropped. Moves the bytes to the front
    /// of the buffer they are in, without an allocation.
    pub fn into_inner(mut self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(mem::take(&mut self.buffer.0));
        bytes.truncate(self.content.end);
        bytes.drain(..self.content.start);
        bytes
    }
}

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext([redacted; {} bytes])", self.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use super::*;

    /// Does not compile if `$type` implements `$trait`: the method would be ambiguous.
    macro_rules! assert_not_implemented {
        ($type:ty: $($trait:path),+) => {$(
            const _: fn() = || {
                trait Ambiguous<A> {
                    fn probe() {}
                }
                impl<T: ?Sized> Ambiguous<()> for T {}
                struct Implemented;
                impl<T: ?Sized + $trait> Ambiguous<Implemented> for T {}
                let _ = <$type as Ambiguous<_>>::probe;
            };
        )+};
    }

    assert_not_implemented!(DataKey: Clone, PartialEq, fmt::Display, serde::Serialize);
    assert_not_implemented!(Plaintext: Clone, PartialEq, fmt::Display, serde::Serialize);

    #[test]
    fn debug_shows_no_secret() {
        let key = DataKey::from_slice(&[0xAB; 32]).unwrap();
        assert_eq!(format!("{key:?} {key:#?}"), "DataKey([redacted]) DataKey([redacted])");
        let plaintext = Plaintext::new(b"name of a person".to_vec());
        assert_eq!(format!("{plaintext:?}"), "Plaintext([redacted; 16 bytes])");
        assert_eq!(format!("{plaintext:#?}"), "Plaintext([redacted; 16 bytes])");
    }

    #[test]
    fn data_key_takes_exactly_32_bytes() {
        for length in [0, 16, 31, 33, 64] {
            assert_eq!(DataKey::from_slice(&vec![1; length]).err(), Some(DataKeyLength));
        }
        assert_eq!(DataKey::from_slice(&[7; 32]).unwrap().expose(), &[7; 32]);
    }

    #[test]
    fn plaintext_is_the_part_of_the_buffer_it_names() {
        let buffer = || SecretBuffer(b"headcontenttail".to_vec());
        let plaintext = Plaintext::within(buffer(), 4..11);
        assert_eq!(plaintext.expose(), b"content");
        assert_eq!(plaintext.len(), 7);
        assert!(!plaintext.is_empty());
        assert_eq!(plaintext.into_inner().as_slice(), b"content");
        assert!(Plaintext::within(buffer(), 4..4).is_empty());
    }
}
