//! Records the outcome of each operation before it is reported.

use std::{net::IpAddr, sync::Arc};

use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::KeyAlias,
        audit::{AuditEvent, Outcome},
        client::ClientId,
        key::{KeyId, KeyRecord},
    },
    ports::{
        audit_sink::{AuditError, AuditSink},
        clock::Clock,
    },
};

/// Writes the audit trail for the services.
pub(crate) struct Auditor {
    clock: Arc<dyn Clock>,
    sink: Arc<dyn AuditSink>,
}

/// A service error that the audit trail can name.
pub(crate) trait Audited: From<AuditError> {
    /// The stable name of the failure.
    fn code(&self) -> &'static str;
}

impl Auditor {
    pub(crate) fn new(clock: Arc<dyn Clock>, sink: Arc<dyn AuditSink>) -> Self {
        Self { clock, sink }
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
        let _announcement = self.sink.announce();
        let result = work.await;
        let (key, outcome) = match &result {
            Ok(done) => (key(done).cloned(), Outcome::Succeeded),
            Err(error) => (None, Outcome::Failed(error.code())),
        };
        let recorded = self.record(call, operation.name(), alias.cloned(), key, outcome).await;
        settle(result, recorded)
    }

    /// The same for an operation that makes or changes a client.
    pub(crate) async fn audited_client<T, E: Audited>(
        &self,
        call: &CallContext,
        operation: Operation,
        client: &ClientId,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let _announcement = self.sink.announce();
        let result = work.await;
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(error) => Outcome::Failed(error.code()),
        };
        let event =
            AuditEvent { client: Some(client.clone()), ..self.event(call, operation.name(), outcome) };
        settle(result, self.sink.record(event).await)
    }

    /// Records that a call made a key.
    pub(crate) async fn created(&self, call: &CallContext, key: &KeyRecord) -> Result<(), AuditError> {
        let (alias, id) = (key.alias.clone(), key.id.clone());
        self.record(call, "key.create", Some(alias), Some(id), Outcome::Succeeded).await
    }

    /// Records what the server did of itself.
    pub(crate) async fn own(
        &self,
        operation: &'static str,
        alias: Option<KeyAlias>,
        key: Option<KeyId>,
    ) -> Result<(), AuditError> {
        let event = AuditEvent {
            at: self.clock.now(),
            operation,
            principal: None,
            address: None,
            request_id: None,
            client: None,
            alias,
            key,
            outcome: Outcome::Succeeded,
        };
        self.sink.record(event).await
    }

    /// Records that an access token was asked for.
    pub(crate) async fn token_asked(
        &self,
        principal: Option<String>,
        address: Option<IpAddr>,
        request_id: Arc<str>,
        outcome: Outcome,
    ) -> Result<(), AuditError> {
        let event = AuditEvent {
            at: self.clock.now(),
            operation: "token.issue",
            principal,
            address,
            request_id: Some(request_id),
            client: None,
            alias: None,
            key: None,
            outcome,
        };
        self.sink.record(event).await
    }

    async fn record(
        &self,
        call: &CallContext,
        operation: &'static str,
        alias: Option<KeyAlias>,
        key: Option<KeyId>,
        outcome: Outcome,
    ) -> Result<(), AuditError> {
        self.sink.record(AuditEvent { alias, key, ..self.event(call, operation, outcome) }).await
    }

    fn event(&self, call: &CallContext, operation: &'static str, outcome: Outcome) -> AuditEvent {
        AuditEvent {
            at: self.clock.now(),
            operation,
            principal: Some(call.principal.name.clone()),
            address: call.address,
            request_id: Some(Arc::clone(&call.request_id)),
            client: None,
            alias: None,
            key: None,
            outcome,
        }
    }
}

/// What the caller hears of a result that was recorded, or was not.
fn settle<T, E: Audited>(result: Result<T, E>, recorded: Result<(), AuditError>) -> Result<T, E> {
    match result {
        Ok(done) => {
            recorded?;
            Ok(done)
        }
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
}
