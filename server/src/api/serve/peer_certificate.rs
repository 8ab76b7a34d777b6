//! Whose certificate a peer has shown.

use rustls::pki_types::CertificateDer;
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::domain::time::Timestamp;

/// What the certificate of a TLS peer says, which one of our authorities has issued; an extension of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api) struct PeerCertificate {
    /// The first instant at which it is valid no more: connections outlast certificates.
    pub(in crate::api) ends: Timestamp,
    /// `subject:` and the subject (RFC 4514), then `dns:`, `email:` and `uri:` and each alternative name.
    pub(in crate::api) names: Vec<String>,
}

impl PeerCertificate {
    /// What a certificate says; `None` when it cannot be read.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let certificate = certificate.tbs_certificate();
        let mut names = Vec::new();
        if !certificate.subject().is_empty() {
            names.push(format!("subject:{}", certificate.subject()));
        }
        if let Some((_, alternatives)) = certificate.get_extension::<SubjectAltName>().ok()? {
            names.extend(alternatives.0.iter().filter_map(|name| match name {
                GeneralName::DnsName(name) => Some(format!("dns:{}", name.as_str())),
                GeneralName::Rfc822Name(name) => Some(format!("email:{}", name.as_str())),
                GeneralName::UniformResourceIdentifier(name) => Some(format!("uri:{}", name.as_str())),
                _ => None,
            }));
        }
        let not_after = certificate.validity().not_after.to_unix_duration().as_secs();
        // It is valid for this second too (RFC 5280 4.1.2.5).
        let ends = Timestamp::from_seconds(i64::try_from(not_after).ok()?).plus_seconds(1);
        Some(Self { ends, names })
    }
}
