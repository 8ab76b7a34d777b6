//! Secrets wrapped under a KEK, with authenticated encryption.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 0x02 (0x01: without the checksum) |
//! | 1 | 1 | route: 0x01 [`aes_gcm`], 0x02 [`aes_cbc_hmac`] |
//! | 2 | | what the route makes of 16 bytes of checksum (the first of SHA-256 over the secret) and the secret |
//!
//! The checksum is not against forgers, whom the route sees to, but against tokens: a secret that was decrypted right
//! may still come back wrong.
//!
//! The first two bytes are authenticated with the context. A blob names its route, so that it can be opened
//! when the token has since learnt a better one.

use cryptoki::{error::Error, object::ObjectHandle, session::Session};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::protocol::Fault;
use super::{
    handles,
    recovery::{Call, Failure},
    return_values::{Verdict, judge},
    templates::KeyClass,
};
use crate::domain::{digest::sha256, key::TokenKeyId};

mod aes_cbc_hmac;
mod aes_gcm;

/// How secrets are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrappingRoute {
    /// `CKM_AES_GCM`
    AesGcm,
    /// `CKM_AES_CBC_PAD`, then `CKM_SHA256_HMAC`, for tokens without a GCM that can be used.
    AesCbcHmac,
}

/// The keys of one KEK, by the route that uses them.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    /// For [`WrappingRoute::AesGcm`].
    AesGcm(ObjectHandle),
    /// For [`WrappingRoute::AesCbcHmac`].
    AesCbcHmac {
        /// Encrypts.
        kek: ObjectHandle,
        /// Authenticates.
        mac: ObjectHandle,
    },
}

const VERSION: u8 = 0x02;
const VERSION_WITHOUT_CHECKSUM: u8 = 0x01;
const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 2;
/// A PKCS#8 of RSA-4096 has 2.4 kB.
const MAX_SECRET_BYTES: usize = 16 * 1024;
/// Longer than what any route makes of the longest secret.
const MAX_WRAPPED_BYTES: usize = MAX_SECRET_BYTES + 128;

