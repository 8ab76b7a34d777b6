//! Records of keys, compared with each other.

use std::collections::HashMap;

use super::{Examination, KeyError, trusted};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias},
        doctor::{Fault, Finding, Subject},
        key::{KeyId, KeyMaterial, KeyRecord},
        time::Timestamp,
    },
    services::keys::{last_named, provisioning::Provisioner},
};

/// What many records of one page ask for, and the findings so far.
#[derive(Default)]
struct Page {
    newest: HashMap<KeyAlias, Option<(KeyId, u32)>>,
    keks: HashMap<(ApplicationId, u32), bool>,
    issuers: HashMap<KeyId, Option<Timestamp>>,
    findings: Vec<Finding>,
}

impl Page {
    fn found(&mut self, fault: Fault, key: &KeyRecord, detail: Option<String>) {
        self.findings.push(Finding { fault, subject: about(key), detail });
    }
}

fn about(key: &KeyRecord) -> Subject {
    Subject { alias: Some(key.alias.clone()), key: Some(key.id.clone()), ..Subject::default() }
}

impl Provisioner {
    /// Looks at the records of at most `limit` keys, those after `after`.
    pub(super) async fn examine_records(
        &self,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<Examination, KeyError> {
        let rows = self.repository.examine_keys(after, limit).await?;
        let (mut page, last, count) = (Page::default(), last_named(&rows, after), rows.len());
        for row in rows {
            let Some(key) = trusted(row, Subject::default, &mut page.findings)? else { continue };
            self.examine_succession(&key, &mut page).await?;
            self.examine_kek(&key, &mut page).await?;
            self.examine_issuer(&key, &mut page).await?;
        }
        // A page whose rows have no names cannot be gone on after.
        let next = last.filter(|last| count == limit && Some(last) != after);
        Ok(Examination { findings: page.findings, objects: 0, keys: count, next })
    }

    /// At most one key is the newest of its alias.
    async fn examine_succession(&self, key: &KeyRecord, page: &mut Page) -> Result<(), KeyError> {
        if !page.newest.contains_key(&key.alias) {
            let found = self.repository.find_newest(&key.alias).await;
            let subject = || Subject { alias: Some(key.alias.clone()), ..Subject::default() };
            let Some(found) = trusted(found, subject, &mut page.findings)? else { return Ok(()) };
            page.newest.insert(key.alias.clone(), found.map(|newest| (newest.id, newest.generation)));
        }
        let newest = page.newest.get(&key.alias).cloned().flatten();
        let rivals = newest.is_none_or(|(id, generation)| {
            key.generation > generation || (key.generation == generation && key.id != id)
        });
        if rivals {
            page.found(Fault::TwoCurrent, key, Some(format!("generation {}", key.generation)));
        }
        Ok(())
    }

    async fn examine_kek(&self, key: &KeyRecord, page: &mut Page) -> Result<(), KeyError> {
        let KeyMaterial::Wrapped { kek_version, .. } = key.material else { return Ok(()) };
        let name = (key.alias.application.clone(), kek_version);
        if !page.keks.contains_key(&name) {
            let found = self.repository.find_kek(&name.0, name.1).await;
            let Some(found) = trusted(found, || about(key), &mut page.findings)? else { return Ok(()) };
            page.keks.insert(name.clone(), found.is_some());
        }
        if page.keks.get(&name) == Some(&false) {
            page.found(Fault::KekMissing, key, Some(format!("version {kek_version}")));
        }
        Ok(())
    }

    async fn examine_issuer(&self, key: &KeyRecord, page: &mut Page) -> Result<(), KeyError> {
        if key.upload.is_some() || key.issuer == key.id {
            return Ok(());
        }
        if !page.issuers.contains_key(&key.issuer) {
            let found = self.repository.find(&key.issuer).await;
            let Some(found) = trusted(found, || about(key), &mut page.findings)? else { return Ok(()) };
            page.issuers.insert(key.issuer.clone(), found.map(|issuer| issuer.period.not_after));
        }
        match page.issuers.get(&key.issuer).copied().flatten() {
            None => page.found(Fault::IssuerMissing, key, Some(key.issuer.0.clone())),
            Some(end) if key.period.not_after > end => {
                let detail = format!("{} after {}", key.period.not_after.to_text(), end.to_text());
                page.found(Fault::CertificateOutlives, key, Some(detail));
            }
            Some(_) => {}
        }
        Ok(())
    }
}
