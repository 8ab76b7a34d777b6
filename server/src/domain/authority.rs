//! What a caller's rights rest on, and how long.

use std::sync::Arc;

use super::{client::TokenEpoch, time::Timestamp};

/// What a caller has shown at the door, as far as it must be looked at again when its request took long to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The first instant at which it counts no more.
    pub ends: Timestamp,
    /// What may end it before.
    pub basis: Basis,
}

/// Who vouches for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// This server: the caller is one of its clients, by a token or without one.
    Client {
        /// The epoch that the client was in.
        epoch: TokenEpoch,
        /// How often ended epochs had been read when it was not among them.
        readings: u64,
    },
    /// An external issuer.
    Issuer {
        /// Its name in the settings.
        name: Arc<str>,
        /// Which generation of its keys verified the token.
        generation: u64,
    },
}

impl Authority {
    /// What tells the caller from others of its name: another client that there was or will be, or the same one after
    /// its tokens were ended, and other issuers' principals.
    pub fn identity(&self) -> String {
        match &self.basis {
            Basis::Client { epoch, .. } => format!("client {}", epoch.to_text()),
            Basis::Issuer { name, .. } => format!("issuer {name}"),
        }
    }

    /// The epoch, for clients of this server.
    pub const fn epoch(&self) -> Option<TokenEpoch> {
        match &self.basis {
            Basis::Client { epoch, .. } => Some(*epoch),
            Basis::Issuer { .. } => None,
        }
    }
}
