//! What an engine is asked, and what it answers: the same within this process and across a socket to a child.

use serde::{Deserialize, Serialize};

use super::{
    OpenError,
    engine::{Capabilities, EngineSettings},
};

mod frame;
mod inbox;
mod operation;
mod secret;

pub(super) use frame::{Broken, decode, encode};
pub(super) use inbox::Inbox;
pub(super) use operation::{
    Answer, Fault, Form, KeyName, LABEL_BYTES, ListedObject, OBJECTS, Operation, Order,
};
pub(super) use secret::Secret;

/// What happens to a PIN. A token counts the wrong ones even when nobody waits for its answer any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Login {
    /// The token is given it now.
    Begun,
    /// The token has answered, and did not refuse it.
    Answered,
    /// The token has refused it, and what it said.
    Refused(String),
}

/// What the server says to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first: open the token.
    Open { settings: EngineSettings, pin: Secret },
    /// Carry out an order; the report bears its number.
    Perform { number: u64, order: Order },
}

/// What a child says to the server.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The first: whether the token is open, and what it can do.
    Opened(Result<Capabilities, OpenError>),
    /// A login, at the opening or later.
    Login(Login),
    /// What came of an order.
    Performed { number: u64, outcome: Result<Answer, Fault> },
}
