//! `/v1/access/policies` and `/v1/access/check`: who may do what.

use poem::{
    IntoResponse, Response, Result,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path},
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};

use super::{
    approvals::{ApprovalAnswer, waiting, waiting_meta},
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{Authorized, ChangeAccess, ReadAccess},
        openapi::Tag,
        wire::Json,
    },
    domain::authorization::approval::Approval,
    services::{
        Services,
        authorization::{AccessPolicyError, PolicyInForce, Precondition},
    },
};

mod check;
mod document;

use check::{AccessCheckAnswer, AccessCheckRequest};
use document::{AccessPoliciesAnswer, AccessPolicyAnswer, AccessPolicyRequest};

/// Access policies.
pub(crate) struct AccessPoliciesApi {
    services: Services,
}

impl AccessPoliciesApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl AccessPoliciesApi {
    /// Read all access policies in force
    ///
    /// Those that are stored, and the shipped ones whose names are not taken.
    #[oai(
        path = "/v1/access/policies",
        method = "get",
        operation_id = "listAccessPolicies",
        tag = "Tag::Access"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn list(&self, _caller: Authorized<ReadAccess>) -> Json<AccessPoliciesAnswer> {
        let in_force = self.services.authorization.in_force();
        let policies = in_force.policies().map(AccessPolicyAnswer::from).collect();
        Json(AccessPoliciesAnswer { version: in_force.version, policies })
    }

    /// Read an access policy
    #[oai(
        path = "/v1/access/policies/:name",
        method = "get",
        operation_id = "readAccessPolicy",
        tag = "Tag::Access"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn read(
        &self,
        _caller: Authorized<ReadAccess>,
        /// The policy's name.
        name: Path<String>,
    ) -> Result<PolicyResponse, Problem> {
        let policy = self.services.authorization.in_force().policy(&name);
        policy.map(PolicyResponse::Read).ok_or_else(|| {
            Problem::new(ProblemKind::AccessPolicyNotFound, "no policy of this name is stored or shipped")
        })
    }

    /// Store an access policy
    ///
    /// `If-Match` names the revision that is replaced, `If-None-Match: *` says that there is none. A policy under the
    /// name of a shipped one takes the place of it; with `enabled` false, it switches it off.
    #[oai(
        path = "/v1/access/policies/:name",
        method = "put",
        operation_id = "putAccessPolicy",
        tag = "Tag::Access"
    )]
    async fn put(
        &self,
        caller: Authorized<ChangeAccess>,
        /// The policy's name: 1 to 64 characters of `A–Z a–z 0–9 _ - .`.
        name: Path<String>,
        /// The `ETag` of the policy that is replaced.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// `*`: there is no policy of this name yet.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        policy: Json<AccessPolicyRequest>,
    ) -> Result<PolicyResponse, Problem> {
        let precondition = precondition(if_match.as_deref(), if_none_match.as_deref())?;
        let text = policy.0.into_text(name.0);
        let stored = match self.services.authorization.put(&caller.call, text, &precondition).await {
            Err(AccessPolicyError::Waits(approval)) => return Ok(PolicyResponse::Waits(approval)),
            stored => stored?,
        };
        Ok(match precondition {
            Precondition::Absent => PolicyResponse::Created(stored),
            Precondition::Present | Precondition::Revision(_) => PolicyResponse::Read(stored),
        })
    }

    /// Remove a stored access policy
    ///
    /// `If-Match` names its revision. A shipped policy of that name is in force again.
    #[oai(
        path = "/v1/access/policies/:name",
        method = "delete",
        operation_id = "removeAccessPolicy",
        tag = "Tag::Access"
    )]
    async fn remove(
        &self,
        caller: Authorized<ChangeAccess>,
        /// The policy's name.
        name: Path<String>,
        /// The `ETag` of the policy.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Removed, Problem> {
        let precondition = precondition(if_match.as_deref(), None)?;
        match self.services.authorization.remove(&caller.call, &name, &precondition).await {
            Err(AccessPolicyError::Waits(approval)) => Ok(Removed::Later(approval)),
            removed => Ok(removed.map(|()| Removed::Now)?),
        }
    }

    /// Ask whether somebody may do something, and which policy decides
    ///
    /// Nothing is done, and nothing counted. The answer says nothing of whether there is a key.
    #[oai(path = "/v1/access/check", method = "post", operation_id = "checkAccess", tag = "Tag::Access")]
    async fn check(
        &self,
        _caller: Authorized<ReadAccess>,
        question: Json<AccessCheckRequest>,
    ) -> Result<Json<AccessCheckAnswer>, Problem> {
        check::answer(&self.services, question.0).await.map(Json)
    }
}

