//! Which algorithm a key signs with.

use super::SignatureError;
use crate::domain::{jose::SignatureAlgorithm, key::KeyRecord, key_type::KeyType};

/// The algorithm that a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmChoice {
    /// This one, or none.
    Named(SignatureAlgorithm),
    /// The one of the key's kind; for RSA keys, which have several, this one.
    Usual {
        /// RS256 or PS256.
        rsa: SignatureAlgorithm,
    },
}

impl AlgorithmChoice {
    /// What the key signs with.
    ///
    /// # Errors
    /// [`SignatureError::Algorithm`] when it cannot sign as the caller wants.
    pub(super) fn for_key(self, key: &KeyRecord) -> Result<SignatureAlgorithm, SignatureError> {
        match (self, key.key_type) {
            (Self::Usual { .. }, KeyType::Curve(curve)) => Ok(curve.algorithm()),
            (Self::Usual { rsa }, KeyType::Rsa(_)) => Ok(rsa),
            (Self::Named(algorithm), kind) if kind.algorithms().contains(&algorithm) => Ok(algorithm),
            (Self::Named(_), _) => Err(SignatureError::Algorithm),
        }
    }
}
