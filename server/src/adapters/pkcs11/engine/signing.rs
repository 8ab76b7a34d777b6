//! RSA signing pairs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    digest::{self, Digest, SHA256},
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};
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

/// Public keys of pairs that have signed. What an id names does not change.
#[derive(Default)]
pub(super) struct Verifiers(Mutex<HashMap<TokenKeyId, Arc<ParsedPublicKey>>>);

impl Verifiers {
    fn get(&self, id: TokenKeyId) -> Option<Arc<ParsedPublicKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn keep(&self, id: TokenKeyId, key: ParsedPublicKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(key));
    }
}

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
    let _reserved = handles::reserve(call, id)?;
    let (public, private) =
        call.session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public_template, &private_template)?;
    generation::finish(call, private, &[public, private], || {
        let key = RsaPublicKey::read(call.session, public)?.ok_or_else(no_public_key)?;
        prove(call, private, key.to_spki().ok_or_else(no_public_key)?)
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
        _ => Ok(Some(prove(call, private, key.to_spki().ok_or_else(no_public_key)?)?)),
    }
}

/// The public key (`SubjectPublicKeyInfo`), once a signature by the private key has verified under it: certificates
/// are made for it, and one for a key that the token does not have would seal packets that nobody opens.
fn prove(call: &Call<'_>, private: ObjectHandle, spki: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let digest = digest::digest(&SHA256, b"kunji: this token has the private key").as_ref().try_into();
    let digest = digest.map_err(|_| NONSENSE)?;
    let signature = sign(call.session, private, &digest)?;
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki).map_err(|_| NOT_ITS_KEY)?;
    check(&key, &digest, &signature).map_err(|_| NOT_ITS_KEY)?;
    Ok(spki)
}

/// See [`crate::ports::key_store::TokenSigner::sign_digest`].
pub(super) fn sign_digest(call: &Call<'_>, id: TokenKeyId, digest: &[u8; 32]) -> Result<Vec<u8>, Failure> {
    let key = handles::key(call, id, KeyClass::Private)?;
    let signature = sign(call.session, key, digest)?;
    if let Some(known) = call.token.verifiers().get(id) {
        check(&known, digest, &signature)?;
    } else {
        let public = read_public(call, id, key)?;
        check(&public, digest, &signature)?;
        // Kept only now: one that was read wrongly would refuse every good signature.
        call.token.verifiers().keep(id, public);
    }
    Ok(signature)
}

/// A signature that does not verify is worse than none: it goes out as ours, and one that a fault has changed can
/// give away the key (Boneh, DeMillo, Lipton: On the Importance of Checking Cryptographic Protocols for Faults).
fn check(key: &ParsedPublicKey, digest: &[u8; 32], signature: &[u8]) -> Result<(), Failure> {
    let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| NONSENSE)?;
    key.verify_digest_sig(&digest, signature).map_err(|_| NONSENSE)
}

const NONSENSE: Failure = Failure::Nonsense("C_Sign: its signature does not verify");
const NOT_ITS_KEY: Failure =
    Failure::Nonsense("C_GetAttributeValue: the public key is not the private key's");

/// The public key of a pair.
fn read_public(call: &Call<'_>, id: TokenKeyId, private: ObjectHandle) -> Result<ParsedPublicKey, Failure> {
    let key = match RsaPublicKey::read(call.session, private)? {
        Some(key) => Some(key),
        None => RsaPublicKey::read(call.session, handles::key(call, id, KeyClass::Public)?)?,
    };
    let spki = key.and_then(|key| key.to_spki()).ok_or_else(no_public_key)?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).map_err(|_| NONSENSE)
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
