//! `/v1/keys`: keys, their states, and what is decided about them.

mod answers;
mod ends;

use poem::Result;
use poem_openapi::{
    Object, OpenApi,
    param::{Path, Query},
};
use serde::Deserialize;

use self::answers::{
    CreatedKey, KeyDetailsAnswer, KeyListAnswer, KeyVersionAnswer, TransitionAnswer, TransitionResponse,
};
pub(crate) use self::ends::KeyEndsApi;
use super::{
    approvals::OrWaiting,
    problem::{Problem, ProblemKind},
};
use crate::{
    api::{
        access::{
            Authorized, GenerateMasterKey, ReadKeys, ResumeKey, RevokeKey, RotateKey, SuspendKey, TagKey,
        },
        openapi::Tag,
        wire::Json,
    },
    domain::{
        access::CallContext,
        alias::{ApplicationId, KeyAlias, KeyPurpose, ReferenceId},
        key::KeyId,
        key_tags::{TagFault, is_tag},
        lifecycle::{Change, KeyState, Transition},
        time::Timestamp,
    },
    services::{
        Services,
        keys::{KeyError, KeyFilter, SubjectOverrides},
    },
};

/// Keys on a page when the caller names no number, and the most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

/// Keys.
pub(crate) struct KeysApi {
    services: Services,
}

impl KeysApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }

    async fn change(
        &self,
        call: &CallContext,
        id: &str,
        change: Change,
        reason: Option<String>,
        closes: bool,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let reason = reason.unwrap_or_default();
        transitioned(self.services.keys.change(call, &parse_id(id)?, change, &reason, closes).await)
    }
}

