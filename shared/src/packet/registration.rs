//! Registration packets: shape C behind the nonce and the associated data it was sealed with.
//!
//! | Offset | Bytes | Part |
//! | --- | --- | --- |
//! | 0 | 12 | nonce |
//! | 12 | 32 | associated data |
//! | 44 | the rest | a packet of shape C |

use super::{FormatError, OpenInputs};

/// Length of the nonce in bytes.
pub const NONCE_BYTES: usize = 12;
/// Length of the associated data in bytes.
pub const AAD_BYTES: usize = 32;

/// The three parts of a registration packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationParts<'a> {
    /// The nonce: the salt that opens `packet`.
    pub nonce: &'a [u8; NONCE_BYTES],
    /// The associated data that open `packet`.
    pub aad: &'a [u8; AAD_BYTES],
    /// A packet of shape C.
    pub packet: &'a [u8],
}

impl<'a> RegistrationParts<'a> {
    /// What opening `packet` needs beside it.
    pub const fn inputs(&self) -> OpenInputs<'a> {
        OpenInputs { salt: Some(self.nonce), aad: Some(self.aad) }
    }
}

/// Splits a registration packet.
///
/// # Errors
/// [`FormatError::Truncated`] if it is shorter than nonce and associated data.
pub fn split(registration_packet: &[u8]) -> Result<RegistrationParts<'_>, FormatError> {
    let (nonce, rest) = registration_packet.split_first_chunk().ok_or(FormatError::Truncated)?;
    let (aad, packet) = rest.split_first_chunk().ok_or(FormatError::Truncated)?;
    Ok(RegistrationParts { nonce, aad, packet })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_12_and_44() {
        let bytes: [u8; 45] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        let parts = split(&bytes).unwrap();
        assert_eq!((parts.nonce[0], parts.nonce[11]), (0, 11));
        assert_eq!((parts.aad[0], parts.aad[31]), (12, 43));
        assert_eq!(parts.packet, [44]);
        assert_eq!(parts.inputs().salt, Some(&bytes[..12]));
        assert!(split(&bytes[..44]).unwrap().packet.is_empty());
        assert_eq!(split(&bytes[..43]), Err(FormatError::Truncated));
        assert_eq!(split(&[]), Err(FormatError::Truncated));
    }
}
