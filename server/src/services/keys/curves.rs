//! Signing keys on curves: on the token where it takes the curve, else made in software and kept as base keys are.

use std::sync::Arc;

use super::{KeyError, KeyService, SubjectOverrides};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KeyMaterial, KeyRecord},
        key_type::Curve,
    },
    ports::key_store::KeyStoreError,
};

impl KeyService {
    /// The current key of an alias of a key on a curve; made when there is none. Its application must have a key of its
    /// own.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::CurveReference`] for any other alias.
    pub async fn generate_on_curve(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            self.ensure_on_curve(alias, subject).await
        };
        self.auditor.audited(call, Operation::GenerateMasterKey, Some(alias), made, |key| Some(&key.id)).await
    }

    /// A PKCS#10 request (DER) for the current key on a curve, made when there is none, with that key.
    ///
    /// # Errors
    /// As [`KeyService::generate_on_curve`].
    pub async fn request_on_curve(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<(Arc<KeyRecord>, Vec<u8>), KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            let key = self.ensure_on_curve(alias, subject).await?;
            let request = self.request_for(&key, subject).await?;
            Ok((key, request))
        };
        self.auditor
            .audited(call, Operation::GenerateMasterKey, Some(alias), made, |(key, _)| Some(&key.id))
            .await
    }

    /// The current key; makes the successor of one that nears its end, but no first one.
    pub(super) async fn current_on_curve(&self, alias: &KeyAlias) -> Result<Arc<KeyRecord>, KeyError> {
        let (_, pre_expire_days) = self.policies.periods(alias)?;
        let newest = self.directory.newest(alias).await?.ok_or(KeyError::ModuleKeyMissing)?;
        if self.usable(&newest, pre_expire_days) {
            return Ok(newest);
        }
        let current = self.ensure_on_curve(alias, &SubjectOverrides::default()).await;
        self.or_still_valid(current, Some(newest))
    }

    pub(super) async fn ensure_on_curve(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let AliasRole::Curve(curve) = alias.role() else { return Err(KeyError::CurveReference) };
        if curve == Curve::Ed25519 && !alias.application.may_have_base_keys() {
            return Err(KeyError::CurveNotAllowed);
        }
        let own = KeyAlias::master(alias.application.clone());
        if self.directory.newest(&own).await?.is_none() {
            return Err(KeyError::ModuleKeyMissing);
        }
        // The token would need the whole message of every Ed25519 signature.
        if curve == Curve::Ed25519 {
            return self.ensure_in_records(alias, subject).await;
        }
        let newest = self.directory.newest(alias).await?;
        if newest.is_some_and(|newest| matches!(newest.material, KeyMaterial::Wrapped { .. })) {
            return self.ensure_in_records(alias, subject).await;
        }
        match self.provisioner.ensure(alias, subject).await {
            Err(KeyError::Token(KeyStoreError::Unsupported(cause))) => {
                tracing::info!(%alias, cause, "the token does not take this curve; the key is kept in the records");
                self.ensure_in_records(alias, subject).await
            }
            made => made,
        }
    }

    /// As base keys: whoever comes second takes the first one's.
    async fn ensure_in_records(
        &self,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        if !alias.application.may_have_base_keys() {
            return Err(KeyError::CurveNotAllowed);
        }
        self.policies.periods(alias)?;
        let _making = self.creation_lock(alias).lock().await;
        let newest = self.directory.newest_now(alias).await?;
        if let Some(newest) = &newest {
            if !self.provisioner.needs_successor(newest).await? {
                return Ok(Arc::clone(newest));
            }
            self.directory.states.check_renewable(&newest.id)?;
        }
        let made = self.base.make(alias, newest.as_deref(), subject).await?;
        if made.by_us {
            self.auditor.own("key.create", Some(alias.clone()), Some(made.record.id.clone())).await?;
        }
        Ok(made.record)
    }
}
