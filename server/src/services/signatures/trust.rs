//! Whether a certificate is trusted: its path leads to an anchor of a domain.

use std::collections::BTreeMap;

use kunji_shared::{Certificate, UnixTime, certificate::check_signer};

/// Certificates that are trusted, by domain. Domains are compared without regard to case, as their names are used.
#[derive(Debug, Default)]
pub struct TrustAnchors(BTreeMap<String, Vec<Certificate>>);

impl TrustAnchors {
    /// Adds anchors to a domain.
    pub fn add(&mut self, domain: &str, anchors: Vec<Certificate>) {
        self.0.entry(name(domain)).or_default().extend(anchors);
    }

    /// Whether the certificate may sign and its path, with the help of `others`, leads to an anchor of the domain now
    /// (RFC 5280 6.1: signatures, names, dates, basicConstraints with path length, keyUsage, no critical extension that
    /// is not understood). A domain that is not known has no anchors.
    pub(super) fn lead(
        &self,
        domain: &str,
        certificate: &Certificate,
        others: &[Certificate],
        now: UnixTime,
    ) -> bool {
        let anchors = self.0.get(&name(domain));
        anchors.is_some_and(|anchors| check_signer(certificate, others, anchors, now).is_ok())
    }
}

fn name(domain: &str) -> String {
    domain.trim().to_ascii_uppercase()
}
