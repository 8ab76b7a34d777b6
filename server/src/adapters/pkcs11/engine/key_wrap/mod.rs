//! Secrets wrapped under a KEK, with authenticated encryption.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | version, 0x01 |
//! | 1 | 1 | route: 0x01 [`aes_gcm`], 0x02 [`aes_cbc_hmac`] |
//! | 2 | | what the route makes |
//!
//! The first two bytes are authenticated with the context. A blob names its route, so that it can be opened
//! when the token has since learnt a better one.

use cryptoki::{object::ObjectHandle, session::Session};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::protocol::Fault;
use super::{
    handles,
    recovery::{Call, Failure},
    templates::KeyClass,
};
use crate::domain::key::TokenKeyId;

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

const VERSION: u8 = 0x01;
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
    seal(call.session, keys(call, route, kek)?, context, secret)
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
    open(call.session, keys, context, wrapped)
}

/// Refuses what no route can have made, before it is copied.
pub(in super::super) fn check_length(wrapped: &[u8]) -> Result<(), Fault> {
    if wrapped.len() > MAX_WRAPPED_BYTES { Err(Fault::Unauthentic) } else { Ok(()) }
}

/// Wraps under keys at hand.
pub(super) fn seal(session: &Session, keys: Keys, context: &[u8], secret: &[u8]) -> Result<Vec<u8>, Failure> {
    match keys {
        Keys::AesGcm(kek) => {
            let header = header(WrappingRoute::AesGcm);
            let sealed = aes_gcm::seal(session, kek, &[header.as_slice(), context].concat(), secret)?;
            Ok([header.as_slice(), &sealed].concat())
        }
        Keys::AesCbcHmac { kek, mac } => {
            let header = header(WrappingRoute::AesCbcHmac);
            let sealed =
                aes_cbc_hmac::seal(session, kek, mac, &[header.as_slice(), context].concat(), secret)?;
            Ok([header.as_slice(), &sealed].concat())
        }
    }
}

/// Unwraps under keys at hand.
pub(super) fn open(
    session: &Session,
    keys: Keys,
    context: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (header, sealed) = wrapped.split_at_checked(HEADER_BYTES).ok_or(UNAUTHENTIC)?;
    let context = [header, context].concat();
    match keys {
        Keys::AesGcm(kek) => aes_gcm::open(session, kek, &context, sealed),
        Keys::AesCbcHmac { kek, mac } => aes_cbc_hmac::open(session, kek, mac, &context, sealed),
    }
}

const UNAUTHENTIC: Failure = Failure::Answer(Fault::Unauthentic);

fn keys(call: &Call<'_>, route: WrappingRoute, id: TokenKeyId) -> Result<Keys, Failure> {
    let kek = handles::key(call, id, KeyClass::Kek)?;
    Ok(match route {
        WrappingRoute::AesGcm => Keys::AesGcm(kek),
        WrappingRoute::AesCbcHmac => Keys::AesCbcHmac { kek, mac: handles::key(call, id, KeyClass::KekMac)? },
    })
}

fn header(route: WrappingRoute) -> [u8; HEADER_BYTES] {
    let code = match route {
        WrappingRoute::AesGcm => 0x01,
        WrappingRoute::AesCbcHmac => 0x02,
    };
    [VERSION, code]
}

fn route_of(wrapped: &[u8]) -> Option<WrappingRoute> {
    let found = wrapped.first_chunk()?;
    [WrappingRoute::AesGcm, WrappingRoute::AesCbcHmac].into_iter().find(|route| header(*route) == *found)
}
