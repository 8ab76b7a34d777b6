//! An access policy as JSON.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use crate::{
    api::native::versioned::Revised,
    domain::{
        authorization::{ApprovalTerms, PolicyText, Rate},
        time::Timestamp,
    },
    services::authorization::PolicyInForce,
};

/// An access policy to store. A member that it does not have is an error: a condition that is misspelt must not
/// widen what the policy allows.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
pub(super) struct AccessPolicyRequest {
    /// What it is for; at most 512 bytes on one line.
    description: Option<String>,
    /// Whether it counts; true when absent.
    enabled: Option<bool>,
    /// `allow`, `deny` (which wins over all that allow), `limit` or `approval`.
    effect: String,
    /// Principals by their exact names; `*` stands for everyone with a token.
    principals: Option<Vec<String>>,
    /// Roles by their exact names.
    roles: Option<Vec<String>>,
    /// Operations by name; `*` stands for all, `packet.*` for all whose names begin so.
    operations: Vec<String>,
    /// Patterns `APPLICATION/REFERENCE`, where `*` stands for any run of characters. Needed when an operation is on
    /// keys.
    keys: Option<Vec<String>>,
    /// The first instant at which it counts (RFC 3339).
    not_before: Option<String>,
    /// The last instant at which it counts (RFC 3339).
    not_after: Option<String>,
    /// Hours of the day at which it counts, UTC: `08:00-18:00`; over midnight when the second is not later.
    hours: Option<String>,
    /// Days on which it counts, UTC: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    days: Option<Vec<String>>,
    /// Networks from which it counts, as `10.1.0.0/16` or single addresses.
    networks: Option<Vec<String>>,
    /// For `limit`: so many requests of one principal, 1 to 1000000.
    requests: Option<u32>,
    /// For `limit`: in so many seconds, 1 to 1000000.
    seconds: Option<u32>,
    /// For `approval`: how many others must approve, 1 to 16.
    approvals: Option<u32>,
    /// For `approval`: in which time, 60 to 2592000.
    within_seconds: Option<u32>,
    /// For `approval`: principals who may approve, by their exact names.
    approver_principals: Option<Vec<String>>,
    /// For `approval`: roles whose holders may approve.
    approver_roles: Option<Vec<String>>,
}

impl AccessPolicyRequest {
    /// The policy under this name. Half a rate becomes one that is refused.
    pub(super) fn into_text(self, name: String) -> PolicyText {
        let rate = match (self.requests, self.seconds) {
            (None, None) => None,
            (requests, seconds) => {
                Some(Rate { requests: requests.unwrap_or(0), seconds: seconds.unwrap_or(0) })
            }
        };
        let approval = match (self.approvals, self.within_seconds) {
            (None, None) => None,
            (approvals, seconds) => {
                Some(ApprovalTerms { approvals: approvals.unwrap_or(0), seconds: seconds.unwrap_or(0) })
            }
        };
        PolicyText {
            name,
            description: self.description.unwrap_or_default(),
            enabled: self.enabled.unwrap_or(true),
            effect: self.effect,
            principals: self.principals.unwrap_or_default(),
            roles: self.roles.unwrap_or_default(),
            operations: self.operations,
            keys: self.keys.unwrap_or_default(),
            not_before: self.not_before,
            not_after: self.not_after,
            hours: self.hours,
            days: self.days.unwrap_or_default(),
            networks: self.networks.unwrap_or_default(),
            rate,
            approval,
            approver_principals: self.approver_principals.unwrap_or_default(),
            approver_roles: self.approver_roles.unwrap_or_default(),
        }
    }
}

/// An access policy in force.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct AccessPolicyAnswer {
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// Whether it counts.
    enabled: bool,
    /// `allow`, `deny`, `limit` or `approval`.
    effect: String,
    /// Principals by their exact names; `*` stands for everyone with a token.
    principals: Vec<String>,
    /// Roles by their exact names.
    roles: Vec<String>,
    /// Operations by name.
    operations: Vec<String>,
    /// Patterns `APPLICATION/REFERENCE`.
    keys: Vec<String>,
    /// The first instant at which it counts.
    not_before: Option<String>,
    /// The last instant at which it counts.
    not_after: Option<String>,
    /// Hours of the day at which it counts, UTC.
    hours: Option<String>,
    /// Days on which it counts, UTC; none means every day.
    days: Vec<String>,
    /// Networks from which it counts; none means from everywhere.
    networks: Vec<String>,
    /// Requests of one principal.
    requests: Option<u32>,
    /// In so many seconds.
    seconds: Option<u32>,
    /// How many others must approve.
    approvals: Option<u32>,
    /// In which time.
    within_seconds: Option<u32>,
    /// Principals who may approve.
    approver_principals: Vec<String>,
    /// Roles whose holders may approve.
    approver_roles: Vec<String>,
    /// Names this state of it; also in `ETag`. Begins with `shipped` when it comes with the program.
    revision: String,
    /// When it was stored; null when it was not.
    changed_at: Option<String>,
    /// By whom.
    changed_by: Option<String>,
}

impl Revised for AccessPolicyAnswer {
    fn revision(&self) -> &str {
        &self.revision
    }
}

impl From<PolicyInForce> for AccessPolicyAnswer {
    fn from(policy: PolicyInForce) -> Self {
        let PolicyInForce { text, revision, changed } = policy;
        let (changed_at, changed_by) = changed.unzip();
        Self {
            name: text.name,
            description: text.description,
            enabled: text.enabled,
            effect: text.effect,
            principals: text.principals,
            roles: text.roles,
            operations: text.operations,
            keys: text.keys,
            not_before: text.not_before,
            not_after: text.not_after,
            hours: text.hours,
            days: text.days,
            networks: text.networks,
            requests: text.rate.map(|rate| rate.requests),
            seconds: text.rate.map(|rate| rate.seconds),
            approvals: text.approval.map(|terms| terms.approvals),
            within_seconds: text.approval.map(|terms| terms.seconds),
            approver_principals: text.approver_principals,
            approver_roles: text.approver_roles,
            revision: revision.to_string(),
            changed_at: changed_at.map(Timestamp::to_text),
            changed_by,
        }
    }
}

/// All access policies in force.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct AccessPoliciesAnswer {
    /// Grows with each change.
    pub(super) version: u64,
    /// By name.
    pub(super) policies: Vec<AccessPolicyAnswer>,
}
