//! Signing pairs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use cryptoki::{
    error::Error,
    mechanism::{
        Mechanism, MechanismType,
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    object::ObjectHandle,
    session::Session,
};

use super::super::protocol::Fault;
use super::{
    capabilities::Capabilities,
    curve_key::{parameters, read_public_key},
    generation, handles,
    recovery::{Call, Failure},
    return_values::{Verdict, judge},
    templates::{self, Change, KeyClass, Place},
};
use crate::domain::{
    jose::SignatureAlgorithm,
    key::TokenKeyId,
    key_type::{Curve, KeyType},
    signature::Verifier,
};

/// Everything of `DigestInfo` (RFC 8017 9.2) before the digest.
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];
const SHA384_DIGEST_INFO: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
    0x04, 0x30,
];
const SHA512_DIGEST_INFO: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
    0x04, 0x40,
];

/// Public keys of pairs that have signed, for each algorithm. What an id names does not change.
#[derive(Default)]
pub(super) struct Verifiers(Mutex<HashMap<(TokenKeyId, SignatureAlgorithm), Arc<Verifier>>>);

impl Verifiers {
    fn get(&self, id: TokenKeyId, algorithm: SignatureAlgorithm) -> Option<Arc<Verifier>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(id, algorithm)).cloned()
    }

    fn keep(&self, id: TokenKeyId, algorithm: SignatureAlgorithm, key: Verifier) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((id, algorithm), Arc::new(key));
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
        prove(call, private, read_public_key(call.session, public)?.ok_or_else(no_public_key)?)
    })
}

/// See [`crate::ports::key_store::TokenSigner::generate_curve_pair`].
pub(super) fn generate_curve_pair(
    call: &Call<'_>,
    capabilities: Capabilities,
    id: TokenKeyId,
    label: &str,
    curve: Curve,
) -> Result<Vec<u8>, Failure> {
    let unsupported = || Failure::Answer(Fault::Unsupported(format!("pairs on {}", curve.name())));
    let parameters = parameters(curve).ok_or_else(unsupported)?;
    let (public_template, private_template) =
        templates::curve_pair(Place::Token { id, label }, capabilities.change, parameters);
    let _reserved = handles::reserve(call, id)?;
    let (public, private) = call
        .session
        .generate_key_pair(&Mechanism::EccKeyPairGen, &public_template, &private_template)
        .map_err(|error| {
            if lacks_curve(call, capabilities.change, curve, &error) {
                unsupported()
            } else {
                Failure::Token(error)
            }
        })?;
    generation::finish(call, private, &[public, private], || {
        prove(call, private, read_public_key(call.session, public)?.ok_or_else(no_public_key)?)
    })
}

/// Whether a doubtful refusal of a pair means that the token does not know the curve (kryoptic says so of secp256k1): it
/// refuses another as well, while it makes one on P-256. Both live as long as a session.
fn lacks_curve(call: &Call<'_>, change: Change, curve: Curve, refusal: &Error) -> bool {
    let makes = |session: &Session, curve| {
        let parameters = parameters(curve)?;
        let (public, private) = templates::curve_pair(Place::Session, change, parameters);
        Some(session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private).map(drop))
    };
    let is_doubtful =
        |error: &Error| matches!(judge(error), Verdict::TokenDoubtful | Verdict::TemplateDoubtful);
    is_doubtful(refusal)
        && curve != Curve::P256
        && call.token.open_session().is_ok_and(|session| {
            matches!(makes(&session, curve), Some(Err(again)) if is_doubtful(&again))
                && matches!(makes(&session, Curve::P256), Some(Ok(())))
        })
}

/// See [`crate::ports::key_store::TokenSigner::find_signing_pair`].
pub(super) fn find_pair(call: &Call<'_>, id: TokenKeyId) -> Result<Option<Vec<u8>>, Failure> {
    let private = handles::search(call, id, KeyClass::Private)?;
    let public = handles::search(call, id, KeyClass::Public)?;
    let (Some(private), Some(public)) = (private, public) else { return Ok(None) };
    let key = read_public_key(call.session, public)?.ok_or_else(no_public_key)?;
    // Anybody who may write public objects could have put another key beside ours.
    match read_public_key(call.session, private)? {
        Some(own) if own != key => Err(Failure::Answer(Fault::Ambiguous)),
        _ => Ok(Some(prove(call, private, key)?)),
    }
}

