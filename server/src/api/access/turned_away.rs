//! Why callers are not let in, whatever they ask for: what they, the log and the audit trail are told.

use crate::{api::transport::TransportError, services::access::TokenRefusal};

/// A request that is turned away at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway {
    /// What the caller is told.
    pub(crate) answer: TransportError,
    /// What the log is told.
    pub(crate) reason: &'static str,
    /// The stable name in the audit trail.
    pub(crate) code: &'static str,
}

impl TurnedAway {
    pub(crate) const WITHOUT_TOKEN: Self =
        Self { answer: TransportError::Unauthenticated, reason: "no token", code: "access.token_missing" };
    pub(crate) const FOREIGN: Self = Self {
        answer: TransportError::ForeignOrigin,
        reason: "sent by a browser for a page of another site",
        code: "access.foreign_origin",
    };

    /// The same of a caller who has shown no token.
    pub(crate) fn without_token(self) -> Self {
        match self.answer {
            TransportError::TokenRefused => Self { answer: TransportError::Unauthenticated, ..self },
            _ => self,
        }
    }
}

impl From<TokenRefusal> for TurnedAway {
    fn from(refusal: TokenRefusal) -> Self {
        let (answer, reason) = match refusal {
            TokenRefusal::Ended => {
                (TransportError::TokenRefused, "token ended with its client, or the client is disabled")
            }
            TokenRefusal::Expired => (TransportError::TokenRefused, "token expired"),
            TokenRefusal::Invalid => (TransportError::TokenRefused, "token not valid"),
            TokenRefusal::Unconfirmed => {
                (TransportError::Unavailable, "the keys that verify tokens were not confirmed for too long")
            }
            TokenRefusal::Unknown => (TransportError::Unavailable, "the client cannot be looked up"),
        };
        Self { answer, reason, code: refusal.code() }
    }
}
