//! Changes of key policies.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{KeyPolicyError, KeyPolicyService};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{ApplicationId, KeyAlias},
        key_policies::is_needed,
        policy::{AccessList, KeyPolicy},
    },
    ports::{
        key_policies::{KeyPolicyChange, KeyPolicyRecord},
        repository::RepositoryError,
    },
    services::authorization::{Precondition, Revision},
};

/// Most policies that are stored, and most applications whose removal is remembered.
const MAX_STORED: usize = 10_000;
/// Tries of a change while others change other policies.
const ATTEMPTS: usize = 8;

impl KeyPolicyService {
    /// Stores a policy, in place of that of the same application. It is in force on this server at once.
    ///
    /// # Errors
    /// [`KeyPolicyError`].
    pub async fn put(
        &self,
        call: &CallContext,
        policy: KeyPolicy,
        precondition: &Precondition,
    ) -> Result<KeyPolicyRecord, KeyPolicyError> {
        let application = policy.application.clone();
        let stored = async {
            self.change(call, &application, Some(policy), precondition).await?;
            self.policy(&application).ok_or(KeyPolicyError::NotFound)
        };
        let alias = KeyAlias::master(application.clone());
        self.auditor.audited(call, Operation::ChangeKeyPolicies, Some(&alias), stored, |_| None).await
    }

    /// Removes the policy of an application, which then has no keys: none is made, and those there are serve nobody
    /// until it has a policy again.
    ///
    /// # Errors
    /// [`KeyPolicyError`].
    pub async fn remove(
        &self,
        call: &CallContext,
        application: &ApplicationId,
        precondition: &Precondition,
    ) -> Result<(), KeyPolicyError> {
        let removed = self.change(call, application, None, precondition);
        let alias = KeyAlias::master(application.clone());
        self.auditor.audited(call, Operation::ChangeKeyPolicies, Some(&alias), removed, |()| None).await
    }

    async fn change(
        &self,
        call: &CallContext,
        application: &ApplicationId,
        policy: Option<KeyPolicy>,
        precondition: &Precondition,
    ) -> Result<(), KeyPolicyError> {
        let _changing = self.changing.lock().await;
        let mut may_pass = false;
        for _ in 0..ATTEMPTS {
            self.refresh_alone().await?;
            let before = self.table.in_force();
            let found = before.stored.policies.iter().find(|it| it.policy.application == *application);
            if policy.is_none() && found.is_none() {
                return Err(KeyPolicyError::NotFound);
            }
            if !precondition.holds(found.map(|record| Revision::Stored(record.version))) {
                return Err(KeyPolicyError::PreconditionFailed);
            }
            match &policy {
                Some(policy) => before.compiled.check(policy)?,
                None if is_needed(application) => return Err(KeyPolicyError::Needed),
                None => {}
            }
            let kept = before.stored.policies.len().max(before.stored.removed.len());
            if kept >= MAX_STORED && (found.is_none() || policy.is_none()) {
                return Err(KeyPolicyError::TooMany);
            }
            if !may_pass {
                self.pass_change(call, application, policy.as_ref(), precondition).await?;
                may_pass = true;
            }
            let record = policy.clone().map(|policy| KeyPolicyRecord {
                policy,
                version: before.stored.version + 1,
                changed: Some((self.clock.now(), call.principal.name.clone())),
            });
            let change = match &record {
                Some(record) => KeyPolicyChange::Put(std::slice::from_ref(record)),
                None => KeyPolicyChange::Remove(application),
            };
            let after = before.stored.after(change);
            match self.repository.change_key_policies(before.stored.version, change).await {
                Err(RepositoryError::Conflict) => {}
                outcome => {
                    outcome?;
                    tracing::warn!(
                        request_id = %call.request_id,
                        principal = call.principal.name,
                        %application,
                        removed = policy.is_none(),
                        "a key policy was changed"
                    );
                    self.install(after);
                    return Ok(());
                }
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    /// Has the change wait, if an access policy says so. Last of all checks, since what was approved is used up by it.
    async fn pass_change(
        &self,
        call: &CallContext,
        application: &ApplicationId,
        policy: Option<&KeyPolicy>,
        precondition: &Precondition,
    ) -> Result<(), KeyPolicyError> {
        let content = json!({
            "keyPolicy": application.as_str(), "replaces": precondition.text(), "by": policy.map(describe),
        });
        let operation = Operation::ChangeKeyPolicies;
        match self.authorizer.pass(call, operation, operation, &content.to_string()).await {
            Ok(None) => Ok(()),
            Ok(Some(waiting)) => Err(KeyPolicyError::Waits(Box::new(waiting))),
            Err(error) => Err(KeyPolicyError::Approvals(error)),
        }
    }
}

/// All of a policy that was written.
fn describe(policy: &KeyPolicy) -> Value {
    let mut described = json!({
        "validityDays": policy.validity_days, "preExpireDays": policy.pre_expire_days, "active": policy.active,
        "automaticRotation": policy.automatic_rotation,
        "destructionWaitDays": policy.destruction.wait_days,
        "offlineAllowanceDays": policy.destruction.offline_allowance_days,
        "access": match &policy.access {
            AccessList::AnyRoleHolder => None,
            AccessList::Principals(names) => Some(names),
        },
    });
    // Only what is stated: what waits for approval must stay the same text when this program is a newer one.
    if let Some(members) = described.as_object_mut() {
        if let Some(modulus) = policy.modulus {
            members.insert("keyBits".to_owned(), json!(modulus.bits()));
        }
        if let Some(max_wraps) = policy.max_wraps {
            members.insert("maxWraps".to_owned(), json!(max_wraps));
        }
        if !policy.pre_expire.is_empty() {
            let days: BTreeMap<_, _> =
                policy.pre_expire.iter().map(|(purpose, days)| (purpose.name(), days)).collect();
            members.insert("preExpire".to_owned(), json!(days));
        }
    }
    described
}
