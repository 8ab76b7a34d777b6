//! Symmetric keys of applications, on the token.
//!
//! They are made as token keys are (`provisioning`): a lease, the intent, the object, the check, then the record. So an
//! object without a record is what the next attempt goes on with.

use std::sync::Arc;

use super::{KeyError, KeyService, provisioning::Provisioner};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, ApplicationId, KeyAlias, ReferenceId},
        key::KeyId,
        policy::Cryptoperiod,
        symmetric::SymmetricKeyRecord,
    },
    ports::repository::RepositoryError,
};

/// The alias's symmetric key after a request for one.
pub struct SymmetricKey {
    /// Its name for ever.
    pub id: KeyId,
    /// Whether this request made it.
    pub made: bool,
}

impl KeyService {
    /// The current symmetric key of the alias, made when there is none; with `force` a new one, always: of several that
    /// are asked for at once, here and elsewhere, one is made. What the earlier ones encrypted can still be decrypted.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::ReferenceNotSupported`] for the alias of a key pair, and one that the settings allow no key.
    pub async fn generate_symmetric(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        force: bool,
    ) -> Result<SymmetricKey, KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateSymmetricKey, alias)?;
            self.policies.periods(alias)?;
            if alias.role() != AliasRole::Base || self.directory.newest_now(alias).await?.is_some() {
                return Err(KeyError::ReferenceNotSupported);
            }
            let newest = self.provisioner.repository.find_newest_symmetric(alias).await?;
            if let Some(newest) = &newest
                && !force
                && !self.provisioner.needs_symmetric_successor(newest)
            {
                return Ok(SymmetricKey { id: newest.id.clone(), made: false });
            }
            // A name that has such a key can have no other.
            self.check_symmetric_name(alias)?;
            if !self.quota.take(&call.principal.name, self.provisioner.clock.now()) {
                return Err(KeyError::QuotaExceeded);
            }
            let before = newest.map_or(0, |newest| newest.generation);
            let key = self.provisioner.make_symmetric(alias, before).await;
            if !key.as_ref().is_ok_and(|key| key.made) {
                self.quota.give_back(&call.principal.name);
            }
            key
        };
        self.auditor
            .audited(call, Operation::GenerateSymmetricKey, Some(alias), made, |key| Some(&key.id))
            .await
    }

    /// Whether the settings allow a symmetric key of that name.
    pub(super) fn check_symmetric_name(&self, alias: &KeyAlias) -> Result<(), KeyError> {
        if is_identity_cache(alias) || self.reference_allowed(alias) {
            Ok(())
        } else {
            Err(KeyError::ReferenceNotSupported)
        }
    }

    /// Whether the alias has a symmetric key, or can only have one.
    pub(super) async fn is_symmetric(&self, alias: &KeyAlias) -> Result<bool, KeyError> {
        let repository = Arc::clone(&self.provisioner.repository);
        Ok(is_identity_cache(alias) || repository.find_newest_symmetric(alias).await?.is_some())
    }
}

impl Provisioner {
    /// Makes the key after that of generation `before` (0: the first), unless there is one: then that is the answer,
    /// also when another server makes it meanwhile.
    pub(super) async fn make_symmetric(
        &self,
        alias: &KeyAlias,
        before: u32,
    ) -> Result<SymmetricKey, KeyError> {
        let lease = self.lease(&format!("symmetric/{alias}")).await?;
        let made = self.make_symmetric_leased(alias, before).await;
        self.release(lease).await;
        made
    }

    async fn make_symmetric_leased(&self, alias: &KeyAlias, before: u32) -> Result<SymmetricKey, KeyError> {
        let newest = self.repository.find_newest_symmetric(alias).await?;
        if newest.map_or(0, |newest| newest.generation) != before {
            return self.symmetric_of_another(alias).await;
        }
        let generation = before.saturating_add(1);
        let record = SymmetricKeyRecord {
            id: self.key_id()?,
            alias: alias.clone(),
            generation,
            token_key: self.kek_object(&symmetric_label(alias, generation)).await?,
            period: Cryptoperiod::starting(self.clock.now(), SymmetricKeyRecord::VALIDITY_DAYS, None),
        };
        match self.repository.insert_symmetric_successor(&record).await {
            Ok(()) => Ok(SymmetricKey { id: record.id, made: true }),
            // The lease ran out and another server was faster: its key counts.
            Err(RepositoryError::Conflict) => self.symmetric_of_another(alias).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn symmetric_of_another(&self, alias: &KeyAlias) -> Result<SymmetricKey, KeyError> {
        let newest = self.repository.find_newest_symmetric(alias).await?;
        let newest = newest.ok_or(KeyError::Internal("a key vanished that another server made"))?;
        Ok(SymmetricKey { id: newest.id, made: false })
    }
}

/// Whether it is the one name that is known to be that of a symmetric key.
fn is_identity_cache(alias: &KeyAlias) -> bool {
    alias.application.as_str() == ApplicationId::KERNEL
        && alias.reference.as_str() == ReferenceId::IDENTITY_CACHE
}

/// What the key is called on the token.
pub(super) fn symmetric_label(alias: &KeyAlias, generation: u32) -> String {
    format!("symmetric/{alias}/{generation}")
}
