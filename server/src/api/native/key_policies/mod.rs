//! `/v1/policies`: how long keys live, and who may use them.

use poem::Result;
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
};

use super::{
    problem::{Problem, ProblemKind},
    rotation::{PlanPage, RotationPlanAnswer},
    versioned::{Removed, Versioned, precondition},
};
use crate::{
    api::{
        access::{Authorized, ChangeKeyPolicies, ReadKeyPolicies},
        openapi::Tag,
        wire::Json,
    },
    domain::alias::ApplicationId,
    services::{Services, key_policies::KeyPolicyError},
};

mod document;

use document::{KeyPoliciesAnswer, KeyPolicyAnswer, KeyPolicyRequest};

/// Key policies.
pub(crate) struct KeyPoliciesApi {
    services: Services,
}

impl KeyPoliciesApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl KeyPoliciesApi {
    /// Read all key policies in force
    #[oai(path = "/v1/policies", method = "get", operation_id = "listKeyPolicies", tag = "Tag::Keys")]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn list(&self, _caller: Authorized<ReadKeyPolicies>) -> Json<KeyPoliciesAnswer> {
        let in_force = self.services.key_policies.policies();
        let policies = in_force.policies.into_iter().map(KeyPolicyAnswer::from).collect();
        Json(KeyPoliciesAnswer { version: in_force.version, policies })
    }

    /// Read a key policy
    #[oai(
        path = "/v1/policies/:application",
        method = "get",
        operation_id = "readKeyPolicy",
        tag = "Tag::Keys"
    )]
    #[expect(clippy::unused_async, reason = "poem-openapi takes only asynchronous operations")]
    async fn read(
        &self,
        _caller: Authorized<ReadKeyPolicies>,
        /// The application; `BASE` for the periods of all base keys.
        application: Path<String>,
    ) -> Result<Versioned<KeyPolicyAnswer>, Problem> {
        let policy = self.services.key_policies.policy(&parse(&application)?);
        let policy = policy.ok_or(KeyPolicyError::NotFound)?;
        Ok(Versioned::Read(policy.into()))
    }

    /// Store a key policy
    ///
    /// `If-Match` names the revision that is replaced, `If-None-Match: *` says that there is none. Every server obeys
    /// it within 2 seconds. Keys that exist keep their certificates; when they are replaced, the policy says.
    #[oai(
        path = "/v1/policies/:application",
        method = "put",
        operation_id = "putKeyPolicy",
        tag = "Tag::Keys"
    )]
    async fn put(
        &self,
        caller: Authorized<ChangeKeyPolicies>,
        /// The application: 1 to 36 characters of `A–Z a–z 0–9 _ - .`.
        application: Path<String>,
        /// The `ETag` of the policy that is replaced.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
        /// `*`: the application has no policy yet.
        #[oai(name = "If-None-Match")]
        if_none_match: Header<Option<String>>,
        policy: Json<KeyPolicyRequest>,
    ) -> Result<Versioned<KeyPolicyAnswer>, Problem> {
        let precondition = precondition(if_match.as_deref(), if_none_match.as_deref())?;
        let policy = policy.0.into_policy(parse(&application)?).map_err(KeyPolicyError::from)?;
        match self.services.key_policies.put(&caller.call, policy, &precondition).await {
            Err(KeyPolicyError::Waits(approval)) => Ok(Versioned::Waits(approval)),
            stored => Ok(Versioned::stored(stored?.into(), &precondition)),
        }
    }

    /// Foresee what is renewed when under a policy that is not stored
    ///
    /// The plan of `/v1/rotation/plan` as it would be if this policy were in force. Nothing is stored and nothing is
    /// done; what would be refused if it were to be stored is refused.
    #[oai(
        path = "/v1/policies/:application/plan",
        method = "post",
        operation_id = "planKeyPolicy",
        tag = "Tag::Keys"
    )]
    async fn plan(
        &self,
        _caller: Authorized<ReadKeyPolicies>,
        /// The application; `BASE` for the periods of all base keys.
        application: Path<String>,
        /// Days to look ahead, 1 to 3660; 730 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "3660")))]
        days: Query<Option<u32>>,
        /// `next` of the page before.
        after: Query<Option<String>>,
        /// Most aliases that are looked at for the page, 1 to 1000; 500 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
        policy: Json<KeyPolicyRequest>,
    ) -> Result<Json<RotationPlanAnswer>, Problem> {
        let page = PlanPage::read(days.0, after.0.as_deref(), limit.0)?;
        let policy = policy.0.into_policy(parse(&application)?).map_err(KeyPolicyError::from)?;
        let policies = self.services.key_policies.with_candidate(policy)?;
        let rotation = &self.services.rotation;
        let plan = rotation.plan_under(&policies, page.days, page.after.as_ref(), page.limit).await?;
        Ok(Json(plan.into()))
    }

    /// Remove a key policy
    ///
    /// `If-Match` names its revision. The application has no keys then: none is made, and those there are serve nobody
    /// until it has a policy again.
    #[oai(
        path = "/v1/policies/:application",
        method = "delete",
        operation_id = "removeKeyPolicy",
        tag = "Tag::Keys"
    )]
    async fn remove(
        &self,
        caller: Authorized<ChangeKeyPolicies>,
        /// The application.
        application: Path<String>,
        /// The `ETag` of the policy.
        #[oai(name = "If-Match")]
        if_match: Header<Option<String>>,
    ) -> Result<Removed, Problem> {
        let precondition = precondition(if_match.as_deref(), None)?;
        let application = parse(&application)?;
        match self.services.key_policies.remove(&caller.call, &application, &precondition).await {
            Err(KeyPolicyError::Waits(approval)) => Ok(Removed::Later(approval)),
            removed => Ok(removed.map(|()| Removed::Now)?),
        }
    }
}

/// `BASE` has a policy too, though it is no application.
fn parse(application: &str) -> Result<ApplicationId, Problem> {
    ApplicationId::parse_any(application)
        .map_err(|error| Problem::new(ProblemKind::AliasInvalid, error.to_string()))
}
