//! `/v1/doctor`: what token and records disagree on.

use poem::Result;
use poem_openapi::{Object, OpenApi, param::Query};
use serde::Serialize;

use super::problem::{Problem, ProblemKind};
use crate::{
    api::{
        access::{Authorized, ExamineKeys, MendKeys},
        openapi::Tag,
        wire::Json,
    },
    domain::{
        doctor::Finding,
        key::{KeyId, TokenKeyId},
    },
    services::{
        Services,
        keys::{Examination, Mended},
    },
};

/// Records on a page when the caller names no number.
const PAGE: u32 = 500;

/// Comparing token and records.
pub(crate) struct DoctorApi {
    services: Services,
}

impl DoctorApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

#[OpenApi]
impl DoctorApi {
    /// Find what token and database disagree on
    ///
    /// The first page has what was found on the tokens, and among the first records of keys; each page after it what was
    /// found among further records. All is well when no page has a finding. Nothing is changed.
    #[oai(path = "/v1/doctor", method = "get", operation_id = "examineKeys", tag = "Tag::Keys")]
    async fn examine(
        &self,
        caller: Authorized<ExamineKeys>,
        /// `next` of the page before.
        after: Query<Option<String>>,
        /// Most records that are looked at for the page, 1 to 1000; 500 when absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<ExaminationAnswer>, Problem> {
        let after = after.0.map(|text| KeyId::parse(&text).ok_or(())).transpose();
        let after = after.map_err(|()| {
            Problem::new(ProblemKind::RequestInvalid, "after must be next of the page before")
        })?;
        let limit = usize::try_from(limit.0.unwrap_or(PAGE)).unwrap_or(1);
        let found = self.services.keys.examine(&caller.call, after.as_ref(), limit).await?;
        Ok(Json(found.into()))
    }

    /// Mend what can be mended without risk
    ///
    /// Goes on with keys whose making was interrupted, where they are due, and forgets those of which nothing was made.
    /// No key is removed, neither from the tokens nor from the database.
    #[oai(path = "/v1/doctor/mend", method = "post", operation_id = "mendKeys", tag = "Tag::Keys")]
    async fn mend(&self, caller: Authorized<MendKeys>) -> Result<Json<MendedAnswer>, Problem> {
        Ok(Json(self.services.keys.mend(&caller.call).await?.into()))
    }
}

/// What token and database disagree on.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct ExaminationAnswer {
    /// What is not as it should be.
    findings: Vec<FindingAnswer>,
    /// Objects on the primary token that were looked at.
    objects: u64,
    /// Records of keys that were looked at.
    keys: u64,
    /// What `after` must be to read the next page; null when this is the last one.
    next: Option<String>,
}

/// What became of what was found.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct MendedAnswer {
    /// What was mended.
    mended: Vec<FindingAnswer>,
    /// What is still found on the tokens.
    remaining: Vec<FindingAnswer>,
}

/// Something that is not as it should be.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
struct FindingAnswer {
    /// Its stable code.
    code: String,
    /// `harmless`, or `fault` where something does not work or was tampered with.
    severity: String,
    /// What is wrong.
    what: String,
    /// How to mend it.
    remedy: String,
    /// Whether `POST /v1/doctor/mend` can end it.
    mendable: bool,
    /// The token, by its name in the settings.
    token: Option<String>,
    /// The label on the token.
    label: Option<String>,
    /// The id on the token (`CKA_ID`), hexadecimal.
    object_id: Option<String>,
    /// The application.
    application: Option<String>,
    /// The reference within it; empty for its own (master) key.
    reference: Option<String>,
    /// The key's id in the database.
    key_id: Option<String>,
    /// What else there is to know.
    detail: Option<String>,
}

impl From<Examination> for ExaminationAnswer {
    fn from(found: Examination) -> Self {
        Self {
            findings: answers(found.findings),
            objects: u64::try_from(found.objects).unwrap_or(u64::MAX),
            keys: u64::try_from(found.keys).unwrap_or(u64::MAX),
            next: found.next.map(|id| id.0),
        }
    }
}

impl From<Mended> for MendedAnswer {
    fn from(outcome: Mended) -> Self {
        Self { mended: answers(outcome.mended), remaining: answers(outcome.remaining) }
    }
}

fn answers(findings: Vec<Finding>) -> Vec<FindingAnswer> {
    findings.into_iter().map(FindingAnswer::from).collect()
}

impl From<Finding> for FindingAnswer {
    fn from(Finding { fault, subject, detail }: Finding) -> Self {
        let alias = subject.alias.as_ref();
        Self {
            code: fault.code().to_owned(),
            severity: if fault.is_harmless() { "harmless" } else { "fault" }.to_owned(),
            what: fault.what().to_owned(),
            remedy: fault.remedy().to_owned(),
            mendable: fault.can_be_mended(),
            application: alias.map(|alias| alias.application.to_string()),
            reference: alias.map(|alias| alias.reference.as_str().to_owned()),
            token: subject.token,
            label: subject.label,
            object_id: subject.object.map(TokenKeyId::to_hex),
            key_id: subject.key.map(|id| id.0),
            detail,
        }
    }
}
