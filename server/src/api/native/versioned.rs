//! Policies that change under `If-Match`: what a change must know, and what it answers.

use poem::{
    IntoResponse, Response,
    http::{StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    payload::Payload,
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
    types::Type,
};
use serde::Serialize;

use super::{
    approvals::{ApprovalAnswer, waiting, waiting_meta},
    problem::{Problem, ProblemKind},
};
use crate::{
    api::wire::Json, domain::authorization::approval::Approval, services::authorization::Precondition,
};

/// What `If-Match` and `If-None-Match` ask for (RFC 9110 13.1; strong comparison). One of them is needed: who has
/// not seen a policy must not overwrite it.
pub(super) fn precondition(
    if_match: Option<&str>,
    if_none_match: Option<&str>,
) -> Result<Precondition, Problem> {
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

/// A policy as JSON, which says its revision.
pub(super) trait Revised {
    /// What `ETag` names.
    fn revision(&self) -> &str;
}

/// A policy with its `ETag`, or that the change of it waits.
pub(super) enum Versioned<T> {
    Created(T),
    Read(T),
    Waits(Box<Approval>),
}

impl<T> Versioned<T> {
    /// The answer to a change that was made.
    pub(super) fn stored(policy: T, precondition: &Precondition) -> Self {
        match precondition {
            Precondition::Absent => Self::Created(policy),
            Precondition::Present | Precondition::Revision(_) => Self::Read(policy),
        }
    }
}

impl<T: Revised + Send + Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        let (status, policy) = match self {
            Self::Created(policy) => (StatusCode::CREATED, policy),
            Self::Read(policy) => (StatusCode::OK, policy),
            Self::Waits(approval) => return waiting(&approval),
        };
        let tag = format!("\"{}\"", policy.revision());
        let mut response = Json(policy).into_response();
        response.set_status(status);
        if let Ok(tag) = tag.parse() {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl<T: Revised + Send + Serialize + Type> ApiResponse for Versioned<T> {
    fn meta() -> MetaResponses {
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: <Json<T> as Payload>::CONTENT_TYPE,
                schema: T::schema_ref(),
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
        T::register(registry);
        ApprovalAnswer::register(registry);
    }
}

/// A policy that is removed, or that waits for it.
pub(super) enum Removed {
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
