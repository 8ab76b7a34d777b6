//! Which algorithms a key signs with.

use kunji_shared::ModulusLength;

use super::SignatureError;
use crate::domain::{jose::SignatureAlgorithm, key::KeyRecord};

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
        match self {
            Self::Usual { rsa } => Ok(rsa),
            Self::Named(algorithm) if of_rsa(key.modulus).contains(&algorithm) => Ok(algorithm),
            Self::Named(_) => Err(SignatureError::Algorithm),
        }
    }
}

/// RSA keys of every size in use sign with all of them: the smallest has room for a SHA-512 digest with its salt.
const fn of_rsa(_: ModulusLength) -> &'static [SignatureAlgorithm] {
    use SignatureAlgorithm as A;
    &[A::Rs256, A::Ps256, A::Rs384, A::Rs512, A::Ps384, A::Ps512]
}
