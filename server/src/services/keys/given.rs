//! A certificate that was made elsewhere, as it arrives.

use kunji_shared::certificate::{Certificate, CertificateError, Recipient, RecipientPolicy, check_signer};
use x509_cert::der::Decode as _;

use super::upload_error::DatesFault;
use crate::domain::{alias::AliasRole, key::Upload, policy::Cryptoperiod, time::Timestamp};

/// Most certificates above one that are kept.
const CHAIN_MAX: usize = 8;

/// The certificate, and what came with it.
pub(super) struct GivenCertificate {
    pub(super) leaf: Certificate,
    companions: Vec<Certificate>,
}

/// The certificates that are the server's own.
pub(super) struct Authorities {
    /// ROOT's, which are trusted.
    pub(super) roots: Vec<Certificate>,
    /// Those of the modules.
    pub(super) modules: Vec<Certificate>,
}

impl GivenCertificate {
    /// Reads PEM: the certificate, then those above it in any order, if the caller has them. All of them must be
    /// certificates of RFC 5280, by which they are read again wherever chains, revocation lists and successors are made.
    pub(super) fn read(pem: &str) -> Result<Self, CertificateError> {
        let certificates = Certificate::chain_from_pem(pem)?;
        if certificates.iter().any(|it| x509_cert::Certificate::from_der(it.der()).is_err()) {
            return Err(CertificateError::Malformed);
        }
        let mut certificates = certificates.into_iter();
        let leaf = certificates.next().ok_or(CertificateError::Malformed)?;
        Ok(Self { leaf, companions: certificates.collect() })
    }

    /// Its validity.
    pub(super) fn period(&self) -> Cryptoperiod {
        Cryptoperiod {
            not_before: Timestamp::from_seconds(self.leaf.not_before().seconds()),
            not_after: Timestamp::from_seconds(self.leaf.not_after().seconds()),
        }
    }

    /// Whether it is valid now, and for more than `days` days from now on. A beginning that is a little ahead is the
    /// issuer's clock.
    pub(super) fn check_dates(&self, now: Timestamp, days: u32) -> Result<(), DatesFault> {
        let period = self.period();
        if now.plus_seconds(Cryptoperiod::BACKDATED_SECONDS) < period.not_before {
            Err(DatesFault::NotYetValid)
        } else if !period.is_current(now, 0) {
            Err(DatesFault::Expired)
        } else if !period.is_current(now, days) {
            Err(DatesFault::EndsTooSoon { days })
        } else {
            Ok(())
        }
    }

    /// Whether the certificate allows what keys of the role are for.
    pub(super) fn suits(&self, role: AliasRole) -> bool {
        let usage = self.leaf.key_usage();
        let authority = self.leaf.basic_constraints().filter(|constraints| constraints.is_authority);
        let issues = usage.is_none_or(|usage| usage.key_cert_sign);
        match role {
            AliasRole::Base => usage.is_none_or(|usage| usage.key_encipherment),
            AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Sign => {
                usage.is_none_or(|usage| usage.digital_signature)
            }
            AliasRole::Module => issues && authority.is_some(),
            AliasRole::Root => {
                issues && authority.is_some_and(|it| it.path_length.is_none_or(|length| length > 0))
            }
        }
    }

    /// The certificates above it, as far as they are given or known, and whether they lead to ROOT.
    pub(super) fn trace(&self, own: &Authorities, now: Timestamp) -> Upload {
        let helpers = [self.companions.as_slice(), &own.modules].concat();
        let now = now.to_unix();
        let is_verified = check_signer(&self.leaf, &helpers, &own.roots, now).is_ok()
            || Recipient::check(&self.leaf, &helpers, &own.roots, now, &RecipientPolicy::default()).is_ok();
        let mut chain: Vec<&Certificate> = Vec::new();
        let mut link = &self.leaf;
        while chain.len() < CHAIN_MAX && link.issuer() != link.subject() {
            let above = helpers.iter().chain(&own.roots).find(|above| {
                above.subject() == link.issuer() && link.is_signed_by(above).is_ok() && !chain.contains(above)
            });
            let Some(above) = above else { break };
            chain.push(above);
            link = above;
        }
        Upload { chain: chain.into_iter().map(|it| it.der().to_vec()).collect(), is_verified }
    }
}
