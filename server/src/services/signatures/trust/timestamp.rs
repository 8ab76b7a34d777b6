//! Time-stamp tokens (RFC 3161) over signatures: proof that a signature was there at a time.

use kunji_shared::{Certificate, UnixTime};
use openssl::{
    cms::{CMSOptions, CmsContentInfo},
    error::ErrorStack,
    hash::{MessageDigest, hash},
    stack::Stack,
    x509::X509,
};
use x509_cert::{
    der::{
        AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
        asn1::ObjectIdentifier,
    },
    spki::AlgorithmIdentifierRef,
    time::Time,
};

use crate::domain::x509_signature::is_believed;

/// Largest token, in bytes.
pub(super) const TOKEN_MAX_BYTES: usize = 64 * 1024;
/// Most certificates that are read of one.
const CERTIFICATES_MAX: usize = 8;
/// How far the clocks of a time-stamping authority may be ahead of ours, in seconds.
const AHEAD_MAX_SECONDS: i64 = 60;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// signingCertificate (RFC 2634 5.4) and signingCertificateV2 (RFC 5035 3).
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

/// A token whose signature fits and that is over a message, by the certificate of its authority, which is still to be
/// judged.
pub(super) struct Timestamp {
    /// The latest time at which the message can have come into being.
    pub(super) time: UnixTime,
    /// The authority's certificate.
    pub(super) authority: Certificate,
    /// Others that the token has, as helpers on the path.
    pub(super) others: Vec<Certificate>,
}

impl Timestamp {
    /// Reads the DER of a TimeStampToken and checks it against the message; `None` when anything is wrong with it:
    /// its form, its signature, the certificate that it names, what it is about, or a time to come.
    pub(super) fn check(token: &[u8], message: &[u8], now: UnixTime) -> Option<Self> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        let read = Token::read(token)?;
        let signed = read.attributes.iter();
        let authority = read.certificates.iter().find(|one| signed.clone().any(|it| it.names(one)))?;
        let content = verify(token, authority).ok()?;
        let time = time_of(&content, message)?;
        if time.seconds() > now.seconds().saturating_add(AHEAD_MAX_SECONDS) {
            return None;
        }
        let others = read.certificates.iter().filter(|one| *one != authority).cloned().collect();
        Some(Self { time, authority: authority.clone(), others })
    }
}

/// The content of the token, if its one signature is by this certificate's key. The certificate is not judged.
fn verify(token: &[u8], authority: &Certificate) -> Result<Vec<u8>, ErrorStack> {
    let mut signers = Stack::new()?;
    signers.push(X509::from_der(authority.der())?)?;
    let options = CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::NOINTERN | CMSOptions::BINARY;
    let mut content = Vec::new();
    CmsContentInfo::from_der(token)?.verify(Some(&signers), None, None, Some(&mut content), options)?;
    Ok(content)
}

/// What is needed of a SignedData (RFC 5652 5.1) beside what OpenSSL checks.
struct Token {
    certificates: Vec<Certificate>,
    /// The signed attributes that name the signer's certificate.
    attributes: Vec<SigningCertificate>,
}

impl Token {
    fn read(token: &[u8]) -> Option<Self> {
        let [kind, content] = elements(sequence(token)?)?.try_into().ok()?;
        if kind.decode_as::<ObjectIdentifier>().ok()? != SIGNED_DATA || content.tag() != explicit(0) {
            return None;
        }
        let parts = elements(sequence(content.value())?)?;
        let [_version, _digests, encapsulated, rest @ ..] = parts.as_slice() else { return None };
        let content_type = elements(encapsulated.value())?.first()?.decode_as::<ObjectIdentifier>().ok()?;
        let (signers, rest) = rest.split_last()?;
        // RFC 3161 2.4.2: no signature but the authority's.
        let [signer] = elements(signers.value())?.try_into().ok()?;
        if content_type != TST_INFO || signers.tag() != Tag::Set || signer.tag() != Tag::Sequence {
            return None;
        }
        let certificates = rest.iter().find(|part| part.tag() == explicit(0));
        let certificates = certificates.map_or(Some(Vec::new()), |all| elements(all.value()))?;
        let certificates = certificates
            .iter()
            .take(CERTIFICATES_MAX)
            .filter_map(|one| Certificate::from_der(&one.to_der().ok()?).ok());
        // Their places are fixed (RFC 5652 5.3).
        let signer = elements(signer.value())?;
        let [_version, _certificate, hash, attributes, signature, ..] = signer.as_slice() else {
            return None;
        };
        // OpenSSL takes any algorithm here, SHA-1 too.
        digest(hash)?;
        if !is_believed_signature(signature)? || attributes.tag() != explicit(0) {
            return None;
        }
        let attributes = elements(attributes.value())?;
        Some(Self {
            certificates: certificates.collect(),
            attributes: attributes.iter().filter_map(SigningCertificate::read).collect(),
        })
    }
}

/// The hash of the signer's certificate.
struct SigningCertificate {
    hash: MessageDigest,
    value: Vec<u8>,
}

