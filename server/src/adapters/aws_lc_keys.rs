//! Private keys in memory, by AWS-LC.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey},
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use kunji_shared::{
    ModulusLength,
    secret::{DataKey, Plaintext},
};
use zeroize::Zeroizing;

use crate::{
    domain::key_type::Curve,
    ports::software_keys::{DecryptionKey, GeneratedKey, SigningKey, SoftwareKeyError, SoftwareKeys},
};

mod curves;

/// [`SoftwareKeys`] by AWS-LC: constant-time private operations, blinded, checked against faults.
///
/// **What is wiped.** `BN_free` and `RSA_free` release every number through `OPENSSL_free`, which overwrites
/// each block (`OPENSSL_cleanse`) before it goes back to the heap; the same holds for the blocks that growing
/// buffers leave behind (`OPENSSL_realloc`), for the padded plaintext of an OAEP operation and for the DER that
/// is written (AWS-LC `crypto/mem.c`, `crypto/fipsmodule/bn/bn.c`, `crypto/fipsmodule/rsa/rsa.c`,
/// `crypto/rsa_extra/rsa_crypt.c`). `aws-lc-rs` zeroes its own copy of written DER when that is dropped
/// (`buffer.rs`). Not promised: registers and stack frames of the C code.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLcKeys;

impl SoftwareKeys for AwsLcKeys {
    /// Random from AWS-LC's own generator (CTR_DRBG over the system's), FIPS 186-5 A.1.3; `e = 65537`.
    fn generate(&self, modulus: ModulusLength) -> Result<GeneratedKey, SoftwareKeyError> {
        let size = match modulus {
            ModulusLength::Rsa2048 => KeySize::Rsa2048,
            ModulusLength::Rsa3072 => KeySize::Rsa3072,
            ModulusLength::Rsa4096 => KeySize::Rsa4096,
        };
        let key = PrivateDecryptingKey::generate(size).map_err(|_| SoftwareKeyError)?;
        let pkcs8: Pkcs8V1Der<'_> = key.as_der().map_err(|_| SoftwareKeyError)?;
        let public_key: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| SoftwareKeyError)?;
        Ok(GeneratedKey {
            pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
            public_key: public_key.as_ref().to_vec(),
        })
    }

    /// Checks the key's numbers against each other (`RSA_check_key`).
    fn load(&self, pkcs8: &[u8]) -> Result<Arc<dyn DecryptionKey>, SoftwareKeyError> {
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| SoftwareKeyError)?;
        ModulusLength::from_bits(key.key_size_bits()).ok_or(SoftwareKeyError)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| SoftwareKeyError)?;
        Ok(Arc::new(AwsLcKey(key)))
    }

    fn sign(&self, pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>, SoftwareKeyError> {
        let key = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| SoftwareKeyError)?;
        ModulusLength::from_bits(key.public_modulus_len() * 8).ok_or(SoftwareKeyError)?;
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| SoftwareKeyError)?;
        Ok(signature)
    }

    fn generate_on_curve(&self, curve: Curve) -> Result<GeneratedKey, SoftwareKeyError> {
        curves::generate(curve)
    }

    fn load_on_curve(&self, pkcs8: &[u8], curve: Curve) -> Result<Arc<dyn SigningKey>, SoftwareKeyError> {
        curves::load(pkcs8, curve)
    }
}

/// One loaded key.
struct AwsLcKey(OaepPrivateDecryptingKey);

