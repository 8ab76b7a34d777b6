//! `/v1/access/policies` and `/v1/access/check`: who may do what.

use poem::Result;
use poem_openapi::{
    OpenApi,
    param::{Header, Path},
};

use super::{
    problem::{Problem, ProblemKind},
    versioned::{Removed, Versioned, precondition},
};
use crate::{
    api::{
        access::{Authorized, ChangeAccess, ReadAccess},
        openapi::Tag,
        wire::Json,
    },
    services::{Services, authorization::AccessPolicyError},
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
    ) -> Result<Versioned<AccessPolicyAnswer>, Problem> {
        let policy = self.services.authorization.in_force().policy(&name);
        policy.map(|policy| Versioned::Read(policy.into())).ok_or_else(|| {
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
    ) -> Result<Versioned<AccessPolicyAnswer>, Problem> {
        let precondition = precondition(if_match.as_deref(), if_none_match.as_deref())?;
        let text = policy.0.into_text(name.0);
        let stored = match self.services.authorization.put(&caller.call, text, &precondition).await {
            Err(AccessPolicyError::Waits(approval)) => return Ok(Versioned::Waits(approval)),
            stored => stored?,
        };
        Ok(Versioned::stored(stored.into(), &precondition))
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
