//! `/v1/audit`: the audit trail of this server, for auditors.

mod answers;
mod texts;

use poem::Result;
use poem_openapi::{Enum, OpenApi, param::Query};
use serde_json::Value;

use self::{
    answers::{
        AuditEventsAnswer, AuditStatusAnswer, CheckpointsAnswer, ConsistencyProofAnswer,
        InclusionProofAnswer, SignedCheckpointAnswer,
    },
    texts::{Ndjson, Pem},
};
use super::problem::{Problem, ProblemKind};
use crate::{
    api::{
        access::{Authorized, ExportAudit, ReadAudit},
        openapi::Tag,
        wire::Json,
    },
    domain::audit::query::EventFilter,
    services::{Services, audit::SearchRequest},
};

/// Events on a page when nobody says how many, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1_000;
/// Longest text of a filter; longer than any name.
const TEXT_MAX_BYTES: usize = 256;

/// The audit trail.
pub(crate) struct AuditApi {
    services: Services,
}

impl AuditApi {
    pub(crate) fn new(services: &Services) -> Self {
        Self { services: services.clone() }
    }
}

/// The order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
enum Order {
    /// Backwards.
    #[default]
    Newest,
    /// Forwards.
    Oldest,
}

#[OpenApi]
impl AuditApi {
    /// Search the events of this server's log
    ///
    /// Every filter that is given must fit. A search that finds little stops after a million events; `next` tells
    /// where to go on.
    #[oai(path = "/v1/audit/events", method = "get", operation_id = "searchAuditEvents", tag = "Tag::Audit")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter that the description names")]
    async fn search(
        &self,
        caller: Authorized<ReadAudit>,
        /// Name of the operation, for example `packet.decrypt`; `packet.*` for all that begin so.
        operation: Query<Option<String>>,
        /// Who.
        principal: Query<Option<String>>,
        /// The peer's address.
        address: Query<Option<String>>,
        /// The application.
        application: Query<Option<String>>,
        /// The reference within the application, as callers send it; also where it stands by a pseudonym.
        reference: Query<Option<String>>,
        /// The key version.
        #[oai(name = "keyId")]
        key_id: Query<Option<String>>,
        /// The request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// `succeeded`, `failed` or `refused`.
        outcome: Query<Option<String>>,
        /// Why it failed or was refused.
        code: Query<Option<String>>,
        /// The first instant, UTC: `2026-01-05T10:11:12.007`, or a beginning of that.
        since: Query<Option<String>>,
        /// The instant after the last one, in the same form.
        until: Query<Option<String>>,
        /// Newest or oldest first.
        order: Query<Option<Order>>,
        /// Where the page begins: `next` of the page before.
        from: Query<Option<u64>>,
        /// Events on the page: 100, and at most 1000.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<AuditEventsAnswer>, Problem> {
        let filter = EventFilter {
            operation: operation.0,
            principal: principal.0,
            address: address.0,
            application: application.0,
            references: reference.0.map(|reference| vec![reference.trim().to_owned()]),
            key_id: key_id.0,
            request_id: request_id.0,
            outcome: outcome.0,
            code: code.0,
            since: since.0,
            until: until.0,
        };
        let request = SearchRequest {
            filter: checked(filter)?,
            newest_first: order.0.unwrap_or_default() == Order::Newest,
            from: from.0,
            limit: usize::try_from(limit.0.unwrap_or(PAGE).min(PAGE_MAX)).unwrap_or(0),
        };
        Ok(Json(self.services.audit.search(&caller.call, request).await?.into()))
    }

