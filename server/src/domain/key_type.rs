//! Kinds of key pairs.

use kunji_shared::{ModulusLength, RsaPublicKey};
use serde::{Deserialize, Serialize};

use super::{jose::SignatureAlgorithm, signature::Verifier};

/// The kind of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// On an elliptic curve; for signatures alone.
    Curve(Curve),
    /// RSA with a modulus of this length.
    Rsa(ModulusLength),
}

impl KeyType {
    /// The kind of a public key (SubjectPublicKeyInfo, DER); `None` for those that no key of ours is of.
    pub fn of_public_key(spki: &[u8]) -> Option<Self> {
        if let Ok(key) = RsaPublicKey::from_spki_der(spki) {
            return Some(Self::Rsa(key.modulus_length()));
        }
        Curve::ALL.into_iter().find(|curve| Verifier::new(curve.algorithm(), spki).is_some()).map(Self::Curve)
    }

    /// What keys of this kind sign with. RSA keys of every length in use have room for a SHA-512 digest with its salt.
    pub const fn algorithms(self) -> &'static [SignatureAlgorithm] {
        use SignatureAlgorithm as A;
        match self {
            Self::Curve(Curve::P256) => &[A::Es256],
            Self::Curve(Curve::P384) => &[A::Es384],
            Self::Curve(Curve::Secp256k1) => &[A::Es256k],
            Self::Curve(Curve::Ed25519) => &[A::EdDsa],
            Self::Rsa(_) => &[A::Rs256, A::Ps256, A::Rs384, A::Rs512, A::Ps384, A::Ps512],
        }
    }

    /// The length of the modulus; `None` for keys that have none, and so encrypt nothing.
    pub const fn modulus(self) -> Option<ModulusLength> {
        match self {
            Self::Curve(_) => None,
            Self::Rsa(modulus) => Some(modulus),
        }
    }
}

/// An elliptic curve that keys of ours can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Curve {
    /// edwards25519 (RFC 8032).
    Ed25519,
    /// NIST P-256, also secp256r1 (FIPS 186-4 D.1.2.3).
    P256,
    /// NIST P-384, also secp384r1 (FIPS 186-4 D.1.2.4).
    P384,
    /// secp256k1 (SEC 2 2.4.1).
    Secp256k1,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::P256, Self::P384, Self::Secp256k1];

    /// The name in a JWK (RFC 7518 6.2.1.1, RFC 8037 2, RFC 8812 3.1), and in the records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// The curve of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// Length of a coordinate of a point, in bytes.
    pub const fn coordinate_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
        }
    }

    /// What keys on it sign with.
    pub const fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Ed25519 => SignatureAlgorithm::EdDsa,
            Self::P256 => SignatureAlgorithm::Es256,
            Self::P384 => SignatureAlgorithm::Es384,
            Self::Secp256k1 => SignatureAlgorithm::Es256k,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        rsa::KeySize,
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
            ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
            KeyPair as _, RsaKeyPair,
        },
    };

    use super::*;

    fn kind(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Option<KeyType> {
        KeyType::of_public_key(key.as_der().unwrap().as_ref())
    }

    #[test]
    fn public_keys_tell_their_kind() {
        let ec = |algorithm| kind(EcdsaKeyPair::generate(algorithm).unwrap().public_key());
        assert_eq!(ec(&ECDSA_P256_SHA256_FIXED_SIGNING), Some(KeyType::Curve(Curve::P256)));
        assert_eq!(ec(&ECDSA_P256K1_SHA256_FIXED_SIGNING), Some(KeyType::Curve(Curve::Secp256k1)));
        assert_eq!(ec(&ECDSA_P384_SHA384_FIXED_SIGNING), Some(KeyType::Curve(Curve::P384)));
        assert_eq!(ec(&ECDSA_P521_SHA512_FIXED_SIGNING), None);
        let edwards = Ed25519KeyPair::generate().unwrap();
        assert_eq!(kind(edwards.public_key()), Some(KeyType::Curve(Curve::Ed25519)));
        let rsa = RsaKeyPair::generate(KeySize::Rsa3072).unwrap();
        assert_eq!(kind(rsa.public_key()), Some(KeyType::Rsa(ModulusLength::Rsa3072)));
        assert_eq!(KeyType::of_public_key(&[]), None);
    }

    #[test]
    fn curves_are_found_by_name() {
        for curve in Curve::ALL {
            assert_eq!(Curve::parse(curve.name()), Some(curve));
            assert_eq!(KeyType::Curve(curve).algorithms(), [curve.algorithm()]);
        }
        assert_eq!(Curve::parse("P-521"), None);
    }
}
