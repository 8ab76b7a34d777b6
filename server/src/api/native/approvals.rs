//! `/v1/approvals`: what waits until others have approved it.

use poem::{
    IntoResponse, Response, Result,
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::Path,
    payload::Payload,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;

use super::problem::Problem;
use crate::{
    api::{
        access::{Authorized, DecideApproval, ReadApprovals},
        openapi::Tag,
        wire::Json,
    },
    domain::{authorization::approval::Approval, time::Timestamp},
    services::{Services, access::AccessError, keys::KeyError},
};

/// Approvals.
pub(crate) struct ApprovalsApi {
    services: Services,
}

impl ApprovalsApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    fn answer(&self, approval: &Approval) -> Json<ApprovalAnswer> {
        Json(ApprovalAnswer::of(approval, self.services.clock.now()))
    }
}

#[OpenApi]
impl ApprovalsApi {
    /// Read every request that waits for approval, and those that did
    ///
    /// Newest first.
    #[oai(path = "/v1/approvals", method = "get", operation_id = "listApprovals", tag = "Tag::Access")]
    async fn list(&self, _caller: Authorized<ReadApprovals>) -> Result<Json<ApprovalsAnswer>, Problem> {
        let approvals = self.services.authorization.approvals().await?;
        let now = self.services.clock.now();
        let approvals = approvals.iter().map(|approval| ApprovalAnswer::of(approval, now)).collect();
        Ok(Json(ApprovalsAnswer { approvals }))
    }

    /// Read a request that waits for approval
    #[oai(path = "/v1/approvals/:id", method = "get", operation_id = "readApproval", tag = "Tag::Access")]
    async fn read(
        &self,
        _caller: Authorized<ReadApprovals>,
        /// Its name.
        id: Path<String>,
    ) -> Result<Json<ApprovalAnswer>, Problem> {
        Ok(self.answer(&self.services.authorization.approval(&id).await?))
    }

    /// Approve a request
    ///
    /// Once enough have, whoever asked for it sends it again, unchanged and in time, and it is done.
    #[oai(path = "/v1/approvals/:id/approve", method = "post", operation_id = "approve", tag = "Tag::Access")]
    async fn approve(
        &self,
        caller: Authorized<DecideApproval>,
        /// Its name.
        id: Path<String>,
    ) -> Result<Json<ApprovalAnswer>, Problem> {
        Ok(self.answer(&self.services.authorization.vote(&caller.call, &id, true).await?))
    }

    /// Deny a request
    ///
    /// One who denies it decides, until it is done.
    #[oai(path = "/v1/approvals/:id/deny", method = "post", operation_id = "deny", tag = "Tag::Access")]
    async fn deny(
        &self,
        caller: Authorized<DecideApproval>,
        /// Its name.
        id: Path<String>,
    ) -> Result<Json<ApprovalAnswer>, Problem> {
        Ok(self.answer(&self.services.authorization.vote(&caller.call, &id, false).await?))
    }
}

/// A request that waits for approval, or did.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct ApprovalAnswer {
    /// Its name.
    id: String,
    /// `pending`, `approved` (the same request sent again is done), `denied`, `expired` or `used`.
    status: String,
    /// The operation.
    operation: String,
    /// Who asks.
    requester: String,
    /// What exactly, as JSON in a text.
    content: String,
    /// The access policy that has it wait.
    policy: String,
    /// How many must approve.
    approvals: u32,
    /// Principals who may.
    approver_principals: Vec<String>,
    /// Roles whose holders may.
    approver_roles: Vec<String>,
    /// When it was asked for.
    asked_at: String,
    /// Until when it can be approved and done.
    until: String,
    /// What was said of it, in the order it was said.
    votes: Vec<VoteAnswer>,
}

/// What somebody said of a request.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct VoteAnswer {
    /// Who.
    principal: String,
    /// Whether they approve.
    approves: bool,
    /// When.
    at: String,
}

/// Every request that waits for approval, or did.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct ApprovalsAnswer {
    /// Newest first.
    approvals: Vec<ApprovalAnswer>,
}

impl ApprovalAnswer {
    fn of(approval: &Approval, now: Timestamp) -> Self {
        let vote = |vote: &crate::domain::authorization::approval::Vote| VoteAnswer {
            principal: vote.principal.clone(),
            approves: vote.approves,
            at: vote.at.to_text(),
        };
        Self {
            id: approval.id.as_str().to_owned(),
            status: approval.status(now).name().to_owned(),
            operation: approval.operation.name().to_owned(),
            requester: approval.requester.clone(),
            content: approval.content.clone(),
            policy: approval.policy.clone(),
            approvals: approval.terms.approvals,
            approver_principals: approval.approver_principals.clone(),
            approver_roles: approval.approver_roles.clone(),
            asked_at: approval.asked_at.to_text(),
            until: approval.until().to_text(),
            votes: approval.votes.iter().map(vote).collect(),
        }
    }
}

/// The answer to a request that waits: 202, and where its approval is.
pub(super) fn waiting(approval: &Approval) -> Response {
    // Just asked for, or asked for again while it waits: nobody needs the time to tell.
    let mut response = Json(ApprovalAnswer::of(approval, approval.asked_at)).into_response();
    response.set_status(StatusCode::ACCEPTED);
    if let Ok(place) = HeaderValue::try_from(format!("/v1/approvals/{}", approval.id.as_str())) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// A failure that may be that a request waits.
pub(super) trait MayWait: Sized {
    /// The approval that it waits for.
    fn waits(self) -> Result<Box<Approval>, Self>;
}

impl MayWait for AccessError {
    fn waits(self) -> Result<Box<Approval>, Self> {
        match self {
            Self::Waits(approval) => Ok(approval),
            error => Err(error),
        }
    }
}

impl MayWait for KeyError {
    fn waits(self) -> Result<Box<Approval>, Self> {
        match self {
            Self::Waits(approval) => Ok(approval),
            error => Err(error),
        }
    }
}

/// What was asked for, or that it waits for approval.
pub(super) enum OrWaiting<T> {
    Now(T),
    Later(Box<Approval>),
}

impl<T> OrWaiting<T> {
    /// What came of it; a request that waits is no failure.
    pub(super) fn of<U, E: MayWait>(outcome: Result<U, E>, answer: impl FnOnce(U) -> T) -> Result<Self, E> {
        match outcome {
            Ok(done) => Ok(Self::Now(answer(done))),
            Err(error) => error.waits().map(Self::Later),
        }
    }
}

impl<T: IntoResponse> IntoResponse for OrWaiting<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Now(answer) => answer.into_response(),
            Self::Later(approval) => waiting(&approval),
        }
    }
}

impl<T: ApiResponse> ApiResponse for OrWaiting<T> {
    fn meta() -> MetaResponses {
        let mut meta = T::meta();
        meta.responses.push(waiting_meta());
        meta
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        ApprovalAnswer::register(registry);
    }
}

/// Its description.
pub(super) fn waiting_meta() -> MetaResponse {
    MetaResponse {
        description: "It waits for approval: nothing was done. Send it again, unchanged, once it is approved.",
        status: Some(202),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: Json::<ApprovalAnswer>::CONTENT_TYPE,
            schema: ApprovalAnswer::schema_ref(),
        }],
        headers: vec![],
    }
}

/// The description of an answer in JSON.
pub(super) fn described<T: Serialize + Type>(status: u16, description: &'static str) -> MetaResponse {
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content: vec![MetaMediaType {
            content_type: <Json<T> as Payload>::CONTENT_TYPE,
            schema: T::schema_ref(),
        }],
        headers: vec![],
    }
}
