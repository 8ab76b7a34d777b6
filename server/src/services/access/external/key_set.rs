//! The keys of an external issuer: a JWK set (RFC 7517), of which only public signature keys are read.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256K1_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED,
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use kunji_shared::encoding::decode_base64;
use serde::Deserialize;

use crate::domain::jose::SignatureAlgorithm;

/// Most keys of a set that are looked at.
const MAX_KEYS: usize = 64;
/// Longest member of a key, in bytes: a modulus of 8192 bits, and more.
const MAX_MEMBER_BYTES: usize = 2048;

/// The keys of an issuer at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    kid: Option<String>,
    /// The one algorithm that the key is for, if it says so.
    algorithm: Option<SignatureAlgorithm>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Ed25519(Vec<u8>),
    /// The curve, and the point in uncompressed form.
    Ec(Curve, Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P256k1,
    P384,
    P521,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set; keys that are for something else, or of a kind that is not known here, are skipped. `None` when
    /// it is no set, or nothing of it is left.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let set: Set = serde_json::from_slice(document).ok()?;
        let keys: Vec<_> = set
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|key| PublicKey::read(serde_json::from_value(key).ok()?))
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Whether there is a key of this id.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Whether every key of the other set is in this one too.
    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        other.0.iter().all(|key| self.0.contains(key))
    }

    /// Whether the signature is by a key of the set: the one of this id, or, without an id, the only one there is.
    pub(super) fn verify(
        &self,
        kid: Option<&str>,
        algorithm: SignatureAlgorithm,
        input: &[u8],
        signature: &[u8],
    ) -> bool {
        let named = |key: &&PublicKey| kid.is_none() || key.kid.as_deref() == kid;
        if kid.is_none() && self.0.len() != 1 {
            return false;
        }
        self.0.iter().filter(named).any(|key| key.verifies(algorithm, input, signature))
    }
}

impl PublicKey {
    fn read(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let algorithm = match jwk.alg.as_deref() {
            Some(name) => Some(SignatureAlgorithm::parse(name)?),
            None => None,
        };
        let member = |text: Option<String>| decode_base64(&text?, MAX_MEMBER_BYTES).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { modulus: member(jwk.n)?, exponent: member(jwk.e)? },
            ("OKP", Some("Ed25519")) => Material::Ed25519(member(jwk.x)?),
            ("EC", Some(curve)) => {
                let (curve, length) = match curve {
                    "P-256" => (Curve::P256, 32),
                    "secp256k1" => (Curve::P256k1, 32),
                    "P-384" => (Curve::P384, 48),
                    "P-521" => (Curve::P521, 66),
                    _ => return None,
                };
                let (x, y) = (member(jwk.x)?, member(jwk.y)?);
                if x.len() != length || y.len() != length {
                    return None;
                }
                Material::Ec(curve, [&[4], x.as_slice(), &y].concat())
            }
            _ => return None,
        };
        Some(Self { kid: jwk.kid, algorithm, material })
    }

    fn verifies(&self, algorithm: SignatureAlgorithm, input: &[u8], signature: &[u8]) -> bool {
        use SignatureAlgorithm as A;
        if self.algorithm.is_some_and(|own| own != algorithm) {
            return false;
        }
        let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(input, signature).is_ok()
        };
        match &self.material {
            Material::Ed25519(key) => algorithm == A::EdDsa && by(&ED25519, key),
            Material::Ec(curve, point) => match (curve, algorithm) {
                (Curve::P256, A::Es256) => by(&ECDSA_P256_SHA256_FIXED, point),
                (Curve::P256k1, A::Es256k) => by(&ECDSA_P256K1_SHA256_FIXED, point),
                (Curve::P384, A::Es384) => by(&ECDSA_P384_SHA384_FIXED, point),
                (Curve::P521, A::Es512) => by(&ECDSA_P521_SHA512_FIXED, point),
                _ => false,
            },
            Material::Rsa { modulus, exponent } => rsa(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, input, signature).is_ok()
            }),
        }
    }
}

/// RSA with 2048 to 8192 bits; shorter keys verify nothing.
const fn rsa(algorithm: SignatureAlgorithm) -> Option<&'static RsaParameters> {
    use SignatureAlgorithm as A;
    match algorithm {
        A::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        A::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
        A::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
        A::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        A::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        A::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        A::Es256 | A::Es256k | A::Es384 | A::Es512 | A::EdDsa => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037 A.2 and A.4.
    const ED25519_KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const ED25519_INPUT: &[u8] = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const ED25519_SIGNATURE: &str =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    /// RFC 7515 A.3.
    const P256_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const P256_INPUT: &[u8] =
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const P256_SIGNATURE: &str =
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn set(keys: &[&str]) -> Option<KeySet> {
        KeySet::parse(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes())
    }

    fn with(key: &str, member: &str) -> String {
        key.replacen('{', &format!("{{{member},"), 1)
    }

    fn verifies(keys: &[&str], kid: Option<&str>, algorithm: SignatureAlgorithm) -> bool {
        let (input, signature) = match algorithm {
            SignatureAlgorithm::EdDsa => (ED25519_INPUT, ED25519_SIGNATURE),
            _ => (P256_INPUT, P256_SIGNATURE),
        };
        let signature = decode_base64(signature, 1024).unwrap();
        set(keys).unwrap().verify(kid, algorithm, input, &signature)
    }

    #[test]
    fn known_answers() {
        assert!(verifies(&[ED25519_KEY], None, SignatureAlgorithm::EdDsa));
        assert!(verifies(&[P256_KEY], None, SignatureAlgorithm::Es256));
    }

    #[test]
    fn a_key_is_for_its_own_algorithm_only() {
        for algorithm in SignatureAlgorithm::ALL {
            let expected = algorithm == SignatureAlgorithm::Es256;
            assert_eq!(verifies(&[P256_KEY], None, algorithm), expected, "{algorithm:?}");
        }
        let of = |alg| verifies(&[&with(P256_KEY, alg)], None, SignatureAlgorithm::Es256);
        assert!(of("\"alg\":\"ES256\"") && !of("\"alg\":\"ES384\""));
    }

    #[test]
    fn a_key_is_found_by_its_id() {
        let (first, second) = (with(ED25519_KEY, "\"kid\":\"a\""), with(P256_KEY, "\"kid\":\"b\""));
        let keys = [first.as_str(), second.as_str()];
        assert!(verifies(&keys, Some("a"), SignatureAlgorithm::EdDsa));
        for kid in [Some("b"), Some("c"), Some(""), None] {
            assert!(!verifies(&keys, kid, SignatureAlgorithm::EdDsa), "{kid:?}");
        }
        assert!(set(&keys).unwrap().has("b") && !set(&keys).unwrap().has("c"));
    }

    #[test]
    fn what_is_no_signature_key_is_no_key_here() {
        for key in [
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
            r#"{"kty":"RSA","n":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"AQ"}"#,
            &with(P256_KEY, "\"use\":\"enc\""),
            &with(P256_KEY, "\"alg\":\"HS256\""),
            &with(P256_KEY, "\"alg\":\"none\""),
            "7",
        ] {
            assert_eq!(set(&[key]), None, "{key}");
            assert!(set(&[key, P256_KEY]).is_some(), "{key}");
        }
        for document in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}"] {
            assert_eq!(KeySet::parse(document.as_bytes()), None, "{document}");
        }
    }
}
