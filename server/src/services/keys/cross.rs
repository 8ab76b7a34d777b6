//! Cross-certificates: a new ROOT certified by the one before it, so that clients which trust the old one go on.

use std::sync::Arc;

use moka::future::Cache;
use x509_cert::name::Name;

use super::{KeyError, issuing::Signer, provisioning::Provisioner};
use crate::{
    domain::{
        alias::AliasRole,
        cross_certificate::CrossCertificate,
        key::{KeyId, KeyRecord},
        lifecycle::{Allowance, KeyUse},
        policy::Cryptoperiod,
    },
    ports::repository::Repository,
};

/// Most cross-certificates in a chain: clients bound how many authorities they look at.
const CHAINED: usize = 4;

/// Cross-certificates at hand. What there is for a key, or that there is none, never changes.
pub(crate) struct CrossCertificates {
    repository: Arc<dyn Repository>,
    known: Cache<KeyId, Option<Arc<CrossCertificate>>>,
}

impl CrossCertificates {
    pub(crate) fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository, known: Cache::new(1_000) }
    }

    /// The certificate that the ROOT before it has signed for this ROOT key, if any.
    pub(super) async fn of(&self, key: &KeyId) -> Result<Option<Arc<CrossCertificate>>, KeyError> {
        if let Some(known) = self.known.get(key).await {
            return Ok(known);
        }
        let found = self.repository.find_cross_certificate(key).await?.map(Arc::new);
        self.known.insert(key.clone(), found.clone()).await;
        Ok(found)
    }
}

impl Provisioner {
    /// What leads from this ROOT key to its predecessors that are still valid, DER, newest first.
    pub(super) async fn cross_certificates(&self, root: &KeyId) -> Result<Vec<Vec<u8>>, KeyError> {
        let now = self.clock.now();
        let mut certificates = Vec::new();
        let mut id = root.clone();
        while certificates.len() < CHAINED {
            let Some(cross) = self.crosses.of(&id).await? else { break };
            let states = &self.directory.states;
            if !cross.period.is_current(now, 0)
                || states.allows(&cross.issuer, KeyUse::Verify) != Allowance::Allowed
            {
                break;
            }
            certificates.push(cross.certificate.clone());
            id = cross.issuer.clone();
        }
        Ok(certificates)
    }

    /// Has the ROOT key before it certify the next, and stores that; before the next is stored itself, so that no chain
    /// ever lacks it. A predecessor that has ended certifies nothing any more, and nobody needs it; one that is suspended
    /// or revoked is not to be believed.
    pub(super) async fn cross_certify(
        &self,
        previous: &KeyRecord,
        id: &KeyId,
        name: Name,
        public_key: &[u8],
    ) -> Result<(), KeyError> {
        let now = self.clock.now();
        if !previous.period.is_current(now, 0) || !self.directory.states.is_active(&previous.id) {
            return Ok(());
        }
        let (validity_days, _) = self.policies.periods(&previous.alias)?;
        let period = Cryptoperiod::starting(now, validity_days, Some(previous.period));
        let signer = Signer::Other(previous);
        let issued = self.issuer.certify(AliasRole::Root, name, public_key, period, signer).await?;
        let cross = CrossCertificate {
            key: id.clone(),
            issuer: previous.id.clone(),
            certificate: issued.der,
            period,
        };
        Ok(self.repository.insert_cross_certificate(&cross).await?)
    }
}
