//! What is known about the request being answered.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use poem::{Body, Request, Response, error::ReadBodyError, http::header};
use uuid::Uuid;

use super::{
    body_memory::{BodyMemory, BodyRoom},
    transport::TransportError,
};
use crate::{
    domain::access::{CallContext, Operation},
    services::access::Admitted,
};

/// How large a body may be, and how slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodyBounds {
    /// Most bytes.
    pub(super) limit: u64,
    /// Most bytes that are in memory at once.
    pub(super) in_memory: u64,
    /// Longest time for a body that is read whole.
    pub(super) arrival: Duration,
    /// Longest pause within a body that is streamed, and longest time to wait for room in memory.
    pub(super) pause: Duration,
    /// Least bytes a second of a body that is streamed.
    pub(super) pace: u64,
}

/// One request on its way through the routes; an extension of it.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Names the request in answers, logs and the audit trail.
    pub(super) request_id: Arc<str>,
    /// The sender's address.
    pub(super) address: Option<IpAddr>,
    /// Who calls, on routes that are not anonymous.
    pub(super) call: Option<CallContext>,
    /// What its body may be.
    pub(super) body: BodyBounds,
    body_complete: AtomicBool,
    memory: Arc<BodyMemory>,
    room: OnceLock<BodyRoom>,
    /// What the caller was let through for.
    entered: OnceLock<Operation>,
    /// What the caller may not do, and the stable name of why.
    denied: OnceLock<(&'static str, &'static str)>,
}

impl Exchange {
    pub(super) fn new(
        request_id: Arc<str>,
        address: Option<IpAddr>,
        caller: Option<Admitted>,
        body: BodyBounds,
        memory: Arc<BodyMemory>,
    ) -> Self {
        let call = caller.map(|Admitted { principal, authority }| CallContext {
            principal,
            authority,
            address,
            request_id: Arc::clone(&request_id),
        });
        Self {
            request_id,
            address,
            call,
            body,
            body_complete: AtomicBool::new(false),
            memory,
            room: OnceLock::new(),
            entered: OnceLock::new(),
            denied: OnceLock::new(),
        }
    }

    /// The exchange of a request.
    ///
    /// # Errors
    /// [`TransportError::Internal`] when the request did not come through the front.
    pub(super) fn of(request: &Request) -> Result<&Arc<Self>, TransportError> {
        request.data::<Arc<Self>>().ok_or(TransportError::Internal)
    }

    /// Notes what the caller was let through for.
    pub(super) fn enter(&self, operation: Operation) {
        let _ = self.entered.set(operation);
    }

    /// What the caller was let through for.
    pub(super) fn entered(&self) -> Option<Operation> {
        self.entered.get().copied()
    }

    /// Notes what was refused to the caller, and the stable name of why, for the audit trail.
    pub(super) fn deny(&self, operation: &'static str, code: &'static str) {
        let _ = self.denied.set((operation, code));
    }

    /// What was refused to the caller, and why.
    pub(super) fn denied(&self) -> Option<(&'static str, &'static str)> {
        self.denied.get().copied()
    }

    /// Notes that the body was read to its end: what takes long from now on is our doing.
    pub(super) fn complete_body(&self) {
        self.body_complete.store(true, Ordering::Relaxed);
    }

    /// Whether the body was read to its end.
    pub(super) fn is_body_complete(&self) -> bool {
        self.body_complete.load(Ordering::Relaxed)
    }

    /// Takes room in memory for a body of which `bytes` are announced, or that may have any length. It is kept until
    /// the exchange is over.
    ///
    /// # Errors
    /// [`TransportError::Overloaded`] when other bodies have it for too long.
    pub(super) async fn take_room(&self, bytes: Option<u64>) -> Result<(), TransportError> {
        let most = self.body.limit.min(self.body.in_memory);
        let patience = self.body.pause.min(self.body.arrival / 2);
        if let Some(room) = self.memory.take(bytes.unwrap_or(most).min(most), patience).await? {
            // There is one body: a second room would be a second reading of it.
            let _ = self.room.set(room);
        }
        Ok(())
    }

    /// The exchange is over when `answer` was sent: it is about as long as the body was.
    ///
    /// # Errors
    /// None but those of an answer that cannot be read.
    pub(super) async fn end_with(self: Arc<Self>, mut answer: Response) -> Result<Response, ReadBodyError> {
        if self.room.get().is_none() {
            return Ok(answer);
        }
        let body = answer.take_body();
        let body = if answer.headers().contains_key(header::CONTENT_LENGTH) {
            Body::from_bytes_stream(body.into_bytes_stream().inspect(move |_| {
                let _kept = &self;
            }))
        } else {
            let bytes = body.into_bytes().await?;
            Body::from_bytes(Bytes::from_owner(Kept { bytes, _exchange: self }))
        };
        answer.set_body(body);
        Ok(answer)
    }
}

/// Bytes of an answer, and the exchange that is over with them.
struct Kept {
    bytes: Bytes,
    _exchange: Arc<Exchange>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A fresh name for a request.
pub(super) fn new_request_id() -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    let text: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    text.into()
}

#[cfg(test)]
impl BodyBounds {
    /// At most `limit` bytes, each wait no longer than `time`, and memory for all.
    pub(super) const fn of(limit: u64, time: Duration) -> Self {
        Self { limit, in_memory: limit, arrival: time, pause: time, pace: 0 }
    }
}

#[cfg(test)]
impl Exchange {
    /// Of a request for a test, with as much memory as it may want.
    pub(super) fn bounded(body: BodyBounds) -> Arc<Self> {
        let memory = Arc::new(BodyMemory::new(u64::MAX));
        Arc::new(Self::new("r".into(), None, None, body, memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const SOON: Duration = Duration::from_millis(20);

    fn exchange(memory: &Arc<BodyMemory>) -> Arc<Exchange> {
        let bounds = BodyBounds::of(MIB, SOON);
        Arc::new(Exchange::new("r".into(), None, None, bounds, Arc::clone(memory)))
    }

    #[tokio::test]
    async fn room_is_kept_until_the_answer_was_sent() {
        let memory = Arc::new(BodyMemory::new(MIB));
        let first = exchange(&memory);
        first.take_room(Some(MIB)).await.unwrap();
        let whole = first.end_with(Response::builder().body("answer")).await.unwrap();
        assert_eq!(exchange(&memory).take_room(None).await, Err(TransportError::Overloaded));
        assert_eq!(whole.into_body().into_string().await.unwrap(), "answer");

        let second = exchange(&memory);
        second.take_room(None).await.unwrap();
        let pieces = Response::builder().header(header::CONTENT_LENGTH, "6").body("answer");
        let streamed = second.end_with(pieces).await.unwrap();
        assert_eq!(exchange(&memory).take_room(None).await, Err(TransportError::Overloaded));
        assert_eq!(streamed.into_body().into_string().await.unwrap(), "answer");
        assert_eq!(exchange(&memory).take_room(None).await, Ok(()));
    }

    #[tokio::test]
    async fn what_has_no_length_counts_as_the_longest() {
        let memory = Arc::new(BodyMemory::new(2 * MIB));
        let exchanges = [exchange(&memory), exchange(&memory), exchange(&memory)];
        assert_eq!(exchanges[0].take_room(None).await, Ok(()));
        assert_eq!(exchanges[1].take_room(Some(u64::MAX)).await, Ok(()));
        assert!(exchanges[2].take_room(Some(MIB / 2)).await.is_err());
    }
}
