//! Questions to the access policies.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use crate::{
    api::native::problem::{Problem, ProblemKind},
    domain::{
        access::{Operation, Principal, Role},
        alias::KeyAlias,
        time::Timestamp,
    },
    services::{
        Services,
        authorization::{AccessAnswer, AccessQuestion, DecidedBy},
    },
};

/// Whether somebody may do something.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
pub(super) struct AccessCheckRequest {
    /// The principal: a client id, or the name that its token has.
    principal: String,
    /// The roles of its token. When absent, those of the client of that name.
    roles: Option<Vec<String>>,
    /// The operation, for example `packet.decrypt`.
    operation: String,
    /// The application; needed for operations on keys.
    application_id: Option<String>,
    /// The reference within the application; absent for its own (master) key.
    reference_id: Option<String>,
    /// The address that it calls from.
    address: Option<String>,
    /// When it calls (RFC 3339); absent for now.
    at: Option<String>,
}

/// The answer.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct AccessCheckAnswer {
    /// Whether it may.
    allowed: bool,
    /// `accessPolicy`, `keyPolicy` (whose access list does not name the principal) or `default` (no policy allows
    /// it).
    decided_by: String,
    /// The access policy that decides, if one does.
    policy: Option<String>,
    /// Access policies that limit how often.
    limited_by: Vec<String>,
    /// The roles that counted.
    roles: Vec<String>,
    /// Version of the access policies.
    version: u64,
}

pub(super) async fn answer(
    services: &Services,
    request: AccessCheckRequest,
) -> Result<AccessCheckAnswer, Problem> {
    let invalid = |detail: &'static str| Problem::new(ProblemKind::AccessQuestionInvalid, detail);
    let operation = Operation::parse(&request.operation)
        .ok_or_else(|| invalid("operation must be the name of an operation, such as packet.decrypt"))?;
    let alias = match (operation.is_on_keys(), request.application_id) {
        (true, Some(application)) => {
            Some(KeyAlias::parse(&application, request.reference_id.as_deref().unwrap_or_default())?)
        }
        (true, None) => return Err(invalid("applicationId is needed for an operation on keys")),
        (false, None) => None,
        (false, Some(_)) => return Err(invalid("the operation is on no keys: leave applicationId out")),
    };
    let address = request.address.map(|address| address.parse()).transpose();
    let address = address.map_err(|_| invalid("address must be an IPv4 or IPv6 address"))?;
    let at = request.at.map(|at| Timestamp::parse(&at).ok_or(())).transpose();
    let at = at.map_err(|()| invalid("at must be a time such as 2026-01-05T10:00:00Z"))?;
    let roles = match request.roles {
        Some(names) => names
            .iter()
            .map(|name| Role::parse(name))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| invalid("roles must be names of roles"))?,
        None => services.authorization.roles_of_client(&request.principal).await?.ok_or_else(|| {
            invalid("the server knows no client of this name: send the roles of its token in roles")
        })?,
    };
    let principal = Principal { name: request.principal, roles, issuer: None };
    let question = AccessQuestion { principal, operation, alias, address, at };
    let AccessAnswer { allowed, decided_by, limited_by, version } = services.authorization.ask(&question);
    let (decided_by, policy) = match decided_by {
        DecidedBy::AccessPolicy(name) => ("accessPolicy", Some(name)),
        DecidedBy::KeyPolicy => ("keyPolicy", None),
        DecidedBy::Default => ("default", None),
    };
    Ok(AccessCheckAnswer {
        allowed,
        decided_by: decided_by.to_owned(),
        policy,
        limited_by,
        roles: question.principal.roles.iter().map(|role| role.name().to_owned()).collect(),
        version,
    })
}
