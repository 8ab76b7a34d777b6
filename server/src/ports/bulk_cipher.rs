//! AES-256-GCM over content that may be larger than memory.

use kunji_shared::{
    cipher::{ContentCipher, TAG_BYTES},
    secret::DataKey,
};

/// `C ‖ T = AES-256-GCM(K, nonce, aad, P)`, NIST SP 800-38D, nonce of 1 to 64 bytes, over slices (as
/// [`ContentCipher`]) and over streams. Blocks the calling thread.
pub trait BulkCipher: ContentCipher + Send + Sync {
    /// Begins to seal.
    ///
    /// # Errors
    /// [`BulkCipherError`] when the nonce has a length that GCM does not take, or the library fails.
    fn sealer(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Box<dyn StreamSealer>, BulkCipherError>;

    /// Begins to open.
    ///
    /// # Errors
    /// As [`BulkCipher::sealer`].
    fn opener(
        &self,
        key: &DataKey,
        nonce: &[u8],
        aad: &[u8],
    ) -> Result<Box<dyn StreamOpener>, BulkCipherError>;
}

/// Seals content piece by piece.
pub trait StreamSealer: Send {
    /// Encrypts the next piece in place.
    ///
    /// # Errors
    /// [`BulkCipherError`] when the library fails.
    fn update(&mut self, piece: &mut [u8]) -> Result<(), BulkCipherError>;

    /// Ends, with the tag over all that was sealed.
    ///
    /// # Errors
    /// [`BulkCipherError`] when the library fails.
    fn finish(self: Box<Self>) -> Result<[u8; TAG_BYTES], BulkCipherError>;
}

/// Opens content piece by piece. Nothing it yields may leave the server before a whole pass over the same
/// bytes has ended with a tag that fits.
pub trait StreamOpener: Send {
    /// Decrypts the next piece in place; the result is not yet authentic.
    ///
    /// # Errors
    /// [`BulkCipherError`] when the library fails.
    fn update(&mut self, piece: &mut [u8]) -> Result<(), BulkCipherError>;

    /// Whether the tag fits all that was opened.
    fn finish(self: Box<Self>, tag: &[u8; TAG_BYTES]) -> bool;
}

/// The cipher could not work; it says nothing about the content.
#[derive(Debug, thiserror::Error)]
#[error("the content cipher failed")]
pub struct BulkCipherError;
