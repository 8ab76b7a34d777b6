//! Revocation lists in DER (RFC 5280, 5), and where certificates name them.

use x509_cert::{
    Version,
    certificate::Rfc5280,
    crl::{CertificateList, RevokedCert, TbsCertList},
    der::{
        Decode as _, Encode as _,
        asn1::{Ia5String, OctetString},
        oid::AssociatedOid as _,
        referenced::OwnedToRef as _,
    },
    ext::{
        Extension, ToExtension as _,
        pkix::{
            AuthorityKeyIdentifier, CrlDistributionPoints, CrlNumber, CrlReason,
            crl::dp::DistributionPoint,
            name::{DistributionPointName, GeneralName},
        },
    },
    name::Name,
    serial_number::SerialNumber,
    spki::SubjectPublicKeyInfoRef,
};

use super::{
    super::{
        KeyError,
        issuing::{Holder, Issuer, refused, time},
        provisioning::token_key_of,
    },
    ledger::Entry,
};
use crate::domain::{
    jose::SignatureAlgorithm,
    key::{KeyId, KeyRecord},
    revocation::{Edition, Reason},
    signature::Verifier,
};

/// The path under which the list of an issuer's key is read.
fn path_of(issuer: &KeyId) -> String {
    format!("/crl/{}.crl", issuer.0)
}

/// What a certificate says of where its issuer's list is (RFC 5280, 4.2.1.13).
pub(crate) fn named_at(base: &str, issuer: &KeyId) -> Result<CrlDistributionPoints, KeyError> {
    let url = Ia5String::new(&format!("{base}{}", path_of(issuer))).map_err(refused)?;
    let names = vec![GeneralName::UniformResourceIdentifier(url)];
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    }]))
}

/// The list (DER) of the issuer with these entries, signed by its key.
pub(super) async fn signed<'a>(
    issuer: &Issuer,
    key: &KeyRecord,
    edition: &Edition,
    entries: impl Iterator<Item = (&'a Vec<u8>, &'a Entry)>,
) -> Result<Vec<u8>, KeyError> {
    let certificate = x509_cert::Certificate::from_der(&key.certificate).map_err(refused)?;
    let public_key = certificate.tbs_certificate().subject_public_key_info().clone();
    let spki = public_key.to_der().map_err(refused)?;
    let algorithm = Holder::of_rsa(public_key.clone()).algorithm;
    let revoked = entries.map(|(serial, entry)| revoked(serial, entry)).collect::<Result<Vec<_>, _>>()?;
    let tbs = TbsCertList::<Rfc5280> {
        version: Version::V2,
        signature: algorithm.clone(),
        issuer: certificate.tbs_certificate().subject().clone(),
        this_update: time(edition.this_update)?,
        next_update: Some(time(edition.next_update)?),
        // An empty sequence would not be as the standard has it.
        revoked_certificates: Some(revoked).filter(|revoked| !revoked.is_empty()),
        crl_extensions: Some(extensions(public_key.owned_to_ref(), edition).map_err(refused)?),
    };
    let message = tbs.to_der().map_err(refused)?;
    let signature = issuer.sign(token_key_of(key)?, &message).await?;
    let verifies = |verifier: Verifier| verifier.verifies(&message, signature.raw_bytes());
    // A fault in the token must not become a list that nobody accepts.
    if !Verifier::new(SignatureAlgorithm::Rs256, &spki).is_some_and(verifies) {
        return Err(KeyError::Internal("the token made a signature that does not verify"));
    }
    let list = CertificateList { tbs_cert_list: tbs, signature_algorithm: algorithm, signature };
    list.to_der().map_err(refused)
}

/// Whose key signs (its own identifier; the library's builder takes that of the issuer's issuer), and which list it is.
fn extensions(
    key: SubjectPublicKeyInfoRef<'_>,
    edition: &Edition,
) -> x509_cert::builder::Result<Vec<Extension>> {
    let name = Name::default();
    let signer = AuthorityKeyIdentifier::try_from(key)?.to_extension(&name, &[])?;
    let number = CrlNumber::try_from(edition.number)?.to_extension(&name, &[])?;
    Ok(vec![signer, number])
}

fn revoked(serial: &[u8], entry: &Entry) -> Result<RevokedCert, KeyError> {
    let reason = match entry.reason {
        Reason::KeyCompromise => CrlReason::KeyCompromise,
        Reason::AuthorityCompromise => CrlReason::CaCompromise,
        Reason::Superseded => CrlReason::Superseded,
        Reason::Hold => CrlReason::CertificateHold,
    };
    let value = OctetString::new(reason.to_der().map_err(refused)?).map_err(refused)?;
    Ok(RevokedCert {
        serial_number: SerialNumber::new(serial).map_err(refused)?,
        revocation_date: time(entry.since)?,
        crl_entry_extensions: Some(vec![Extension {
            extn_id: CrlReason::OID,
            critical: false,
            extn_value: value,
        }]),
    })
}
