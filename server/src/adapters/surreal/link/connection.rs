//! One connection of the driver, which ends when it is told to.
//!
//! The driver (SurrealDB 3.3) connects again by itself, in a task without an end. That does not replace a supervisor:
//! - a peer that has fallen silent is never noticed, and its callers wait for ever;
//! - while it tries, requests wait in its queue, and are sent when nobody counts on them any more;
//! - requests that were under way when the peer closed in good order are answered only after its return;
//! - a session whose sign-in was refused once, by a database that was still starting, is never mended.
//!
//! So each connection has a runtime of its own, which takes the driver's tasks, sockets and queues with it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use secrecy::{ExposeSecret, SecretString};
use surrealdb::{
    IndexedResults, Surreal,
    engine::any::Any,
    opt::{Config, WebsocketConfig, auth::Database},
    types::{ErrorDetails, Value, Variables},
};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

use super::{
    super::{
        error::{ConnectError, Failure},
        trust,
    },
    client::Client,
};

/// Largest message to or from a remote database: above any answer of ours.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Bytes waiting for a remote database before callers wait.
const WRITE_BUFFER_LIMIT: usize = 16 << 20;
/// Queries waiting for a remote database before callers wait.
const QUEUE_LIMIT: usize = 1024;

/// A database in a server of its own, and who we are there.
pub(in super::super) struct Remote {
    pub(in super::super) url: String,
    pub(in super::super) tls: bool,
    pub(in super::super) namespace: String,
    pub(in super::super) database: String,
    pub(in super::super) user: String,
    pub(in super::super) password: SecretString,
}

/// A connection, with namespace and database chosen.
pub(in super::super) struct Connection {
    client: Arc<Client>,
    /// `None` when the database is in this process, or somebody else has opened it.
    driver: Option<Driver>,
    broken: AtomicBool,
}

impl Connection {
    /// One that somebody has opened.
    pub(super) fn of(client: Client) -> Self {
        Self { client: Arc::new(client), driver: None, broken: AtomicBool::new(false) }
    }

    /// Connects and signs in. Dropped before its end, it leaves nothing behind.
    pub(super) async fn open(remote: &Arc<Remote>) -> Result<Self, ConnectError> {
        let driver = Driver::start().map_err(|_| ConnectError::Unavailable("no thread can be started"))?;
        let remote = Arc::clone(remote);
        let client = driver
            .spawn(async move { sign_in(&remote).await })
            .await
            .map_err(|_| ConnectError::Unavailable("connecting failed within this process"))??;
        let client = Arc::new(Client::Any(client));
        Ok(Self { client, driver: Some(driver), broken: AtomicBool::new(false) })
    }

    /// Asks, in a task of its own, so that a caller who gives up does not tear a transaction apart. `kept` lives as
    /// long as the task.
    ///
    /// # Errors
    /// [`Failure::Lost`] when no answer came, and whatever a statement failed with.
    pub(in super::super) async fn ask(
        &self,
        text: &'static str,
        values: Variables,
        kept: impl Send + 'static,
    ) -> Result<Value, Failure> {
        let client = Arc::clone(&self.client);
        let query = async move {
            let _kept = kept;
            client.query(text, values).await
        };
        let task = match &self.driver {
            Some(driver) => driver.spawn(query),
            None => tokio::spawn(query),
        };
        match task.await {
            Ok(Ok(results)) => value_of(results),
            Ok(Err(error)) => {
                if matches!(error.details(), ErrorDetails::Connection(_)) {
                    self.broken.store(true, Ordering::Relaxed);
                }
                Err(Failure::of_call(&error))
            }
            Err(_ended) => Err(Failure::Lost("the connection was given up")),
        }
    }

    /// Ends it, and all that is under way on it.
    pub(super) fn end(&self) {
        if let Some(driver) = &self.driver {
            driver.end();
        }
    }

    /// Whether the driver has said that it lost the other side.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

fn value_of(mut results: IndexedResults) -> Result<Value, Failure> {
    match Failure::of_all(results.take_errors().values()) {
        Some(failure) => Err(failure),
        None => results.take::<Value>(0).map_err(|error| Failure::of(&error)),
    }
}

async fn sign_in(remote: &Remote) -> Result<Surreal<Any>, ConnectError> {
    let websocket =
        WebsocketConfig::new().max_message_size(MESSAGE_LIMIT).max_write_buffer_size(WRITE_BUFFER_LIMIT);
    let mut config = Config::new().websocket(websocket).map_err(ConnectError::unopened)?;
    if remote.tls {
        config = config.rustls(trust::client_config()?);
    }
    let client = surrealdb::engine::any::connect((remote.url.clone(), config))
        .with_capacity(QUEUE_LIMIT)
        .await
        .map_err(ConnectError::unopened)?;
    let credentials = Database {
        namespace: remote.namespace.clone(),
        database: remote.database.clone(),
        username: remote.user.clone(),
        password: remote.password.expose_secret().to_owned(),
    };
    client.signin(credentials).await.map_err(|error| match error.details() {
        ErrorDetails::Connection(_) => ConnectError::unopened(&error),
        details => ConnectError::SignIn(details.kind_str()),
    })?;
    choose_database(&client, &remote.namespace, &remote.database).await?;
    Ok(client)
}

pub(in super::super) async fn choose_database<C: surrealdb::Connection>(
    client: &Surreal<C>,
    namespace: &str,
    database: &str,
) -> Result<(), ConnectError> {
    client.use_ns(namespace).use_db(database).await.map(drop).map_err(ConnectError::unopened)
}

/// What the driver runs in. Its tasks end with it, wherever they are, and nobody waits for them.
struct Driver {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Driver {
    fn start() -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("database").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// What it gives back is cancelled when the driver ends, or has ended.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn(task)
    }

    fn end(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
    }
}
