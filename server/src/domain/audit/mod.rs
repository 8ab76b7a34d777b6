//! The record of who did what: its events, and what proves that none was changed. Never data, plaintext, secrets
//! or key material.
//!
//! ```text
//! event ── line ── leaf of the log's Merkle tree ── checkpoint, signed by the token ── anchor, elsewhere
//!                                                   roster, signed: names every log there is
//! ```

pub mod export;
pub mod query;
pub mod statement;
pub mod tombstone;
pub mod verify;

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{client::ClientId, key::KeyId, time::Timestamp};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// When it ended.
    pub at: Timestamp,
    /// Name of the operation, for example `packet.decrypt`.
    pub operation: &'static str,
    /// Who; `None` when the caller is not known or it was the server itself.
    pub principal: Option<String>,
    /// The peer's address.
    pub address: Option<IpAddr>,
    /// The request.
    pub request_id: Option<Arc<str>>,
    /// The client that was made or changed.
    pub client: Option<ClientId>,
    /// The application that it was about.
    pub application: Option<String>,
    /// The reference that it was about, or its pseudonym; blank for the application's own key.
    pub reference: Option<String>,
    /// The key version used or made.
    pub key: Option<KeyId>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Option<Duration>,
    /// What else there is to know of an operation of this name; an object of bounded size.
    pub details: Option<serde_json::Value>,
}

impl AuditEvent {
    /// An event of the server itself, about nothing in particular.
    pub const fn own(at: Timestamp, operation: &'static str) -> Self {
        Self {
            at,
            operation,
            principal: None,
            address: None,
            request_id: None,
            client: None,
            application: None,
            reference: None,
            key: None,
            outcome: Outcome::Succeeded,
            duration: None,
            details: None,
        }
    }
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It failed, with this stable code.
    Failed(&'static str),
    /// It was refused before anything was tried, with this stable code.
    Refused(&'static str),
    /// It was done.
    Succeeded,
}
