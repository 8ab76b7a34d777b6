//! X.509 certificates (RFC 5280) as they are found in the field.

mod extensions;
mod name;
mod recipient;

use alloc::{string::String, vec::Vec};
use core::{fmt, ops::Range};

use rsa::sha2::{Sha256, Sha384, Sha512};
use x509_cert::{
    certificate::{CertificateInner, Profile},
    der::{Decode as _, Encode as _, Reader as _, SliceReader, asn1::AnyRef},
    serial_number::SerialNumber,
    spki::ObjectIdentifier,
    time::Time,
};

use crate::{
    pem::{self, PemError},
    public_key::{self, PublicKeyError, RsaPublicKey},
    thumbprint::Thumbprint,
    time::UnixTime,
};

pub use extensions::{BasicConstraints, KeyUsage};
pub use recipient::{Recipient, RecipientError, RecipientPolicy, check_signer};

/// Largest certificate in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = pem::MAX_BLOCK_BYTES;
/// Most certificates read from one PEM text.
pub const MAX_CHAIN_CERTIFICATES: usize = pem::MAX_BLOCKS;

const PEM_LABEL: &str = "CERTIFICATE";

const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// Takes any serial number: certificates with negative ones, which RFC 5280 section 4.1.2.2 tells
/// readers to handle, are common in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Field;

impl Profile for Field {
    fn check_serial_number(_: &SerialNumber<Self>) -> x509_cert::der::Result<()> {
        Ok(())
    }
}

/// Bytes that are no certificate this crate can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The PEM around it is at fault.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// A text with several certificates where one is expected.
    #[error("more than one certificate where one is expected; pass the chain separately")]
    NotSingle,
    /// The certificate is larger than is accepted.
    #[error("the certificate is larger than {MAX_CERTIFICATE_BYTES} bytes; check that it is one")]
    TooLarge,
    /// Not the DER of a certificate.
    #[error("not a DER certificate (RFC 5280); export it again from where it was issued")]
    Malformed,
}

impl CertificateError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pem(error) => error.code(),
            Self::NotSingle => "certificate.not_single",
            Self::TooLarge => "certificate.too_large",
            Self::Malformed => "certificate.malformed",
        }
    }
}

/// A certificate that its alleged issuer did not sign, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// An algorithm other than the three that are verified.
    #[error(
        "signature algorithm not supported; sign with SHA-256, SHA-384 or SHA-512 and RSA (PKCS #1 v1.5)"
    )]
    UnsupportedAlgorithm,
    /// The issuer's key cannot be used.
    #[error("the issuer's public key cannot be used: {0}")]
    IssuerKey(#[source] PublicKeyError),
    /// The signature is not the issuer's over this certificate.
    #[error("the signature does not verify; the certificate was altered or another key signed it")]
    Broken,
}

impl SignatureError {
    /// Stable identifier of this error.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnsupportedAlgorithm => "signature.unsupported_algorithm",
            Self::IssuerKey(error) => error.code(),
            Self::Broken => "signature.broken",
        }
    }
}

/// A certificate: the exact bytes, and what they say.
///
/// Reading one proves nothing about it: see [`is_signed_by`](Self::is_signed_by) and
/// [`Recipient::check`].
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    /// Where the signed part (tbsCertificate) stands in `der`.
    signed_part: Range<usize>,
    parsed: CertificateInner<Field>,
    spki: Vec<u8>,
    thumbprint: Thumbprint,
    key_usage: Option<KeyUsage>,
    basic_constraints: Option<BasicConstraints>,
    unknown_critical_extension: bool,
}

