//! What is said of keys.

use kunji_shared::pem;
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    registry::{MetaResponses, Registry},
    types::Type as _,
};
use serde::Serialize;

use super::{super::approvals::described, ends::DestructionAnswer};
use crate::{
    api::wire::Json,
    domain::{key::KeyMaterial, key_type::KeyType, lifecycle::Transition},
    services::keys::{KeyDetails, KeyInState, KeyPage},
};

/// A key.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyVersionAnswer {
    /// Its name for ever.
    key_id: String,
    /// The application.
    application_id: String,
    /// The reference; blank for the application's own (master) key.
    reference_id: String,
    /// 1 for the first key of the alias, one more for each successor.
    generation: u32,
    /// Its state now.
    state: String,
    /// Whether it has no successor.
    newest: bool,
    /// Size of the RSA modulus, in bits; null for a key on a curve.
    key_bits: Option<u32>,
    /// The curve: `P-256`, `P-384`, `secp256k1` or `Ed25519`; null for an RSA key.
    curve: Option<String>,
    /// Where the private part is: `token`, `database` (wrapped by the token), `elsewhere` (another domain
    /// has it) or `nowhere` (it was destroyed).
    stored_in: String,
    /// SHA-256 over the certificate, in hexadecimal.
    thumbprint: String,
    /// The key that signed the certificate; its own id for ROOT, and where others signed it.
    issuer: String,
    /// Whether a certificate that others signed led to this server's ROOT when it was uploaded; null for one that this
    /// server signed.
    verified: Option<bool>,
    /// Start of the certificate's validity.
    not_before: String,
    /// End of the certificate's validity.
    not_after: String,
    /// `issuing`, `encryption` or `signing`.
    purpose: String,
    /// By which it is found again.
    tags: Vec<String>,
}

impl From<&KeyInState> for KeyVersionAnswer {
    fn from(KeyInState { key, state, is_newest, tags }: &KeyInState) -> Self {
        let stored_in = match key.material {
            KeyMaterial::Token(_) => "token",
            KeyMaterial::Wrapped { .. } => "database",
            KeyMaterial::Elsewhere => "elsewhere",
            KeyMaterial::Removed { .. } => "nowhere",
        };
        let (key_bits, curve) = match key.key_type {
            KeyType::Rsa(modulus) => (u32::try_from(modulus.bits()).ok(), None),
            KeyType::Curve(curve) => (None, Some(curve.name().to_owned())),
        };
        Self {
            key_id: key.id.0.clone(),
            application_id: key.alias.application.as_str().to_owned(),
            reference_id: key.alias.reference.as_str().to_owned(),
            generation: key.generation,
            state: state.name().to_owned(),
            newest: *is_newest,
            key_bits,
            curve,
            stored_in: stored_in.to_owned(),
            thumbprint: key.thumbprint.to_string(),
            issuer: key.issuer.0.clone(),
            verified: key.upload.as_ref().map(|upload| upload.is_verified),
            not_before: key.period.not_before.to_text(),
            not_after: key.period.not_after.to_text(),
            purpose: key.alias.purpose().name().to_owned(),
            tags: tags.as_slice().to_vec(),
        }
    }
}

/// Keys.
#[derive(Serialize, Object)]
pub(super) struct KeyListAnswer {
    /// One page of them.
    keys: Vec<KeyVersionAnswer>,
    /// What `after` must be to read the next page; null when this is the last one.
    next: Option<String>,
}

impl From<KeyPage> for KeyListAnswer {
    fn from(page: KeyPage) -> Self {
        let keys = page.keys.iter().map(KeyVersionAnswer::from).collect();
        Self { keys, next: page.next.map(|id| id.0) }
    }
}

/// What was decided about a key.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct TransitionAnswer {
    /// The key.
    key_id: String,
    /// `supersede`, `compromise`, `suspend`, `resume`, `scheduleDestruction`, `cancelDestruction`, `destroy` or
    /// `finishDestruction`.
    change: String,
    /// The state before.
    from: String,
    /// The state after; that of a resumed key follows from its certificate and successor.
    to: String,
    /// Why, in the words of whoever decided it.
    reason: String,
    /// Who decided it.
    actor: String,
    /// When.
    at: String,
    /// Whether no other key of the alias is made until an administrator asks for one.
    auto_generation_disabled: bool,
}

impl From<&Transition> for TransitionAnswer {
    fn from(transition: &Transition) -> Self {
        Self {
            key_id: transition.key.0.clone(),
            change: transition.change.name().to_owned(),
            from: transition.from.name().to_owned(),
            to: transition.to.name().to_owned(),
            reason: transition.reason.clone(),
            actor: transition.actor.clone(),
            at: transition.at.to_text(),
            auto_generation_disabled: transition.closes,
        }
    }
}

/// A key with what there is to know of it.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyDetailsAnswer {
    /// The key.
    key: KeyVersionAnswer,
    /// The `kid` that signatures of this key have in their header.
    kid: String,
    /// What was decided about it, newest first.
    history: Vec<TransitionAnswer>,
    /// Its certificate and those of its issuers up to ROOT's, PEM.
    chain: Vec<String>,
    /// Where its destruction stands; null when it was not asked for.
    destruction: Option<DestructionAnswer>,
}

impl From<KeyDetails> for KeyDetailsAnswer {
    fn from(details: KeyDetails) -> Self {
        Self {
            key: KeyVersionAnswer::from(&details.key),
            kid: details.key.key.kid(),
            history: details.history.iter().map(TransitionAnswer::from).collect(),
            destruction: details.destruction.as_ref().map(DestructionAnswer::from),
            chain: details.chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect(),
        }
    }
}

/// A key was made.
pub(super) struct CreatedKey(KeyVersionAnswer);

impl CreatedKey {
    pub(super) fn new(made: &KeyInState) -> Self {
        Self(KeyVersionAnswer::from(made))
    }
}

impl IntoResponse for CreatedKey {
    fn into_response(self) -> Response {
        let place = HeaderValue::try_from(format!("/v1/keys/{}", self.0.key_id));
        let mut response = Json(self.0).into_response();
        response.set_status(StatusCode::CREATED);
        if let Ok(place) = place {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    }
}

impl ApiResponse for CreatedKey {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described::<KeyVersionAnswer>(201, "The new key.")] }
    }

    fn register(registry: &mut Registry) {
        KeyVersionAnswer::register(registry);
    }
}

/// A key's state was changed.
pub(super) struct TransitionResponse(pub(super) TransitionAnswer);

impl IntoResponse for TransitionResponse {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl ApiResponse for TransitionResponse {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![described::<TransitionAnswer>(200, "What was decided.")] }
    }

    fn register(registry: &mut Registry) {
        TransitionAnswer::register(registry);
    }
}