    /// Follow the events of this server's log
    ///
    /// NDJSON: the last events, then each that follows, until the caller hangs up or may not read the trail any more. Not
    /// in the description of the API, whose readers expect answers that end.
    #[oai(
        path = "/v1/audit/events/stream",
        method = "get",
        operation_id = "followAuditEvents",
        tag = "Tag::Audit",
        hidden = true
    )]
    async fn follow(
        &self,
        caller: Authorized<ReadAudit>,
        /// Name of the operation, for example `packet.decrypt`; `packet.*` for all that begin so.
        operation: Query<Option<String>>,
        /// Who.
        principal: Query<Option<String>>,
        /// `succeeded`, `failed` or `refused`.
        outcome: Query<Option<String>>,
        /// Past events that come first: 10, and at most 1000.
        #[oai(validator(maximum(value = "1000")))]
        last: Query<Option<u32>>,
    ) -> Result<Ndjson, Problem> {
        let filter = EventFilter {
            operation: operation.0,
            principal: principal.0,
            outcome: outcome.0,
            ..EventFilter::default()
        };
        let last = usize::try_from(last.0.unwrap_or(10).min(PAGE_MAX)).unwrap_or(0);
        Ok(Ndjson(self.services.audit.follow(&caller.call, checked(filter)?, last).await?))
    }

    /// Export this server's log
    ///
    /// NDJSON that proves itself: `kunji audit verify` reads it, and `docs/operations.md` describes it. It ends with a
    /// checkpoint that covers its last event, which is this export's own.
    #[oai(path = "/v1/audit/export", method = "get", operation_id = "exportAudit", tag = "Tag::Audit")]
    async fn export(
        &self,
        caller: Authorized<ExportAudit>,
        /// Number of the first event; the first that is at hand when absent.
        first: Query<Option<u64>>,
    ) -> Result<Ndjson, Problem> {
        Ok(Ndjson(self.services.audit.export(&caller.call, first.0).await?))
    }

    /// Have the state of this server's log signed now
    #[oai(
        path = "/v1/audit/checkpoints",
        method = "post",
        operation_id = "makeAuditCheckpoint",
        tag = "Tag::Audit"
    )]
    async fn make_checkpoint(
        &self,
        caller: Authorized<ReadAudit>,
    ) -> Result<Json<SignedCheckpointAnswer>, Problem> {
        let checkpoint = self.services.audit.fresh_checkpoint(&caller.call).await?;
        Ok(Json(SignedCheckpointAnswer::from(&*checkpoint)))
    }

    /// List the checkpoints of this server's log
    #[oai(
        path = "/v1/audit/checkpoints",
        method = "get",
        operation_id = "listAuditCheckpoints",
        tag = "Tag::Audit"
    )]
    async fn checkpoints(
        &self,
        caller: Authorized<ReadAudit>,
        /// Number of the first one.
        from: Query<Option<u64>>,
    ) -> Result<Json<CheckpointsAnswer>, Problem> {
        let listed = self.services.audit.checkpoints(&caller.call, from.0.unwrap_or(1)).await?;
        Ok(Json(CheckpointsAnswer::new(&listed)))
    }

    /// Prove that an event is in this server's log
    ///
    /// Under a checkpoint made now. Reads the whole log.
    #[oai(
        path = "/v1/audit/proofs/inclusion",
        method = "get",
        operation_id = "proveAuditInclusion",
        tag = "Tag::Audit"
    )]
    async fn prove_inclusion(
        &self,
        caller: Authorized<ReadAudit>,
        /// Number of the event.
        sequence: Query<u64>,
    ) -> Result<Json<InclusionProofAnswer>, Problem> {
        Ok(Json(self.services.audit.prove_inclusion(&caller.call, sequence.0).await?.into()))
    }

    /// Prove that this server's log only grew
    ///
    /// That its state now begins with all events of an earlier one. Reads the whole log.
    #[oai(
        path = "/v1/audit/proofs/consistency",
        method = "get",
        operation_id = "proveAuditConsistency",
        tag = "Tag::Audit"
    )]
    async fn prove_consistency(
        &self,
        caller: Authorized<ReadAudit>,
        /// Events of the earlier state.
        earlier: Query<u64>,
    ) -> Result<Json<ConsistencyProofAnswer>, Problem> {
        Ok(Json(self.services.audit.prove_consistency(&caller.call, earlier.0).await?.into()))
    }

    /// Read the roster of all servers' logs
    ///
    /// Signed: `{"roster":{…},"signature":…}`.
    #[oai(path = "/v1/audit/roster", method = "get", operation_id = "readAuditRoster", tag = "Tag::Audit")]
    async fn roster(&self, caller: Authorized<ReadAudit>) -> Result<Json<Value>, Problem> {
        Ok(Json(Box::pin(self.services.audit.roster(&caller.call)).await?))
    }

    /// Read the certificates of the keys that sign checkpoints and rosters
    #[oai(path = "/v1/audit/keys", method = "get", operation_id = "readAuditKeys", tag = "Tag::Audit")]
    async fn keys(&self, caller: Authorized<ReadAudit>) -> Result<Pem, Problem> {
        Ok(Pem(self.services.audit.certificates(&caller.call).await?))
    }

    /// Read how this server's audit trail stands
    #[oai(path = "/v1/audit/status", method = "get", operation_id = "readAuditStatus", tag = "Tag::Audit")]
    async fn status(&self, caller: Authorized<ReadAudit>) -> Result<Json<AuditStatusAnswer>, Problem> {
        Ok(Json(self.services.audit.status(&caller.call).await?.into()))
    }
}

/// A filter that can be meant.
fn checked(filter: EventFilter) -> Result<EventFilter, Problem> {
    let invalid = |detail: &'static str| Err(Problem::new(ProblemKind::RequestInvalid, detail));
    let texts = [
        &filter.operation,
        &filter.principal,
        &filter.address,
        &filter.application,
        &filter.key_id,
        &filter.request_id,
        &filter.code,
    ];
    let references = filter.references.iter().flatten();
    if texts.into_iter().flatten().chain(references).any(|text| text.len() > TEXT_MAX_BYTES) {
        return invalid("a filter is longer than any name: at most 256 bytes");
    }
    if filter.since.iter().chain(&filter.until).any(|text| !EventFilter::is_instant(text)) {
        return invalid(
            "since and until must be of the form 2026-01-05T10:11:12.007, or a beginning of that",
        );
    }
    if filter.outcome.as_deref().is_some_and(|text| !["succeeded", "failed", "refused"].contains(&text)) {
        return invalid("outcome must be succeeded, failed or refused");
    }
    if filter.references.is_some() && filter.application.is_none() {
        return invalid("a reference is looked for within an application: give that too");
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_cannot_be_meant_are_refused() {
        let text = |text: &str| Some(text.to_owned());
        for filter in [
            EventFilter { since: text("yesterday"), ..EventFilter::default() },
            EventFilter { until: text("2026-01-05T10:11:12.007Z"), ..EventFilter::default() },
            EventFilter { outcome: text("maybe"), ..EventFilter::default() },
            EventFilter { principal: text(&"x".repeat(257)), ..EventFilter::default() },
            EventFilter { references: Some(vec!["x".to_owned()]), ..EventFilter::default() },
        ] {
            assert_eq!(checked(filter).unwrap_err().kind(), ProblemKind::RequestInvalid);
        }
        assert!(checked(EventFilter { since: text("2026-01"), ..EventFilter::default() }).is_ok());
    }
}
