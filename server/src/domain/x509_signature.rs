//! Which signatures by authorities are believed where the algorithm is theirs to choose.

use x509_cert::{
    der::{AnyRef, Decode as _, SliceReader, Tag, TagNumber, Tagged as _, asn1::ObjectIdentifier},
    spki::AlgorithmIdentifierRef,
};

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// RSA PKCS #1 v1.5 and ECDSA, each with SHA-256, SHA-384 and SHA-512; Ed25519.
const SIGNATURES: [ObjectIdentifier; 7] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
    ObjectIdentifier::new_unwrap("1.3.101.112"),
];

/// Whether a signature by this algorithm (`AlgorithmIdentifier`, RFC 5280 4.1.1.2) is over a digest of at least 256 bits.
pub fn is_believed(algorithm: ObjectIdentifier, parameters: Option<AnyRef<'_>>) -> bool {
    match algorithm {
        RSASSA_PSS => parameters.and_then(hash_of_pss).is_some_and(is_believed_hash),
        other => SIGNATURES.contains(&other),
    }
}

fn is_believed_hash(hash: ObjectIdentifier) -> bool {
    [SHA256, SHA384, SHA512].contains(&hash)
}

/// `hashAlgorithm` of the parameters of RSASSA-PSS (RFC 4055 3.1); `None` where it is left out, which means SHA-1. That
/// of the mask generation is no matter: nothing rests on its collisions.
fn hash_of_pss(parameters: AnyRef<'_>) -> Option<ObjectIdentifier> {
    let mut members = SliceReader::new(parameters.value()).ok()?;
    let first = AnyRef::decode(&mut members).ok()?;
    let is_hash = first.tag() == Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let hash = is_hash.then(|| AlgorithmIdentifierRef::from_der(first.value()))?;
    hash.ok().map(|hash| hash.oid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_pss(parameters: &str) -> bool {
        let parameters = kunji_shared::encoding::decode_hex(parameters, 128).unwrap();
        is_believed(RSASSA_PSS, Some(AnyRef::from_der(&parameters).unwrap()))
    }

    /// Parameters as OpenSSL writes them.
    #[test]
    fn the_hash_of_pss_stands_in_its_parameters() {
        let [sha256, sha1] = ["300d06096086480165030402010500", "300906052b0e03021a0500"];
        let mask = format!("a11c301a06092a864886f70d010108{sha256}");
        assert!(of_pss(&format!("3034a00f{sha256}{mask}a20302015e")));
        assert!(of_pss(&format!("3016a00f{sha256}a20302015e")));
        for bad in [
            "3005a20302016a".to_owned(),
            "3000".to_owned(),
            format!("3023{mask}a20302015e"),
            format!("3012a00b{sha1}a20302015e"),
            format!("3016a10f{sha256}a20302015e"),
            "0500".to_owned(),
        ] {
            assert!(!of_pss(&bad), "{bad}");
        }
        assert!(!is_believed(RSASSA_PSS, None));
    }

    #[test]
    fn sha_1_and_md5_are_not_believed() {
        for good in SIGNATURES {
            assert!(is_believed(good, None));
        }
        for bad in
            ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.113549.1.1.1"]
        {
            assert!(!is_believed(ObjectIdentifier::new_unwrap(bad), None), "{bad}");
        }
    }
}
