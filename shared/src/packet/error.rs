use crate::secret::RandomnessUnavailable;

/// Bytes that cannot be a packet, or inputs that cannot belong to one.
///
/// Everything here can be told from public bytes alone, before any key is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The splitter is at none of the places where it can stand.
    #[error(
        "no splitter behind a wrapped key of 256, 384 or 512 bytes; check that the packet is \
         complete, decoded from base64, and that both sides use the same splitter setting"
    )]
    SplitterMissing,
    /// The splitter is not where the size of the recipient's key puts it.
    #[error(
        "the wrapped key is not as long as the modulus of the key it is said to be wrapped for; \
         the packet was altered or names the wrong certificate"
    )]
    SplitterMisplaced,
    /// The packet names no certificate, but is read as one that does.
    #[error("the packet has no thumbprint; choose the key by application and reference")]
    ThumbprintMissing,
    /// The packet ends before its last part does.
    #[error("the packet is cut short; transfer it again in full")]
    Truncated,
    /// More content than AES-GCM takes under one key.
    #[error("the content is longer than AES-GCM takes (64 GiB); split it into several packets")]
    TooLong,
    /// A salt that cannot be a nonce.
    #[error("the salt cannot be a GCM nonce; use 1 to 64 bytes")]
    SaltLength,
    /// The caller passed a shorter beginning of the packet than reading needs.
    #[error("too little of the packet's beginning was read; pass its first {bytes} bytes", bytes = super::HEAD_BYTES)]
    HeadIncomplete,
}

impl FormatError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SplitterMissing => "packet.splitter_missing",
            Self::SplitterMisplaced => "packet.splitter_misplaced",
            Self::ThumbprintMissing => "packet.thumbprint_missing",
            Self::Truncated => "packet.truncated",
            Self::TooLong => "packet.too_long",
            Self::SaltLength => "packet.salt_length",
            Self::HeadIncomplete => "packet.head_incomplete",
        }
    }
}

/// A packet that was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes cannot be a packet.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Key, salt, AAD, content and tag do not belong together. Which of them is wrong is not told.
    #[error("the packet cannot be decrypted; check salt and AAD, and that it was not altered")]
    Decryption,
}

impl OpenError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Format(error) => error.code(),
            Self::Decryption => "packet.decryption_failed",
        }
    }
}

/// Content that was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is nothing to seal.
    #[error("the content is empty; a packet needs at least one byte")]
    EmptyContent,
    /// More content than AES-GCM takes under one key.
    #[error("the content is longer than AES-GCM takes (64 GiB); split it into several packets")]
    TooLong,
    /// A salt that cannot be a nonce.
    #[error("the salt cannot be a GCM nonce; use 1 to 64 bytes")]
    SaltLength,
    /// The random number generator failed.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
    /// The content cipher failed.
    #[error("the content cipher failed; nothing was sealed, try again")]
    Cipher,
}

impl SealError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::EmptyContent => "packet.empty_content",
            Self::TooLong => "packet.too_long",
            Self::SaltLength => "packet.salt_length",
            Self::Randomness(error) => error.code(),
            Self::Cipher => "packet.cipher_failed",
        }
    }
}
