//! RSA public keys as tokens hold them and as certificates do.

use cryptoki::{
    error::Error,
    object::{Attribute, AttributeType, ObjectHandle},
    session::Session,
};
use x509_cert::{
    der::{
        Encode as _,
        asn1::{BitString, Null, UintRef},
    },
    spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo},
};

/// rsaEncryption, RFC 8017 appendix C.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Modulus and public exponent, big-endian without leading zeros.
#[derive(PartialEq, Eq)]
pub(super) struct RsaPublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads them from either half of a pair; `None` when this object does not show both.
    pub(super) fn read(session: &Session, key: ObjectHandle) -> Result<Option<Self>, Error> {
        let (mut modulus, mut exponent) = (None, None);
        let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
        for attribute in session.get_attributes(key, &wanted)? {
            match attribute {
                Attribute::Modulus(bytes) => modulus = Some(without_leading_zeros(&bytes)),
                Attribute::PublicExponent(bytes) => exponent = Some(without_leading_zeros(&bytes)),
                _ => {}
            }
        }
        Ok(modulus.zip(exponent).map(|(modulus, exponent)| Self { modulus, exponent }))
    }

    /// SubjectPublicKeyInfo (RFC 5280 4.1, RFC 3279 2.3.1), DER; `None` when the numbers are none.
    pub(super) fn to_spki(&self) -> Option<Vec<u8>> {
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }
        let numbers = vec![UintRef::new(&self.modulus).ok()?, UintRef::new(&self.exponent).ok()?];
        let algorithm = AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(Null) };
        let subject_public_key = BitString::from_bytes(&numbers.to_der().ok()?).ok()?;
        SubjectPublicKeyInfo { algorithm, subject_public_key }.to_der().ok()
    }
}

fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{encoding::AsDer as _, rsa::KeySize, signature::KeyPair as _};

    use super::*;

    #[test]
    fn agrees_with_another_library() {
        let pair = aws_lc_rs::signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key();
        let key = RsaPublicKey {
            modulus: without_leading_zeros(public.modulus().big_endian_without_leading_zero()),
            exponent: without_leading_zeros(&[0, 1, 0, 1]),
        };
        let expected: aws_lc_rs::encoding::PublicKeyX509Der<'_> = public.as_der().unwrap();
        assert_eq!(key.to_spki().unwrap(), expected.as_ref());
    }
}
