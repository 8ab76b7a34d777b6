//! RSA public keys (RFC 8017) in the sizes this system uses.

use alloc::vec::Vec;
use core::fmt;

use rsa::{BoxedUint, pkcs1::der::Decode as _, traits::PublicKeyParts as _};
use x509_cert::spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

/// rsaEncryption (RFC 8017 appendix C).
pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Smallest public exponent (NIST SP 800-56B r2 section 6.2; the upper bound is the `rsa` crate's).
const MIN_EXPONENT: u64 = 0x1_0001;

/// The sizes of RSA keys that packets are sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModulusLength {
    /// 2048 bits, 256 bytes.
    Rsa2048,
    /// 3072 bits, 384 bytes.
    Rsa3072,
    /// 4096 bits, 512 bytes.
    Rsa4096,
}

impl ModulusLength {
    /// All sizes, the smallest first.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// Length of the modulus, and so of a wrapped data key, in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Rsa2048 => 256,
            Self::Rsa3072 => 384,
            Self::Rsa4096 => 512,
        }
    }

    /// Length of the modulus in bits.
    pub const fn bits(self) -> usize {
        self.bytes() * 8
    }

    /// The size with a modulus of `bits` bits, if it is one of [`ALL`](Self::ALL).
    pub fn from_bits(bits: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.bits() == bits)
    }
}

/// A public key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not a SubjectPublicKeyInfo, or not an RSA key inside.
    #[error("the public key cannot be read; it must be a DER SubjectPublicKeyInfo (RFC 5280)")]
    Malformed,
    /// Another algorithm.
    #[error("not an RSA key; packets are sealed for RSA keys (rsaEncryption) only")]
    NotRsa,
    /// Another size.
    #[error("RSA modulus of a size that is not supported; use 2048, 3072 or 4096 bits")]
    UnsupportedSize,
    /// An exponent that is even, below 65537 or above 2^33.
    #[error("RSA public exponent out of range; use 65537")]
    UnsupportedExponent,
}

impl PublicKeyError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "public_key.malformed",
            Self::NotRsa => "public_key.not_rsa",
            Self::UnsupportedSize => "public_key.unsupported_size",
            Self::UnsupportedExponent => "public_key.unsupported_exponent",
        }
    }
}

/// An RSA public key of a supported size, with an exponent of at least 65537.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey {
    key: rsa::PublicKey,
    modulus_length: ModulusLength,
}

impl RsaPublicKey {
    /// Reads a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    ///
    /// # Errors
    /// [`PublicKeyError`], one variant for each way to fail.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, PublicKeyError> {
        Self::of_supported_size(read_rsa(spki)?)
    }

    /// The key with this modulus, big-endian, and this exponent.
    ///
    /// # Errors
    /// As for [`from_spki_der`](Self::from_spki_der), without [`PublicKeyError::NotRsa`].
    pub fn from_parts(modulus: &[u8], exponent: u32) -> Result<Self, PublicKeyError> {
        Self::of_supported_size(new_rsa(modulus, &exponent.to_be_bytes())?)
    }

    fn of_supported_size(key: rsa::PublicKey) -> Result<Self, PublicKeyError> {
        let modulus_length = usize::try_from(key.n().bit_width_vartime())
            .ok()
            .and_then(ModulusLength::from_bits)
            .ok_or(PublicKeyError::UnsupportedSize)?;
        Ok(Self { key, modulus_length })
    }

    /// Size of the key.
    pub const fn modulus_length(&self) -> ModulusLength {
        self.modulus_length
    }

    /// The modulus, big-endian, as long as [`modulus_length`](Self::modulus_length) says.
    pub fn modulus(&self) -> Vec<u8> {
        self.key.n_bytes().into_vec()
    }

    pub(crate) const fn inner(&self) -> &rsa::PublicKey {
        &self.key
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits)", self.modulus_length.bits())
    }
}

/// An RSA key of 2048 to 8192 bits, as issuers of certificates may have.
pub(crate) fn read_rsa(spki: &[u8]) -> Result<rsa::PublicKey, PublicKeyError> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki).map_err(|_| PublicKeyError::Malformed)?;
    if spki.algorithm.oid != RSA_ENCRYPTION {
        return Err(PublicKeyError::NotRsa);
    }
    let der = spki.subject_public_key.as_bytes().ok_or(PublicKeyError::Malformed)?;
    let parts = rsa::pkcs1::RsaPublicKeyRef::from_der(der).map_err(|_| PublicKeyError::Malformed)?;
    new_rsa(parts.modulus.as_bytes(), parts.public_exponent.as_bytes())
}

fn new_rsa(modulus: &[u8], exponent: &[u8]) -> Result<rsa::PublicKey, PublicKeyError> {
    let modulus = unsigned(modulus)?;
    let exponent = unsigned(exponent).map_err(|_| PublicKeyError::UnsupportedExponent)?;
    if exponent < BoxedUint::from(MIN_EXPONENT) {
        return Err(PublicKeyError::UnsupportedExponent);
    }
    rsa::PublicKey::new_with_size_limits(
        modulus,
        exponent,
        ModulusLength::Rsa2048.bits()..=rsa::PublicKey::MAX_SIZE,
    )
    .map_err(|error| match error {
        rsa::Error::ModulusTooSmall | rsa::Error::ModulusTooLarge => PublicKeyError::UnsupportedSize,
        rsa::Error::PublicExponentTooSmall
        | rsa::Error::PublicExponentTooLarge
        | rsa::Error::InvalidExponent => PublicKeyError::UnsupportedExponent,
        _ => PublicKeyError::Malformed,
    })
}

/// A number of at most the largest modulus, so that no arithmetic is done on larger ones.
fn unsigned(bytes: &[u8]) -> Result<BoxedUint, PublicKeyError> {
    let bits = bytes.len().saturating_mul(8);
    if bits > rsa::PublicKey::MAX_SIZE {
        return Err(PublicKeyError::UnsupportedSize);
    }
    let bits = u32::try_from(bits).map_err(|_| PublicKeyError::UnsupportedSize)?;
    BoxedUint::from_be_slice(bytes, bits).map_err(|_| PublicKeyError::Malformed)
}
