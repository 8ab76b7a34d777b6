//! Certificates in one file: PKCS #7, as browsers, Java and OpenSSL read it.

use kunji_shared::pem;
use x509_cert::der::{
    self, Any, Encode, Tag, TagNumber,
    asn1::{ObjectIdentifier, SetOfVec},
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// The certificates (DER) in their order as PEM of the label `PKCS7`: a *certs-only* message, that is a SignedData
/// (RFC 5652 5.1) of version 1 with certificates alone. DER would have their set sorted; readers take the first one for
/// the leaf, so it is not.
///
/// # Errors
/// When one is no DER, or they are too long for a file.
pub(in crate::api) fn pkcs7_pem(certificates: &[Vec<u8>]) -> der::Result<String> {
    let nothing = SetOfVec::<Any>::new().to_der()?;
    let signed_data = element(
        Tag::Sequence,
        &[
            1_u8.to_der()?,
            nothing.clone(),
            element(Tag::Sequence, &[DATA.to_der()?])?,
            element(context_specific(), certificates)?,
            nothing,
        ],
    )?;
    let content = element(context_specific(), &[signed_data])?;
    Ok(pem::encode("PKCS7", &element(Tag::Sequence, &[SIGNED_DATA.to_der()?, content])?))
}

/// `[0]`, constructed.
const fn context_specific() -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(0) }
}

fn element(tag: Tag, parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    Any::new(tag, parts.concat())?.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_stand_in_their_order() {
        // Whatever is DER; sorted, the second would come first.
        let (leaf, issuer) = (vec![0x30, 2, 5, 0], vec![0x30, 0]);
        let text = pkcs7_pem(&[leaf.clone(), issuer.clone()]).unwrap();
        let der = pem::decode_all(&text, "PKCS7").unwrap().remove(0);
        let both = [leaf, issuer].concat();
        assert!(der.windows(both.len()).any(|window| window == both));
        assert_eq!(&der[..2], [0x30, u8::try_from(der.len() - 2).unwrap()]);
        assert!(text.starts_with("-----BEGIN PKCS7-----\n") && !text.contains('\r'));
    }
}