impl DecryptionKey for AwsLcKey {
    fn unwrap_data_key(&self, wrapped: &[u8]) -> Option<DataKey> {
        // AWS-LC wants room for a whole modulus, whatever is in it.
        let mut room = vec![0; self.0.min_output_size()];
        let unwrapped = self.0.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut room, None);
        let data_key = unwrapped.ok().and_then(|unwrapped| DataKey::from_slice(unwrapped).ok());
        // Wiped at the speed of memory, as `Zeroizing` does not.
        drop(Plaintext::new(room));
        data_key
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey};

    use super::*;

    fn wrap(public_key: &[u8], algorithm: &'static OaepAlgorithm, secret: &[u8]) -> Vec<u8> {
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(public_key).unwrap()).unwrap();
        let mut wrapped = vec![0; key.ciphertext_size()];
        key.encrypt(algorithm, secret, &mut wrapped, None).unwrap();
        wrapped
    }

    #[test]
    fn generated_keys_of_every_size_unwrap_what_was_wrapped_for_them() {
        for modulus in ModulusLength::ALL {
            let generated = AwsLcKeys.generate(modulus).unwrap();
            let key = AwsLcKeys.load(&generated.pkcs8).unwrap();
            let wrapped = wrap(&generated.public_key, &OAEP_SHA256_MGF1SHA256, &[5; 32]);
            assert_eq!(wrapped.len(), modulus.bytes());
            assert_eq!(key.unwrap_data_key(&wrapped).unwrap().expose(), &[5; 32]);
        }
    }

    #[test]
    fn generated_keys_of_every_size_sign() {
        use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
        for modulus in ModulusLength::ALL {
            let generated = AwsLcKeys.generate(modulus).unwrap();
            let signature = AwsLcKeys.sign(&generated.pkcs8, b"message").unwrap();
            assert_eq!(signature.len(), modulus.bytes());
            let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &generated.public_key).unwrap();
            assert!(key.verify_sig(b"message", &signature).is_ok());
            assert!(key.verify_sig(b"massage", &signature).is_err());
            assert!(AwsLcKeys.sign(&generated.public_key, b"message").is_err());
        }
    }

    #[test]
    fn packet_crate_and_this_one_agree_on_wrapping() {
        let generated = AwsLcKeys.generate(ModulusLength::Rsa2048).unwrap();
        let public = kunji_shared::RsaPublicKey::from_spki_der(&generated.public_key).unwrap();
        let secret = DataKey::from_slice(&[9; 32]).unwrap();
        let entropy = crate::adapters::system_entropy::SystemEntropy;
        let mut rng = crate::ports::entropy::EntropyRng(&entropy);
        let wrapped = kunji_shared::key_wrap::wrap_data_key(&secret, &public, &mut rng).unwrap();
        let key = AwsLcKeys.load(&generated.pkcs8).unwrap();
        assert_eq!(key.unwrap_data_key(&wrapped).unwrap().expose(), &[9; 32]);
    }

    #[test]
    fn everything_else_unwraps_to_nothing() {
        let generated = AwsLcKeys.generate(ModulusLength::Rsa2048).unwrap();
        let key = AwsLcKeys.load(&generated.pkcs8).unwrap();
        let good = wrap(&generated.public_key, &OAEP_SHA256_MGF1SHA256, &[5; 32]);
        let mut changed = good.clone();
        changed[100] ^= 1;
        let cases = [
            Vec::new(),
            good[..255].to_vec(),
            [&good[..], &[0]].concat(),
            vec![0; 256],
            vec![0xFF; 256],
            changed,
            wrap(&generated.public_key, &OAEP_SHA1_MGF1SHA1, &[5; 32]),
            wrap(&generated.public_key, &OAEP_SHA256_MGF1SHA256, &[5; 31]),
            wrap(&generated.public_key, &OAEP_SHA256_MGF1SHA256, &[5; 33]),
            wrap(&generated.public_key, &OAEP_SHA256_MGF1SHA256, &[]),
        ];
        for (number, case) in cases.iter().enumerate() {
            assert!(key.unwrap_data_key(case).is_none(), "case {number}");
        }
    }

    #[test]
    fn only_whole_rsa_keys_of_sizes_in_use_load() {
        let generated = AwsLcKeys.generate(ModulusLength::Rsa2048).unwrap();
        assert!(AwsLcKeys.load(&[]).is_err());
        assert!(AwsLcKeys.load(&generated.pkcs8[..generated.pkcs8.len() - 1]).is_err());
        assert!(AwsLcKeys.load(&generated.public_key).is_err());
        let mut changed = generated.pkcs8.to_vec();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert!(AwsLcKeys.load(&changed).is_err());
    }
}
