//! Signing keys on curves.

use std::sync::Arc;

use aws_lc_rs::{
    digest::{Algorithm, Digest, SHA256, SHA384},
    encoding::{AsDer as _, PublicKeyX509Der},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use zeroize::Zeroizing;

use crate::{
    domain::key_type::Curve,
    ports::software_keys::{GeneratedKey, SigningKey, SoftwareKeyError},
};

/// FIPS 186-5 A.2.1, RFC 8032 5.1.5.
pub(super) fn generate(curve: Curve) -> Result<GeneratedKey, SoftwareKeyError> {
    let (pkcs8, public_key): (_, PublicKeyX509Der<'_>) = match ecdsa(curve) {
        None => {
            let pair = Ed25519KeyPair::generate().map_err(|_| SoftwareKeyError)?;
            (pair.to_pkcs8(), pair.public_key().as_der().map_err(|_| SoftwareKeyError)?)
        }
        Some((algorithm, _)) => {
            let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| SoftwareKeyError)?;
            (pair.to_pkcs8v1(), pair.public_key().as_der().map_err(|_| SoftwareKeyError)?)
        }
    };
    let pkcs8 = pkcs8.map_err(|_| SoftwareKeyError)?;
    Ok(GeneratedKey {
        pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
        public_key: public_key.as_ref().to_vec(),
    })
}

pub(super) fn load(pkcs8: &[u8], curve: Curve) -> Result<Arc<dyn SigningKey>, SoftwareKeyError> {
    Ok(match ecdsa(curve) {
        None => Arc::new(Edwards(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| SoftwareKeyError)?)),
        Some((algorithm, hash)) => {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map_err(|_| SoftwareKeyError)?;
            Arc::new(Ecdsa { pair, hash })
        }
    })
}

fn ecdsa(curve: Curve) -> Option<(&'static EcdsaSigningAlgorithm, &'static Algorithm)> {
    match curve {
        Curve::Ed25519 => None,
        Curve::P256 => Some((&ECDSA_P256_SHA256_FIXED_SIGNING, &SHA256)),
        Curve::P384 => Some((&ECDSA_P384_SHA384_FIXED_SIGNING, &SHA384)),
        Curve::Secp256k1 => Some((&ECDSA_P256K1_SHA256_FIXED_SIGNING, &SHA256)),
    }
}

struct Ecdsa {
    pair: EcdsaKeyPair,
    hash: &'static Algorithm,
}

impl SigningKey for Ecdsa {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SoftwareKeyError> {
        let digest = Digest::import_less_safe(input, self.hash).map_err(|_| SoftwareKeyError)?;
        let signature = self.pair.sign_digest(&digest).map_err(|_| SoftwareKeyError)?;
        Ok(signature.as_ref().to_vec())
    }
}

struct Edwards(Ed25519KeyPair);

impl SigningKey for Edwards {
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SoftwareKeyError> {
        Ok(self.0.try_sign(input).map_err(|_| SoftwareKeyError)?.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{key_type::KeyType, signature::Verifier};

    #[test]
    fn generated_keys_sign_and_load_on_their_own_curve_alone() {
        for curve in Curve::ALL {
            let made = generate(curve).unwrap();
            assert_eq!(KeyType::of_public_key(&made.public_key), Some(KeyType::Curve(curve)));
            let key = load(&made.pkcs8, curve).unwrap();
            let signature = key.sign(&curve.algorithm().input(b"message")).unwrap();
            let verifier = Verifier::new(curve.algorithm(), &made.public_key).unwrap();
            assert!(verifier.verifies(b"message", &signature));
            for other in Curve::ALL.into_iter().filter(|other| *other != curve) {
                assert!(load(&made.pkcs8, other).is_err());
            }
            assert!(load(&made.pkcs8[1..], curve).is_err());
        }
    }
}
