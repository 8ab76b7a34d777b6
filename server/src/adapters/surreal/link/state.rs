//! What is known of the database at a moment.

use std::{sync::Arc, time::Instant};

use super::connection::Connection;

/// The state of a link. A new one is published whenever something was found out.
pub(super) struct State {
    /// The connection to ask over; `None` while the database is away.
    pub(super) connection: Option<Arc<Connection>>,
    /// Counts examinations and connections: whoever has seen a higher number than before knows that the state is newer
    /// than their doubt.
    pub(super) version: u64,
    /// When the database last answered an examination, or took a connection.
    pub(super) answered: Instant,
}

impl State {
    pub(super) fn of(connection: Connection) -> Self {
        Self { connection: Some(Arc::new(connection)), version: 1, answered: Instant::now() }
    }
}
