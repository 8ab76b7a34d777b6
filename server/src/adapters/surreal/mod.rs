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
//! - A lost connection is made anew (`link`); what came of a change whose answer was lost is found out by reading.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use surrealdb::{Surreal, engine::any::Any};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    ports::repository::{Repository, RepositoryError},
    trust,
};

#[macro_use]
mod ending_rows;
mod access_policy_rows;
mod approval_rows;
mod client_rows;
mod cross_rows;
mod embedded;
mod endpoint;
mod error;
mod integrity;
mod kek_rows;
mod key_end_rows;
mod key_rows;
mod key_state_rows;
mod link;
mod newest_rows;
mod policy_rows;
mod provisioning_rows;
mod rewrap_rows;
mod roster_rows;
mod runner;
mod schema;
mod symmetric_rows;
mod tag_rows;
mod wrap_rows;

use endpoint::Endpoint;
pub use error::ConnectError;
use error::Failure;
use integrity::Integrity;
use link::{Client, Link, Remote, choose_database};
use runner::{DEADLINE, Query, Runner};

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
    /// Bytes of an embedded database that are kept in memory at most.
    pub cache_bytes: u64,
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
    /// private to the user. The connection to a remote one is watched over from then on, and made anew when it is
    /// lost.
    ///
    /// # Errors
    /// [`ConnectError`]; among them a URL that does not synchronize every commit, and a schema that this program
    /// does not know.
    pub async fn connect(settings: DatabaseSettings) -> Result<Self, ConnectError> {
        match Endpoint::parse(&settings.url)? {
            Endpoint::Memory => Self::over(open_embedded("memory", &settings).await?).await,
            Endpoint::Directory(directory) => {
                endpoint::make_private(&directory)?;
                let path = endpoint::embedded_path(&directory)?;
                Self::over(open_embedded(&path, &settings).await?).await
            }
            Endpoint::Remote { url, tls } => {
                let opening = Link::open(remote(url, tls, settings)?);
                let link = timeout(DEADLINE, opening)
                    .await
                    .map_err(|_elapsed| ConnectError::Unavailable("no answer in time"))??;
                Self::over(link).await
            }
        }
    }

    /// The repository in a database that is already open, with namespace and database chosen; brings its schema
    /// to the version of this program.
    ///
    /// # Errors
    /// [`ConnectError::Schema`] and [`ConnectError::Unavailable`].
    pub async fn from_client(client: Surreal<Any>) -> Result<Self, ConnectError> {
        Self::over(Link::to_open(Client::Any(client))).await
    }

    async fn over(link: Link) -> Result<Self, ConnectError> {
        let mut runner = Runner::new(link);
        schema::migrate(&runner).await?;
        runner.watch_over();
        Ok(Self { runner, integrity: Integrity::default() })
    }

    /// Makes a change, and when it is not known what came of it, finds that out: `made` reads whether it was made.
    ///
    /// # Errors
    /// [`Failure::Unsettled`] when the answer was lost and the change is not, or not yet, to be seen.
    async fn settle(
        &self,
        change: Query,
        made: impl Future<Output = Result<bool, RepositoryError>> + Send,
    ) -> Result<(), Failure> {
        let failure = match self.runner.change(change).await {
            Err(Failure::Lost(kind)) => Failure::Unsettled(kind),
            Err(failure @ Failure::Unavailable(_)) => failure,
            outcome => return outcome,
        };
        if matches!(made.await, Ok(true)) { Ok(()) } else { Err(failure) }
    }
}

fn remote(url: String, tls: bool, settings: DatabaseSettings) -> Result<Remote, ConnectError> {
    if !tls {
        tracing::warn!("the connection to the database is not encrypted; use wss:// beyond this machine");
    }
    let DatabaseSettings { namespace, database, user, password, .. } = settings;
    let password = password.ok_or(ConnectError::PasswordMissing)?;
    Ok(Remote { url, tls, namespace, database, user, password })
}

async fn open_embedded(path: &str, settings: &DatabaseSettings) -> Result<Link, ConnectError> {
    let client = embedded::open(path, settings.cache_bytes).await?;
    choose_database(&client, &settings.namespace, &settings.database).await?;
    Ok(Link::to_open(Client::Embedded(client)))
}

#[async_trait]
impl Repository for SurrealRepository {
    async fn check_health(&self) -> Result<(), RepositoryError> {
        Ok(schema::check(&self.runner).await?)
    }

    fn away_for(&self) -> Option<Duration> {
        self.runner.away_for()
    }

    fn install_integrity_key(&self, key: Zeroizing<[u8; 32]>) {
        self.integrity.install(&key);
    }
}
