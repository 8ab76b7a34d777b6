//! `/v1/keys/{id}/destroy` and `/v1/keks`: how keys and KEKs end.

use poem::Result;
use poem_openapi::{Object, OpenApi, param::Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{approvals::OrWaiting, problem::Problem},
    ReasonRequest,
    answers::TransitionResponse,
    parse_id, transitioned,
};
use crate::{
    api::{
        access::{Authorized, CancelKeyDestruction, DestroyKey, ReadKeys},
        openapi::Tag,
        wire::Json,
    },
    domain::{access::CallContext, alias::ApplicationId, lifecycle::Change, time::Timestamp},
    services::{
        Services,
        keys::{DestructionView, KekInState},
    },
};

/// The ends of keys.
pub(crate) struct KeyEndsApi {
    services: Services,
}

impl KeyEndsApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn change(
        &self,
        call: &CallContext,
        id: &str,
        change: Change,
        reason: &str,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        transitioned(self.services.keys.change(call, &parse_id(id)?, change, reason, false).await)
    }

    async fn change_kek(
        &self,
        call: &CallContext,
        (application, version): (&str, u32),
        change: Change,
        reason: &str,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let application = ApplicationId::parse(application)?;
        transitioned(self.services.keys.change_kek(call, &application, version, change, reason).await)
    }
}

#[OpenApi]
impl KeyEndsApi {
    /// Have a key destroyed when its time has come
    ///
    /// Not the newest of its alias, and none that something needs. It waits as its key policy says, from the latest of:
    /// its certificate's end and the offline allowance, its last decryption, and this request. Until then the key is what
    /// it was, and the request can be taken back. The state `destroying` can not. `destroyed` is said once the KEKs that
    /// wrapped it are destroyed too.
    #[oai(path = "/v1/keys/:key_id/destroy", method = "post", operation_id = "destroyKey", tag = "Tag::Keys")]
    async fn destroy(
        &self,
        caller: Authorized<DestroyKey>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<DestroyRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        self.change(&caller.call, &key_id, Change::ScheduleDestruction, &body.0.reason).await
    }

    /// Have a key not destroyed after all
    #[oai(
        path = "/v1/keys/:key_id/cancel-destruction",
        method = "post",
        operation_id = "cancelKeyDestruction",
        tag = "Tag::Keys"
    )]
    async fn cancel(
        &self,
        caller: Authorized<CancelKeyDestruction>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<ReasonRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let reason = body.0.reason.unwrap_or_default();
        self.change(&caller.call, &key_id, Change::CancelDestruction, &reason).await
    }

    /// Read the KEKs of an application
    ///
    /// Newest first. They wrap the private parts of its base keys, and live on the token.
    #[oai(path = "/v1/keks/:application", method = "get", operation_id = "listKeks", tag = "Tag::Keys")]
    async fn keks(
        &self,
        caller: Authorized<ReadKeys>,
        /// The application.
        application: Path<String>,
    ) -> Result<Json<KeksAnswer>, Problem> {
        let keks = self.services.keys.keks(&caller.call, &ApplicationId::parse(&application)?).await;
        Ok(Json(KeksAnswer { keks: keks?.iter().map(KekAnswer::from).collect() }))
    }

    /// Have a KEK destroyed when its time has come
    ///
    /// Not the newest of its application, and none that still wraps a key. It waits as the key policy of the application
    /// says, from this request on: an older backup of the database cannot be used any more without it.
    #[oai(
        path = "/v1/keks/:application/:version/destroy",
        method = "post",
        operation_id = "destroyKek",
        tag = "Tag::Keys"
    )]
    async fn destroy_kek(
        &self,
        caller: Authorized<DestroyKey>,
        /// The application.
        application: Path<String>,
        /// The KEK's version.
        version: Path<u32>,
        body: Json<DestroyRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let kek = (application.as_str(), version.0);
        self.change_kek(&caller.call, kek, Change::ScheduleDestruction, &body.0.reason).await
    }

    /// Have a KEK not destroyed after all
    #[oai(
        path = "/v1/keks/:application/:version/cancel-destruction",
        method = "post",
        operation_id = "cancelKekDestruction",
        tag = "Tag::Keys"
    )]
    async fn cancel_kek(
        &self,
        caller: Authorized<CancelKeyDestruction>,
        /// The application.
        application: Path<String>,
        /// The KEK's version.
        version: Path<u32>,
        body: Json<ReasonRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let kek = (application.as_str(), version.0);
        let reason = body.0.reason.unwrap_or_default();
        self.change_kek(&caller.call, kek, Change::CancelDestruction, &reason).await
    }
}

/// Why a key is destroyed.
#[derive(Debug, Deserialize, Object)]
struct DestroyRequest {
    /// For people; stands on the tombstone.
    #[oai(validator(min_length = 1, max_length = 512))]
    reason: String,
}

/// Where the destruction of a key stands.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct DestructionAnswer {
    /// When it was asked for.
    requested_at: String,
    /// By whom.
    requested_by: String,
    /// Why.
    reason: String,
    /// From when it may begin, if the key is not used until then; null once it has begun.
    due_at: Option<String>,
    /// What it waits for once it has begun; null for nothing but time.
    remark: Option<String>,
    /// What stays once the private part is removed: `tombstone`, a statement of which key that was, when, for whom and
    /// why, and its `signature` by the key that signs the audit trail; else null.
    tombstone: Option<Value>,
}

impl From<&DestructionView> for DestructionAnswer {
    fn from(view: &DestructionView) -> Self {
        let tombstone = view.tombstone.as_deref().and_then(|line| serde_json::from_str(line).ok());
        Self {
            requested_at: view.requested.at.to_text(),
            requested_by: view.requested.actor.clone(),
            reason: view.requested.reason.clone(),
            due_at: view.due_at.map(Timestamp::to_text),
            remark: view.remark.clone(),
            tombstone,
        }
    }
}

/// A KEK.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct KekAnswer {
    /// The application.
    application_id: String,
    /// 1 for the first, one more for each successor.
    version: u32,
    /// `active` for the newest, `deactivated`, `destroying` or `destroyed`.
    state: String,
    /// Whether it has no successor.
    newest: bool,
    /// When it was made.
    created_at: String,
    /// Where its destruction stands; null when it was not asked for.
    destruction: Option<DestructionAnswer>,
}

impl From<&KekInState> for KekAnswer {
    fn from(KekInState { kek, state, is_newest, destruction }: &KekInState) -> Self {
        Self {
            application_id: kek.application.to_string(),
            version: kek.version,
            state: state.name().to_owned(),
            newest: *is_newest,
            created_at: kek.created_at.to_text(),
            destruction: destruction.as_ref().map(DestructionAnswer::from),
        }
    }
}

/// KEKs.
#[derive(Serialize, Object)]
struct KeksAnswer {
    /// Newest first.
    keks: Vec<KekAnswer>,
}
