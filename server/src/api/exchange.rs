//! What is known about the request being answered.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use poem::{Addr, Request};
use uuid::Uuid;

use super::transport::TransportError;
use crate::domain::access::Principal;

/// How large a body may be, and how slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BodyBounds {
    /// Most bytes.
    pub(super) limit: u64,
    /// Longest time for a body that is read whole.
    pub(super) arrival: Duration,
    /// Longest pause within a body that is streamed.
    pub(super) pause: Duration,
}

/// One request on its way through the routes; an extension of it.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Names the request in answers, logs and the audit trail.
    pub(super) request_id: Arc<str>,
    /// The peer's address.
    pub(super) address: Option<IpAddr>,
    /// The caller, on routes that are not anonymous.
    pub(super) principal: Option<Arc<Principal>>,
    /// What its body may be.
    pub(super) body: BodyBounds,
    body_complete: AtomicBool,
    /// The operation that the caller's roles did not allow.
    denied: OnceLock<&'static str>,
}

impl Exchange {
    pub(super) fn new(
        request_id: Arc<str>,
        address: Option<IpAddr>,
        principal: Option<Arc<Principal>>,
        body: BodyBounds,
    ) -> Self {
        Self {
            request_id,
            address,
            principal,
            body,
            body_complete: AtomicBool::new(false),
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

    /// Notes what was refused to the caller, for the audit trail.
    pub(super) fn deny(&self, operation: &'static str) {
        let _ = self.denied.set(operation);
    }

    /// What was refused to the caller.
    pub(super) fn denied(&self) -> Option<&'static str> {
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
}

/// A fresh name for a request.
pub(super) fn new_request_id() -> Arc<str> {
    let mut buffer = Uuid::encode_buffer();
    let text: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    text.into()
}

/// The address of the peer of a request.
pub(super) fn peer_address(request: &Request) -> Option<IpAddr> {
    match &request.remote_addr().0 {
        Addr::SocketAddr(address) => Some(address.ip().to_canonical()),
        _ => None,
    }
}
