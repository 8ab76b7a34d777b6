//! Registration containers: a ZIP of sub-packets, each of them a registration packet beside its description in JSON.
//! The container is sealed as a registration packet again.
//!
//! Written without compression, since what is encrypted cannot be compressed; read with and without (RFC 1951), where
//! the host inflates. Names are unique and lead nowhere; ZIP64, encryption, and archives in parts are refused.

use alloc::string::String;

use sha2::{Digest as _, Sha256};

use crate::encoding::encode_base64url;

mod crc32;
mod zip;

pub use crc32::crc32;
pub use zip::{Entry, StoredEntry, read, write};

/// Most entries in a container.
pub const MAX_ENTRIES: usize = 1000;

/// A container that cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// Not a ZIP, or one of a kind that is not read.
    #[error("not a ZIP archive that can be read; write it in one part, without encryption and ZIP64")]
    Malformed,
    /// More entries than are read or written.
    #[error("a container has at most 1000 entries; make several")]
    TooManyEntries,
    /// Entries of 4 GiB or more in all.
    #[error("a container has less than 4 GiB; make several")]
    TooLarge,
    /// A name that is empty, too long, leads out of the archive, or occurs twice.
    #[error(
        "the name of an entry is not allowed; use each once, with at most 255 bytes, leading nowhere else"
    )]
    Name,
}

impl ContainerError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "container.malformed",
            Self::TooManyEntries => "container.too_many_entries",
            Self::TooLarge => "container.too_large",
            Self::Name => "container.name",
        }
    }
}

/// `encryptedHash` of a sub-packet: base64url of the SHA-256 of its encrypted bytes.
pub fn encrypted_hash(registration_packet: &[u8]) -> String {
    encode_base64url(&Sha256::digest(registration_packet))
}