impl Certificate {
    /// Reads one DER certificate, with nothing behind it.
    ///
    /// # Errors
    /// [`CertificateError::TooLarge`] or [`CertificateError::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge);
        }
        Self::parse(der).map_err(|_| CertificateError::Malformed)
    }

    fn parse(der: &[u8]) -> x509_cert::der::Result<Self> {
        let parsed = CertificateInner::<Field>::from_der(der)?;
        let extensions = extensions::read(parsed.tbs_certificate())?;
        Ok(Self {
            signed_part: signed_part(der)?,
            spki: parsed.tbs_certificate().subject_public_key_info().to_der()?,
            thumbprint: Thumbprint::of_certificate_der(der),
            key_usage: extensions.key_usage,
            basic_constraints: extensions.basic_constraints,
            unknown_critical_extension: extensions.unknown_critical,
            der: der.to_vec(),
            parsed,
        })
    }

    /// Reads the one certificate of a PEM text; see [`pem::decode_all`] for what is tolerated.
    ///
    /// # Errors
    /// [`CertificateError`], one variant for each way to fail.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        match Self::chain_from_pem(text)?.as_slice() {
            [single] => Ok(single.clone()),
            _ => Err(CertificateError::NotSingle),
        }
    }

    /// Reads all certificates of a PEM text, at least one and at most [`MAX_CHAIN_CERTIFICATES`],
    /// in their order, which need not be a chain's.
    ///
    /// # Errors
    /// As for [`from_pem`](Self::from_pem).
    pub fn chain_from_pem(text: &str) -> Result<Vec<Self>, CertificateError> {
        pem::decode_all(text, PEM_LABEL)?.iter().map(|der| Self::from_der(der)).collect()
    }

    /// PEM with LF and lines of 64 columns.
    pub fn to_pem(&self) -> String {
        pem::encode(PEM_LABEL, &self.der)
    }

    /// The bytes, exactly as they were given.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of [`der`](Self::der).
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The subject as text of RFC 4514, the most specific part first.
    pub fn subject(&self) -> String {
        name::to_text(self.parsed.tbs_certificate().subject())
    }

    /// The issuer as text of RFC 4514.
    pub fn issuer(&self) -> String {
        name::to_text(self.parsed.tbs_certificate().issuer())
    }

    /// The serial number: a big-endian two's complement integer, negative if its first bit is set.
    pub fn serial_number(&self) -> &[u8] {
        self.parsed.tbs_certificate().serial_number().as_bytes()
    }

    /// First second of the validity period.
    pub fn not_before(&self) -> UnixTime {
        unix_time(self.parsed.tbs_certificate().validity().not_before)
    }

    /// Last second of the validity period.
    pub fn not_after(&self) -> UnixTime {
        unix_time(self.parsed.tbs_certificate().validity().not_after)
    }

    /// What the key may be used for; `None` if the certificate does not say, which is no
    /// restriction (RFC 5280 section 4.2.1.3).
    pub const fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// Whether and how deep the subject may issue certificates; `None` if the certificate does not
    /// say, which means it may not.
    pub const fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.basic_constraints
    }

    /// DER of the SubjectPublicKeyInfo.
    pub fn public_key_der(&self) -> &[u8] {
        &self.spki
    }

    /// The public key, if packets can be sealed for it.
    ///
    /// # Errors
    /// [`PublicKeyError`], one variant for each way to fail.
    pub fn public_key(&self) -> Result<RsaPublicKey, PublicKeyError> {
        RsaPublicKey::from_spki_der(&self.spki)
    }

    /// Verifies this certificate's signature with the public key of `issuer`: RSASSA-PKCS1-v1_5
    /// (RFC 8017 section 8.2.2) with SHA-256, SHA-384 or SHA-512 and a key of 2048 to 8192 bits.
    ///
    /// Says nothing about names, dates or rights of the issuer.
    ///
    /// # Errors
    /// [`SignatureError`], one variant for each way to fail.
    pub fn is_signed_by(&self, issuer: &Self) -> Result<(), SignatureError> {
        let algorithm = self.parsed.signature_algorithm();
        // RFC 5280 section 4.1.1.2: the signed and the unsigned identifier are the same.
        if algorithm != self.parsed.tbs_certificate().signature() {
            return Err(SignatureError::Broken);
        }
        let key = public_key::read_rsa(&issuer.spki).map_err(SignatureError::IssuerKey)?;
        let message = self.der.get(self.signed_part.clone()).ok_or(SignatureError::Broken)?;
        let signature = self.parsed.signature().as_bytes().ok_or(SignatureError::Broken)?;
        match algorithm.oid {
            SHA256_WITH_RSA => key.pkcs1v15_verify::<Sha256>(message, signature),
            SHA384_WITH_RSA => key.pkcs1v15_verify::<Sha384>(message, signature),
            SHA512_WITH_RSA => key.pkcs1v15_verify::<Sha512>(message, signature),
            _ => return Err(SignatureError::UnsupportedAlgorithm),
        }
        .map_err(|_| SignatureError::Broken)
    }

    /// Whether `issuer` has the name that this certificate gives its issuer.
    fn names_as_issuer(&self, issuer: &Self) -> bool {
        name::matches(self.parsed.tbs_certificate().issuer(), issuer.parsed.tbs_certificate().subject())
    }

    /// Whether subject and issuer are the same name: such a certificate does not count for the
    /// length of a path (RFC 5280 section 4.2.1.9).
    fn is_self_issued(&self) -> bool {
        self.names_as_issuer(self)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint)
    }
}

/// The signature is over the bytes as they stand, so their place is kept.
fn signed_part(der: &[u8]) -> x509_cert::der::Result<Range<usize>> {
    let content = AnyRef::from_der(der)?.value();
    let mut reader = SliceReader::new(content)?;
    let _: AnyRef<'_> = reader.decode()?;
    let start = der.len() - content.len();
    Ok(start..start + usize::try_from(reader.position())?)
}

fn unix_time(time: Time) -> UnixTime {
    // DER times end with the year 9999: no overflow.
    UnixTime::from_seconds(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}
