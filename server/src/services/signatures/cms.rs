//! A signature as it stands in a PDF: a CMS SignedData (RFC 5652 5) without its content, of the profile PAdES baseline B
//! (ETSI EN 319 142-1, 6.3). Certificates are embedded to the byte, whoever issued them; so it is put together from parts
//! that are DER already.

use aws_lc_rs::digest::{SHA256, digest};
use x509_cert::der::{
    self, Any, AnyRef, Decode as _, Encode as _, SliceReader, Tag, TagNumber, Tagged as _,
    asn1::{Null, ObjectIdentifier, OctetStringRef, UintRef},
};

use crate::domain::jose::SignatureAlgorithm;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Room for everything but the certificates, with an RSA-4096 signature, in bytes.
const FRAME_MAX_BYTES: usize = 2048;

/// What can sign a PDF: that which readers of PDFs verify, with SHA-256.
pub(super) const fn signs_pdf(algorithm: SignatureAlgorithm) -> bool {
    matches!(algorithm, SignatureAlgorithm::Rs256 | SignatureAlgorithm::Es256)
}

/// The most bytes that a signature takes.
pub(super) fn length_max(chain: &[Vec<u8>]) -> usize {
    let leaf = chain.first().map_or(0, Vec::len);
    // The issuer's name is in the leaf, and stands once more beside its serial number.
    FRAME_MAX_BYTES + leaf + chain.iter().map(Vec::len).sum::<usize>()
}

/// What a key signs: the attributes (RFC 5652 5.4) over a content of this digest. There is no signing time among them: in
/// a PDF it is an entry of the signature dictionary, and stands there alone.
pub(super) fn attributes(leaf: &[u8], content_digest: &[u8]) -> der::Result<Vec<u8>> {
    let certificate = digest(&SHA256, leaf);
    // ESSCertIDv2 (RFC 5035), SHA-256 by default.
    let signing_certificate = sequence(&[sequence(&[sequence(&[octets(certificate.as_ref())?])?])?])?;
    let mut attributes = [
        attribute(CONTENT_TYPE, DATA.to_der()?)?,
        attribute(MESSAGE_DIGEST, octets(content_digest)?)?,
        attribute(SIGNING_CERTIFICATE_V2, signing_certificate)?,
    ];
    // DER sorts what is in a set.
    attributes.sort();
    element(Tag::Set, &attributes)
}

/// The whole of it. `signature` is over `attributes`, in the form of JOSE.
pub(super) fn signed_data(
    chain: &[Vec<u8>],
    attributes: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let leaf = chain.first().ok_or(der::ErrorKind::Failed)?;
    let (identifier, signature) = match algorithm {
        SignatureAlgorithm::Es256 => (sequence(&[ECDSA_WITH_SHA_256.to_der()?])?, ecdsa(signature)?),
        _ => (sequence(&[SHA_256_WITH_RSA.to_der()?, Null.to_der()?])?, signature.to_vec()),
    };
    let sha_256 = sequence(&[SHA_256.to_der()?])?;
    let attributes = AnyRef::from_der(attributes)?.value().to_vec();
    let (issuer, serial) = issuer_and_serial(leaf)?;
    let signer = sequence(&[
        1_u8.to_der()?,
        sequence(&[issuer, serial])?,
        sha_256.clone(),
        element(context(0), &[attributes])?,
        identifier,
        octets(&signature)?,
    ])?;
    let mut certificates = chain.to_vec();
    certificates.sort();
    certificates.dedup();
    let signed_data = sequence(&[
        1_u8.to_der()?,
        element(Tag::Set, &[sha_256])?,
        sequence(&[DATA.to_der()?])?,
        element(context(0), &certificates)?,
        element(Tag::Set, &[signer])?,
    ])?;
    sequence(&[SIGNED_DATA.to_der()?, element(context(0), &[signed_data])?])
}

/// Issuer and serial number of a certificate, as they stand in it (RFC 5280 4.1).
fn issuer_and_serial(certificate: &[u8]) -> der::Result<(Vec<u8>, Vec<u8>)> {
    let certificate = AnyRef::from_der(certificate)?;
    let tbs = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;
    let mut members = SliceReader::new(tbs.value())?;
    let mut serial = AnyRef::decode(&mut members)?;
    if serial.tag().is_context_specific() {
        // That was the version.
        serial = AnyRef::decode(&mut members)?;
    }
    AnyRef::decode(&mut members)?;
    let issuer = AnyRef::decode(&mut members)?;
    Ok((issuer.to_der()?, serial.to_der()?))
}

/// `ECDSA-Sig-Value` (RFC 3279 2.2.3) of r and s, one after the other.
fn ecdsa(signature: &[u8]) -> der::Result<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2).ok_or(der::ErrorKind::Failed)?;
    sequence(&[UintRef::new(r)?.to_der()?, UintRef::new(s)?.to_der()?])
}

fn attribute(kind: ObjectIdentifier, value: Vec<u8>) -> der::Result<Vec<u8>> {
    sequence(&[kind.to_der()?, element(Tag::Set, &[value])?])
}

fn octets(bytes: &[u8]) -> der::Result<Vec<u8>> {
    OctetStringRef::new(bytes)?.to_der()
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    element(Tag::Sequence, parts)
}

const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

fn element(tag: Tag, parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    Any::new(tag, parts.concat())?.to_der()
}
