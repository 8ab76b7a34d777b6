//! What is revoked, by whoever issued it.

use std::collections::{BTreeMap, HashMap, HashSet};

use x509_cert::{Certificate, der::Decode as _, der::Encode as _};

use super::super::{KeyError, issuing::refused, provisioning::Provisioner};
use crate::{
    domain::{
        alias::AliasRole,
        digest::sha256,
        key::{KeyId, KeyRecord, length_prefixed},
        lifecycle::Standing,
        revocation::{Edition, Reason, revoked_since},
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

/// Who issues, as those see it who verify: name and key. Several certificates can be of one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Authority([u8; 32]);

impl Authority {
    /// Who issues with this certificate (DER).
    pub(super) fn of(certificate: &[u8]) -> Result<Self, KeyError> {
        let certificate = Certificate::from_der(certificate).map_err(refused)?;
        let tbs = certificate.tbs_certificate();
        let name = tbs.subject().to_der().map_err(refused)?;
        let key = tbs.subject_public_key_info().to_der().map_err(refused)?;
        Ok(Self(sha256(&length_prefixed(&[&name, &key]))))
    }
}

/// A certificate that is revoked.
pub(super) struct Entry {
    pub(super) since: Timestamp,
    pub(super) reason: Reason,
    not_after: Timestamp,
}

/// What was decided about the certificates of one authority.
#[derive(Default)]
pub(super) struct Decided {
    /// Number and time of the newest decision.
    newest: Option<(u64, Timestamp)>,
    /// By serial number.
    entries: BTreeMap<Vec<u8>, Entry>,
}

impl Decided {
    pub(super) fn edition(&self, now: Timestamp) -> Edition {
        Edition::at(now, self.newest)
    }

    /// What stands on that edition.
    pub(super) fn entries(&self, edition: Edition) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.entries.iter().filter(move |(_, entry)| edition.names(entry.not_after))
    }

    fn note(&mut self, serial: Vec<u8>, not_after: Timestamp, standing: &Standing, is_authority: bool) {
        let decision = (standing.transition, standing.since);
        if self.newest.is_none_or(|(number, _)| number < decision.0) {
            self.newest = Some(decision);
        }
        match revoked_since(standing, is_authority) {
            Some((since, reason)) => drop(self.entries.insert(serial, Entry { since, reason, not_after })),
            None => drop(self.entries.remove(&serial)),
        }
    }
}

/// All of it.
#[derive(Default)]
pub(super) struct Ledger {
    decided: HashMap<Authority, Decided>,
    /// The number of the newest decision that is in it.
    known: u64,
    /// Keys whose rows cannot be trusted.
    left_out: HashSet<KeyId>,
}

impl Ledger {
    pub(super) fn of(&self, authority: Authority) -> Option<&Decided> {
        self.decided.get(&authority)
    }

    /// Notes what was decided since the last time. What could not be read is read the next time. What cannot be trusted
    /// is left out, as it would otherwise keep back all that is revoked; `again`: it is looked at anew, since it may
    /// have been mended.
    pub(super) async fn update(&mut self, provisioner: &Provisioner, again: bool) -> Result<(), KeyError> {
        let states = &provisioner.directory.states;
        let (mut standings, newest) = states.after(self.known);
        if again {
            let left_out = self.left_out.iter();
            standings.extend(left_out.filter_map(|key| Some((key.clone(), states.standing(key)?))));
        }
        for (key, standing) in standings.iter().filter(|(key, _)| !key.names_kek()) {
            match self.note(provisioner, key, standing).await {
                Err(KeyError::Repository(error @ RepositoryError::Inconsistent { .. })) => {
                    tracing::error!(key = key.0, %error, "revocation lists lack what was decided about a key");
                    self.left_out.insert(key.clone());
                }
                outcome => {
                    outcome?;
                    self.left_out.remove(key);
                }
            }
        }
        self.known = newest;
        Ok(())
    }

    async fn note(
        &mut self,
        provisioner: &Provisioner,
        key: &KeyId,
        standing: &Standing,
    ) -> Result<(), KeyError> {
        let record = find(provisioner, key).await?;
        let is_authority = matches!(record.alias.role(), AliasRole::Root | AliasRole::Module);
        // What others issued, others revoke.
        if record.upload.is_none() {
            let issuer = find(provisioner, &record.issuer).await?;
            let decided = self.decided.entry(Authority::of(&issuer.certificate)?).or_default();
            let serial = serial_of(&record.certificate)?;
            decided.note(serial, record.period.not_after, standing, is_authority);
        }
        if let Some(cross) = provisioner.crosses.of(key).await? {
            let issuer = find(provisioner, &cross.issuer).await?;
            let decided = self.decided.entry(Authority::of(&issuer.certificate)?).or_default();
            decided.note(serial_of(&cross.certificate)?, cross.period.not_after, standing, is_authority);
        }
        Ok(())
    }
}

async fn find(provisioner: &Provisioner, id: &KeyId) -> Result<std::sync::Arc<KeyRecord>, KeyError> {
    let found = provisioner.directory.by_id(id).await?;
    found.ok_or_else(|| {
        let reason = "something was decided about the key, and there is no record of it";
        RepositoryError::Inconsistent { table: "key", record: id.0.clone(), reason }.into()
    })
}

fn serial_of(certificate: &[u8]) -> Result<Vec<u8>, KeyError> {
    let certificate = Certificate::from_der(certificate).map_err(refused)?;
    Ok(certificate.tbs_certificate().serial_number().as_bytes().to_vec())
}
