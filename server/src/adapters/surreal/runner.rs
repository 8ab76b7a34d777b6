//! Runs queries: one text each, with its values beside it, within a time, again when another was faster.
//!
//! A change is one `BEGIN; …; COMMIT;` text with its conditions inside. An interactive transaction would commit
//! although a statement in it failed (SurrealDB 3.3).

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use surrealdb::{
    Surreal,
    engine::any::Any,
    types::{SurrealValue, Value, Variables},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::error::Failure;

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
}

/// A connection to the database, with namespace and database chosen.
pub(super) struct Runner {
    client: Arc<Surreal<Any>>,
    turns: Arc<Semaphore>,
}

impl Runner {
    pub(super) fn new(client: Surreal<Any>) -> Self {
        Self { client: Arc::new(client), turns: Arc::new(Semaphore::new(QUERIES)) }
    }

    /// What the query's first statement returns.
    pub(super) async fn read(&self, query: Query) -> Result<Value, Failure> {
        self.run(query).await
    }

    /// Makes a change. When it fails with [`Failure::Unavailable`] it may have been made all the same, or may
    /// still be: the caller finds out by reading.
    pub(super) async fn change(&self, query: Query) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.run(query.clone()).await {
                Err(Failure::Contended) => sleep(part_of(pause)).await,
                outcome => return outcome.map(drop),
            }
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
        self.run(query).await.map(drop)
    }

    /// The query runs in a task of its own, so that a caller who gives up does not tear a transaction apart.
    async fn run(&self, Query { text, values }: Query) -> Result<Value, Failure> {
        let (client, turns) = (Arc::clone(&self.client), Arc::clone(&self.turns));
        let answer = async {
            let turn = turns.acquire_owned().await;
            tokio::spawn(async move {
                let _turn = turn;
                client.query(text).bind(values).await
            })
            .await
        };
        let mut results = match timeout(DEADLINE, answer).await {
            Err(_elapsed) => return Err(Failure::Unavailable("no answer in time")),
            Ok(Err(_aborted)) => return Err(Failure::Unavailable("the query was aborted")),
            Ok(Ok(Err(error))) => return Err(Failure::of(&error)),
            Ok(Ok(Ok(results))) => results,
        };
        match Failure::of_all(results.take_errors().values()) {
            Some(failure) => Err(failure),
            None => results.take::<Value>(0).map_err(|error| Failure::of(&error)),
        }
    }
}

/// A part of `pause` that differs from task to task: two that met once shall not meet again. It is no secret.
fn part_of(pause: Duration) -> Duration {
    let [byte, ..] = RandomState::new().hash_one(()).to_be_bytes();
    pause.saturating_mul(u32::from(byte) + 1) / 256
}
