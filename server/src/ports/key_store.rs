//! The token: private keys and KEKs that never leave it.
//!
//! There may be several, clones of one another that their vendor's means keep alike: one, the primary, makes keys, and
//! each that is well carries out the rest with the keys that it has shown to be ours. A key is looked for
//! ([`TokenSigner::find_signing_pair`], [`KekStore::has_kek`], [`KeyStore::was_made_as`]) on the primary alone, since
//! whoever looks is about to make it.
//!
//! All methods are safe to call from any task: the work is done by bounded workers off the async threads, each
//! call has a deadline, and a full queue is refused at once. Dropping the future does not cancel the token call.

use async_trait::async_trait;
use kunji_shared::ModulusLength;
use zeroize::Zeroizing;

use crate::domain::{
    doctor::TokenObject,
    jose::SignatureAlgorithm,
    key::{KnownKey, TokenKeyId},
    key_type::Curve,
};

/// Signing pairs on the token.
#[async_trait]
pub trait TokenSigner: Send + Sync {
    /// Makes a signing pair (private part sensitive, non-extractable, sign only) under `id` and returns its
    /// SubjectPublicKeyInfo (DER). `label` is for people who look at the token.
    ///
    /// # Errors
    /// [`KeyStoreError::AlreadyExists`] when the token has an object with this id.
    async fn generate_signing_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        modulus: ModulusLength,
    ) -> Result<Vec<u8>, KeyStoreError>;

    /// The same with a pair on a curve.
    ///
    /// # Errors
    /// [`KeyStoreError::AlreadyExists`] when the token has an object with this id; [`KeyStoreError::Unsupported`] when
    /// it does not take the curve.
    async fn generate_curve_pair(
        &self,
        id: TokenKeyId,
        label: &str,
        curve: Curve,
    ) -> Result<Vec<u8>, KeyStoreError>;

    /// The SubjectPublicKeyInfo (DER) of the complete pair under `id`; `None` when there is none, or only half
    /// of one (what a crash during generation leaves).
    ///
    /// # Errors
    /// [`KeyStoreError::Ambiguous`] when several objects of a kind have this id.
    async fn find_signing_pair(&self, id: TokenKeyId) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// A signature over a message of which [`SignatureAlgorithm::input`] has made `input`. The pair must be of a kind
    /// that the algorithm is for. It has verified under the pair's public key.
    ///
    /// # Errors
    /// [`KeyStoreError::NotFound`] when the token has no such pair; [`KeyStoreError::Unsupported`] when it cannot sign
    /// with this algorithm.
    async fn sign(
        &self,
        id: TokenKeyId,
        algorithm: SignatureAlgorithm,
        input: &[u8],
    ) -> Result<Vec<u8>, KeyStoreError>;

    /// `S = RSASSA-PKCS1-v1_5(SHA-256)` over a message whose SHA-256 is `digest`, RFC 8017 8.2.
    ///
    /// # Errors
    /// As [`TokenSigner::sign`].
    async fn sign_digest(&self, id: TokenKeyId, digest: [u8; 32]) -> Result<Vec<u8>, KeyStoreError> {
        self.sign(id, SignatureAlgorithm::Rs256, &digest).await
    }
}

/// AES-256 key-encryption keys on the token.
#[async_trait]
pub trait KekStore: Send + Sync {
    /// Makes a KEK (sensitive, non-extractable) under `id`.
    ///
    /// # Errors
    /// [`KeyStoreError::AlreadyExists`] when the token has an object with this id.
    async fn generate_kek(&self, id: TokenKeyId, label: &str) -> Result<(), KeyStoreError>;

    /// Whether the token has exactly one KEK under `id`.
    ///
    /// # Errors
    /// [`KeyStoreError::Ambiguous`] when it has several.
    async fn has_kek(&self, id: TokenKeyId) -> Result<bool, KeyStoreError>;

    /// Wraps `secret` under the KEK with authenticated encryption that also covers `context`; the result holds
    /// all that [`KekStore::unwrap`] needs but the context.
    ///
    /// # Errors
    /// [`KeyStoreError::NotFound`] when the token has no such KEK.
    async fn wrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<Vec<u8>, KeyStoreError>;

