//! `/v1/rewrap`: private keys that move to newer KEKs.

use poem::Result;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use super::problem::Problem;
use crate::{
    api::{
        access::{Authorized, RewrapKeys},
        openapi::Tag,
        wire::Json,
    },
    domain::{key::KeyId, time::Timestamp},
    services::{Services, rewrap::RewrapRun},
};

/// Wrapping anew.
pub(crate) struct RewrapApi {
    services: Services,
}

impl RewrapApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl RewrapApi {
    /// Have all private keys in the database wrapped by the newest KEKs
    ///
    /// In the background, one after the other, by one server; it goes on where it was when that one is stopped. Nothing
    /// is lost while it does, and no request waits. When a walk is under way, that one is the answer. Keys whose
    /// destruction is scheduled stay as they are.
    #[oai(path = "/v1/rewrap", method = "post", operation_id = "rewrapKeys", tag = "Tag::Keys")]
    async fn start(&self, caller: Authorized<RewrapKeys>) -> Result<Json<RewrapAnswer>, Problem> {
        let run = self.services.rewrap.start(&caller.call).await?;
        Ok(Json(RewrapAnswer::from(Some(run))))
    }

    /// Read how far the wrapping anew has come
    #[oai(path = "/v1/rewrap", method = "get", operation_id = "readRewrap", tag = "Tag::Keys")]
    async fn read(&self, caller: Authorized<RewrapKeys>) -> Result<Json<RewrapAnswer>, Problem> {
        let run = self.services.rewrap.progress(&caller.call).await?;
        Ok(Json(RewrapAnswer::from(run)))
    }
}

/// How far the wrapping anew has come.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct RewrapAnswer {
    /// `never`, `running` or `ended`.
    state: String,
    /// 1 for the first walk, one more for each later one; 0 when there was none.
    run: u64,
    /// When it was asked for.
    started_at: Option<String>,
    /// By whom.
    started_by: Option<String>,
    /// How much of it is done, about, from 0 to 100.
    percent: u32,
    /// Keys that were looked at.
    examined: u64,
    /// Keys that were moved.
    moved: u64,
    /// Keys that could not be moved; the log names them.
    failed: u64,
    /// When it came to its end; null while it has not.
    ended_at: Option<String>,
}

impl From<Option<RewrapRun>> for RewrapAnswer {
    fn from(run: Option<RewrapRun>) -> Self {
        let state = match run.as_ref().map(|run| run.ended_at) {
            None => "never",
            Some(None) => "running",
            Some(Some(_)) => "ended",
        };
        Self {
            state: state.to_owned(),
            run: run.as_ref().map_or(0, |run| run.run),
            started_at: run.as_ref().map(|run| run.started_at.to_text()),
            started_by: run.as_ref().map(|run| run.started_by.clone()),
            percent: run.as_ref().map_or(0, percent),
            examined: run.as_ref().map_or(0, |run| run.examined),
            moved: run.as_ref().map_or(0, |run| run.moved),
            failed: run.as_ref().map_or(0, |run| run.failed),
            ended_at: run.and_then(|run| run.ended_at).map(Timestamp::to_text),
        }
    }
}

/// Ids are random, so the place of the last one tells how many come after it.
fn percent(run: &RewrapRun) -> u32 {
    let place = |id: &KeyId| id.0.get(..2).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match (run.ended_at, &run.after) {
        (Some(_), _) => 100,
        (None, Some(id)) => place(id).map_or(0, |place| place * 100 / 256),
        (None, None) => 0,
    }
}
