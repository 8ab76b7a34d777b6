//! Runs queries: one text each, with its values beside it, within a time, again when another was faster.
//!
//! A change is one `BEGIN; …; COMMIT;` text with its conditions inside. An interactive transaction would commit
//! although a statement in it failed (SurrealDB 3.3).

use std::{
    hash::{BuildHasher as _, RandomState},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use surrealdb::types::{RecordId, RecordIdKey, RecordIdKeyRange, SurrealValue, Value, Variables};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{
    error::Failure,
    link::{Connection, Link},
};

/// Longest time that a caller waits for one query.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);
/// Queries at once; others wait for their turn.
const QUERIES: usize = 1024;
/// Tries of a change that others forestall, and the longest pause before each: 2 ms, doubled up to 256 ms.
const ATTEMPTS: u32 = 12;
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(256);

/// A query's text, and the values bound to its parameters.
#[derive(Clone)]
pub(super) struct Query {
    text: &'static str,
    values: Variables,
}

impl Query {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, values: Variables::new() }
    }

    pub(super) fn bind(mut self, name: &'static str, value: impl SurrealValue) -> Self {
        self.values.insert(name, value);
        self
    }

    /// Binds `$range`, the rows of `table` behind the one of the id `after`, or all, in the order of their ids; and
    /// `$limit`.
    pub(super) fn page(self, table: &'static str, after: Option<&str>, limit: usize) -> Self {
        let start = match after {
            Some(id) => Bound::Excluded(RecordIdKey::String(id.to_owned())),
            None => Bound::Unbounded,
        };
        let range = RecordIdKey::Range(Box::new(RecordIdKeyRange { start, end: Bound::Unbounded }));
        self.bind("range", RecordId::new(table, range))
            .bind("limit", i64::try_from(limit).unwrap_or(i64::MAX))
    }
}

/// Asks the database, over whatever connection there is.
pub(super) struct Runner {
    link: Link,
    turns: Arc<Semaphore>,
}

impl Runner {
    pub(super) fn new(link: Link) -> Self {
        Self { link, turns: Arc::new(Semaphore::new(QUERIES)) }
    }

    /// Begins to watch over the connection, now that our tables are there.
    pub(super) fn watch_over(&mut self) {
        self.link.watch_over();
    }

    /// How long ago the database last answered, when it is away.
    pub(super) fn away_for(&self) -> Option<Duration> {
        self.link.away_for()
    }

    /// What the query's first statement returns. Asked once more when the answer was lost and the database is there.
    pub(super) async fn read(&self, query: Query) -> Result<Value, Failure> {
        let (connection, version) = self.link.now()?;
        match self.run(&connection, query.clone()).await {
            Err(Failure::Lost(_)) if self.link.is_there_since(version).await => {
                let (connection, _) = self.link.now()?;
                self.run(&connection, query).await
            }
            outcome => outcome,
        }
    }

    /// Makes a change. When it fails with [`Failure::Lost`] it may have been made all the same, or may still be: the
    /// caller finds out by reading. It is then not asked for again, but the database's return is waited for.
    pub(super) async fn change(&self, query: Query) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let (connection, version) = self.link.now()?;
            match self.run(&connection, query.clone()).await {
                Err(Failure::Contended) if attempt < ATTEMPTS => sleep(part_of(pause)).await,
                Err(Failure::Lost(kind)) => {
                    self.link.is_there_since(version).await;
                    return Err(Failure::Lost(kind));
                }
                outcome => return outcome.map(drop),
            }
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
        Err(Failure::Contended)
    }

    async fn run(&self, connection: &Connection, Query { text, values }: Query) -> Result<Value, Failure> {
        let answer = async {
            let turn = Arc::clone(&self.turns).acquire_owned().await;
            connection.ask(text, values, turn).await
        };
        timeout(DEADLINE, answer).await.unwrap_or(Err(Failure::Lost("no answer in time")))
    }
}

/// A part of `pause` that differs from task to task: two that met once shall not meet again. It is no secret.
fn part_of(pause: Duration) -> Duration {
    let [byte, ..] = RandomState::new().hash_one(()).to_be_bytes();
    pause.saturating_mul(u32::from(byte) + 1) / 256
}
