//! What each signature algorithm takes of a message, and whether a signature fits.

use std::borrow::Cow;

use aws_lc_rs::{
    digest::{self, Digest, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
        ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
    },
};

use super::jose::SignatureAlgorithm;

impl SignatureAlgorithm {
    /// The hash function; `None` for Ed25519, which takes the message twice and so takes it whole (RFC 8032 5.1.6).
    fn hash(self) -> Option<&'static digest::Algorithm> {
        match self {
            Self::EdDsa => None,
            Self::Es256 | Self::Es256k | Self::Ps256 | Self::Rs256 => Some(&SHA256),
            Self::Es384 | Self::Ps384 | Self::Rs384 => Some(&SHA384),
            Self::Es512 | Self::Ps512 | Self::Rs512 => Some(&SHA512),
        }
    }

    /// Length of the digest that is signed, in bytes; `None` for Ed25519, which signs no digest.
    pub fn digest_length(self) -> Option<usize> {
        self.hash().map(digest::Algorithm::output_len)
    }

    /// What is signed in place of the message: its digest, or for Ed25519 itself.
    pub fn input(self, message: &[u8]) -> Cow<'_, [u8]> {
        match self.hash() {
            Some(hash) => Cow::Owned(digest::digest(hash, message).as_ref().to_vec()),
            None => Cow::Borrowed(message),
        }
    }
}

/// A public key, ready to check signatures of one algorithm.
///
/// ECDSA signatures are `r ‖ s`, each as long as the curve's order (RFC 7518 3.4); the salt of RSASSA-PSS is as long as
/// the digest (RFC 7518 3.5).
pub struct Verifier {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

impl Verifier {
    /// Reads a SubjectPublicKeyInfo (DER); `None` when it is no key for this algorithm: of another kind, on another
    /// curve, or an RSA modulus below 2048 or above 8192 bits.
    pub fn new(algorithm: SignatureAlgorithm, spki: &[u8]) -> Option<Self> {
        // Some of the library's parsers would take a key without the name of its curve.
        let is_named = spki.first() == Some(&0x30);
        let key = is_named.then(|| ParsedPublicKey::new(by(algorithm), spki))?;
        Some(Self { algorithm, key: key.ok()? })
    }

    /// Whether the signature fits the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }

    /// Whether the signature fits what [`SignatureAlgorithm::input`] has made of the message.
    pub fn verifies_input(&self, input: &[u8], signature: &[u8]) -> bool {
        match self.algorithm.hash() {
            Some(hash) => Digest::import_less_safe(input, hash)
                .and_then(|digest| self.key.verify_digest_sig(&digest, signature))
                .is_ok(),
            None => self.verifies(input, signature),
        }
    }
}

fn by(algorithm: SignatureAlgorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        SignatureAlgorithm::EdDsa => &ED25519,
        SignatureAlgorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
        SignatureAlgorithm::Es256k => &ECDSA_P256K1_SHA256_FIXED,
        SignatureAlgorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
        SignatureAlgorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
        SignatureAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        SignatureAlgorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        SignatureAlgorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        SignatureAlgorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        rand::SystemRandom,
        rsa::KeySize,
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
            ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
            EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
            RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
        },
    };

    use super::*;

    const MESSAGE: &[u8] = b"a message";

    fn der(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
        key.as_der().unwrap().as_ref().to_vec()
    }

    /// A key and a signature of [`MESSAGE`] for each algorithm.
    fn signatures() -> Vec<(SignatureAlgorithm, Vec<u8>, Vec<u8>)> {
        use SignatureAlgorithm as A;
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let with_rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(encoding, &SystemRandom::new(), MESSAGE, &mut signature).unwrap();
            (der(rsa.public_key()), signature)
        };
        let with_ec = |algorithm: &'static EcdsaSigningAlgorithm| {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let signature = pair.sign(&SystemRandom::new(), MESSAGE).unwrap().as_ref().to_vec();
            (der(pair.public_key()), signature)
        };
        let edwards = Ed25519KeyPair::generate().unwrap();
        let all = [
            (A::Rs256, with_rsa(&RSA_PKCS1_SHA256)),
            (A::Rs384, with_rsa(&RSA_PKCS1_SHA384)),
            (A::Rs512, with_rsa(&RSA_PKCS1_SHA512)),
            (A::Ps256, with_rsa(&RSA_PSS_SHA256)),
            (A::Ps384, with_rsa(&RSA_PSS_SHA384)),
            (A::Ps512, with_rsa(&RSA_PSS_SHA512)),
            (A::Es256, with_ec(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            (A::Es256k, with_ec(&ECDSA_P256K1_SHA256_FIXED_SIGNING)),
            (A::Es384, with_ec(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            (A::Es512, with_ec(&ECDSA_P521_SHA512_FIXED_SIGNING)),
            (A::EdDsa, (der(edwards.public_key()), edwards.sign(MESSAGE).as_ref().to_vec())),
        ];
        all.into_iter().map(|(algorithm, (key, signature))| (algorithm, key, signature)).collect()
    }

    #[test]
    fn each_signature_fits_its_own_key_and_algorithm_alone() {
        let signatures = signatures();
        assert_eq!(signatures.len(), SignatureAlgorithm::ALL.len());
        for (algorithm, key, signature) in &signatures {
            let verifier = Verifier::new(*algorithm, key).unwrap();
            assert!(verifier.verifies(MESSAGE, signature), "{algorithm:?}");
            assert!(verifier.verifies_input(&algorithm.input(MESSAGE), signature), "{algorithm:?}");
            assert!(!verifier.verifies(b"another", signature), "{algorithm:?}");
            for (other, ..) in signatures.iter().filter(|(other, ..)| other != algorithm) {
                let confused = Verifier::new(*other, key).is_some_and(|v| v.verifies(MESSAGE, signature));
                assert!(!confused, "{algorithm:?} as {other:?}");
            }
        }
    }

    #[test]
    fn bare_points_are_no_keys() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        assert!(Verifier::new(SignatureAlgorithm::Es256, pair.public_key().as_ref()).is_none());
        let pair = Ed25519KeyPair::generate().unwrap();
        assert!(Verifier::new(SignatureAlgorithm::EdDsa, pair.public_key().as_ref()).is_none());
        assert!(Verifier::new(SignatureAlgorithm::Rs256, &[]).is_none());
    }
}
