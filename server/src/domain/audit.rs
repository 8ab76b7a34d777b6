//! What the record of who did what holds. Never data, plaintext, secrets or key material.

use std::{net::IpAddr, sync::Arc};

use super::{alias::KeyAlias, client::ClientId, key::KeyId, time::Timestamp};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The alias it was about.
    pub alias: Option<KeyAlias>,
    /// The key version used or made.
    pub key: Option<KeyId>,
    /// What came of it.
    pub outcome: Outcome,
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
