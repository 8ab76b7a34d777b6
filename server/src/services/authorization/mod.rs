//! Who may do what: the access policies in force, asked before every operation and changed by administrators.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use super::{access::standing::Standing, auditor::Auditor, following, keys::policies::PolicyTable};
use crate::{
    domain::{
        access::{CallContext, Operation, Principal},
        alias::KeyAlias,
        authorization::{AccessRequest, Verdict},
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
    },
};

mod approvals;
mod changes;
mod error;
mod in_force;
mod limiters;
mod questions;

pub use approvals::ApprovalError;
pub use changes::Precondition;
pub use error::{AccessPolicyError, AccessRefusal};
pub use in_force::{InForce, PolicyInForce, Revision};
pub use questions::{AccessAnswer, AccessQuestion, DecidedBy};

use limiters::Limiters;

/// Decides by the policies in force.
pub struct Authorizer {
    auditor: Arc<Auditor>,
    /// Held while policies are read or changed, so that what was read is not older than what is in force.
    changing: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
    in_force: RwLock<Arc<InForce>>,
    key_policies: Arc<PolicyTable>,
    limiters: Limiters,
    repository: Arc<dyn Repository>,
    standing: Standing,
}

impl Authorizer {
    /// With the policies that the database has.
    pub(crate) async fn load(
        repository: Arc<dyn Repository>,
        clock: Arc<dyn Clock>,
        auditor: Arc<Auditor>,
        key_policies: Arc<PolicyTable>,
        standing: Standing,
    ) -> Result<Self, RepositoryError> {
        let in_force = RwLock::new(Arc::new(InForce::of(repository.list_access_policies().await?)?));
        Ok(Self {
            auditor,
            changing: tokio::sync::Mutex::default(),
            clock,
            in_force,
            key_policies,
            limiters: Limiters::default(),
            repository,
            standing,
        })
    }

    /// The policies in force now.
    pub fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the caller may enter: before the request is read, so before it is known which keys it names. An
    /// operation that is on no keys is decided here for good.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub fn enter(
        &self,
        principal: &Principal,
        operation: Operation,
        address: Option<IpAddr>,
    ) -> Result<(), AccessRefusal> {
        if operation.is_on_keys() {
            let may = self.in_force().set.may_allow(principal, operation);
            return if may { Ok(()) } else { Err(AccessRefusal::Forbidden) };
        }
        self.decide(principal, operation, None, address)
    }

    /// Whether a call that has [entered](Self::enter) may go on now that all of it has come, which may have taken long.
    /// Counts against nothing. What is on keys is decided when it is known on which.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub fn enter_again(&self, call: &CallContext, operation: Operation) -> Result<(), AccessRefusal> {
        if operation.is_on_keys() {
            return Ok(self.standing.check(&call.authority)?);
        }
        self.check_again(call, operation, None)
    }

    /// Whether a call that was let through may go on after it took its time: what the caller has shown still counts,
    /// and no policy has been put between. Counts against nothing.
    ///
    /// # Errors
    /// [`AccessRefusal`].
    pub(crate) fn check_again(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: Option<&KeyAlias>,
    ) -> Result<(), AccessRefusal> {
        self.standing.check(&call.authority)?;
        if self.would_allow(call, operation, alias) { Ok(()) } else { Err(AccessRefusal::Forbidden) }
    }

    /// Whether the caller may do it with the keys of the alias. Counts against what policies limit.
    ///
    /// # Errors
    /// [`AccessRefusal`]; the same whether or not there are such keys.
    pub(crate) fn check(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: &KeyAlias,
    ) -> Result<(), AccessRefusal> {
        let decided = self.decide(&call.principal, operation, Some(alias), call.address);
        if let Err(refusal) = decided {
            tracing::warn!(
                request_id = %call.request_id,
                principal = call.principal.name,
                operation = operation.name(),
                %alias,
                %refusal,
                "refused"
            );
        }
        decided
    }

    /// Whether a call with these keys would be let through; counts against nothing.
    pub(crate) fn may(&self, call: &CallContext, operation: Operation, alias: &KeyAlias) -> bool {
        self.would_allow(call, operation, Some(alias))
    }

    fn would_allow(&self, call: &CallContext, operation: Operation, alias: Option<&KeyAlias>) -> bool {
        let request = AccessRequest {
            principal: &call.principal,
            operation,
            alias,
            address: call.address,
            at: self.clock.now(),
        };
        self.in_force().set.decide(&request).verdict.is_allowed()
    }

    fn decide(
        &self,
        principal: &Principal,
        operation: Operation,
        alias: Option<&KeyAlias>,
        address: Option<IpAddr>,
    ) -> Result<(), AccessRefusal> {
        let request = AccessRequest { principal, operation, alias, address, at: self.clock.now() };
        let in_force = self.in_force();
        let decision = in_force.set.decide(&request);
        match decision.verdict {
            Verdict::Allowed(_) => self.limiters.take(&decision.limits, &principal.name),
            Verdict::Denied(_) | Verdict::Unnamed => Err(AccessRefusal::Forbidden),
        }
    }

    /// Takes over what another server has changed. While the database does not answer, or shows something that
    /// cannot be trusted, the policies stay as they were.
    pub(crate) async fn refresh(&self) -> Result<(), RepositoryError> {
        let _changing = self.changing.lock().await;
        self.refresh_alone().await
    }

    /// The same for whoever holds the lock.
    async fn refresh_alone(&self) -> Result<(), RepositoryError> {
        let known = self.in_force().version;
        let found = self.repository.access_policies_version().await?;
        if found == known {
            return Ok(());
        }
        if found < known {
            // An earlier state of the database would bring back rights that were taken away.
            return Err(RepositoryError::Inconsistent {
                table: "access_policies",
                record: found.to_string(),
                reason: "the version is earlier than the one in force",
            });
        }
        self.install(InForce::of(self.repository.list_access_policies().await?)?);
        Ok(())
    }

    fn install(&self, newer: InForce) {
        tracing::info!(version = newer.version, "access policies are in force");
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(newer);
    }

    /// Follows the changes of other servers; never ends.
    pub(crate) async fn follow(self: Arc<Self>) {
        following::follow("the access policies could not be read again; those in force stay", || {
            self.refresh()
        })
        .await;
    }
}
