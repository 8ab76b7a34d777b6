//! Watches over the connection: examines it, and makes a new one when the old one is lost.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use surrealdb::types::Variables;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::{
    super::error::ConnectError,
    Shared,
    connection::{Connection, Remote},
};

/// How often a database that nobody doubts is examined.
const EXAMINATIONS: Duration = Duration::from_secs(1);
/// Longest time that an examination may take.
const EXAMINATION: Duration = Duration::from_secs(2);
/// Pauses between connections, doubled up to the longer; and while the database refuses our user, for whom it hashes a
/// password each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// Longest time that connecting may take: for the attempts that notice a return at once, and for those beside them that
/// reach a database that is slow.
const QUICK: Duration = Duration::from_secs(1);
const PATIENT: Duration = Duration::from_secs(15);

/// Never ends.
pub(super) async fn watch_over(shared: Arc<Shared>, remote: Arc<Remote>) {
    let mut ticks = interval(EXAMINATIONS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.doubt.notified() => {}
        }
        let Some(connection) = shared.state.borrow().connection.clone() else { continue };
        let cause = if connection.is_broken() {
            "the connection broke"
        } else {
            match examine(&connection).await {
                Ok(()) => {
                    shared.confirmed();
                    continue;
                }
                Err(cause) => cause,
            }
        };
        recover(&shared, &remote, &connection, cause).await;
    }
}

/// Whether our tables can be read over the connection; else why not. Which version they have is not asked here.
async fn examine(connection: &Connection) -> Result<(), &'static str> {
    const TEXT: &str = "
        -- kunji_server::adapters::surreal::link::supervisor::examine
        SELECT VALUE version FROM ONLY schema_version:current;";
    match timeout(EXAMINATION, connection.ask(TEXT, Variables::new(), ())).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(failure)) => Err(failure.kind()),
        Err(_elapsed) => Err("no answer to an examination"),
    }
}

/// Ends the connection and makes another, however long that takes.
async fn recover(shared: &Shared, remote: &Arc<Remote>, lost: &Connection, cause: &'static str) {
    let since = Instant::now();
    tracing::error!(cause, "the database is lost; it is connected to anew until it is back");
    shared.away();
    lost.end();
    let known = Mutex::new(cause.to_owned());
    // A connection that waits for something that will never come would hold up the others, so each has little time. For
    // a database that needs more, others go on beside them.
    let connection = tokio::select! {
        connection = connect_until_there(remote, QUICK, &known) => connection,
        connection = async {
            sleep(QUICK).await;
            connect_until_there(remote, PATIENT, &known).await
        } => connection,
    };
    tracing::info!(away_milliseconds = since.elapsed().as_millis(), "the database is back");
    shared.back(connection);
}

async fn connect_until_there(remote: &Arc<Remote>, patience: Duration, known: &Mutex<String>) -> Connection {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match timeout(patience, connect(remote)).await {
            Ok(Ok(connection)) => return connection,
            Ok(Err(error)) => error,
            Err(_elapsed) => ConnectError::Unavailable("no answer while it was connected to"),
        };
        note(&error.to_string(), known);
        if matches!(error, ConnectError::SignIn(_)) {
            sleep(REFUSED_PAUSE).await;
        } else {
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause.saturating_mul(2));
        }
    }
}

async fn connect(remote: &Arc<Remote>) -> Result<Connection, ConnectError> {
    let connection = Connection::open(remote).await?;
    examine(&connection).await.map_err(ConnectError::Unavailable)?;
    Ok(connection)
}

/// One line for each new cause, not for each attempt.
fn note(cause: &str, known: &Mutex<String>) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if *known != cause {
        tracing::warn!(cause, "the database is still away");
        cause.clone_into(&mut known);
    }
}
