//! A link to the database that heals itself.
//!
//! - A query goes over the connection that is there now. When no answer comes, the caller does not decide what that
//!   means: the supervisor ([`supervisor`]) examines the connection, once for all who doubt, or replaces it at once
//!   when it is broken for certain.
//! - A database that fails its examination is away: callers are told so at once, until a new connection has been made
//!   and has shown our tables. The supervisor tries that from within a twentieth of a second to every quarter of a second.
//! - Whatever was under way on the old connection ends with it.
//!
//! A database within this process has no connection that could be lost, and no supervisor.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};

use super::error::{ConnectError, Failure};

mod client;
mod connection;
mod state;
mod supervisor;

pub(super) use client::Client;
pub(super) use connection::{Connection, Remote, choose_database};
use state::State;

/// How long a caller whose query was lost waits for the database's return before giving up.
const RETURN_PATIENCE: Duration = Duration::from_millis(1500);

/// A database, as far as it can be reached.
pub(super) struct Link {
    shared: Arc<Shared>,
    supervisor: Option<JoinHandle<()>>,
}

struct Shared {
    /// Where to connect to; `None` when there is nothing to connect to anew.
    remote: Option<Arc<Remote>>,
    state: watch::Sender<State>,
    doubt: Notify,
}

impl Link {
    /// A database that is open already, and stays so.
    pub(super) fn to_open(client: Client) -> Self {
        Self::new(None, Connection::of(client))
    }

    /// Connects to a database.
    ///
    /// # Errors
    /// [`ConnectError`] when that cannot be done now; nothing is then left behind.
    pub(super) async fn open(remote: Remote) -> Result<Self, ConnectError> {
        let remote = Arc::new(remote);
        let connection = Connection::open(&remote).await?;
        Ok(Self::new(Some(remote), connection))
    }

    fn new(remote: Option<Arc<Remote>>, connection: Connection) -> Self {
        let state = watch::Sender::new(State::of(connection));
        Self { shared: Arc::new(Shared { remote, state, doubt: Notify::new() }), supervisor: None }
    }

    /// Begins to watch over the connection. Our tables must be there: examinations read them.
    pub(super) fn watch_over(&mut self) {
        if let (Some(remote), None) = (&self.shared.remote, &self.supervisor) {
            let supervised = supervisor::watch_over(Arc::clone(&self.shared), Arc::clone(remote));
            self.supervisor = Some(tokio::spawn(supervised));
        }
    }

    /// The connection to ask over, and the version of the state that it was found in.
    ///
    /// # Errors
    /// [`Failure::Away`].
    pub(super) fn now(&self) -> Result<(Arc<Connection>, u64), Failure> {
        let state = self.shared.state.borrow();
        let connection = state.connection.as_ref().ok_or(Failure::Away)?;
        Ok((Arc::clone(connection), state.version))
    }

    /// Asks for an examination, because no answer came over the connection of this version, and waits for its result:
    /// whether the database is there.
    pub(super) async fn is_there_since(&self, version: u64) -> bool {
        if self.supervisor.is_none() {
            return false;
        }
        let mut state = self.shared.state.subscribe();
        self.shared.doubt.notify_one();
        let newer = state.wait_for(|state| state.version > version && state.connection.is_some());
        matches!(timeout(RETURN_PATIENCE, newer).await, Ok(Ok(_)))
    }

    /// How long ago the database last answered, when it is away.
    pub(super) fn away_for(&self) -> Option<Duration> {
        let state = self.shared.state.borrow();
        state.connection.is_none().then(|| state.answered.elapsed())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.abort();
        }
    }
}

impl Shared {
    fn publish(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(|state| {
            state.version += 1;
            change(state);
        });
    }

    fn away(&self) {
        self.publish(|state| state.connection = None);
    }

    fn back(&self, connection: Connection) {
        self.publish(|state| {
            state.connection = Some(Arc::new(connection));
            state.answered = Instant::now();
        });
    }

    fn confirmed(&self) {
        self.publish(|state| state.answered = Instant::now());
    }
}
