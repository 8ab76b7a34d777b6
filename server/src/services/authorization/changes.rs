//! Changes of access policies.

use serde_json::{Value, json};

use super::{AccessPolicyError, Authorizer, InForce, PolicyInForce, Revision};
use crate::{
    domain::{
        access::{CallContext, Operation},
        authorization::{AccessPolicy, AccessRequest, PolicyText, is_policy_name},
    },
    ports::repository::{AccessPolicyChange, AccessPolicyRecord, RepositoryError},
    services::auditor::bounded,
};

/// Most policies that are stored.
const MAX_STORED: usize = 10_000;
/// Tries of a change while others change other policies.
const ATTEMPTS: usize = 8;

/// What must be true of a policy for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// There is no policy of that name, nor a shipped one.
    Absent,
    /// There is one.
    Present,
    /// One of these is the revision of the policy, as its text says it.
    Revision(Vec<String>),
}

impl Precondition {
    /// It as text, for what waits for approval.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Absent => "nothing".to_owned(),
            Self::Present => "anything".to_owned(),
            Self::Revision(known) => known.join(" or "),
        }
    }

    /// Whether it is met by this state.
    pub(crate) fn holds(&self, found: Option<Revision>) -> bool {
        match (self, found) {
            (Self::Absent, found) => found.is_none(),
            (Self::Present, found) => found.is_some(),
            (Self::Revision(_), None) => false,
            (Self::Revision(known), Some(found)) => known.contains(&found.to_string()),
        }
    }
}

impl Authorizer {
    /// Stores a policy, in place of one of the same name. It is in force on this server at once.
    ///
    /// # Errors
    /// [`AccessPolicyError`].
    pub async fn put(
        &self,
        call: &CallContext,
        text: PolicyText,
        precondition: &Precondition,
    ) -> Result<PolicyInForce, AccessPolicyError> {
        let (name, parsed) = (text.name.clone(), AccessPolicy::parse(text.clone()));
        // What is no policy is not shown: nobody knows what it has in it.
        let content = parsed.is_ok().then(|| {
            let keys = text.keys.iter().map(|pattern| self.auditor.pseudonyms.key_pattern(pattern)).collect();
            bounded(describe(&PolicyText { keys, ..text.clone() }))
        });
        let policy = named(&name);
        let stored = async {
            parsed?;
            let replaced = self.change(call, &name, Some(text), precondition).await?;
            let stored = self.in_force().policy(&name);
            Ok::<_, AccessPolicyError>((
                stored.ok_or(AccessPolicyError::Internal("a stored policy is not in force"))?,
                replaced,
            ))
        };
        let about = |done: Option<&(PolicyInForce, Option<Revision>)>| match done {
            Some((stored, replaced)) => json!({
                "policy": policy, "change": "put", "content": content,
                "revision": shown(Some(stored.revision)), "replaced": shown(*replaced),
            }),
            None => json!({ "policy": policy, "change": "put", "content": content }),
        };
        let (stored, _) = self.auditor.audited_with(call, Operation::ChangeAccess, stored, about).await?;
        Ok(stored)
    }

    /// Removes a stored policy; a shipped one of that name is in force again.
    ///
    /// # Errors
    /// [`AccessPolicyError`].
    pub async fn remove(
        &self,
        call: &CallContext,
        name: &str,
        precondition: &Precondition,
    ) -> Result<(), AccessPolicyError> {
        let removed = self.change(call, name, None, precondition);
        let policy = named(name);
        let about = |done: Option<&Option<Revision>>| match done {
            Some(replaced) => json!({ "policy": policy, "change": "remove", "replaced": shown(*replaced) }),
            None => json!({ "policy": policy, "change": "remove" }),
        };
        self.auditor.audited_with(call, Operation::ChangeAccess, removed, about).await?;
        Ok(())
    }