/// See [`crate::ports::key_store::KekStore::wrap`].
pub(super) fn wrap(
    call: &Call<'_>,
    route: WrappingRoute,
    kek: TokenKeyId,
    context: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, Failure> {
    if secret.len() > MAX_SECRET_BYTES {
        return Err(Failure::Answer(Fault::Unsupported("wrapping a secret of this size".to_owned())));
    }
    let keys = keys(call, route, kek)?;
    let wrapped = seal(call.session, keys, context, secret)?;
    // Whoever keeps it lets go of the secret: what does not open now never will.
    match open(call.session, keys, context, &wrapped) {
        Ok(_) => Ok(wrapped),
        Err(Failure::Token(error)) if !refuses_input(&error) => Err(Failure::Token(error)),
        Err(_) => Err(Failure::Nonsense("C_Encrypt: what it sealed does not open")),
    }
}

/// See [`crate::ports::key_store::KekStore::unwrap`].
pub(super) fn unwrap(
    call: &Call<'_>,
    kek: TokenKeyId,
    context: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Before the blob is judged: without the KEK there is nothing to judge it by.
    handles::key(call, kek, KeyClass::Kek)?;
    let route = route_of(wrapped).ok_or(UNAUTHENTIC)?;
    let keys = match keys(call, route, kek) {
        // A KEK without a MAC key has wrapped nothing by the route that needs one.
        Err(Failure::Answer(Fault::NotFound)) => return Err(UNAUTHENTIC),
        keys => keys?,
    };
    match open(call.session, keys, context, wrapped) {
        Err(Failure::Token(error)) if refuses_input(&error) => open_again(call, keys, context, wrapped),
        outcome => outcome,
    }
}

/// Whether it was the blob, or the token: over a fresh session, the key must open what it has just sealed, and refuse
/// the blob once more. One refusal alone may be a passing fault, and would pass a good key for a forged one.
fn open_again(
    call: &Call<'_>,
    keys: Keys,
    context: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let session = call.token.open_session()?;
    let trial = seal(&session, keys, b"", b"trial").and_then(|trial| open(&session, keys, b"", &trial));
    match trial {
        // A token that cannot seal by this route has not sealed the blob either.
        Err(Failure::Token(error)) if judge(&error) == Verdict::Unsupported => {}
        Err(_) => return Err(Failure::Nonsense("C_Decrypt: it opens nothing that it sealed")),
        Ok(_) => {}
    }
    match open(&session, keys, context, wrapped) {
        Err(Failure::Token(error)) if refuses_input(&error) => Err(UNAUTHENTIC),
        outcome => outcome,
    }
}

fn refuses_input(error: &Error) -> bool {
    matches!(judge(error), Verdict::InputRefused | Verdict::InputDoubtful)
}

/// Refuses what no route can have made, before it is copied.
pub(in super::super) fn check_length(wrapped: &[u8]) -> Result<(), Fault> {
    if wrapped.len() > MAX_WRAPPED_BYTES { Err(Fault::Unauthentic) } else { Ok(()) }
}

/// Wraps under keys at hand.
pub(super) fn seal(session: &Session, keys: Keys, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, Failure> {
    let header = [VERSION, keys.route().code()];
    let context = [header.as_slice(), context].concat();
    let framed = Zeroizing::new([checksum(secret).as_slice(), secret].concat());
    let sealed = match keys {
        Keys::AesGcm(kek) => aes_gcm::seal(session, kek, &context, &framed)?,
        Keys::AesCbcHmac { kek, mac } => aes_cbc_hmac::seal(session, kek, mac, &context, &framed)?,
    };
    Ok([header.as_slice(), &sealed].concat())
}

/// Unwraps under keys at hand.
pub(super) fn open(
    session: &Session,
    keys: Keys,
    context: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (header, sealed) = wrapped.split_first_chunk::<HEADER_BYTES>().ok_or(UNAUTHENTIC)?;
    let context = [header.as_slice(), context].concat();
    let framed = match keys {
        Keys::AesGcm(kek) => aes_gcm::open(session, kek, &context, sealed)?,
        Keys::AesCbcHmac { kek, mac } => aes_cbc_hmac::open(session, kek, mac, &context, sealed)?,
    };
    if header.first() == Some(&VERSION_WITHOUT_CHECKSUM) {
        return Ok(framed);
    }
    match framed.split_first_chunk::<CHECKSUM_BYTES>() {
        Some((found, secret)) if *found == checksum(secret) => Ok(Zeroizing::new(secret.to_vec())),
        _ => Err(Failure::Nonsense("C_Decrypt: what it gave is not what was sealed")),
    }
}

fn checksum(secret: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.iter_mut().zip(sha256(secret)).for_each(|(kept, byte)| *kept = byte);
    checksum
}

const UNAUTHENTIC: Failure = Failure::Answer(Fault::Unauthentic);

fn keys(call: &Call<'_>, route: WrappingRoute, id: TokenKeyId) -> Result<Keys, Failure> {
    let kek = handles::key(call, id, KeyClass::Kek)?;
    Ok(match route {
        WrappingRoute::AesGcm => Keys::AesGcm(kek),
        WrappingRoute::AesCbcHmac => Keys::AesCbcHmac { kek, mac: handles::key(call, id, KeyClass::KekMac)? },
    })
}

impl WrappingRoute {
    fn code(self) -> u8 {
        match self {
            Self::AesGcm => 0x01,
            Self::AesCbcHmac => 0x02,
        }
    }
}

impl Keys {
    fn route(self) -> WrappingRoute {
        match self {
            Self::AesGcm(_) => WrappingRoute::AesGcm,
            Self::AesCbcHmac { .. } => WrappingRoute::AesCbcHmac,
        }
    }
}

fn route_of(wrapped: &[u8]) -> Option<WrappingRoute> {
    let [VERSION | VERSION_WITHOUT_CHECKSUM, code] = wrapped.first_chunk()? else { return None };
    [WrappingRoute::AesGcm, WrappingRoute::AesCbcHmac].into_iter().find(|route| route.code() == *code)
}
