//! Certificate revocation lists (RFC 5280 5) of others.

use std::{cmp::Ordering, collections::BTreeMap, sync::OnceLock};

use kunji_shared::UnixTime;
use openssl::x509::{CrlStatus, X509, X509Crl, X509KeyUsage, X509Ref};
use x509_cert::{
    certificate::Profile,
    crl::{CertificateList, RevokedCert, TbsCertList},
    der::{AnyRef, Decode as _, Encode as _, asn1::GeneralizedTime},
    ext::pkix::crl::dp::IssuingDistributionPoint,
    serial_number::SerialNumber,
    spki::ObjectIdentifier,
    time::Time,
};

use super::{digest::sha256, x509_signature::is_believed};

/// Largest list, in bytes.
pub const LIST_MAX_BYTES: usize = 8 << 20;

const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");

/// Takes any serial number, as certificates in the field have them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct AnySerial;

impl Profile for AnySerial {
    fn check_serial_number(_: &SerialNumber<Self>) -> x509_cert::der::Result<()> {
        Ok(())
    }
}

/// Why a file is no list that is used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationListError {
    /// Too large.
    #[error("it is larger than {LIST_MAX_BYTES} bytes")]
    TooLarge,
    /// Neither DER nor PEM of one.
    #[error("it is no certificate revocation list in DER or PEM")]
    Malformed,
    /// RFC 5280 5.1.2.5 has every list say it.
    #[error("it does not say when its successor is due (nextUpdate)")]
    WithoutEnd,
    /// MD5, SHA-1 or something unknown.
    #[error("its signature algorithm is not believed; have it signed with SHA-256 or better")]
    Algorithm,
    /// A delta, one with entries for other issuers, or something unknown.
    #[error(
        "it has a critical extension that is not understood (delta and indirect lists are not); use a full one"
    )]
    Extension,
}

/// A list. Reading one proves nothing about it: see [`is_by`](Self::is_by).
pub struct RevocationList {
    crl: X509Crl,
    this_update: UnixTime,
    next_update: UnixTime,
    /// What tells it from other lists of the same issuer: the issuer's key and what it is about.
    name: Vec<Vec<u8>>,
    /// SHA-256 of the certificate whose key has been found to have signed it.
    signer: OnceLock<[u8; 32]>,
}

impl RevocationList {
    /// Reads one list, DER or PEM.
    ///
    /// # Errors
    /// [`RevocationListError`].
    pub fn read(bytes: &[u8]) -> Result<Self, RevocationListError> {
        if bytes.len() > LIST_MAX_BYTES {
            return Err(RevocationListError::TooLarge);
        }
        let is_pem = bytes.trim_ascii_start().starts_with(b"-----BEGIN");
        let crl = if is_pem { X509Crl::from_pem(bytes) } else { X509Crl::from_der(bytes) };
        let malformed = |_| RevocationListError::Malformed;
        let crl = crl.map_err(|_| RevocationListError::Malformed)?;
        let der = crl.to_der().map_err(|_| RevocationListError::Malformed)?;
        let list = CertificateList::<AnySerial>::from_der(&der).map_err(malformed)?;
        let signed = &list.tbs_cert_list;
        let algorithm = &list.signature_algorithm;
        if !is_believed(algorithm.oid, algorithm.parameters.as_ref().map(AnyRef::from)) {
            return Err(RevocationListError::Algorithm);
        }
        check_extensions(signed)?;
        let next_update = signed.next_update.ok_or(RevocationListError::WithoutEnd)?;
        let value = |id| extension(signed, id).map(<[u8]>::to_vec).unwrap_or_default();
        Ok(Self {
            this_update: unix_time(signed.this_update),
            next_update: unix_time(next_update),
            name: vec![
                signed.issuer.to_der().map_err(malformed)?,
                value(AUTHORITY_KEY_ID),
                value(ISSUING_DISTRIBUTION_POINT),
            ],
            signer: OnceLock::new(),
            crl,
        })
    }

    /// Of several lists about the same, the newest.
    pub fn newest_of(lists: Vec<Self>) -> Vec<Self> {
        let mut newest = BTreeMap::<_, Self>::new();
        for list in lists {
            match newest.get(&list.name) {
                Some(known) if known.this_update >= list.this_update => {}
                _ => {
                    newest.insert(list.name.clone(), list);
                }
            }
        }
        newest.into_values().collect()
    }

