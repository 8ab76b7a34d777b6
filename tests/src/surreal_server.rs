//! A SurrealDB server of its own, in memory, for tests over the network; with files, it can be started again.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use surrealdb::{Surreal, engine::any::Any, opt::auth::Root, types::Value};
use tempfile::TempDir;

/// Where the server's program is.
pub const PROGRAM_VARIABLE: &str = "KUNJI_TEST_SURREAL_SERVER";

const ROOT_USER: &str = "root";
const ROOT_PASSWORD: &str = "root of a test";
const START_LIMIT: Duration = Duration::from_mins(1);
/// Tries of a change that others forestall.
const ATTEMPTS: usize = 8;

/// A running server; ends when it is dropped.
pub struct SurrealServer {
    process: Mutex<Child>,
    address: SocketAddr,
    url: String,
    databases: AtomicU32,
    /// Where it writes down every change before it reports it as done; without, it forgets all at its end.
    files: Option<TempDir>,
}

/// An empty database on the server, and its user.
pub struct Database {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub database: String,
    /// A database-level user with the role `EDITOR`.
    pub user: String,
    /// The user's password.
    pub password: String,
}

impl SurrealServer {
    /// Starts a server on a free port of the loopback interface, and returns when it serves.
    ///
    /// # Errors
    /// Without the variable [`PROGRAM_VARIABLE`], or when the server does not start.
    pub fn start() -> Result<Self> {
        Self::start_with(None)
    }

    /// The same, with files, so that [`SurrealServer::restart`] finds what was there.
    ///
    /// # Errors
    /// As [`SurrealServer::start`].
    pub fn start_with_files() -> Result<Self> {
        Self::start_with(Some(TempDir::new()?))
    }

    fn start_with(files: Option<TempDir>) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Self {
            process: Mutex::new(spawn(address, files.as_ref())?),
            address,
            url: format!("ws://{address}"),
            databases: AtomicU32::new(0),
            files,
        })
    }

    /// Starts it again under its address, after it was killed, and returns when it serves.
    ///
    /// # Errors
    /// As [`SurrealServer::start`].
    pub fn restart(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        *process = spawn(self.address, self.files.as_ref())?;
        Ok(())
    }

    /// The server that tests of one process share while at least one of them runs.
    ///
    /// # Errors
    /// As [`SurrealServer::start`].
    pub fn shared() -> Result<Arc<Self>> {
        static SHARED: Mutex<Weak<SurrealServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new database.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn create_database(&self) -> Result<Database> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let database = Database {
            namespace: "kunji".to_owned(),
            database: format!("test{number}"),
            user: "kunji".to_owned(),
            password: format!("password {number}"),
        };
        let Database { namespace, database: name, user, password } = &database;
        let text = format!(
            "DEFINE NAMESPACE IF NOT EXISTS {namespace}; USE NS {namespace};
             DEFINE DATABASE IF NOT EXISTS {name}; USE DB {name};
             DEFINE USER IF NOT EXISTS {user} ON DATABASE PASSWORD '{password}' ROLES EDITOR;"
        );
        let client = self.sign_in_as_root().await?;
        // Of two that make their first database at once, the server refuses one.
        for _ in 1..ATTEMPTS {
            match client.query(&text).await?.check() {
                Err(error) if error.to_string().contains("can be retried") => {}
                outcome => return outcome.map(|_| database).map_err(Into::into),
            }
        }
        client.query(&text).await?.check()?;
        Ok(database)
    }

    /// What the query returns in the database, asked past everything of ours.
    ///
    /// # Errors
    /// When the server or the query fails.
    pub async fn ask(&self, database: &Database, text: &str) -> Result<Value> {
        let client = self.sign_in_as_root().await?;
        client.use_ns(&database.namespace).use_db(&database.database).await?;
        Ok(client.query(text).await?.check()?.take(0)?)
    }

    /// Ends the server at once, as a crash does.
    ///
    /// # Errors
    /// When the system cannot end it.
    pub fn kill(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    async fn sign_in_as_root(&self) -> Result<Surreal<Any>> {
        let client = surrealdb::engine::any::connect(&self.url).await?;
        client.signin(Root { username: ROOT_USER.to_owned(), password: ROOT_PASSWORD.to_owned() }).await?;
        Ok(client)
    }
}

impl Drop for SurrealServer {
    fn drop(&mut self) {
        // Nothing is left to do when it has gone already.
        let _ = self.kill();
    }
}

/// Starts the program, and returns when it serves.
fn spawn(address: SocketAddr, files: Option<&TempDir>) -> Result<Child> {
    let program = std::env::var_os(PROGRAM_VARIABLE).with_context(|| {
        format!("{PROGRAM_VARIABLE} names no SurrealDB server; .scripts/surreal-server builds one")
    })?;
    let storage = files.map_or_else(
        || "memory".to_owned(),
        |files| format!("mem://{}?aol=sync&sync=every", files.path().display()),
    );
    let mut process = Command::new(program)
        .args(["start", "--no-banner", "--log", "info", "--bind", &address.to_string(), &storage])
        .envs([("SURREAL_USER", ROOT_USER), ("SURREAL_PASS", ROOT_PASSWORD)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (lines, received) = mpsc::channel();
    drain(process.stdout.take(), &lines);
    drain(process.stderr.take(), &lines);
    drop(lines);
    let started = || -> Result<()> {
        while !received
            .recv_timeout(START_LIMIT)
            .context("the SurrealDB server did not start")?
            .contains("Started")
        {}
        // It says so just before it listens.
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < deadline, "the SurrealDB server does not listen");
            std::thread::yield_now();
        }
        Ok(())
    };
    if let Err(error) = started() {
        let _ = process.kill();
        let _ = process.wait();
        return Err(error);
    }
    Ok(process)
}

/// Reads the server's output to its end, so that it never waits for a reader.
fn drain(output: Option<impl std::io::Read + Send + 'static>, lines: &mpsc::Sender<String>) {
    let lines = lines.clone();
    if let Some(output) = output {
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Once the server has started nobody listens any more.
                let _ = lines.send(line);
            }
        });
    }
}
