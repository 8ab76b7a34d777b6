//! What a token is recognised by: the keys that the records name, with their check values.
//!
//! A pair's is the public key in its certificate. A KEK's is a secret that it has wrapped, kept in the database from the
//! KEK's making on: the row-integrity key for the system's KEK, for a module's a text that everybody may know.

use zeroize::Zeroizing;

use super::{
    KeyError,
    issuing::public_key_of,
    provisioning::{Provisioner, token_key_of},
    symmetric::symmetric_label,
};
use crate::{
    domain::{
        alias::{AliasRole, ApplicationId, KeyAlias},
        key::{CheckValue, KeyMaterial, KeyRecord, KnownKey, TokenKeyId, kek_id},
    },
    ports::{
        key_store::KeyStoreError,
        repository::{RepositoryError, SystemSecret},
    },
};

/// Name of the secret behind the integrity tags of rows; also the context of its wrapping.
pub(crate) const INTEGRITY_SECRET: &str = "row-integrity/1";
/// Label of the KEK that wraps it.
pub(crate) const SYSTEM_KEK: &str = "system/kek/1";
/// What KEKs wrap as their check value.
const CHECKED_TEXT: &[u8] = b"kunji key check value";

/// The system's KEK, known by the secret that it wraps.
pub(crate) fn system_kek(secret: &SystemSecret) -> KnownKey {
    let context = INTEGRITY_SECRET.as_bytes().to_vec();
    KnownKey {
        id: secret.kek,
        label: SYSTEM_KEK.to_owned(),
        check: CheckValue::Wrapped { context, blob: secret.blob.clone() },
        is_anchor: true,
    }
}

impl Provisioner {
    /// The newest pair of every alias and all versions of every KEK. A row that cannot be trusted is left out.
    pub(crate) async fn known_keys(&self) -> Result<Vec<KnownKey>, KeyError> {
        let secret = self.repository.find_system_secret(INTEGRITY_SECRET).await?;
        let mut known: Vec<_> = secret.iter().map(system_kek).collect();
        let applications = self.policies.applications();
        for application in &applications {
            // An application without a key of its own has none on curves.
            if self.know_pair(&KeyAlias::master(application.clone()), &mut known).await? {
                for alias in KeyAlias::curves(application) {
                    self.know_pair(&alias, &mut known).await?;
                }
            }
        }
        for alias in [KeyAlias::kernel_sign()].into_iter().chain(KeyAlias::internal()) {
            self.know_pair(&alias, &mut known).await?;
        }
        for application in &applications {
            known.extend(self.known_keks(application).await?);
        }
        for key in trusted(self.repository.list_symmetric().await)?.unwrap_or_default() {
            let label = symmetric_label(&key.alias, key.generation);
            known.extend(self.known_unless_gone(key.token_key, &label).await?);
        }
        Ok(known)
    }

    /// Adds the alias's newest pair, if it is on the token. Returns whether there is a key, or a row that should tell.
    async fn know_pair(&self, alias: &KeyAlias, known: &mut Vec<KnownKey>) -> Result<bool, KeyError> {
        let Some(newest) = trusted(self.directory.newest(alias).await)? else { return Ok(true) };
        let Some(key) = newest else { return Ok(false) };
        // Those on curves may be in the records themselves.
        if matches!(key.material, KeyMaterial::Token(_)) {
            known.push(pair(&key)?);
        }
        Ok(true)
    }

    async fn known_keks(&self, application: &ApplicationId) -> Result<Vec<KnownKey>, KeyError> {
        let newest = trusted(self.repository.find_newest_kek(application).await)?.flatten();
        let mut known = Vec::new();
        for version in 1..=newest.map_or(0, |newest| newest.version) {
            if self.directory.states.is_ending(&kek_id(application, version)) {
                continue;
            }
            let Some(Some(kek)) = trusted(self.repository.find_kek(application, version).await)? else {
                continue;
            };
            known.extend(self.known_unless_gone(kek.token_key, &kek_label(application, version)).await?);
        }
        Ok(known)
    }

    /// `None` for one of the time before check values that is gone since: what it wrapped does not open, all else does.
    async fn known_unless_gone(&self, id: TokenKeyId, label: &str) -> Result<Option<KnownKey>, KeyError> {
        match self.known_kek(id, label).await {
            Err(KeyError::Token(error @ (KeyStoreError::NotFound | KeyStoreError::Ambiguous))) => {
                tracing::error!(key = label, %error, "the token does not have a key of the records");
                Ok(None)
            }
            known => known.map(Some),
        }
    }

    /// The KEK under this id with its check value, which is made where there is none: for a new KEK, or one of the time
    /// before there were any.
    pub(super) async fn known_kek(&self, id: TokenKeyId, label: &str) -> Result<KnownKey, KeyError> {
        let name = format!("check/{}", id.to_hex());
        let context = name.clone().into_bytes();
        let secret = if let Some(secret) = self.repository.find_system_secret(&name).await? {
            secret
        } else {
            let text = Zeroizing::new(CHECKED_TEXT.to_vec());
            let secret = SystemSecret { kek: id, blob: self.token.wrap(id, &context, text).await? };
            if self.repository.insert_system_secret(&name, &secret).await? {
                secret
            } else {
                let first = self.repository.find_system_secret(&name).await?;
                first.ok_or(KeyError::Internal("a check value vanished"))?
            }
        };
        let check = CheckValue::Wrapped { context, blob: secret.blob };
        Ok(KnownKey { id, label: label.to_owned(), check, is_anchor: label == SYSTEM_KEK })
    }
}

/// A pair that lives on the token, known by the public key in its certificate.
fn pair(key: &KeyRecord) -> Result<KnownKey, KeyError> {
    let (id, public_key) = (token_key_of(key)?, public_key_of(&key.certificate)?);
    Ok(known_pair(id, &key.alias, key.generation, public_key))
}

pub(super) fn known_pair(id: TokenKeyId, alias: &KeyAlias, generation: u32, public_key: Vec<u8>) -> KnownKey {
    KnownKey {
        id,
        label: pair_label(alias, generation),
        check: CheckValue::PublicKey(public_key),
        is_anchor: alias.role() == AliasRole::Root,
    }
}

/// What the pair is called on the token.
pub(crate) fn pair_label(alias: &KeyAlias, generation: u32) -> String {
    format!("sign/{alias}/{generation}")
}

/// What the KEK is called on the token.
pub(crate) fn kek_label(application: &ApplicationId, version: u32) -> String {
    format!("kek/{application}/{version}")
}

/// `None` in place of a row that cannot be trusted, which is a matter of its own.
fn trusted<T>(read: Result<T, RepositoryError>) -> Result<Option<T>, RepositoryError> {
    match read {
        Err(error @ RepositoryError::Inconsistent { .. }) => {
            tracing::error!(%error, "a key is not looked for on the token");
            Ok(None)
        }
        read => read.map(Some),
    }
}
