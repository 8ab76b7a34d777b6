//! RSA signing pairs.

use cryptoki::{mechanism::Mechanism, object::ObjectHandle, session::Session};

use super::super::protocol::Fault;
use super::{
    capabilities::Capabilities,
    generation, handles,
    public_key::RsaPublicKey,
    recovery::{Call, Failure},
    templates::{self, KeyClass, Place},
};
use crate::domain::key::TokenKeyId;

/// Everything of `DigestInfo` (RFC 8017 9.2, SHA-256) before the digest.
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// See [`crate::ports::key_store::TokenSigner::generate_signing_pair`].
pub(super) fn generate_pair(
    call: &Call<'_>,
    capabilities: Capabilities,
    id: TokenKeyId,
    label: &str,
    modulus_bits: u32,
) -> Result<Vec<u8>, Failure> {
    let (public_template, private_template) =
        templates::signing_pair(Place::Token { id, label }, capabilities.change, modulus_bits);
    let _creation = call.token.creation();
    handles::check_free(call, id)?;
    let (public, private) =
        call.session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public_template, &private_template)?;
    generation::finish(call, private, &[public, private], || {
        let key = RsaPublicKey::read(call.session, public)?.ok_or_else(no_public_key)?;
        key.to_spki().ok_or_else(no_public_key)
    })
}

/// See [`crate::ports::key_store::TokenSigner::find_signing_pair`].
pub(super) fn find_pair(call: &Call<'_>, id: TokenKeyId) -> Result<Option<Vec<u8>>, Failure> {
    let private = handles::search(call, id, KeyClass::Private)?;
    let public = handles::search(call, id, KeyClass::Public)?;
    let (Some(private), Some(public)) = (private, public) else { return Ok(None) };
    let key = RsaPublicKey::read(call.session, public)?.ok_or_else(no_public_key)?;
    // Anybody who may write public objects could have put another key beside ours.
    match RsaPublicKey::read(call.session, private)? {
        Some(own) if own != key => Err(Failure::Answer(Fault::Ambiguous)),
        _ => Ok(Some(key.to_spki().ok_or_else(no_public_key)?)),
    }
}

/// See [`crate::ports::key_store::TokenSigner::sign_digest`].
pub(super) fn sign_digest(call: &Call<'_>, id: TokenKeyId, digest: &[u8; 32]) -> Result<Vec<u8>, Failure> {
    let key = handles::key(call, id, KeyClass::Private)?;
    Ok(sign(call.session, key, digest)?)
}

/// `S = RSASSA-PKCS1-v1_5`: the token pads and exponentiates, `DigestInfo` is ours. What hashes on the token
/// (`CKM_SHA256_RSA_PKCS`) would need the whole message.
pub(super) fn sign(
    session: &Session,
    key: ObjectHandle,
    digest: &[u8; 32],
) -> Result<Vec<u8>, cryptoki::error::Error> {
    let digest_info = [SHA256_DIGEST_INFO.as_slice(), digest].concat();
    session.sign(&Mechanism::RsaPkcs, key, &digest_info)
}

fn no_public_key() -> Failure {
    Failure::Answer(Fault::Unsupported("reading the public key of a pair".to_owned()))
}
