//! Keys that somebody asks for: the first of an alias, and successors before their time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{KeyError, KeyInState, KeyService, SubjectOverrides};
use crate::domain::{
    access::{CallContext, Operation},
    alias::{AliasRole, KeyAlias},
    key::{KeyId, KeyMaterial, KeyRecord},
    key_tags::KeyTags,
    lifecycle::KeyState,
};

impl KeyService {
    /// Makes the first key of an alias, or one after a key that was revoked or has ended.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when the alias has a current key; [`KeyError::NotUsable`] when that is suspended, and
    /// [`KeyService::rotate`] alone makes its successor; [`KeyError::Forestalled`] when somebody else made one.
    pub async fn create(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<KeyInState, KeyError> {
        let made = async {
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            self.policies.periods(alias)?;
            self.directory.states.refresh().await?;
            let newest = self.directory.newest_now(alias).await?;
            if newest.as_ref().is_some_and(|newest| self.usable(newest, 0)) {
                return Err(KeyError::Exists);
            }
            // Who resumes it wants no other, and who rotates it may have to ask others first.
            if let Some(newest) = &newest
                && self.directory.states.decided(&newest.id) == KeyState::Suspended
            {
                return Err(KeyError::NotUsable(KeyState::Suspended));
            }
            match (alias.role(), newest) {
                (AliasRole::Internal, _) => Err(KeyError::NotFound),
                (AliasRole::Base, newest) => {
                    self.check_base_alias(alias)?;
                    let is_of_others = newest.as_ref().is_some_and(|newest| newest.is_elsewhere());
                    if is_of_others || self.is_symmetric(alias).await? {
                        return Err(KeyError::BaseKeyNotAllowed);
                    }
                    self.base.make_requested(alias, newest.as_deref(), &SubjectOverrides::default()).await
                }
                (AliasRole::Curve(_), None) => self.ensure_on_curve(alias, subject).await,
                (_, None) => self.provisioner.ensure(alias, subject).await,
                (_, Some(newest)) => self.succeed(&newest, subject).await,
            }
        };
        let made = self
            .auditor
            .audited(call, Operation::GenerateMasterKey, Some(alias), made, |key| Some(&key.id))
            .await?;
        Ok(self.just_made(made))
    }

    fn just_made(&self, key: Arc<KeyRecord>) -> KeyInState {
        let state = self.directory.states.of(&key, true, self.provisioner.clock.now());
        KeyInState { key, state, is_newest: true, tags: KeyTags::default() }
    }

    /// Makes the successor of a key before its time.
    ///
    /// # Errors
    /// [`KeyError::Forestalled`] when the key is not the newest of its alias; [`KeyError::Waits`].
    pub async fn rotate(&self, call: &CallContext, id: &KeyId) -> Result<KeyInState, KeyError> {
        let operation = Operation::RotateKey;
        let key = self.visible(call, operation, id).await?;
        let subject = SubjectOverrides::default();
        let made = self.make_successor(call, &key, &subject);
        let made = self.auditor.audited(call, operation, Some(&key.alias), made, |key| Some(&key.id)).await?;
        Ok(self.just_made(made))
    }

    /// Makes a new key of a module or of `KERNEL/SIGN` although there is a current one.
    ///
    /// # Errors
    /// [`KeyError::ReferenceNotSupported`] for any other alias, [`KeyError::Forestalled`] when somebody else made one at
    /// the same time, [`KeyError::Waits`].
    pub async fn force_master(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let check = |role| match role {
            AliasRole::Module | AliasRole::Root | AliasRole::Sign => Ok(()),
            AliasRole::Base | AliasRole::Curve(_) | AliasRole::Internal => {
                Err(KeyError::ReferenceNotSupported)
            }
        };
        self.force(call, alias, subject, check).await
    }

    /// Makes a new key on a curve although there is a current one.
    ///
    /// # Errors
    /// As [`KeyService::force_master`]; [`KeyError::CurveReference`] for any other alias.
    pub async fn force_on_curve(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let check = |role| match role {
            AliasRole::Curve(_) => Ok(()),
            _ => Err(KeyError::CurveReference),
        };
        self.force(call, alias, subject, check).await
    }

    async fn force(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        subject: &SubjectOverrides,
        check: impl FnOnce(AliasRole) -> Result<(), KeyError>,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let operation = Operation::RotateKey;
        let made = async {
            self.authorizer.check(call, operation, alias)?;
            check(alias.role())?;
            if let Some(newest) = self.directory.newest_now(alias).await? {
                return self.make_successor(call, &newest, subject).await;
            }
            // The first key is rotated by nobody.
            self.authorizer.check(call, Operation::GenerateMasterKey, alias)?;
            match alias.role() {
                AliasRole::Curve(_) => self.ensure_on_curve(alias, subject).await,
                _ => self.provisioner.ensure(alias, subject).await,
            }
        };
        self.auditor.audited(call, operation, Some(alias), made, |key| Some(&key.id)).await
    }

    async fn make_successor(
        &self,
        call: &CallContext,
        key: &KeyRecord,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let alias = &key.alias;
        self.policies.periods(alias)?;
        // What could not be made must not use up what was approved.
        if *subject != SubjectOverrides::default() {
            self.provisioner.issuer.module_subject(alias, subject)?;
        }
        let newest = self.directory.newest_now(alias).await?;
        if newest.is_none_or(|newest| newest.id != key.id) {
            return Err(KeyError::Forestalled);
        }
        let content = json!({
            "applicationId": alias.application.as_str(), "referenceId": alias.reference.as_str(),
            "successorOf": key.id.0, "subject": described(subject),
        });
        self.pass(call, Operation::RotateKey, alias, &content).await?;
        self.succeed(key, subject).await
    }

    /// Makes the successor of a key, of the same kind and in the same place.
    async fn succeed(&self, key: &KeyRecord, subject: &SubjectOverrides) -> Result<Arc<KeyRecord>, KeyError> {
        match key.material {
            KeyMaterial::Wrapped { .. } => self.base.make_requested(&key.alias, Some(key), subject).await,
            KeyMaterial::Token(_) => self.provisioner.rotate(key, subject).await,
            KeyMaterial::Elsewhere => Err(KeyError::BaseKeyNotAllowed),
            // Only a key that has a successor is ever destroyed.
            KeyMaterial::Removed { .. } => Err(KeyError::Forestalled),
        }
    }

    /// Has it wait, if a policy says so. Last of all checks, since what was approved is used up by it.
    pub(super) async fn pass(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: &KeyAlias,
        content: &Value,
    ) -> Result<(), KeyError> {
        match self.authorizer.pass_on_keys(call, operation, alias, &content.to_string()).await {
            Ok(None) => Ok(()),
            Ok(Some(waiting)) => Err(KeyError::Waits(Box::new(waiting))),
            Err(error) => Err(KeyError::Approvals(error)),
        }
    }

    /// The key of that id, for a caller who may do the operation with it. Who may not even read it is told what they
    /// would be told if there were none. That it was refused is recorded here.
    pub(super) async fn visible(
        &self,
        call: &CallContext,
        operation: Operation,
        id: &KeyId,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        match self.find_visible(call, operation, id).await {
            Err(error) => self.auditor.audited(call, operation, None, async { Err(error) }, |_| None).await,
            found => found,
        }
    }

    async fn find_visible(
        &self,
        call: &CallContext,
        operation: Operation,
        id: &KeyId,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let key = self.directory.by_id(id).await?.ok_or(KeyError::NotFound)?;
        if key.alias.role() == AliasRole::Internal {
            return Err(KeyError::NotFound);
        }
        if !self.authorizer.may(call, operation, &key.alias)
            && !self.authorizer.may(call, Operation::ReadKeys, &key.alias)
        {
            return Err(KeyError::NotFound);
        }
        self.authorizer.check(call, operation, &key.alias)?;
        Ok(key)
    }
}

fn described(subject: &SubjectOverrides) -> Value {
    json!({
        "commonName": subject.common_name, "organizationUnit": subject.organization_unit,
        "organization": subject.organization, "location": subject.location, "state": subject.state,
        "country": subject.country,
    })
}
