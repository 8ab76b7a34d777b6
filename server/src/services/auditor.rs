//! Records the outcome of each operation before it is reported.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use kunji_shared::encoding::encode_hex;
use serde_json::{Value, json};

use super::{
    denials::{Denial, Windows},
    pseudonyms::Pseudonyms,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        audit::{AuditEvent, Outcome},
        authorization::approval::{Approval, ApprovalId},
        client::ClientId,
        digest::sha256,
        key::{KeyId, KeyRecord},
    },
    ports::{
        audit_sink::{AuditError, AuditSink},
        clock::Clock,
    },
};

/// Longest JSON of what was granted that an event has whole.
const GRANTED_MAX_BYTES: usize = 2048;

/// What comes of the beginning of a change: that it is on record.
const BEGUN: Outcome = Outcome::Succeeded;

/// Writes the audit trail for the services.
pub(crate) struct Auditor {
    clock: Arc<dyn Clock>,
    sink: Arc<dyn AuditSink>,
    /// Stand for references that name persons.
    pub(crate) pseudonyms: Pseudonyms,
    refusals: Windows,
}

/// What an operation was about.
#[derive(Default)]
struct Subject<'a> {
    alias: Option<&'a KeyAlias>,
    key: Option<KeyId>,
    duration: Option<Duration>,
    details: Option<Value>,
}

/// A service error that the audit trail can name.
pub(crate) trait Audited: From<AuditError> {
    /// The stable name of the failure.
    fn code(&self) -> &'static str;

    /// What the operation waits for, if that is why it was not done.
    fn waits_for(&self) -> Option<&ApprovalId> {
        None
    }
}

impl Auditor {
    pub(crate) fn new(clock: Arc<dyn Clock>, sink: Arc<dyn AuditSink>, pseudonyms: Pseudonyms) -> Self {
        Self { clock, sink, pseudonyms, refusals: Windows::default() }
    }

