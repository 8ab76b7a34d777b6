//! The operations of an engine, and what comes of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Secret;
use crate::{
    domain::{
        doctor::{ObjectForm, TokenObject},
        jose::SignatureAlgorithm,
        key::TokenKeyId,
        key_type::Curve,
    },
    ports::key_store::KeyStoreError,
};

/// `CKA_ID`, as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct KeyName([u8; 16]);

impl From<TokenKeyId> for KeyName {
    fn from(id: TokenKeyId) -> Self {
        Self(id.0)
    }
}

impl From<KeyName> for TokenKeyId {
    fn from(name: KeyName) -> Self {
        Self(name.0)
    }
}

/// What the port [`crate::ports::key_store`] asks of one token, and the engine of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Whether the token answers, knows us, and has one of these keys (if any is named).
    CheckHealth {
        known: Vec<KeyName>,
    },
    FindSigningPair {
        id: KeyName,
    },
    GenerateSigningPair {
        id: KeyName,
        label: String,
        modulus_bits: u32,
    },
    GenerateCurvePair {
        id: KeyName,
        label: String,
        curve: Curve,
    },
    Sign {
        id: KeyName,
        algorithm: SignatureAlgorithm,
        input: Vec<u8>,
    },
    GenerateKek {
        id: KeyName,
        label: String,
    },
    HasKek {
        id: KeyName,
    },
    Wrap {
        kek: KeyName,
        context: Vec<u8>,
        secret: Secret,
    },
    Unwrap {
        kek: KeyName,
        context: Vec<u8>,
        wrapped: Vec<u8>,
    },
    WasMadeAs {
        id: KeyName,
        label: String,
    },
    /// The objects after this id, in the order of ids, at most [`OBJECTS`].
    ListObjects {
        after: Option<KeyName>,
    },
    Destroy {
        id: KeyName,
        labels: Vec<String>,
    },
}

/// Objects in one answer: as many as fit into a message.
pub(crate) const OBJECTS: usize = 150;
/// Bytes of a label that are told; no label of ours is longer.
pub(crate) const LABEL_BYTES: usize = 256;

/// How many times longer a generation may take: hardware tokens search for RSA primes for half a minute and more.
const GENERATION: u32 = 6;

impl Operation {
    /// Whether doing it twice is as good as once.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(
            self,
            Self::GenerateSigningPair { .. } | Self::GenerateCurvePair { .. } | Self::GenerateKek { .. }
        )
    }

    /// How long it may take, where others may take `usual`.
    pub(crate) fn patience(&self, usual: Duration) -> Duration {
        if self.is_repeatable() { usual } else { Self::generation_patience(usual) }
    }

    /// How long the making of a key may take, where other operations may take `usual`.
    pub(crate) fn generation_patience(usual: Duration) -> Duration {
        usual.saturating_mul(GENERATION)
    }

    /// The key that must be on the token for this to succeed, or is there once it has.
    pub(crate) fn key(&self) -> Option<KeyName> {
        match self {
            Self::CheckHealth { .. } | Self::Destroy { .. } | Self::ListObjects { .. } => None,
            Self::FindSigningPair { id }
            | Self::GenerateSigningPair { id, .. }
            | Self::GenerateCurvePair { id, .. }
            | Self::Sign { id, .. }
            | Self::GenerateKek { id, .. }
            | Self::HasKek { id }
            | Self::WasMadeAs { id, .. } => Some(*id),
            Self::Wrap { kek, .. } | Self::Unwrap { kek, .. } => Some(*kek),
        }
    }
}

/// An operation, and how much time there is for it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) operation: Operation,
    pub(crate) patience: Duration,
}

/// What an operation gives when it succeeds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// Yes or no.
    Flag(bool),
    /// A signature, or a wrapped secret.
    Bytes(Vec<u8>),
    /// A public key (SubjectPublicKeyInfo, DER), if there is one.
    PublicKey(Option<Vec<u8>>),
    /// An unwrapped secret.
    Secret(Secret),
    /// What the token has, and whether it has more.
    Objects { objects: Vec<ListedObject>, more: bool },
    /// The token is well; so many workers are held by calls that nobody waits for any more.
    Health { stuck: usize },
}

/// [`TokenObject`], as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ListedObject {
    pub(crate) id: KeyName,
    pub(crate) label: String,
    pub(crate) form: Form,
}

/// [`ObjectForm`], as it is sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Form {
    Whole,
    Part,
    Several,
}

impl From<ListedObject> for TokenObject {
    fn from(object: ListedObject) -> Self {
        let form = match object.form {
            Form::Whole => ObjectForm::Whole,
            Form::Part => ObjectForm::Part,
            Form::Several => ObjectForm::Several,
        };
        Self { id: object.id.into(), label: object.label, form }
    }
}

impl Answer {
    /// Whether it says that a key is there.
    pub(crate) fn shows_key(&self) -> bool {
        !matches!(self, Self::Flag(false) | Self::PublicKey(None))
    }
}

/// Why an operation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    AlreadyExists,
    Ambiguous,
    NotFound,
    Unauthentic,
    Unsupported(String),
    /// This call failed; the token answers.
    Failed(String),
    /// Token, library or login are gone: nothing works until it is opened anew.
    Gone(String),
    /// The token refused the PIN at a new login. It must not be tried again.
    PinRefused(String),
    /// The time was over before the operation began, or ran out on the way.
    Expired,
}

impl From<Fault> for KeyStoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::AlreadyExists => Self::AlreadyExists,
            Fault::Ambiguous => Self::Ambiguous,
            Fault::NotFound => Self::NotFound,
            Fault::Unauthentic => Self::Unauthentic,
            Fault::Unsupported(what) => Self::Unsupported(what),
            Fault::Failed(cause) | Fault::Gone(cause) => Self::Unavailable(cause),
            Fault::PinRefused(answer) => Self::Unavailable(format!("the PIN was refused ({answer})")),
            Fault::Expired => Self::Unavailable("no answer within the deadline".to_owned()),
        }
    }
}