/// The public key (`SubjectPublicKeyInfo`), once a signature by the private key has verified under it: certificates
/// are made for it, and one for a key that the token does not have would seal packets that nobody opens.
fn prove(call: &Call<'_>, private: ObjectHandle, spki: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let algorithm = KeyType::of_public_key(&spki).and_then(|kind| kind.algorithms().first().copied());
    let algorithm = algorithm.ok_or(NOT_ITS_KEY)?;
    let input = algorithm.input(b"kunji: this token has the private key");
    let signature = sign_with(call.session, private, algorithm, &input)?;
    let verifier = Verifier::new(algorithm, &spki).ok_or(NOT_ITS_KEY)?;
    check(&verifier, &input, &signature).map_err(|_| NOT_ITS_KEY)?;
    Ok(spki)
}

/// See [`crate::ports::key_store::TokenSigner::sign`].
pub(super) fn sign(
    call: &Call<'_>,
    id: TokenKeyId,
    algorithm: SignatureAlgorithm,
    input: &[u8],
) -> Result<Vec<u8>, Failure> {
    let key = handles::key(call, id, KeyClass::Private)?;
    let signature = sign_with(call.session, key, algorithm, input)?;
    if let Some(known) = call.token.verifiers().get(id, algorithm) {
        check(&known, input, &signature)?;
    } else {
        let public = read_public(call, id, key, algorithm)?;
        check(&public, input, &signature)?;
        // Kept only now: one that was read wrongly would refuse every good signature.
        call.token.verifiers().keep(id, algorithm, public);
    }
    Ok(signature)
}

/// A signature that does not verify is worse than none: it goes out as ours, and one that a fault has changed can
/// give away the key (Boneh, DeMillo, Lipton: On the Importance of Checking Cryptographic Protocols for Faults).
fn check(key: &Verifier, input: &[u8], signature: &[u8]) -> Result<(), Failure> {
    if key.verifies_input(input, signature) { Ok(()) } else { Err(NONSENSE) }
}

const NONSENSE: Failure = Failure::Nonsense("C_Sign: its signature does not verify");
const NOT_ITS_KEY: Failure =
    Failure::Nonsense("C_GetAttributeValue: the public key is not the private key's");

/// The public key of a pair.
fn read_public(
    call: &Call<'_>,
    id: TokenKeyId,
    private: ObjectHandle,
    algorithm: SignatureAlgorithm,
) -> Result<Verifier, Failure> {
    let key = match read_public_key(call.session, private)? {
        Some(key) => Some(key),
        None => read_public_key(call.session, handles::key(call, id, KeyClass::Public)?)?,
    };
    let spki = key.ok_or_else(no_public_key)?;
    Verifier::new(algorithm, &spki).ok_or(NONSENSE)
}

/// The token pads and exponentiates; digests are ours, for what hashes on the token (`CKM_SHA256_RSA_PKCS`) would need
/// the whole message.
pub(super) fn sign_with(
    session: &Session,
    key: ObjectHandle,
    algorithm: SignatureAlgorithm,
    input: &[u8],
) -> Result<Vec<u8>, Error> {
    use SignatureAlgorithm as A;
    let pkcs1 = |info: &[u8]| session.sign(&Mechanism::RsaPkcs, key, &[info, input].concat());
    let pss = |hash_alg, mgf| {
        // The salt is as long as the digest, RFC 7518 3.5.
        let s_len = u64::try_from(input.len()).unwrap_or_default().into();
        session.sign(&Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len }), key, input)
    };
    match algorithm {
        A::Rs256 => pkcs1(&SHA256_DIGEST_INFO),
        A::Rs384 => pkcs1(&SHA384_DIGEST_INFO),
        A::Rs512 => pkcs1(&SHA512_DIGEST_INFO),
        A::Ps256 => pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        A::Ps384 => pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        A::Ps512 => pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
        A::Es256 | A::Es256k | A::Es384 | A::Es512 => session.sign(&Mechanism::Ecdsa, key, input),
        // It would need the whole message there.
        A::EdDsa => Err(Error::NullFunctionPointer),
    }
}

fn no_public_key() -> Failure {
    Failure::Answer(Fault::Unsupported("reading the public key of a pair".to_owned()))
}
