//! `/v1/rotation/plan`: what is renewed when.

use poem::Result;
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::problem::{Problem, ProblemKind};
use crate::{
    api::{
        access::{Authorized, ReadKeyPolicies},
        openapi::Tag,
        wire::Json,
    },
    domain::rotation::{Event, Step},
    services::{
        Services,
        rotation::{Plan, PlanPlace},
    },
};

/// Days that are looked ahead, and aliases that are looked at, when nothing is said.
const DAYS: u32 = 730;
const ALIASES: u32 = 500;

/// Plans of rotation.
pub(crate) struct RotationApi {
    services: Services,
}

impl RotationApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl RotationApi {
    /// Foresee what is renewed when
    ///
    /// If policies stay as they are, and every renewal is made when it is due. Nothing is done. The first page has the
    /// keys on the token and those of some other aliases, each page after it those of further aliases, symmetric keys
    /// last.
    #[oai(path = "/v1/rotation/plan", method = "get", operation_id = "planRotation", tag = "Tag::Keys")]
    async fn plan(
        &self,
        _caller: Authorized<ReadKeyPolicies>,
        /// Days to look ahead, 1 to 3660; 730 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "3660")))]
        days: Query<Option<u32>>,
        /// `next` of the page before.
        after: Query<Option<String>>,
        /// Most aliases that are looked at for the page, 1 to 1000; 500 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<RotationPlanAnswer>, Problem> {
        let page = PlanPage::read(days.0, after.0.as_deref(), limit.0)?;
        let plan = self.services.rotation.plan(page.days, page.after.as_ref(), page.limit).await?;
        Ok(Json(plan.into()))
    }
}

/// Which page of which plan is asked for.
pub(super) struct PlanPage {
    pub(super) days: u32,
    pub(super) after: Option<PlanPlace>,
    pub(super) limit: usize,
}

impl PlanPage {
    pub(super) fn read(days: Option<u32>, after: Option<&str>, limit: Option<u32>) -> Result<Self, Problem> {
        let after = after.map(|text| PlanPlace::parse(text).ok_or(())).transpose();
        let after = after.map_err(|()| {
            Problem::new(ProblemKind::RequestInvalid, "after must be next of the page before")
        })?;
        let limit = usize::try_from(limit.unwrap_or(ALIASES)).unwrap_or(1);
        Ok(Self { days: days.unwrap_or(DAYS), after, limit })
    }
}

/// What will be renewed, and what will end.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct RotationPlanAnswer {
    /// From when.
    from: String,
    /// Until when.
    until: String,
    /// What happens, in the order of time.
    steps: Vec<RotationStepAnswer>,
    /// Whether there are more steps than one page has: ask for fewer days or aliases.
    truncated: bool,
    /// What `after` must be to read the next page; null when this is the last one.
    next: Option<String>,
}

/// Something that happens to the keys of an alias.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct RotationStepAnswer {
    /// When.
    at: String,
    /// The application.
    application: String,
    /// The reference within it; empty for its own (master) key.
    reference: String,
    /// `renewed`; `ended` where no successor is made by itself.
    event: String,
    /// Of the successor: 1 for the first key of the alias; null when there is none.
    generation: Option<u32>,
    /// The end of the successor's certificate, or of a symmetric key; null when there is no successor.
    not_after: Option<String>,
}

impl From<Plan> for RotationPlanAnswer {
    fn from(plan: Plan) -> Self {
        Self {
            from: plan.from.to_text(),
            until: plan.until.to_text(),
            steps: plan.forecast.steps.into_iter().map(RotationStepAnswer::from).collect(),
            truncated: plan.forecast.truncated,
            next: plan.next.as_ref().map(PlanPlace::to_text),
        }
    }
}

impl From<Step> for RotationStepAnswer {
    fn from(step: Step) -> Self {
        let (event, renewed) = match step.event {
            Event::Ended => ("ended", None),
            Event::Renewed(renewed) => ("renewed", Some(renewed)),
        };
        Self {
            at: step.at.to_text(),
            application: step.alias.application.to_string(),
            reference: step.alias.reference.as_str().to_owned(),
            event: event.to_owned(),
            generation: renewed.map(|key| key.generation),
            not_after: renewed.map(|key| key.period.not_after.to_text()),
        }
    }
}
