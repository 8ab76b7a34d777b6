//! TPMT_PUBLIC of an RSA key (TPM 2.0 Library, Part 2, section 12.2.4).
//!
//! | Bytes | Part |
//! | --- | --- |
//! | 2 | type: TPM_ALG_RSA |
//! | 2 | nameAlg |
//! | 4 | objectAttributes |
//! | 2 + n | authPolicy |
//! | 2 (+ 4) | symmetric: TPM_ALG_NULL, or an algorithm, its key bits and its mode |
//! | 2 (+ 2) | scheme: TPM_ALG_NULL or RSAES, or an algorithm and its hash |
//! | 2 | keyBits |
//! | 4 | exponent; 0 stands for 65537 |
//! | 2 + n | unique: the modulus |

const ALG_RSA: u16 = 0x0001;
const ALG_NULL: u16 = 0x0010;
const ALG_RSAES: u16 = 0x0015;
const DEFAULT_EXPONENT: u32 = 0x1_0001;

/// An RSA public key, unchecked.
pub(super) struct RsaParts<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: u32,
}

/// `None` if the bytes are anything else, or more than that.
pub(super) fn read_public(bytes: &[u8]) -> Option<RsaParts<'_>> {
    let mut reader = Reader(bytes);
    if reader.number()? != ALG_RSA {
        return None;
    }
    reader.take(2 + 4)?;
    reader.sized()?;
    if reader.number()? != ALG_NULL {
        reader.take(4)?;
    }
    if !matches!(reader.number()?, ALG_NULL | ALG_RSAES) {
        reader.take(2)?;
    }
    let key_bits = reader.number()?;
    let exponent = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
    let modulus = reader.sized()?;
    if !reader.0.is_empty() || modulus.len() != usize::from(key_bits / 8) {
        return None;
    }
    Some(RsaParts { modulus, exponent: if exponent == 0 { DEFAULT_EXPONENT } else { exponent } })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }
}
