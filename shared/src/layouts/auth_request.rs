//! Requests to ID Authentication: content and its hash under one data key, each with a nonce of its own.
//!
//! | Member | Bytes |
//! | --- | --- |
//! | `request` | `C ‖ T ‖ nonce(16)`, of the request's JSON |
//! | `requestHMAC` | the same, of the JSON's SHA-256 as 64 upper-case hexadecimal digits |
//! | `requestSessionKey` | the data key under RSA-OAEP, as long as the modulus |
//! | `thumbprint` | of the certificate, 32 bytes |
//!
//! Without associated data. [`glue`] makes a packet out of three of them, which opens as one without a salt.

use alloc::{string::String, vec::Vec};
use core::fmt;

use rand_core::TryCryptoRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Body, BodyPlan};
use crate::{
    cipher::ContentCipher,
    encoding::encode_hex,
    key_wrap::{OaepSeed, wrap_data_key},
    packet::{FormatError, OpenError, RecipientKey, SealError, Splitter},
    secret::{DataKey, Plaintext, RandomnessUnavailable},
    thumbprint::Thumbprint,
};

/// Length of the nonces in bytes.
pub const NONCE_BYTES: usize = 16;

/// What sealing a request needs, for hosts that encrypt by themselves.
pub struct AuthRequestPlan {
    data_key: DataKey,
    session_key: Vec<u8>,
    thumbprint: Thumbprint,
    request: BodyPlan,
    hash: BodyPlan,
}

impl AuthRequestPlan {
    /// Draws data key (32 bytes), OAEP seed (32) and the nonces of request and hash (16 each), in this order, and wraps
    /// the key.
    ///
    /// # Errors
    /// [`SealError::Randomness`] if `rng` fails.
    pub fn prepare<R: TryCryptoRng + ?Sized>(
        recipient: &RecipientKey,
        rng: &mut R,
    ) -> Result<Self, SealError> {
        let data_key = DataKey::generate(rng)?;
        let mut seed = OaepSeed::generate(rng)?;
        let request = body(rng)?;
        let hash = body(rng)?;
        let session_key = wrap_data_key(&data_key, recipient.public_key(), &mut seed)?;
        Ok(Self { data_key, session_key, thumbprint: recipient.thumbprint(), request, hash })
    }

    /// The key for these two contents, and for no other.
    pub const fn data_key(&self) -> &DataKey {
        &self.data_key
    }

    /// The data key, wrapped.
    pub fn session_key(&self) -> &[u8] {
        &self.session_key
    }

    /// Names the certificate.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// For the JSON of the request.
    pub const fn request(&self) -> &BodyPlan {
        &self.request
    }

    /// For [`hash_text`] of it.
    pub const fn hash(&self) -> &BodyPlan {
        &self.hash
    }

    /// Seals the request's JSON, and uses the plan up.
    ///
    /// # Errors
    /// As for [`BodyPlan::seal`].
    pub fn seal<C: ContentCipher + ?Sized>(self, json: &[u8], cipher: &C) -> Result<AuthRequest, SealError> {
        let Self { data_key, session_key, thumbprint, request, hash } = self;
        let request = request.seal(&data_key, json, cipher)?;
        let request_hmac = hash.seal(&data_key, hash_text(json).as_bytes(), cipher)?;
        Ok(AuthRequest { request, request_hmac, session_key, thumbprint })
    }
}

fn body<R: TryCryptoRng + ?Sized>(rng: &mut R) -> Result<BodyPlan, RandomnessUnavailable> {
    let mut nonce = [0; NONCE_BYTES];
    rng.try_fill_bytes(&mut nonce).map_err(|_| RandomnessUnavailable)?;
    Ok(BodyPlan { prefix: Vec::new(), nonce: nonce.to_vec(), aad: Vec::new(), suffix: nonce.to_vec() })
}

/// Lengths only.
impl fmt::Debug for AuthRequestPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthRequestPlan({:?}; session key of {} bytes)", self.thumbprint, self.session_key.len())
    }
}

/// A sealed request: its members, before base64.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthRequest {
    /// `request`
    pub request: Vec<u8>,
    /// `requestHMAC`
    pub request_hmac: Vec<u8>,
    /// `requestSessionKey`
    pub session_key: Vec<u8>,
    /// `thumbprint`
    pub thumbprint: Thumbprint,
}

/// `SHA-256(json)` as 64 upper-case hexadecimal digits.
pub fn hash_text(json: &[u8]) -> String {
    let mut text = encode_hex(&Sha256::digest(json));
    text.make_ascii_uppercase();
    text
}

/// Takes the member `request` or `requestHMAC` apart.
///
/// # Errors
/// [`FormatError::Truncated`] if it is shorter than tag and nonce.
pub fn read(member: &[u8]) -> Result<Body<'_>, FormatError> {
    let (text, nonce) = member.split_last_chunk::<NONCE_BYTES>().ok_or(FormatError::Truncated)?;
    Body::new(nonce, &[], text)
}

/// Opens a request whose data key was unwrapped, and verifies its hash.
///
/// # Errors
/// [`OpenError::Format`] for members that are too short, [`OpenError::Decryption`] for everything else.
pub fn open<C: ContentCipher + ?Sized>(
    request: &[u8],
    request_hmac: &[u8],
    key: &DataKey,
    cipher: &C,
) -> Result<Plaintext, OpenError> {
    let (request, hash) = (read(request)?, read(request_hmac)?);
    let (json, hash) = (request.open(key, cipher), hash.open(key, cipher));
    let (json, hash) = (json?, hash?);
    if !bool::from(hash_text(json.expose()).as_bytes().ct_eq(hash.expose())) {
        return Err(OpenError::Decryption);
    }
    Ok(json)
}

/// `thumbprint ‖ session key ‖ splitter ‖ member`: a packet whose nonce is its last 16 bytes. A session key that
/// begins with the thumbprint, as some clients send it, keeps its own.
pub fn glue(thumbprint: Thumbprint, session_key: &[u8], member: &[u8], splitter: &Splitter) -> Vec<u8> {
    let thumbprint = thumbprint.as_bytes().as_slice();
    let first = if session_key.starts_with(thumbprint) { &[] } else { thumbprint };
    [first, session_key, splitter.as_bytes(), member].concat()
}
