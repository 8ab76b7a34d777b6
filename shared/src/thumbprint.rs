use alloc::string::String;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::encoding::{self, EncodingError};

/// `SHA-256(DER(certificate))`, 32 bytes: names the certificate a packet is sealed for.
///
/// It is a name, not a proof: whoever reads a packet looks the key up by it, and the packet's
/// authentication tag decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; Self::BYTES]);

impl Thumbprint {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// `SHA-256(der)`, where `der` is the whole certificate exactly as it was issued.
    pub fn of_certificate_der(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// The thumbprint with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`EncodingError`] if `text` is not exactly 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, EncodingError> {
        encoding::decode_hex(text, Self::BYTES)?.try_into().map(Self).map_err(|_| EncodingError::Length)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// 64 upper-case hexadecimal digits.
    pub fn to_hex_upper(&self) -> String {
        let mut text = encoding::encode_hex(&self.0);
        text.make_ascii_uppercase();
        text
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoding::encode_hex(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    // FIPS 180-4 example: SHA-256("abc").
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn is_sha_256_and_reads_back_from_either_case() {
        let thumbprint = Thumbprint::of_certificate_der(b"abc");
        assert_eq!(thumbprint.to_string(), ABC);
        assert_eq!(thumbprint.to_hex_upper(), ABC.to_uppercase());
        assert_eq!(Thumbprint::from_hex(ABC), Ok(thumbprint));
        assert_eq!(Thumbprint::from_hex(&thumbprint.to_hex_upper()), Ok(thumbprint));
        assert_eq!(Thumbprint::from_bytes(*thumbprint.as_bytes()), thumbprint);
    }

    #[test]
    fn other_lengths_and_digits_are_refused() {
        for text in ["", "ab", &ABC[2..], &[ABC, "00"].concat(), &ABC.replace('a', "g")] {
            assert!(Thumbprint::from_hex(text).is_err(), "{text}");
        }
    }
}