#[OpenApi]
impl KeysApi {
    /// Read which keys there are
    ///
    /// In the order of their ids, page by page; those of one alias, when both application and reference are given,
    /// newest first. Only keys that the caller may read. A page can be shorter than asked for although others follow.
    #[oai(path = "/v1/keys", method = "get", operation_id = "listKeys", tag = "Tag::Keys")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter that the description names")]
    async fn list(
        &self,
        caller: Authorized<ReadKeys>,
        /// Only keys of this application.
        application: Query<Option<String>>,
        /// Only keys of this reference; blank means master keys.
        reference: Query<Option<String>>,
        /// Only keys in this state: `preActivation`, `active`, `suspended`, `deactivated`, `compromised`, `destroying`
        /// or `destroyed`.
        state: Query<Option<String>>,
        /// Only keys that do this: `issuing` (ROOT's and the applications' own), `encryption` or `signing`.
        purpose: Query<Option<String>>,
        /// Only keys with this tag.
        tag: Query<Option<String>>,
        /// Only keys whose certificates end before this time (RFC 3339).
        #[oai(name = "expiringBefore")]
        expiring_before: Query<Option<String>>,
        /// Only keys that come after this one: `next` of the page before.
        after: Query<Option<String>>,
        /// Most keys on the page, 1 to 1000; 100 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<KeyListAnswer>, Problem> {
        let filter = KeyFilter {
            application: application.0.as_deref().map(ApplicationId::parse).transpose()?,
            reference: reference.0.as_deref().map(ReferenceId::parse).transpose()?,
            state: state.0.as_deref().map(parse_state).transpose()?,
            purpose: purpose.0.as_deref().map(parse_purpose).transpose()?,
            tag: tag.0.map(parse_tag).transpose()?,
            expiring_before: expiring_before.0.as_deref().map(parse_time).transpose()?,
        };
        let after = after.0.as_deref().map(parse_id).transpose()?;
        let limit = limit.0.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(PAGE)).clamp(1, PAGE_MAX);
        let page = self.services.keys.inventory(&caller.call, &filter, after.as_ref(), limit).await?;
        Ok(Json(KeyListAnswer::from(page)))
    }

    /// Read a key, what was decided about it, and its chain
    #[oai(path = "/v1/keys/:key_id", method = "get", operation_id = "readKey", tag = "Tag::Keys")]
    async fn read(
        &self,
        caller: Authorized<ReadKeys>,
        /// The key's id.
        key_id: Path<String>,
    ) -> Result<Json<KeyDetailsAnswer>, Problem> {
        let details = self.services.keys.describe(&caller.call, &parse_id(&key_id)?).await?;
        Ok(Json(KeyDetailsAnswer::from(details)))
    }

    /// Say by which tags a key is found again
    ///
    /// They take the place of those that it had; of several such requests at once, the last one counts. Nothing is
    /// decided by tags. Whoever may read the key sees them: name no persons.
    #[oai(path = "/v1/keys/:key_id/tags", method = "put", operation_id = "tagKey", tag = "Tag::Keys")]
    async fn tag(
        &self,
        caller: Authorized<TagKey>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<TagsRequest>,
    ) -> Result<Json<KeyVersionAnswer>, Problem> {
        let tagged = self.services.keys.tag(&caller.call, &parse_id(&key_id)?, &body.0.tags).await?;
        Ok(Json(KeyVersionAnswer::from(&tagged)))
    }

    /// Make the key of an application or reference that has no current one
    ///
    /// The reference may be that of a signing key on a curve: `EC_SECP256R1_SIGN`, `EC_SECP384R1_SIGN`,
    /// `EC_SECP256K1_SIGN` or `ED25519_SIGN`.
    #[oai(path = "/v1/keys", method = "post", operation_id = "createKey", tag = "Tag::Keys")]
    async fn create(
        &self,
        caller: Authorized<GenerateMasterKey>,
        body: Json<CreateKeyRequest>,
    ) -> Result<CreatedKey, Problem> {
        let reference = body.0.reference_id.as_deref().unwrap_or_default();
        let alias = KeyAlias::parse(&body.0.application_id, reference)?;
        let made = self.services.keys.create(&caller.call, &alias, &SubjectOverrides::default()).await?;
        Ok(CreatedKey::new(&made))
    }

    /// Make the successor of a key now
    ///
    /// The key must be the newest of its alias: of several such requests at once, one makes a key. What the key sealed
    /// or signed stays good.
    #[oai(path = "/v1/keys/:key_id/rotate", method = "post", operation_id = "rotateKey", tag = "Tag::Keys")]
    async fn rotate(
        &self,
        caller: Authorized<RotateKey>,
        /// The key's id.
        key_id: Path<String>,
    ) -> Result<OrWaiting<CreatedKey>, Problem> {
        let made = self.services.keys.rotate(&caller.call, &parse_id(&key_id)?).await;
        Ok(OrWaiting::of(made, |made| CreatedKey::new(&made))?)
    }

    /// Revoke a key
    ///
    /// It protects nothing new, on any server, within 2 seconds. A superseded key still opens what was sealed for it.
    /// With a compromised one, that needs the right `packet.decrypt_compromised`, and its signatures are believed no
    /// more. The next request for the current key makes a new one, unless `disableAutoGeneration` is true.
    #[oai(
        path = "/v1/keys/:key_id/revoke",
        method = "post",
        operation_id = "revokeKeyById",
        tag = "Tag::Keys"
    )]
    async fn revoke(
        &self,
        caller: Authorized<RevokeKey>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<RevokeRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        let Json(RevokeRequest { cause, reason, disable_auto_generation }) = body;
        let change = match cause.as_str() {
            "superseded" => Change::Supersede,
            "compromised" => Change::Compromise,
            _ => {
                let detail = "cause must be superseded or compromised";
                return Err(Problem::new(ProblemKind::RequestInvalid, detail));
            }
        };
        let closes = disable_auto_generation.unwrap_or(false);
        self.change(&caller.call, &key_id, change, reason, closes).await
    }

    /// Suspend a key
    ///
    /// It does nothing, on any server, within 2 seconds, until it is resumed: it opens, seals, signs and verifies
    /// nothing, and no successor is made by itself.
    #[oai(path = "/v1/keys/:key_id/suspend", method = "post", operation_id = "suspendKey", tag = "Tag::Keys")]
    async fn suspend(
        &self,
        caller: Authorized<SuspendKey>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<ReasonRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        self.change(&caller.call, &key_id, Change::Suspend, body.0.reason, false).await
    }

    /// Resume a suspended key
    #[oai(path = "/v1/keys/:key_id/resume", method = "post", operation_id = "resumeKey", tag = "Tag::Keys")]
    async fn resume(
        &self,
        caller: Authorized<ResumeKey>,
        /// The key's id.
        key_id: Path<String>,
        body: Json<ReasonRequest>,
    ) -> Result<OrWaiting<TransitionResponse>, Problem> {
        self.change(&caller.call, &key_id, Change::Resume, body.0.reason, false).await
    }
}

