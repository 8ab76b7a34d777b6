//! A place to run the real server in: a token of its own, a data directory, and `kunji` as a child process.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{http::Http, softhsm};

/// The PIN of the token's user, as it is in the file that the server is told of.
pub const PIN: &str = "7391-4826";

/// A token, a data directory, and settings.
pub struct Site {
    dir: TempDir,
    settings: Vec<(String, String)>,
}

impl Site {
    /// A new place with an empty token.
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path();
        let tokens = path.join("tokens");
        fs::create_dir(&tokens).unwrap();
        fs::write(
            path.join("softhsm2.conf"),
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            ),
        )
        .unwrap();
        fs::write(path.join("pin"), PIN).unwrap();
        let site = Self { dir, settings: Vec::new() };
        site.make_token();
        site
    }

    /// Makes a token of the label and PIN that the server is told of, in the token directory as it is now.
    pub fn make_token(&self) {
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", "kunji", "--pin", PIN, "--so-pin", "0000"])
            .env("SOFTHSM2_CONF", self.path().join("softhsm2.conf"))
            .output()
            .expect("softhsm2-util is needed: install the package softhsm2");
        assert!(output.status.success(), "softhsm2-util: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Where the token's files are.
    pub fn token_directory(&self) -> PathBuf {
        self.path().join("tokens")
    }

    /// The file with the PIN.
    pub fn pin_file(&self) -> PathBuf {
        self.path().join("pin")
    }

    /// The same with a setting, by the name of its environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Has servers that are started from now on see a setting.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.push((name.to_owned(), value.into()));
    }

    /// The directory of everything.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// `kunji` with this place's settings.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        // Settings of the surroundings are not those of this place.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KUNJI_"))
        {
            command.env_remove(name);
        }
        command
            .env("SOFTHSM2_CONF", self.path().join("softhsm2.conf"))
            .env("KUNJI_LISTEN", "127.0.0.1:0")
            .env("KUNJI_ISSUER", "http://kunji.test")
            .env("KUNJI_DATA_DIR", self.data_dir())
            .env("KUNJI_PKCS11_MODULE", softhsm::module())
            .env("KUNJI_PKCS11_TOKEN_LABEL", "kunji")
            .env("KUNJI_PKCS11_PIN_FILE", self.pin_file())
            .env("KUNJI_LOG_FILTER", "warn")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it is ready.
    pub fn start(&self) -> Server {
        self.start_command(self.command())
    }

    /// Starts the server as `command` says and waits until it is ready.
    pub fn start_command(&self, command: Command) -> Server {
        self.try_start(command, |_| ())
            .unwrap_or_else(|end| panic!("kunji did not start: {end}{}", self.log()))
    }

    /// Starts the server as `command` says; `spawned` is told its process before anything else.
    ///
    /// # Errors
    /// How it ended and what it had printed, when it ended before it was ready.
    pub fn try_start(&self, mut command: Command, spawned: impl FnOnce(u32)) -> Result<Server, String> {
        let began = Instant::now();
        let log = fs::File::options().create(true).append(true).open(self.path().join("log")).unwrap();
        let mut child =
            command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        spawned(child.id());
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let Some(base) = line.trim_end().strip_prefix("kunji is ready on ") else {
            let _ = child.kill();
            return Err(format!("{:?}: {line}", child.wait()));
        };
        let base = base.to_owned();
        let ready_after = began.elapsed();
        Ok(Server { secret: self.administrator_secret(), base, child, ready_after, _output: output })
    }

    /// What the servers here have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// The secret of the first administrator, as the server wrote it.
    pub fn administrator_secret(&self) -> String {
        fs::read_to_string(self.data_dir().join("administrator-secret"))
            .map(|text| text.trim_end().to_owned())
            .unwrap_or_default()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server.
pub struct Server {
    /// `http://address`.
    pub base: String,
    /// The administrator's secret.
    pub secret: String,
    /// How long it took from its start until it was ready.
    pub ready_after: Duration,
    child: Child,
    _output: BufReader<ChildStdout>,
}

impl Server {
    /// A caller of this server who has shown no token yet.
    pub fn http(&self) -> Http {
        Http::new(&self.base)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits for that.
    pub fn stop(mut self) -> ExitStatus {
        self.end()
    }

    /// The same for a server that others hold.
    pub fn end(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }

    /// Ends it as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with default settings that the tests of one binary share, and its place.
pub struct Shared {
    /// The server. Before the place, so that it ends first.
    pub server: Server,
    /// Where it runs.
    pub site: Site,
}

/// The shared server; it ends with the last test that holds it.
pub fn shared() -> Arc<Shared> {
    static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let site = Site::new().with("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/*");
    let running = Arc::new(Shared { server: site.start(), site });
    *shared = Arc::downgrade(&running);
    running
}

/// The server's program, built beside this test.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(Path::parent).unwrap().join("kunji");
    assert!(program.exists(), "{} is missing: run `cargo build --release` first", program.display());
    program
}
