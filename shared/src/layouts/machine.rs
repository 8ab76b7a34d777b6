//! Contents for a registration machine: `wrapped key ‖ nonce(12) ‖ AAD(32) ‖ C ‖ T`.
//!
//! Machines differ in their OAEP (RFC 8017 section 7.1), all with SHA-256 as its hash. Older contents have a nonce of 16
//! bytes and associated data of 12.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{Body, BodyPlan};
use crate::{
    cipher::ContentCipher,
    key_wrap::{OaepSeed, wrap_data_key_as},
    packet::{FormatError, OpenError, SealError},
    public_key::{ModulusLength, PublicKeyError, RsaPublicKey},
    secret::{DataKey, Plaintext, RandomnessUnavailable},
};

pub use crate::key_wrap::OaepVariant;

mod tpm;

/// Length of the nonce in bytes.
pub const NONCE_BYTES: usize = 12;
/// Length of the associated data in bytes.
pub const AAD_BYTES: usize = 32;
const OLD_NONCE_BYTES: usize = 16;
const OLD_AAD_BYTES: usize = 12;

/// Who unwraps the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineKind {
    /// Software: MGF1 with SHA-256, no label.
    Local,
    /// An Android key store: MGF1 with SHA-1, no label.
    Android,
    /// A TPM: MGF1 with SHA-256, a label of one zero byte.
    Tpm,
}

impl MachineKind {
    /// How its keys are wrapped.
    pub const fn oaep(self) -> OaepVariant {
        match self {
            Self::Local => OaepVariant::Sha256,
            Self::Android => OaepVariant::Sha256WithMgf1Sha1,
            Self::Tpm => OaepVariant::Sha256WithLabelZero,
        }
    }
}

/// The public key of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineKey {
    key: RsaPublicKey,
    kind: MachineKind,
}

impl MachineKey {
    /// Reads a marshalled TPMT_PUBLIC (TPM 2.0 Library, Part 2, section 12.2.4), which says that the machine is a TPM
    /// whatever `kind` says, or else a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`PublicKeyError`], one variant for each way to fail.
    pub fn read(bytes: &[u8], kind: MachineKind) -> Result<Self, PublicKeyError> {
        if let Some(parts) = tpm::read_public(bytes) {
            let key = RsaPublicKey::from_parts(parts.modulus, parts.exponent)?;
            return Ok(Self { key, kind: MachineKind::Tpm });
        }
        Ok(Self { key: RsaPublicKey::from_spki_der(bytes)?, kind })
    }

    /// What machine it is.
    pub const fn kind(&self) -> MachineKind {
        self.kind
    }

    /// Draws data key (32 bytes), OAEP seed (32), nonce (12) and associated data (32), in this order, and wraps the key.
    ///
    /// # Errors
    /// [`SealError::Randomness`] if `rng` fails.
    pub fn plan<R: TryCryptoRng + ?Sized>(&self, rng: &mut R) -> Result<(DataKey, BodyPlan), SealError> {
        let data_key = DataKey::generate(rng)?;
        let mut seed = OaepSeed::generate(rng)?;
        let (mut nonce, mut aad) = ([0; NONCE_BYTES], [0; AAD_BYTES]);
        rng.try_fill_bytes(&mut nonce).map_err(|_| RandomnessUnavailable)?;
        rng.try_fill_bytes(&mut aad).map_err(|_| RandomnessUnavailable)?;
        let wrapped = wrap_data_key_as(self.kind.oaep(), &data_key, &self.key, &mut seed)?;
        let prefix = [wrapped.as_slice(), &nonce, &aad].concat();
        Ok((data_key, BodyPlan { prefix, nonce: nonce.to_vec(), aad: aad.to_vec(), suffix: Vec::new() }))
    }
}

/// A content for a machine, taken apart. Which of the two it is, its tag decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineBody<'a> {
    /// The data key under RSA-OAEP.
    pub wrapped_key: &'a [u8],
    /// As it is written.
    pub body: Body<'a>,
    /// As it was written: a nonce of 16 bytes and associated data of 12.
    pub old_body: Body<'a>,
}

/// Takes a content for a machine apart.
///
/// # Errors
/// [`FormatError::Truncated`] if it is shorter than its fixed parts.
pub fn read(sealed: &[u8], modulus: ModulusLength) -> Result<MachineBody<'_>, FormatError> {
    let (wrapped_key, rest) = sealed.split_at_checked(modulus.bytes()).ok_or(FormatError::Truncated)?;
    let old_body = split(rest, OLD_NONCE_BYTES, OLD_AAD_BYTES)?;
    // The old one is the shorter: what is too short for the new one may be it, and opens as neither of two alike.
    let body = split(rest, NONCE_BYTES, AAD_BYTES).unwrap_or(old_body);
    Ok(MachineBody { wrapped_key, body, old_body })
}

fn split(rest: &[u8], nonce_bytes: usize, aad_bytes: usize) -> Result<Body<'_>, FormatError> {
    let (nonce, rest) = rest.split_at_checked(nonce_bytes).ok_or(FormatError::Truncated)?;
    let (aad, text) = rest.split_at_checked(aad_bytes).ok_or(FormatError::Truncated)?;
    Body::new(nonce, aad, text)
}

impl MachineBody<'_> {
    /// Opens a content whose data key was unwrapped, as it is written or as it was.
    ///
    /// # Errors
    /// [`OpenError::Decryption`], without saying what does not fit.
    pub fn open<C: ContentCipher + ?Sized>(&self, key: &DataKey, cipher: &C) -> Result<Plaintext, OpenError> {
        self.body.open(key, cipher).or_else(|_| self.old_body.open(key, cipher))
    }
}