/// What was decided, or which approval that waits for.
fn transitioned(decided: Result<Transition, KeyError>) -> Result<OrWaiting<TransitionResponse>, Problem> {
    Ok(OrWaiting::of(decided, |transition| TransitionResponse(TransitionAnswer::from(&transition)))?)
}

/// The id of a key that there may be.
fn parse_id(text: &str) -> Result<KeyId, Problem> {
    KeyId::parse(text).ok_or_else(|| KeyError::NotFound.into())
}

fn parse_state(text: &str) -> Result<KeyState, Problem> {
    KeyState::parse(text).ok_or_else(|| {
        let names: Vec<_> = KeyState::ALL.iter().map(|state| state.name()).collect();
        Problem::new(ProblemKind::RequestInvalid, format!("state must be one of {}", names.join(", ")))
    })
}

fn parse_purpose(text: &str) -> Result<KeyPurpose, Problem> {
    KeyPurpose::parse(text).ok_or_else(|| {
        let names = KeyPurpose::ALL.map(KeyPurpose::name);
        Problem::new(ProblemKind::RequestInvalid, format!("purpose must be one of {}", names.join(", ")))
    })
}

fn parse_tag(text: String) -> Result<String, Problem> {
    if is_tag(&text) { Ok(text) } else { Err(KeyError::Tags(TagFault::Form).into()) }
}

fn parse_time(text: &str) -> Result<Timestamp, Problem> {
    let detail = "expiringBefore must be a time as 2027-01-31T00:00:00Z";
    Timestamp::parse(text).ok_or_else(|| Problem::new(ProblemKind::RequestInvalid, detail))
}

/// Tags.
#[derive(Debug, Deserialize, Object)]
struct TagsRequest {
    /// All of them: at most 16, each of 1 to 64 characters of `A-Z a-z 0-9 _ - . : =`.
    #[oai(validator(max_items = 16, max_length = 64, pattern = "^[A-Za-z0-9_.:=-]+$"))]
    tags: Vec<String>,
}

/// The key to make.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct CreateKeyRequest {
    /// The application.
    #[oai(validator(min_length = 1, max_length = 36, pattern = "^[A-Za-z0-9_.-]+$"))]
    application_id: String,
    /// The reference; blank or absent for the application's own (master) key.
    #[oai(validator(max_length = 128))]
    reference_id: Option<String>,
}

/// Why a key is revoked.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct RevokeRequest {
    /// `superseded` or `compromised`.
    #[oai(validator(pattern = "^(superseded|compromised)$"))]
    cause: String,
    /// Why, for people.
    #[oai(validator(max_length = 512))]
    reason: Option<String>,
    /// Whether no new key is made until an administrator asks for one; false when absent. The key must then be the
    /// newest of its alias.
    disable_auto_generation: Option<bool>,
}

/// Why a key's state is changed.
#[derive(Debug, Deserialize, Object)]
struct ReasonRequest {
    /// For people.
    #[oai(validator(max_length = 512))]
    reason: Option<String>,
}
