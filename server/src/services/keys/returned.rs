//! Keys that were destroyed, looked for on the tokens: one that was away, or is restored from a backup, has them yet.

use std::collections::BTreeMap;

use super::{
    KeyError, LISTED_VERSIONS, error::trusted, issuing::public_key_of, provisioning::Provisioner, recognition,
};
use crate::{
    domain::{
        alias::KeyAlias,
        doctor::{Series, Slot},
        key::{KeyId, KeyMaterial, KeyRecord, KnownKey, kek_id},
    },
    ports::key_store::Presence,
};

/// A key that was destroyed, and is on a token.
pub(crate) struct Returned {
    /// Its id in the records.
    pub(crate) id: KeyId,
    /// Its alias, or that of its application's own key.
    pub(crate) alias: KeyAlias,
    /// As it is known on the token.
    pub(crate) known: KnownKey,
    /// The tokens, by their names in the settings.
    pub(crate) tokens: Vec<String>,
}

impl Provisioner {
    /// Destroyed keys that a token shows, or another key under the id of one. Their ids come from the intents, as records
    /// name them no more. Rows that cannot be trusted are left out.
    pub(crate) async fn returned(&self) -> Result<Vec<Returned>, KeyError> {
        let mut destroyed = self.destroyed().await?;
        let keys: Vec<_> = destroyed.iter().map(|key| key.known.clone()).collect();
        for view in self.token.show(&keys).await {
            // One that is away is looked at when it is back.
            for (key, presence) in destroyed.iter_mut().zip(view.keys.unwrap_or_default()) {
                if !matches!(presence, Presence::Absent(_)) {
                    key.tokens.push(view.name.clone());
                }
            }
        }
        destroyed.retain(|key| !key.tokens.is_empty());
        Ok(destroyed)
    }

    /// All that were destroyed on the tokens.
    async fn destroyed(&self) -> Result<Vec<Returned>, KeyError> {
        let (mut found, mut records) = (Vec::new(), BTreeMap::new());
        for (label, intended) in self.repository.list_intents().await? {
            let key = match Slot::parse(&label) {
                Some(Slot { series: Series::Kek(application), number }) => {
                    let id = kek_id(&application, number);
                    if !self.is_buried(&id).await? {
                        continue;
                    }
                    let Some(Some(kek)) = trusted(self.repository.find_kek(&application, number).await)?
                    else {
                        continue;
                    };
                    let known = match self.known_kek(kek.token_key, &label).await {
                        // One of the time before check values, which the token would have to have for one.
                        Err(KeyError::Token(_)) => continue,
                        known => known?,
                    };
                    Returned { id, alias: KeyAlias::master(application), known, tokens: Vec::new() }
                }
                Some(Slot { series: Series::Pair(alias), number }) => {
                    if !records.contains_key(&alias) {
                        let listed = trusted(self.repository.list(&alias, LISTED_VERSIONS).await)?;
                        records.insert(alias.clone(), listed.unwrap_or_default());
                    }
                    let record =
                        records.get(&alias).and_then(|keys| keys.iter().find(|key| key.generation == number));
                    let Some(record) = record.filter(|key| is_removed(key)) else { continue };
                    let public_key = public_key_of(&record.certificate)?;
                    let known = recognition::known_pair(intended, &alias, number, public_key);
                    Returned { id: record.id.clone(), alias, known, tokens: Vec::new() }
                }
                _ => continue,
            };
            found.push(key);
        }
        Ok(found)
    }

    async fn is_buried(&self, kek: &KeyId) -> Result<bool, KeyError> {
        Ok(self.directory.states.is_ending(kek)
            && trusted(self.repository.find_tombstone(kek).await)?.flatten().is_some())
    }

    /// Destroys it again, on every token. Objects that were not made as that key stay.
    pub(crate) async fn destroy_again(&self, key: &Returned) -> Result<(), KeyError> {
        Ok(self.token.destroy(key.known.id, std::slice::from_ref(&key.known.label)).await?)
    }
}

/// Whether its pair was on the tokens, and is no more.
fn is_removed(key: &KeyRecord) -> bool {
    matches!(key.material, KeyMaterial::Removed { keks: None })
}
