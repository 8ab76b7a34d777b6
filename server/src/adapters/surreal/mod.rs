//! The records in SurrealDB: embedded (`surrealkv://`, `mem://`) or in a server of its own (`ws://`, `wss://`).
//!
//! - Tables are schema-full and made by `migrations/`, whose version start-up checks (`schema`).
//! - What must be unique is a record id, and rows are read by their ids. Index scans are avoided: backwards, on
//!   `surrealkv://`, they take time that grows with the table (SurrealDB 3.3).
//! - A change is one `BEGIN; …; COMMIT;` text that throws when what it relies on no longer holds (`runner`).
//!   SurrealDB's snapshots do not exclude write skew, so every such change writes the record that it relied on.
//! - Values are bound, never formatted into a text; a text names the function that sends it.
//! - Rows that grant rights carry a tag (`integrity`); row structs stay in this module.
//! - Texts of SurrealDB's errors hold values of rows: only their kinds go on (`error`).
//! - What came of a change whose answer was lost is found out by reading.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use surrealdb::{
    Surreal,
    engine::any::Any,
    opt::{Config, WebsocketConfig, auth::Database},
};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    ports::repository::{Repository, RepositoryError},
    trust,
};

mod client_rows;
mod endpoint;
mod error;
mod integrity;
mod kek_rows;
mod key_rows;
mod policy_rows;
mod provisioning_rows;
mod roster_rows;
mod runner;
mod schema;

use endpoint::Endpoint;
pub use error::ConnectError;
use integrity::Integrity;
use runner::{DEADLINE, Runner};

/// Largest message to or from a remote database: above any answer of ours.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Bytes waiting for a remote database before callers wait.
const WRITE_BUFFER_LIMIT: usize = 16 << 20;
/// Queries waiting for a remote database before callers wait.
const QUEUE_LIMIT: usize = 1024;

/// Which database, and as whom.
#[derive(Debug)]
pub struct DatabaseSettings {
    /// `surrealkv://PATH`, `mem://`, `ws://HOST[:PORT]` or `wss://HOST[:PORT]`.
    pub url: String,
    /// The namespace.
    pub namespace: String,
    /// The database in it.
    pub database: String,
    /// Database-level user of a remote database.
    pub user: String,
    /// That user's password.
    pub password: Option<SecretString>,
}

/// Every record of the key manager, in one SurrealDB database.
pub struct SurrealRepository {
    runner: Runner,
    integrity: Integrity,
}

impl SurrealRepository {
    /// Opens the database and brings its schema to the version of this program.
    ///
    /// An embedded database has one process at a time and lives as long as this value; its directory is made
    /// private to the user.
    ///
    /// # Errors
    /// [`ConnectError`]; among them a URL that does not synchronize every commit, and a schema that this program
    /// does not know.
    pub async fn connect(settings: DatabaseSettings) -> Result<Self, ConnectError> {
        let client = match Endpoint::parse(&settings.url)? {
            Endpoint::Memory => open_embedded("mem://".to_owned(), &settings).await?,
            Endpoint::Directory(directory) => {
                endpoint::make_private(&directory)?;
                open_embedded(endpoint::embedded_url(&directory)?, &settings).await?
            }
            Endpoint::Remote { url, tls } => timeout(DEADLINE, open_remote(url, tls, &settings))
                .await
                .map_err(|_elapsed| ConnectError::Unavailable("no answer in time"))??,
        };
        Self::from_client(client).await
    }

    /// The repository in a database that is already open, with namespace and database chosen; brings its schema
    /// to the version of this program.
    ///
    /// # Errors
    /// [`ConnectError::Schema`] and [`ConnectError::Unavailable`].
    pub async fn from_client(client: Surreal<Any>) -> Result<Self, ConnectError> {
        let runner = Runner::new(client);
        schema::migrate(&runner).await?;
        Ok(Self { runner, integrity: Integrity::default() })
    }
}

async fn open_embedded(url: String, settings: &DatabaseSettings) -> Result<Surreal<Any>, ConnectError> {
    let config = Config::new().query_timeout(DEADLINE);
    let client = surrealdb::engine::any::connect((url, config)).await.map_err(|error| unopened(&error))?;
    choose_database(&client, settings).await?;
    Ok(client)
}

async fn open_remote(
    url: String,
    tls: bool,
    settings: &DatabaseSettings,
) -> Result<Surreal<Any>, ConnectError> {
    let password = settings.password.as_ref().ok_or(ConnectError::PasswordMissing)?;
    let websocket =
        WebsocketConfig::new().max_message_size(MESSAGE_LIMIT).max_write_buffer_size(WRITE_BUFFER_LIMIT);
    let mut config = Config::new().websocket(websocket).map_err(|error| unopened(&error))?;
    if tls {
        config = config.rustls(trust::client_config()?);
    } else {
        tracing::warn!("the connection to the database is not encrypted; use wss:// beyond this machine");
    }
    let client = surrealdb::engine::any::connect((url, config))
        .with_capacity(QUEUE_LIMIT)
        .await
        .map_err(|error| unopened(&error))?;
    // The driver keeps the password, because it signs in again after it has lost the connection.
    let credentials = Database {
        namespace: settings.namespace.clone(),
        database: settings.database.clone(),
        username: settings.user.clone(),
        password: password.expose_secret().to_owned(),
    };
    client.signin(credentials).await.map_err(|error| ConnectError::SignIn(error.kind_str()))?;
    choose_database(&client, settings).await?;
    Ok(client)
}

async fn choose_database(client: &Surreal<Any>, settings: &DatabaseSettings) -> Result<(), ConnectError> {
    client
        .use_ns(&settings.namespace)
        .use_db(&settings.database)
        .await
        .map(drop)
        .map_err(|error| unopened(&error))
}

/// No row has been read yet, so the text is safe to pass on.
fn unopened(error: &surrealdb::Error) -> ConnectError {
    ConnectError::Open(error.message().to_owned())
}

#[async_trait]
impl Repository for SurrealRepository {
    async fn check_health(&self) -> Result<(), RepositoryError> {
        Ok(schema::check(&self.runner).await?)
    }

    fn install_integrity_key(&self, key: Zeroizing<[u8; 32]>) {
        self.integrity.install(&key);
    }
}
