//! Tokens, compared with the records that name keys on them.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::recognition, Examination, KeyError, trusted};
use crate::{
    domain::{
        alias::{AliasRole, ApplicationId, KeyAlias},
        doctor::{Fault, Finding, Known, Series, Slot, Subject, TokenObject},
        key::{KeyMaterial, KeyRecord, KnownKey, TokenKeyId},
    },
    ports::key_store::{KeyStoreError, Presence, TokenView},
    services::keys::{LISTED_VERSIONS, issuing::public_key_of, provisioning::Provisioner},
};

/// What the records say of keys on the token.
#[derive(Default)]
struct Named {
    known: Known,
    /// Those that every token must have.
    keys: Vec<KnownKey>,
    findings: Vec<Finding>,
}

impl Named {
    /// Notes a key of the records. Two records name one key where others certified it again.
    fn add(&mut self, series: Series, number: u32, id: TokenKeyId) -> bool {
        let newest = self.known.newest.entry(series).or_default();
        *newest = (*newest).max(number);
        self.known.named.insert(id)
    }

    fn missing(&mut self, label: String, id: TokenKeyId, error: &KeyStoreError) {
        let subject = Subject { label: Some(label), object: Some(id), ..Subject::default() };
        let detail = Some(error.to_string());
        self.findings.push(Finding { fault: Fault::ObjectMissing, subject, detail });
    }
}

impl Provisioner {
    /// Looks at every key on the tokens, and at every record of one.
    pub(super) async fn examine_tokens(&self) -> Result<Examination, KeyError> {
        // In this order: what is made meanwhile is then at worst taken for something whose making goes on.
        let objects = match self.token.list_objects().await {
            // The tokens' own views say so; the records are examined all the same.
            Err(KeyStoreError::Unavailable(_) | KeyStoreError::Busy) => None,
            objects => Some(objects?),
        };
        let intents: BTreeMap<_, _> = self.repository.list_intents().await?.into_iter().collect();
        let (named, views) = {
            let named = self.named(objects.as_deref().unwrap_or_default(), intents).await?;
            let views = self.token.show(&named.keys).await;
            (named, views)
        };
        let (mut findings, mut known) = (named.findings, named.known);
        for key in self.returned().await? {
            let subject = |token: &str| Subject {
                token: Some(token.to_owned()),
                label: Some(key.known.label.clone()),
                object: Some(key.known.id),
                alias: Some(key.alias.clone()),
                key: Some(key.id.clone()),
            };
            let found = key.tokens.iter().map(|token| Finding {
                fault: Fault::ObjectReturned,
                subject: subject(token),
                detail: None,
            });
            findings.extend(found);
            // It is left over for this cause, and for no other.
            known.named.insert(key.known.id);
        }
        for (place, view) in views.into_iter().enumerate() {
            findings.extend(judge(&named.keys, view, place == 0));
        }
        let count = objects.as_ref().map_or(0, Vec::len);
        if let Some(objects) = objects {
            findings.extend(known.left_over(&objects));
        }
        Ok(Examination { findings, objects: count, ..Examination::default() })
    }

    /// What records name: of all aliases that have a policy, and of those that the token or an intent names.
    async fn named(
        &self,
        objects: &[TokenObject],
        intents: BTreeMap<String, TokenKeyId>,
    ) -> Result<Named, KeyError> {
        let mut aliases: BTreeSet<KeyAlias> = [KeyAlias::kernel_sign()].into();
        aliases.extend(KeyAlias::internal());
        let mut applications: BTreeSet<ApplicationId> = self.policies.applications().into_iter().collect();
        for application in &applications {
            aliases.insert(KeyAlias::master(application.clone()));
            aliases.extend(KeyAlias::curves(application));
        }
        let labels = objects.iter().map(|object| object.label.as_str());
        for slot in labels.chain(intents.keys().map(String::as_str)).filter_map(Slot::parse) {
            match slot.series {
                Series::Pair(alias) => drop(aliases.insert(alias)),
                Series::Kek(application) => drop(applications.insert(application)),
                Series::Symmetric(_) | Series::System => {}
            }
        }
        let mut named = Named { known: Known { intents, ..Known::default() }, ..Named::default() };
        for alias in &aliases {
            self.name_pairs(alias, &mut named).await?;
        }
        for application in &applications {
            self.name_keks(application, &mut named).await?;
        }
        self.name_symmetric(&mut named).await?;
        if let Some(secret) = self.repository.find_system_secret(recognition::INTEGRITY_SECRET).await? {
            named.add(Series::System, 1, secret.kek);
            named.keys.push(recognition::system_kek(&secret));
        }
        Ok(named)
    }