    /// Whether the list is of this issuer, which may sign lists: by name and signature.
    pub fn is_by(&self, issuer: &X509Ref) -> bool {
        let has_name = self.crl.issuer_name().try_cmp(issuer.subject_name()).is_ok_and(Ordering::is_eq);
        if !has_name || issuer.key_usage().is_some_and(|usage| !usage.contains(X509KeyUsage::CRL_SIGN)) {
            return false;
        }
        let Ok(hash) = issuer.to_der().map(|der| sha256(&der)) else { return false };
        if self.signer.get() == Some(&hash) {
            return true;
        }
        let signed = issuer.public_key().and_then(|key| self.crl.verify(&key)).unwrap_or(false);
        if signed {
            // A large list is not hashed again for each certificate.
            let _ = self.signer.set(hash);
        }
        signed
    }

    /// Since when this certificate, of the list's issuer, is not to be trusted: from its revocation, or from the date
    /// before it that the issuer gives for its key; `None` when the list does not name it.
    pub fn revoked_since(&self, certificate: &X509) -> Option<UnixTime> {
        let revoked = match self.crl.get_by_cert(certificate) {
            CrlStatus::NotRevoked => return None,
            CrlStatus::Revoked(revoked) | CrlStatus::RemoveFromCrl(revoked) => revoked,
        };
        let always = UnixTime::from_seconds(i64::MIN);
        let entry = revoked.to_der().ok();
        let entry = entry.and_then(|der| RevokedCert::<AnySerial>::from_der(&der).ok());
        Some(entry.map_or(always, |entry| since(&entry)))
    }

    /// Whether the time is within the list's own.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.this_update <= now && now <= self.next_update
    }
}

fn since(entry: &RevokedCert<AnySerial>) -> UnixTime {
    let revoked = unix_time(entry.revocation_date);
    let extensions = entry.crl_entry_extensions.iter().flatten();
    let invalid = extensions
        .filter(|extension| extension.extn_id == INVALIDITY_DATE)
        .filter_map(|extension| GeneralizedTime::from_der(extension.extn_value.as_bytes()).ok())
        .map(|time| unix_time(Time::GeneralTime(time)))
        .min();
    invalid.map_or(revoked, |invalid| invalid.min(revoked))
}

fn extension(list: &TbsCertList<AnySerial>, id: ObjectIdentifier) -> Option<&[u8]> {
    let mut extensions = list.crl_extensions.iter().flatten();
    extensions.find(|extension| extension.extn_id == id).map(|extension| extension.extn_value.as_bytes())
}

/// RFC 5280 5.2: what is critical must be understood. Which part of an issuer's certificates a list is about is no
/// matter, since not to be on it says nothing anyway.
fn check_extensions(list: &TbsCertList<AnySerial>) -> Result<(), RevocationListError> {
    let critical = list.crl_extensions.iter().flatten().filter(|extension| extension.critical);
    for extension in critical {
        let is_direct = extension.extn_id == ISSUING_DISTRIBUTION_POINT
            && IssuingDistributionPoint::from_der(extension.extn_value.as_bytes())
                .is_ok_and(|point| !point.indirect_crl);
        if !is_direct && extension.extn_id != AUTHORITY_KEY_ID {
            return Err(RevocationListError::Extension);
        }
    }
    Ok(())
}

fn unix_time(time: Time) -> UnixTime {
    // DER times end with the year 9999: no overflow.
    UnixTime::from_seconds(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use kunji_shared::encoding::{decode_hex, encode_hex};

    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head.as_slice(), content].concat()
    }

    /// The outcome for a list of `CN=x` with this `AlgorithmIdentifier`; nobody signed it.
    fn read(algorithm: &str) -> Result<(), RevocationListError> {
        let hex = |text: &str| decode_hex(text, text.len()).unwrap();
        let algorithm = hex(algorithm);
        let times =
            ["260101000000Z", "491231000000Z"].map(|time| format!("170d{}", encode_hex(time.as_bytes())));
        let issuer = hex("300c310a300806035504030c0178");
        let list = element(0x30, &[hex("020101"), algorithm.clone(), issuer, hex(&times.concat())].concat());
        let signature = hex("030500deadbeef");
        let list = element(0x30, &[list, algorithm, signature].concat());
        RevocationList::read(&list).map(|_| ())
    }

    #[test]
    fn lists_by_weak_hashes_are_refused() {
        let sha256 = "300d06096086480165030402010500";
        let pss = |parameters: &str| {
            let length = 11 + parameters.len() / 2;
            format!("30{length:02x}06092a864886f70d01010a{parameters}")
        };
        assert_eq!(read("300d06092a864886f70d01010b0500"), Ok(()));
        assert_eq!(read(&pss(&format!("3016a00f{sha256}a20302015e"))), Ok(()));
        for weak in ["300d06092a864886f70d0101050500", &pss("3005a20302016a"), &pss("3000")] {
            assert_eq!(read(weak), Err(RevocationListError::Algorithm), "{weak}");
        }
    }
}
