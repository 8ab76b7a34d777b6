//! Certificate requests (PKCS#10) by keys of every kind.

use x509_cert::{
    builder::{Builder as _, RequestBuilder},
    der::{
        Any, Encode as _,
        asn1::{BitString, ObjectIdentifier, UintRef},
    },
    name::Name,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned, der::Decode as _},
};

use super::{
    KeyError,
    issuing::{Holder, SHA256_WITH_RSA, public_key_of, refused},
};
use crate::domain::{
    jose::SignatureAlgorithm,
    key::KeyRecord,
    key_type::{Curve, KeyType},
};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// A PKCS#10 request (RFC 2986) for the key, signed with it by `sign`.
///
/// # Errors
/// [`KeyError`], also of `sign`.
pub(super) async fn request(
    subject: Name,
    key: &KeyRecord,
    sign: impl AsyncFnOnce(SignatureAlgorithm, Vec<u8>) -> Result<Vec<u8>, KeyError>,
) -> Result<Vec<u8>, KeyError> {
    let public_key = public_key_of(&key.certificate)?;
    let public_key = SubjectPublicKeyInfoOwned::from_der(&public_key).map_err(refused)?;
    let (algorithm, oid, parameters) = match key.key_type {
        KeyType::Rsa(_) => (SignatureAlgorithm::Rs256, SHA256_WITH_RSA, Some(Any::null())),
        KeyType::Curve(Curve::Ed25519) => (SignatureAlgorithm::EdDsa, ED25519, None),
        KeyType::Curve(curve) => (curve.algorithm(), ECDSA_WITH_SHA256, None),
    };
    let holder = Holder { public_key, algorithm: AlgorithmIdentifierOwned { oid, parameters } };
    let mut builder = RequestBuilder::new(subject).map_err(refused)?;
    let info = builder.finalize(&holder).map_err(refused)?;
    let signature = sign(algorithm, info).await?;
    let signature = if oid == ECDSA_WITH_SHA256 { to_der(&signature)? } else { signature };
    let signature = BitString::from_bytes(&signature).map_err(refused)?;
    builder.assemble(signature, &holder).map_err(refused)?.to_der().map_err(refused)
}

/// `Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 2.2.3) of `r ‖ s`.
fn to_der(signature: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let numbers = vec![UintRef::new(r).map_err(refused)?, UintRef::new(s).map_err(refused)?];
    numbers.to_der().map_err(refused)
}
