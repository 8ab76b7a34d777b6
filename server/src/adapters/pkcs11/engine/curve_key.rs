//! Public keys on curves as tokens hold them and as certificates do.

use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, KeyType, ObjectHandle},
    session::Session,
};
use x509_cert::{
    der::{
        Decode as _, Encode as _,
        asn1::{BitString, OctetStringRef},
    },
    spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo},
};

use super::public_key::RsaPublicKey;
use crate::domain::key_type::Curve;

/// id-ecPublicKey, RFC 5480 2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// `CKA_EC_PARAMS` of the curve (RFC 5480 2.1.1.1); `None` where keys on it are not made on tokens.
pub(super) fn parameters(curve: Curve) -> Option<Vec<u8>> {
    name(curve)?.to_der().ok()
}

const fn name(curve: Curve) -> Option<ObjectIdentifier> {
    match curve {
        Curve::Ed25519 => None,
        Curve::P256 => Some(P256),
        Curve::P384 => Some(P384),
        Curve::Secp256k1 => Some(SECP256K1),
    }
}

/// SubjectPublicKeyInfo (DER) of either half of a pair; `None` when this object does not show it.
pub(super) fn read_public_key(session: &Session, key: ObjectHandle) -> Result<Option<Vec<u8>>, Error> {
    let kind = session.get_attributes(key, &[AttributeType::KeyType])?;
    if !kind.contains(&Attribute::KeyType(KeyType::EC)) {
        return Ok(RsaPublicKey::read(session, key)?.and_then(|key| key.to_spki()));
    }
    let (mut parameters, mut point) = (None, None);
    for attribute in session.get_attributes(key, &[AttributeType::EcParams, AttributeType::EcPoint])? {
        match attribute {
            Attribute::EcParams(bytes) => parameters = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            _ => {}
        }
    }
    Ok(parameters.zip(point).and_then(|(parameters, point)| to_spki(&parameters, &point)))
}

/// RFC 5480 2. Tokens hold the point as an OCTET STRING, as PKCS#11 says; a few as it is.
fn to_spki(parameters: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let named = ObjectIdentifier::from_der(parameters).ok()?;
    let curve = Curve::ALL.into_iter().find(|curve| name(*curve) == Some(named))?;
    // 4, x and y (SEC 1 2.3.3).
    let length = 1 + 2 * curve.coordinate_bytes();
    let point =
        if point.len() == length { point } else { <&OctetStringRef>::from_der(point).ok()?.as_bytes() };
    let is_uncompressed = point.len() == length && point.first() == Some(&4);
    let subject_public_key = BitString::from_bytes(is_uncompressed.then_some(point)?).ok()?;
    let algorithm = AlgorithmIdentifier { oid: EC_PUBLIC_KEY, parameters: Some(named) };
    SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der().ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::{AsDer as _, PublicKeyX509Der},
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256K1_SHA256_FIXED_SIGNING,
            ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        },
    };

    use super::*;

    #[test]
    fn agrees_with_another_library() {
        for (curve, algorithm) in [
            (Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            (Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
            (Curve::Secp256k1, &ECDSA_P256K1_SHA256_FIXED_SIGNING),
        ] {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let expected: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
            let parameters = parameters(curve).unwrap();
            let point = pair.public_key().as_ref();
            let wrapped = [&[4, u8::try_from(point.len()).unwrap()], point].concat();
            assert_eq!(to_spki(&parameters, &wrapped).unwrap(), expected.as_ref());
            assert_eq!(to_spki(&parameters, point).unwrap(), expected.as_ref());
            for bad in [&point[1..], &wrapped[1..], &[], &[4, 0]] {
                assert!(to_spki(&parameters, bad).is_none());
            }
            assert!(to_spki(&[], point).is_none());
        }
    }
}