    /// Undoes [`KekStore::wrap`].
    ///
    /// # Errors
    /// [`KeyStoreError::Unauthentic`] when blob, context and KEK do not belong together;
    /// [`KeyStoreError::NotFound`] when the token has no such KEK.
    async fn unwrap(
        &self,
        kek: TokenKeyId,
        context: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;
}

/// A token, or several, with everything the services need.
#[async_trait]
pub trait KeyStore: TokenSigner + KekStore {
    /// Whether a token answers now: a random byte over a fresh session.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`] when none does.
    async fn check_health(&self) -> Result<(), KeyStoreError>;

    /// The state of each token now, the primary first.
    async fn examine(&self) -> Vec<TokenState>;

    /// Says which keys the records name, instead of those said before. From now on a token is used only while all
    /// that it has under their ids is what they are known by, and for those keys alone that it has.
    ///
    /// # Errors
    /// [`KeyStoreError::Foreign`] when no token has our keys; [`KeyStoreError::Unavailable`] when none is there.
    async fn recognise(&self, keys: Vec<KnownKey>) -> Result<(), KeyStoreError>;

    /// Whether every token, without exception, has this new key; it then belongs to those of
    /// [`KeyStore::recognise`]. Waits a moment for clones to follow.
    ///
    /// # Errors
    /// [`KeyStoreError::Incomplete`] when one has it not, or is away.
    async fn confirm(&self, key: KnownKey) -> Result<(), KeyStoreError>;

    /// Whether there are objects under `id`, all made with this label, and none that can leave the token: what an
    /// earlier attempt made for the same purpose, and nothing that somebody points us at.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`].
    async fn was_made_as(&self, id: TokenKeyId, label: &str) -> Result<bool, KeyStoreError>;

    /// Everything that the primary has under ids that could be ours, by id.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`].
    async fn list_objects(&self) -> Result<Vec<TokenObject>, KeyStoreError>;

    /// Has every token show these keys, the primary first. Unlike [`KeyStore::recognise`], nothing follows from it.
    async fn show(&self, keys: &[KnownKey]) -> Vec<TokenView>;

    /// Destroys, on every token without exception, whatever is there under `id`, all of which must have one of these
    /// labels. It is expected of no token any more, from before it is destroyed on. Done when no token has it, so that
    /// it can be asked for again.
    ///
    /// # Errors
    /// [`KeyStoreError::Ambiguous`] when an object with another label is there: then nothing is destroyed on that token;
    /// [`KeyStoreError::Lasting`] when a token is away or fails, and may still have it.
    async fn destroy(&self, id: TokenKeyId, labels: &[String]) -> Result<(), KeyStoreError>;
}

/// Which keys a token has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// What the settings call it.
    pub name: String,
    /// For each of the keys asked for, in their order; or why the token could not be asked.
    pub keys: Result<Vec<Presence>, String>,
}

/// What a token has under the id of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// That key.
    Present,
    /// Another key.
    Another,
    /// None that can be used, and why.
    Absent(String),
}

/// A token, and whether it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenState {
    /// What the settings call it.
    pub name: String,
    /// Whether it is used.
    pub condition: TokenCondition,
}

/// Whether a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenCondition {
    /// It is well and has all keys.
    Ready,
    /// It is well and lacks some keys; it is used for the others.
    Incomplete,
    /// Its keys are not ours; it is not used.
    Refused,
    /// It does not answer.
    Unavailable,
}

/// Why the token did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// An object with this id is there already.
    #[error("the token already has an object with this id")]
    AlreadyExists,
    /// Several objects share one id; none is used.
    #[error("the token has several objects with one id")]
    Ambiguous,
    /// The workers have more to do than they may take.
    #[error("the token's queue is full")]
    Busy,
    /// No token that is there has our keys.
    #[error("the token does not have the keys of this database: {0}")]
    Foreign(String),
    /// Not every token has the new key yet.
    #[error("a new key waits until every token has it; clone it from the primary: {0}")]
    Incomplete(String),
    /// A token may still have a key that is destroyed.
    #[error("a token may still have a key that is to be destroyed: {0}")]
    Lasting(String),
    /// The token has no such object.
    #[error("the token has no such key")]
    NotFound,
    /// What was to be unwrapped does not belong to this key and context.
    #[error("the wrapped key does not belong to this key-encryption key and context")]
    Unauthentic,
    /// The token did not answer in time, is away, or failed.
    #[error("the token is not available: {0}")]
    Unavailable(String),
    /// The token or its settings cannot do this at all.
    #[error("the token cannot do this: {0}")]
    Unsupported(String),
}
