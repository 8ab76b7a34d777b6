//! What policies would say of a call that nobody made.

use std::net::IpAddr;

use super::Authorizer;
use crate::{
    domain::{
        access::{Operation, Principal},
        alias::KeyAlias,
        authorization::{AccessRequest, Verdict},
        time::Timestamp,
    },
    services::authorization::AccessPolicyError,
};

/// Whether this principal may do that.
#[derive(Clone, Debug)]
pub struct AccessQuestion {
    /// The principal, with the roles that its token would have.
    pub principal: Principal,
    /// The operation.
    pub operation: Operation,
    /// The alias; `None` for operations on no keys.
    pub alias: Option<KeyAlias>,
    /// Where it would call from.
    pub address: Option<IpAddr>,
    /// When; `None` means now.
    pub at: Option<Timestamp>,
}

/// What decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The access policy of this name.
    AccessPolicy(String),
    /// The access list in the application's key policy, which does not name the principal.
    KeyPolicy,
    /// No policy allows it.
    Default,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessAnswer {
    /// Whether it may.
    pub allowed: bool,
    /// What decides.
    pub decided_by: DecidedBy,
    /// Policies that limit how often, by name.
    pub limited_by: Vec<String>,
    /// Version of the policies that were asked.
    pub version: u64,
}

impl Authorizer {
    /// Asks the policies in force.
    pub fn ask(&self, question: &AccessQuestion) -> AccessAnswer {
        let in_force = self.in_force();
        let decision = in_force.set.decide(&AccessRequest {
            principal: &question.principal,
            operation: question.operation,
            alias: question.alias.as_ref(),
            address: question.address,
            at: question.at.unwrap_or_else(|| self.clock.now()),
        });
        let listed = match (&question.alias, question.operation) {
            (Some(alias), Operation::Decrypt | Operation::Sign) => {
                self.key_policies.admits(&alias.application, &question.principal.name)
            }
            _ => true,
        };
        let (allowed, decided_by) = match decision.verdict {
            Verdict::Allowed(_) if !listed => (false, DecidedBy::KeyPolicy),
            Verdict::Allowed(policy) => (true, DecidedBy::AccessPolicy(policy.name().to_owned())),
            Verdict::Denied(policy) => (false, DecidedBy::AccessPolicy(policy.name().to_owned())),
            Verdict::Unnamed => (false, DecidedBy::Default),
        };
        let limits = if allowed { decision.limits.as_slice() } else { &[] };
        let limited_by = limits.iter().map(|policy| policy.name().to_owned()).collect();
        AccessAnswer { allowed, decided_by, limited_by, version: in_force.version }
    }

    /// The roles of a client of the built-in issuer; `None` when there is no such client.
    ///
    /// # Errors
    /// [`AccessPolicyError::Repository`].
    pub async fn roles_of_client(
        &self,
        name: &str,
    ) -> Result<Option<Vec<crate::domain::access::Role>>, AccessPolicyError> {
        let Some(id) = crate::domain::client::ClientId::parse(name) else { return Ok(None) };
        Ok(self.repository.find_client(&id).await?.map(|client| client.roles))
    }
}