    async fn name_pairs(&self, alias: &KeyAlias, named: &mut Named) -> Result<(), KeyError> {
        if alias.role() == AliasRole::Base {
            return Ok(());
        }
        let about = || Subject { alias: Some(alias.clone()), ..Subject::default() };
        let listed = self.repository.list(alias, LISTED_VERSIONS).await;
        for key in trusted(listed, about, &mut named.findings)?.unwrap_or_default() {
            if let KeyMaterial::Token(id) = key.material
                && named.add(Series::Pair(alias.clone()), key.generation, id)
                && !self.is_destroyed(&key)
            {
                let public_key = public_key_of(&key.certificate)?;
                named.keys.push(recognition::known_pair(id, alias, key.generation, public_key));
            }
        }
        Ok(())
    }

    fn is_destroyed(&self, key: &KeyRecord) -> bool {
        self.directory.states.is_ending(&key.id)
    }

    async fn name_keks(&self, application: &ApplicationId, named: &mut Named) -> Result<(), KeyError> {
        let alias = KeyAlias::master(application.clone());
        let about = || Subject { alias: Some(alias.clone()), ..Subject::default() };
        let newest = self.repository.find_newest_kek(application).await;
        let newest = trusted(newest, about, &mut named.findings)?.flatten();
        for version in 1..=newest.map_or(0, |newest| newest.version) {
            let found = self.repository.find_kek(application, version).await;
            let Some(Some(kek)) = trusted(found, about, &mut named.findings)? else { continue };
            named.add(Series::Kek(application.clone()), version, kek.token_key);
            if self.directory.states.is_ending(&kek.id()) {
                continue;
            }
            self.know_kek(kek.token_key, recognition::kek_label(application, version), named).await?;
        }
        Ok(())
    }

    async fn name_symmetric(&self, named: &mut Named) -> Result<(), KeyError> {
        let listed = self.repository.list_symmetric().await;
        for key in trusted(listed, Subject::default, &mut named.findings)?.unwrap_or_default() {
            named.add(Series::Symmetric(key.alias.clone()), key.generation, key.token_key);
            let label = super::super::symmetric::symmetric_label(&key.alias, key.generation);
            self.know_kek(key.token_key, label, named).await?;
        }
        Ok(())
    }

    async fn know_kek(&self, id: TokenKeyId, label: String, named: &mut Named) -> Result<(), KeyError> {
        match self.known_kek(id, &label).await {
            Err(KeyError::Token(error @ (KeyStoreError::NotFound | KeyStoreError::Ambiguous))) => {
                named.missing(label, id, &error);
            }
            known => named.keys.push(known?),
        }
        Ok(())
    }
}

/// What one token lacks.
fn judge(keys: &[KnownKey], view: TokenView, is_primary: bool) -> Vec<Finding> {
    let token = Some(view.name);
    let seen = match view.keys {
        Ok(seen) => seen,
        Err(cause) => {
            let subject = Subject { token, ..Subject::default() };
            return vec![Finding { fault: Fault::TokenUnavailable, subject, detail: Some(cause) }];
        }
    };
    let lacking = if is_primary { Fault::ObjectMissing } else { Fault::ReplicaIncomplete };
    let finding = |(key, presence): (&KnownKey, Presence)| {
        let (fault, detail) = match presence {
            Presence::Present => return None,
            Presence::Another => (Fault::ObjectDiffers, None),
            Presence::Absent(cause) => (lacking, Some(cause)),
        };
        let (label, object) = (Some(key.label.clone()), Some(key.id));
        let subject = Subject { token: token.clone(), label, object, ..Subject::default() };
        Some(Finding { fault, subject, detail })
    };
    keys.iter().zip(seen).filter_map(finding).collect()
}
