//! The layouts beside packets: as plans for a host that encrypts by itself, taken apart for one that decrypts, and the
//! cipher for one that cannot. `random` is what the generator is asked for, in its order, and possibly more.

use alloc::{string::String, vec::Vec};

use kunji_shared::{
    Certificate, ContentCipher as _, DataKey, ModulusLength, Plaintext, RecipientKey, RustCipher,
    layouts::{
        Body, BodyPlan,
        auth_request::{self, AuthRequestPlan},
        biometric::{BlockPlan, Capture},
        machine::{self, MachineKey, MachineKind},
        pin,
    },
    packet::{FormatError, OpenError, SealError},
};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

use crate::{failure::Failure, host, random::Given};

/// `C ‖ T`. The content may be empty: the tag of associated data alone is what a piece is hashed to.
///
/// # Errors
/// `packet.cipher_failed`.
#[wasm_bindgen(js_name = sealContent)]
pub fn seal_content(key: &[u8], nonce: &[u8], aad: &[u8], content: &[u8]) -> Result<Vec<u8>, JsValue> {
    let mut text = content.to_vec();
    let tag = DataKey::from_slice(key)
        .ok()
        .and_then(|key| RustCipher.seal_in_place(&key, nonce, aad, &mut text).ok())
        .ok_or(Failure::from(SealError::Cipher))?;
    text.extend_from_slice(&tag);
    Ok(text)
}

/// The content of `C ‖ T`.
///
/// # Errors
/// `packet.decryption_failed`.
#[wasm_bindgen(js_name = openContent)]
pub fn open_content(key: &[u8], nonce: &[u8], aad: &[u8], text: &[u8]) -> Result<Vec<u8>, JsValue> {
    let opened: Result<Plaintext, OpenError> = DataKey::from_slice(key)
        .map_err(|_| OpenError::Decryption)
        .and_then(|key| Body::new(nonce, aad, text)?.open(&key, &RustCipher));
    Ok(opened.map(|plaintext| core::mem::take(&mut *plaintext.into_inner())).map_err(Failure::from)?)
}

/// The layouts by number, as `BodyKind` of the TypeScript side has them.
#[derive(Clone, Copy)]
enum Kind {
    AuthRequest,
    AuthRequestHash,
    BiometricBlock,
    Pin,
    Machine(MachineKind),
    MachineAsItWas,
}

impl Kind {
    const fn numbered(number: u8) -> Self {
        match number {
            0 => Self::AuthRequest,
            1 => Self::AuthRequestHash,
            2 => Self::BiometricBlock,
            3 => Self::Pin,
            4 => Self::Machine(MachineKind::Local),
            5 => Self::Machine(MachineKind::Android),
            6 => Self::Machine(MachineKind::Tpm),
            _ => Self::MachineAsItWas,
        }
    }
}

/// What a content is sealed with. `subject` is the certificate of the recipient, the public key of a machine, or nothing;
/// time stamp and transaction are those of a biometric block. The host derives the key of a PIN from the associated
/// data. Request and hash out of the same `random` have the same key.
///
/// # Errors
/// `certificate.*` and `public_key.*` if the subject is none; `layout.capture_length`; `randomness.unavailable`.
#[wasm_bindgen(js_name = planBody)]
pub fn plan_body(
    kind: u8,
    subject: &[u8],
    random: &[u8],
    timestamp: &str,
    transaction: &str,
) -> Result<JsValue, JsValue> {
    Ok(plan(Kind::numbered(kind), subject, &mut Given(random), timestamp, transaction)?)
}

fn plan(
    kind: Kind,
    subject: &[u8],
    random: &mut Given<'_>,
    timestamp: &str,
    transaction: &str,
) -> Result<JsValue, Failure> {
    match kind {
        Kind::AuthRequest | Kind::AuthRequestHash => {
            let plan = AuthRequestPlan::prepare(&recipient(subject)?, random)?;
            let body = if matches!(kind, Kind::AuthRequest) { plan.request() } else { plan.hash() };
            Ok(body_plan(plan.data_key().expose(), plan.session_key(), body))
        }
        Kind::BiometricBlock => {
            let capture = Capture::new(timestamp, transaction)?;
            let (key, session_key, body) =
                BlockPlan::prepare(&recipient(subject)?, &capture, random)?.into_parts();
            Ok(body_plan(key.expose(), &session_key, &body))
        }
        Kind::Pin => Ok(body_plan(&[], &[], &pin::plan(random)?)),
        Kind::Machine(_) | Kind::MachineAsItWas => {
            let kind = if let Kind::Machine(kind) = kind { kind } else { MachineKind::Local };
            let (key, body) = MachineKey::read(subject, kind)?.plan(random)?;
            Ok(body_plan(key.expose(), &[], &body))
        }
    }
}

/// Takes a content apart; `modulus_bits` is the size of a machine's key. The associated data of a content under a PIN
/// are the salt.
///
/// # Errors
/// `packet.truncated`, `layout.capture_length`.
#[wasm_bindgen(js_name = readBody)]
pub fn read_body(
    kind: u8,
    sealed: &[u8],
    modulus_bits: usize,
    timestamp: &str,
    transaction: &str,
) -> Result<JsValue, JsValue> {
    Ok(read(Kind::numbered(kind), sealed, modulus_bits, timestamp, transaction)?)
}

fn read(
    kind: Kind,
    sealed: &[u8],
    modulus_bits: usize,
    timestamp: &str,
    transaction: &str,
) -> Result<JsValue, Failure> {
    let capture;
    let body = match kind {
        Kind::AuthRequest | Kind::AuthRequestHash => auth_request::read(sealed)?,
        Kind::BiometricBlock => {
            capture = Capture::new(timestamp, transaction)?;
            capture.read(sealed)?
        }
        Kind::Pin => pin::read(sealed)?,
        Kind::Machine(_) | Kind::MachineAsItWas => {
            let modulus = ModulusLength::from_bits(modulus_bits).ok_or(FormatError::SplitterMisplaced)?;
            let parts = machine::read(sealed, modulus)?;
            if matches!(kind, Kind::MachineAsItWas) { parts.old_body } else { parts.body }
        }
    };
    Ok(host::body(body.nonce(), body.aad(), body.text()))
}

/// What the second member of a request to ID Authentication holds.
#[wasm_bindgen(js_name = authRequestHash)]
pub fn auth_request_hash(json: &[u8]) -> String {
    auth_request::hash_text(json)
}

fn recipient(certificate: &[u8]) -> Result<RecipientKey, Failure> {
    let certificate = Certificate::from_der(certificate)?;
    Ok(RecipientKey::new(certificate.thumbprint(), certificate.public_key()?))
}

fn body_plan(key: &[u8], wrapped_key: &[u8], plan: &BodyPlan) -> JsValue {
    host::body_plan(key, wrapped_key, plan.prefix(), plan.nonce(), plan.aad(), plan.suffix())
}