    /// Does `work`, records its result and gives it back; when it cannot be recorded, the operation failed.
    pub(crate) async fn audited<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: Option<&KeyAlias>,
        work: impl Future<Output = Result<T, E>>,
        key: impl FnOnce(&T) -> Option<&KeyId>,
    ) -> Result<T, E> {
        self.audited_in_detail(call, operation, alias, work, |done| (key(done).cloned(), None)).await
    }

    /// The same with what else there is to know of what was done.
    pub(crate) async fn audited_in_detail<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: Option<&KeyAlias>,
        work: impl Future<Output = Result<T, E>>,
        about: impl FnOnce(&T) -> (Option<KeyId>, Option<Value>),
    ) -> Result<T, E> {
        if operation.is_change() {
            // Boxed: what is rare need not be a part of every operation's state.
            Box::pin(self.begin(self.about(self.event(call, operation.name(), BEGUN), alias))).await?;
        }
        let _announcement = self.sink.announce();
        let began = Instant::now();
        let result = work.await;
        let duration = Some(began.elapsed());
        let ((key, details), outcome) = match &result {
            Ok(done) => (about(done), Outcome::Succeeded),
            Err(error) => {
                let waits_for = error.waits_for().map(|approval| json!({ "approval": approval.as_str() }));
                ((None, waits_for), Outcome::Failed(error.code()))
            }
        };
        let subject = Subject { alias, key, duration, details };
        let recorded = self.record(call, operation.name(), subject, outcome).await;
        settle(operation, result, recorded)
    }

    /// The same for an operation that makes or changes a client: `details`, an object of bounded size, says what of it
    /// was asked for and, when it was done, how it was before.
    pub(crate) async fn audited_client<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        client: &ClientId,
        work: impl Future<Output = Result<T, E>>,
        details: impl Fn(Option<&T>) -> Option<Value>,
    ) -> Result<T, E> {
        let about = |done: Option<&T>, event: AuditEvent| AuditEvent {
            client: Some(client.clone()),
            details: details(done),
            ..event
        };
        self.audited_as(call, operation, work, about).await
    }

    /// The same for an operation on no key.
    pub(crate) async fn audited_with<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
        details: impl Fn(Option<&T>) -> Value,
    ) -> Result<T, E> {
        let about =
            |done: Option<&T>, event: AuditEvent| AuditEvent { details: Some(details(done)), ..event };
        self.audited_as(call, operation, work, about).await
    }

    async fn audited_as<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        work: impl Future<Output = Result<T, E>>,
        about: impl Fn(Option<&T>, AuditEvent) -> AuditEvent,
    ) -> Result<T, E> {
        if operation.is_change() {
            Box::pin(self.begin(about(None, self.event(call, operation.name(), BEGUN)))).await?;
        }
        let _announcement = self.sink.announce();
        let began = Instant::now();
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(error) => Outcome::Failed(error.code()),
        };
        let event = about(result.as_ref().ok(), self.event(call, operation.name(), outcome));
        let mut event = AuditEvent { duration: Some(began.elapsed()), ..event };
        if let Some(approval) = result.as_ref().err().and_then(Audited::waits_for) {
            event.details.get_or_insert_with(|| json!({}))["approval"] = json!(approval.as_str());
        }
        settle(operation, result, self.sink.record(event).await)
    }

    /// Records that a change begins, with what was asked for: one whose end cannot be recorded leaves a trace.
    async fn begin(&self, change: AuditEvent) -> Result<(), AuditError> {
        let mut event = AuditEvent { operation: "change.begin", ..change };
        event.details.get_or_insert_with(|| json!({}))["of"] = json!(change.operation);
        self.sink.record(event).await
    }

    /// Records that a call went on because others have approved it.
    pub(crate) async fn approval_used(
        &self,
        call: &CallContext,
        approval: &Approval,
    ) -> Result<(), AuditError> {
        let details = json!({
            "approval": approval.id.as_str(), "policy": approval.policy, "of": approval.operation.name(),
        });
        let event = self.event(call, "approval.use", Outcome::Succeeded);
        self.sink.record(AuditEvent { details: Some(details), ..event }).await
    }

    /// Records that a call made a key.
    pub(crate) async fn created(&self, call: &CallContext, key: &KeyRecord) -> Result<(), AuditError> {
        let subject = Subject { alias: Some(&key.alias), key: Some(key.id.clone()), ..Subject::default() };
        self.record(call, "key.create", subject, Outcome::Succeeded).await
    }

    /// Records what the server did of itself.
    pub(crate) async fn own(
        &self,
        operation: &'static str,
        alias: Option<KeyAlias>,
        key: Option<KeyId>,
    ) -> Result<(), AuditError> {
        let event = AuditEvent { key, ..AuditEvent::own(self.clock.now(), operation) };
        self.sink.record(self.about(event, alias.as_ref())).await
    }

    /// Records what the server is about to do of itself with a key; the details say so (`begun`).
    pub(crate) async fn own_begun(
        &self,
        operation: &'static str,
        alias: KeyAlias,
        key: KeyId,
    ) -> Result<(), AuditError> {
        let details = Some(json!({ "begun": true }));
        let event = AuditEvent { key: Some(key), details, ..AuditEvent::own(self.clock.now(), operation) };
        self.sink.record(self.about(event, Some(&alias))).await
    }

    /// Records what the server did of itself, or what happened to it, with what there is to know of it.
    pub(crate) async fn own_with(
        &self,
        operation: &'static str,
        outcome: Outcome,
        details: Value,
    ) -> Result<(), AuditError> {
        let details = Some(details);
        self.sink
            .record(AuditEvent { outcome, details, ..AuditEvent::own(self.clock.now(), operation) })
            .await
    }

    /// Records that an access token was asked for. Refusals are counted, as there may be any number of them.
    pub(crate) async fn token_asked(
        &self,
        principal: Option<String>,
        address: Option<IpAddr>,
        request_id: Arc<str>,
        outcome: Outcome,
    ) -> Result<(), AuditError> {
        const OPERATION: &str = "token.issue";
        if let Outcome::Refused(code) = outcome {
            self.refused(Denial { operation: OPERATION, principal, address, request_id, code }).await;
            return Ok(());
        }
        let event = AuditEvent {
            principal,
            address,
            request_id: Some(request_id),
            outcome,
            ..AuditEvent::own(self.clock.now(), OPERATION)
        };
        self.sink.record(event).await
    }

    /// Records that a request was refused, or counts it; says which: `true` for the first of its kind.
    pub(super) async fn refused(&self, denial: Denial) -> bool {
        let Some(event) = self.refusals.note(denial, self.clock.now()) else { return false };
        self.record_refusal(event).await;
        true
    }

    /// Records what was counted.
    pub(super) async fn flush_refused(&self, all: bool) {
        for event in self.refusals.ended(self.clock.now(), all) {
            self.record_refusal(event).await;
        }
    }

    async fn record_refusal(&self, event: AuditEvent) {
        if let Err(error) = self.sink.record(event).await {
            tracing::error!(%error, "a refusal was not recorded");
        }
    }

    async fn record(
        &self,
        call: &CallContext,
        operation: &'static str,
        subject: Subject<'_>,
        outcome: Outcome,
    ) -> Result<(), AuditError> {
        let event = AuditEvent {
            key: subject.key,
            duration: subject.duration,
            details: subject.details,
            ..self.event(call, operation, outcome)
        };
        self.sink.record(self.about(event, subject.alias)).await
    }

    fn event(&self, call: &CallContext, operation: &'static str, outcome: Outcome) -> AuditEvent {
        AuditEvent {
            principal: Some(call.principal.name.clone()),
            address: call.address,
            request_id: Some(Arc::clone(&call.request_id)),
            outcome,
            ..AuditEvent::own(self.clock.now(), operation)
        }
    }

    fn about(&self, event: AuditEvent, alias: Option<&KeyAlias>) -> AuditEvent {
        AuditEvent {
            application: alias.map(|alias| alias.application.to_string()),
            reference: alias.map(|alias| self.pseudonyms.reference(alias)),
            ..event
        }
    }
}