impl SigningCertificate {
    /// `None` for attributes of another kind.
    fn read(attribute: &AnyRef<'_>) -> Option<Self> {
        let [kind, values] = elements(attribute.value())?.try_into().ok()?;
        let kind = kind.decode_as::<ObjectIdentifier>().ok()?;
        let first = elements(values.value())?.into_iter().next()?;
        let named = elements(elements(first.value())?.first()?.value())?;
        let parts = elements(named.first()?.value())?;
        let (hash, value) = match (kind, parts.as_slice()) {
            (SIGNING_CERTIFICATE, [value, ..]) => (MessageDigest::sha1(), value),
            // The default of the algorithm is SHA-256 (RFC 5035 4).
            (SIGNING_CERTIFICATE_V2, [value, ..]) if value.tag() == Tag::OctetString => {
                (MessageDigest::sha256(), value)
            }
            (SIGNING_CERTIFICATE_V2, [algorithm, value, ..]) => (digest(algorithm)?, value),
            _ => return None,
        };
        (value.tag() == Tag::OctetString).then(|| Self { hash, value: value.value().to_vec() })
    }

    fn names(&self, certificate: &Certificate) -> bool {
        hash(self.hash, certificate.der()).is_ok_and(|found| *found == *self.value)
    }
}

/// The latest time of a TSTInfo (RFC 3161 2.4.2) that is about this message.
fn time_of(content: &[u8], message: &[u8]) -> Option<UnixTime> {
    let parts = elements(sequence(content)?)?;
    let [_version, _policy, imprint, _serial, time, rest @ ..] = parts.as_slice() else { return None };
    let [algorithm, expected] = elements(imprint.value())?.try_into().ok()?;
    let found = hash(digest(&algorithm)?, message).ok()?;
    if expected.tag() != Tag::OctetString || *found != *expected.value() {
        return None;
    }
    let mut latest = generalized_time(time)?;
    for part in rest {
        match part.tag() {
            Tag::Sequence => latest = latest.saturating_add(accuracy(part)?),
            tag if tag == explicit(1) && has_critical(part)? => return None,
            _ => {}
        }
    }
    Some(UnixTime::from_seconds(latest))
}

/// Seconds since 1970-01-01T00:00:00Z of `YYYYMMDDhhmmss[.f]Z`, fractions rounded up.
fn generalized_time(time: &AnyRef<'_>) -> Option<i64> {
    let text = std::str::from_utf8(time.value()).ok()?;
    let whole = text.get(..14)?;
    let fraction = text.get(14..)?.strip_suffix('Z')?;
    let has_fraction = match fraction.strip_prefix('.') {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()),
        None if fraction.is_empty() => false,
        None => return None,
    };
    let whole = format!("{whole}Z");
    let whole = AnyRef::new(Tag::GeneralizedTime, whole.as_bytes()).ok()?.to_der().ok()?;
    let seconds = Time::from_der(&whole).ok()?.to_unix_duration().as_secs();
    let is_time = time.tag() == Tag::GeneralizedTime;
    is_time.then(|| i64::try_from(seconds).ok())?.map(|seconds| seconds + i64::from(has_fraction))
}

/// Seconds, rounded up.
fn accuracy(accuracy: &AnyRef<'_>) -> Option<i64> {
    let mut sum = 0;
    for part in elements(accuracy.value())? {
        sum += if part.tag() == Tag::Integer { i64::from(part.decode_as::<u32>().ok()?) } else { 1 };
    }
    Some(sum)
}

/// Whether one of the extensions is critical: none is understood.
fn has_critical(extensions: &AnyRef<'_>) -> Option<bool> {
    let mut found = false;
    for extension in elements(extensions.value())? {
        found |= elements(extension.value())?.iter().any(|part| part.tag() == Tag::Boolean);
    }
    Some(found)
}

/// Whether the `signatureAlgorithm` of a signer is believed. The hash of rsaEncryption is the signer's digest algorithm
/// (RFC 3370 3.2).
fn is_believed_signature(algorithm: &AnyRef<'_>) -> Option<bool> {
    let der = algorithm.to_der().ok()?;
    let AlgorithmIdentifierRef { oid, parameters } = AlgorithmIdentifierRef::from_der(&der).ok()?;
    Some(oid == RSA || is_believed(oid, parameters))
}

fn digest(algorithm: &AnyRef<'_>) -> Option<MessageDigest> {
    match elements(algorithm.value())?.first()?.decode_as::<ObjectIdentifier>().ok()? {
        SHA256 => Some(MessageDigest::sha256()),
        SHA384 => Some(MessageDigest::sha384()),
        SHA512 => Some(MessageDigest::sha512()),
        _ => None,
    }
}

fn explicit(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The content of the one SEQUENCE in these bytes.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    let whole = AnyRef::from_der(der).ok()?;
    (whole.tag() == Tag::Sequence).then(|| whole.value())
}

/// What stands in these bytes, one after the other.
fn elements(content: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(content).ok()?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(reader.decode().ok()?);
    }
    Some(found)
}