/// What `If-Match` and `If-None-Match` ask for (RFC 9110 13.1; strong comparison). One of them is needed: who has
/// not seen a policy must not overwrite it.
fn precondition(if_match: Option<&str>, if_none_match: Option<&str>) -> Result<Precondition, Problem> {
    match (if_match, if_none_match) {
        (Some("*"), None) => Ok(Precondition::Present),
        (Some(tags), None) => {
            let bare = |tag: &str| Some(tag.trim().strip_prefix('"')?.strip_suffix('"')?.to_owned());
            Ok(Precondition::Revision(tags.split(',').filter_map(bare).collect()))
        }
        (None, Some("*")) => Ok(Precondition::Absent),
        _ => Err(Problem::new(
            ProblemKind::PreconditionRequired,
            "send the policy's ETag in If-Match, or If-None-Match: * to store a new one",
        )),
    }
}

/// A policy with its `ETag`.
enum PolicyResponse {
    Created(PolicyInForce),
    Read(PolicyInForce),
    Waits(Box<Approval>),
}

impl IntoResponse for PolicyResponse {
    fn into_response(self) -> Response {
        let (status, policy) = match self {
            Self::Created(policy) => (StatusCode::CREATED, policy),
            Self::Read(policy) => (StatusCode::OK, policy),
            Self::Waits(approval) => return waiting(&approval),
        };
        let tag = format!("\"{}\"", policy.revision);
        let mut response = Json(AccessPolicyAnswer::from(policy)).into_response();
        response.set_status(status);
        if let Ok(tag) = tag.parse() {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl ApiResponse for PolicyResponse {
    fn meta() -> MetaResponses {
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: Json::<AccessPolicyAnswer>::CONTENT_TYPE,
                schema: AccessPolicyAnswer::schema_ref(),
            }],
            headers: vec![MetaHeader {
                name: "ETag".to_owned(),
                description: Some("Names this revision.".to_owned()),
                required: true,
                deprecated: false,
                schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
            }],
        };
        MetaResponses {
            responses: vec![
                response(200, "The policy."),
                response(201, "The policy, which was not there before."),
                waiting_meta(),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        AccessPolicyAnswer::register(registry);
        ApprovalAnswer::register(registry);
    }
}

/// A policy that is removed, or that waits for it.
enum Removed {
    Now,
    Later(Box<Approval>),
}

impl IntoResponse for Removed {
    fn into_response(self) -> Response {
        match self {
            Self::Now => StatusCode::NO_CONTENT.into_response(),
            Self::Later(approval) => waiting(&approval),
        }
    }
}

impl ApiResponse for Removed {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![
                MetaResponse {
                    description: "It is removed.",
                    status: Some(204),
                    status_range: None,
                    content: vec![],
                    headers: vec![],
                },
                waiting_meta(),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        ApprovalAnswer::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_needs_to_know_what_it_changes() {
        let revision =
            |tags: &[&str]| Precondition::Revision(tags.iter().map(|&tag| tag.to_owned()).collect());
        assert_eq!(precondition(Some("\"7\""), None).unwrap(), revision(&["7"]));
        assert_eq!(precondition(Some("\"7\", W/\"8\", \"9\""), None).unwrap(), revision(&["7", "9"]));
        assert_eq!(precondition(Some("7"), None).unwrap(), revision(&[]));
        assert_eq!(precondition(Some("*"), None).unwrap(), Precondition::Present);
        assert_eq!(precondition(None, Some("*")).unwrap(), Precondition::Absent);
        for (if_match, if_none_match) in [(None, None), (None, Some("\"7\"")), (Some("\"7\""), Some("*"))] {
            let problem = precondition(if_match, if_none_match).unwrap_err();
            assert_eq!(problem.kind(), ProblemKind::PreconditionRequired);
        }
    }
}
