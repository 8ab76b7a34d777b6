//! What the token can really do, found out with keys that live as long as a session. Lists of mechanisms promise
//! more than tokens keep.

use cryptoki::{error::Error, mechanism::Mechanism, object::ObjectHandle, session::Session};
use serde::{Deserialize, Serialize};

use super::{
    super::OpenError,
    key_wrap::{self, Keys, WrappingRoute},
    public_key::RsaPublicKey,
    recovery::Failure,
    return_values::{Verdict, describe, judge, refuses_template},
    signing,
    templates::{self, Change, Place},
    token::Token,
};
use crate::domain::{jose::SignatureAlgorithm, signature::Verifier};

/// The ways chosen for one token.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in super::super) struct Capabilities {
    /// How new secrets are wrapped.
    pub(super) wrapping: WrappingRoute,
    /// Whether keys can be made read-only.
    pub(super) change: Change,
}

/// Tries them out; `wanted` leaves no choice of route.
pub(super) fn find(token: &Token, wanted: Option<WrappingRoute>) -> Result<Capabilities, OpenError> {
    let session = token.open_session().map_err(|error| OpenError::Unavailable(describe(&error)))?;
    let (change, kek) = make_kek(&session).map_err(|error| lacks("AES-256 keys", &error))?;
    check_signing(&session, change)?;
    let wrapping = match wanted {
        Some(route) => check_wrapping(&session, route, change, kek).map(|()| route)?,
        None => match check_wrapping(&session, WrappingRoute::AesGcm, change, kek) {
            Ok(()) => WrappingRoute::AesGcm,
            Err(OpenError::Unsupported(reason)) => {
                token.probe().map_err(|error| OpenError::Unavailable(describe(&error)))?;
                tracing::warn!(
                    token = token.name(),
                    reason,
                    "no AES-GCM on this token; CBC and HMAC are used"
                );
                let route = WrappingRoute::AesCbcHmac;
                check_wrapping(&session, route, change, kek).map(|()| route)?
            }
            Err(other) => return Err(other),
        },
    };
    let capabilities = Capabilities { wrapping, change };
    tracing::info!(token = token.name(), ?capabilities, "token tried out");
    Ok(capabilities)
}

/// A KEK, read-only where the token takes that.
fn make_kek(session: &Session) -> Result<(Change, ObjectHandle), Error> {
    let make = |change| session.generate_key(&Mechanism::AesKeyGen, &templates::kek(Place::Session, change));
    match make(Change::Forbidden) {
        Ok(kek) => Ok((Change::Forbidden, kek)),
        Err(error) if refuses_template(&error) => Ok((Change::TokensDefault, make(Change::TokensDefault)?)),
        Err(error) => Err(error),
    }
}

fn check_signing(session: &Session, change: Change) -> Result<(), OpenError> {
    const WHAT: &str = "RSA-2048 signatures over a digest (CKM_RSA_PKCS)";
    let (public, private) = templates::signing_pair(Place::Session, change, 2048);
    let (public, private) = session
        .generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)
        .map_err(|error| lacks(WHAT, &error))?;
    let algorithm = SignatureAlgorithm::Rs256;
    let input = algorithm.input(b"kunji self-test");
    let signature = signing::sign_with(session, private, algorithm, &input);
    let signature = signature.map_err(|error| lacks(WHAT, &error))?;
    let key = RsaPublicKey::read(session, public).map_err(|error| lacks(WHAT, &error))?;
    let key = key.and_then(|key| key.to_spki()).ok_or_else(|| wrong("public keys that can be read"))?;
    let verifier = Verifier::new(algorithm, &key).ok_or_else(|| wrong(WHAT))?;
    if verifier.verifies_input(&input, &signature) { Ok(()) } else { Err(wrong(WHAT)) }
}

/// A round trip, and that a wrong context and a changed byte are noticed.
fn check_wrapping(
    session: &Session,
    route: WrappingRoute,
    change: Change,
    kek: ObjectHandle,
) -> Result<(), OpenError> {
    let (what, keys) = match route {
        WrappingRoute::AesGcm => {
            ("wrapping by AES-256-GCM with a 96-bit nonce (CKM_AES_GCM)", Keys::AesGcm(kek))
        }
        WrappingRoute::AesCbcHmac => {
            let what = "wrapping by AES-256-CBC and HMAC-SHA-256 (CKM_AES_CBC_PAD, CKM_SHA256_HMAC)";
            let template = templates::kek_mac(Place::Session, change);
            let mac = session
                .generate_key(&Mechanism::GenericSecretKeyGen, &template)
                .map_err(|error| lacks(what, &error))?;
            (what, Keys::AesCbcHmac { kek, mac })
        }
    };
    let failed = |failure: Failure| match failure {
        Failure::Token(error) => lacks(what, &error),
        Failure::Answer(_) | Failure::Nonsense(_) | Failure::LoggedOut => wrong(what),
    };
    let (context, secret) = (b"context".as_slice(), b"not a multiple of the block".as_slice());
    let wrapped = key_wrap::seal(session, keys, context, secret).map_err(failed)?;
    let opened = key_wrap::open(session, keys, context, &wrapped).map_err(failed)?;
    let mut changed = wrapped.clone();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    let forged = key_wrap::open(session, keys, b"contexT", &wrapped).is_ok()
        || key_wrap::open(session, keys, context, &changed).is_ok();
    if opened.as_slice() != secret || forged { Err(wrong(what)) } else { Ok(()) }
}

/// A passing fault must not pass for a lack: the route chosen now stays for the life of the process.
fn lacks(what: &str, error: &Error) -> OpenError {
    match judge(error) {
        Verdict::Unsupported
        | Verdict::InputRefused
        | Verdict::InputDoubtful
        | Verdict::TokenDoubtful
        | Verdict::TemplateDoubtful
        // A key just made is not forgotten: the mechanism does not take it.
        | Verdict::HandleStale => {
            OpenError::Unsupported(format!("{what}; {}", describe(error)))
        }
        _ => OpenError::Unavailable(describe(error)),
    }
}

fn wrong(what: &str) -> OpenError {
    OpenError::Unsupported(format!("{what}: its answers are wrong"))
}