    /// Makes the change, and returns the revision of what it has replaced.
    async fn change(
        &self,
        call: &CallContext,
        name: &str,
        text: Option<PolicyText>,
        precondition: &Precondition,
    ) -> Result<Option<Revision>, AccessPolicyError> {
        let _changing = self.changing.lock().await;
        let mut may_pass = false;
        for _ in 0..ATTEMPTS {
            self.refresh_alone().await?;
            let before = self.in_force();
            if text.is_none() && !before.stored.contains_key(name) {
                return Err(AccessPolicyError::NotFound);
            }
            let replaced = before.policy(name).map(|policy| policy.revision);
            if !precondition.holds(replaced) {
                return Err(AccessPolicyError::PreconditionFailed);
            }
            let after = self.after(&before, call, name, text.clone())?;
            if !may_pass {
                self.pass_change(call, name, text.as_ref(), precondition).await?;
                may_pass = true;
            }
            let change = match after.stored.get(name) {
                Some(record) => AccessPolicyChange::Put(record),
                None => AccessPolicyChange::Remove(name),
            };
            match self.repository.change_access_policies(before.version, change).await {
                Err(RepositoryError::Conflict) => {}
                outcome => {
                    outcome?;
                    tracing::warn!(
                        request_id = %call.request_id,
                        principal = call.principal.name,
                        policy = name,
                        removed = text.is_none(),
                        "an access policy was changed"
                    );
                    self.install(after);
                    return Ok(replaced);
                }
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    /// Has the change wait, if a policy says so. Last of all checks, since what was approved is used up by it.
    async fn pass_change(
        &self,
        call: &CallContext,
        name: &str,
        text: Option<&PolicyText>,
        precondition: &Precondition,
    ) -> Result<(), AccessPolicyError> {
        let content = json!({
            "policy": name, "replaces": precondition.text(), "by": text.map(describe),
        });
        let operation = Operation::ChangeAccess;
        match self.pass(call, operation, operation, &content.to_string()).await {
            Ok(None) => Ok(()),
            Ok(Some(waiting)) => Err(AccessPolicyError::Waits(Box::new(waiting))),
            Err(error) => Err(AccessPolicyError::Approvals(error)),
        }
    }

    /// The policies after the change.
    fn after(
        &self,
        before: &InForce,
        call: &CallContext,
        name: &str,
        text: Option<PolicyText>,
    ) -> Result<InForce, AccessPolicyError> {
        let version = before.version + 1;
        let mut stored = before.stored.clone();
        match text {
            Some(text) => {
                let record = AccessPolicyRecord {
                    text,
                    version,
                    changed_at: self.clock.now(),
                    changed_by: call.principal.name.clone(),
                };
                stored.insert(name.to_owned(), record);
            }
            None => drop(stored.remove(name)),
        }
        if stored.len() > MAX_STORED {
            return Err(AccessPolicyError::TooMany);
        }
        let after = InForce::with(version, stored)?;
        let still = AccessRequest {
            principal: &call.principal,
            operation: Operation::ChangeAccess,
            alias: None,
            address: call.address,
            at: self.clock.now(),
        };
        if after.set.decide(&still).verdict.is_allowed() {
            Ok(after)
        } else {
            Err(AccessPolicyError::Lockout)
        }
    }
}

/// A name as the trail shows it: nothing that can be no policy's.
fn named(name: &str) -> Option<&str> {
    is_policy_name(name).then_some(name)
}

/// A revision as the trail shows it.
fn shown(revision: Option<Revision>) -> Value {
    json!(revision.map(|revision| revision.to_string()))
}

/// All of a policy that was written.
fn describe(text: &PolicyText) -> Value {
    json!({
        "description": text.description, "enabled": text.enabled, "effect": text.effect,
        "principals": text.principals, "roles": text.roles, "operations": text.operations, "keys": text.keys,
        "notBefore": text.not_before, "notAfter": text.not_after, "hours": text.hours, "days": text.days,
        "networks": text.networks,
        "requests": text.rate.map(|rate| rate.requests), "seconds": text.rate.map(|rate| rate.seconds),
        "approvals": text.approval.map(|terms| terms.approvals),
        "withinSeconds": text.approval.map(|terms| terms.seconds),
        "approverPrincipals": text.approver_principals, "approverRoles": text.approver_roles,
    })
}