/// What was granted, as `details` have it: as it is or, where that is long, by the SHA-256 of its JSON.
pub(crate) fn bounded(granted: Value) -> Value {
    let text = granted.to_string();
    if text.len() <= GRANTED_MAX_BYTES {
        return granted;
    }
    json!({ "sha256": encode_hex(&sha256(text.as_bytes())), "bytes": text.len() })
}

/// What the caller hears of a result that was recorded, or was not.
fn settle<T, E: Audited>(
    operation: Operation,
    result: Result<T, E>,
    recorded: Result<(), AuditError>,
) -> Result<T, E> {
    match result {
        Ok(done) => match recorded {
            Ok(()) => Ok(done),
            Err(error) if operation.is_change() => Err(error.after_change().into()),
            Err(error) => Err(error.into()),
        },
        // The caller hears of its own failure first; that it went unrecorded is in the log.
        Err(error) => {
            if let Err(audit) = recorded {
                tracing::error!(%audit, "a failed operation was not recorded");
            }
            Err(error)
        }
    }
}

impl Audited for super::keys::KeyError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }

    fn waits_for(&self) -> Option<&ApprovalId> {
        match self {
            Self::Waits(approval) => Some(&approval.id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_stands_by_its_hash() {
        let short = json!(["signer"]);
        assert_eq!(bounded(short.clone()), short);
        let long = json!("x".repeat(GRANTED_MAX_BYTES));
        let text = format!("\"{}\"", "x".repeat(GRANTED_MAX_BYTES));
        assert_eq!(
            bounded(long),
            json!({ "sha256": encode_hex(&sha256(text.as_bytes())), "bytes": GRANTED_MAX_BYTES + 2 })
        );
    }
}
