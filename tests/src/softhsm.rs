//! Throw-away SoftHSM tokens.
//!
//! SoftHSM reads its configuration (`SOFTHSM2_CONF`, set by `.cargo/config.toml`) and the list of its tokens once,
//! when a process loads it. So the tokens of a process are made by `softhsm2-util`, in processes of its own,
//! **before** this process loads the library: by one [`Token::create_all`] for all tests of a binary. A server
//! started later as a child sees all tokens that exist by then.
//!
//! All processes share one directory, and labels are unique. The first process to use the directory while no other
//! does empties it.

use std::{
    env, fs, mem,
    path::{Path, PathBuf},
    process::{Command, Output, id},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use kunji_server::adapters::pkcs11::{
    Isolation, OpenError, PinSource, Pkcs11KeyStore, Pkcs11Settings, WorkerProgram,
};
use secrecy::SecretString;

use crate::raw_token::RawToken;

/// User PIN of every token made here.
pub const PIN: &str = "correct-horse-1876";
/// First line of the configurations made here: what others have made is left alone.
const MADE_HERE: &str = "# Made by the tests of Kunji\n";
const SO_PIN: &str = "security-officer-42";

/// Where Debian and others put the library.
const USUAL_PLACES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The SoftHSM library: `KUNJI_TEST_PKCS11_MODULE`, or where it usually is.
pub fn module() -> PathBuf {
    if let Some(module) = env::var_os("KUNJI_TEST_PKCS11_MODULE") {
        return module.into();
    }
    USUAL_PLACES
        .iter()
        .map(PathBuf::from)
        .find(|place| place.exists())
        .expect("SoftHSM is not installed: install the package softhsm2, or set KUNJI_TEST_PKCS11_MODULE")
}

/// A token of our own.
#[derive(Debug)]
pub struct Token {
    /// Its label, unlike any other's.
    pub label: String,
}

impl Token {
    /// Makes a token. This process must not have loaded the library yet, or it will not see it.
    pub fn create(purpose: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let label = format!("{purpose}-{}-{number}", id());
        assert!(label.len() <= 32, "PKCS#11 cuts labels at 32 bytes: {label}");
        let make = || {
            softhsm2_util(&["--init-token", "--free", "--label", &label, "--pin", PIN, "--so-pin", SO_PIN])
        };
        let mut output = make();
        // It reads all tokens, and fails at once where another process is writing one.
        for _ in 0..5 {
            if !output.status.success() {
                output = make();
            }
        }
        assert!(output.status.success(), "softhsm2-util: {}", String::from_utf8_lossy(&output.stderr));
        Self { label }
    }

    /// Makes `count` tokens, as [`Token::create`].
    pub fn create_all(purpose: &str, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::create(purpose)).collect()
    }

    /// Settings to open it with: two workers, room for 1024 calls, and time enough for a busy machine.
    pub fn settings(&self) -> Pkcs11Settings {
        Pkcs11Settings {
            name: self.label.clone(),
            module: module(),
            initialize_argument: None,
            token_label: self.label.clone(),
            token_serial: None,
            pin: PinSource::fixed(SecretString::from(PIN)),
            isolation: Isolation::None,
            workers: 2,
            queue: 1024,
            deadline: Duration::from_mins(1),
            wrapping: None,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Pkcs11KeyStore::open`].
    pub async fn open(&self) -> Result<Pkcs11KeyStore, OpenError> {
        Pkcs11KeyStore::open(self.settings()).await
    }

    /// The token without an adapter in front of it, over the library instance that `_store` has initialised.
    pub fn raw(&self, _store: &Pkcs11KeyStore) -> RawToken {
        RawToken::open(&module(), &self.label)
    }
}

/// The library in a process of its own, the worker of the program under test.
pub fn isolated() -> Isolation {
    let arguments = ["hsm-worker", "--log-format", "text", "--log-filter", "warn"].map(Into::into).to_vec();
    Isolation::Process(WorkerProgram { path: crate::site::program(), arguments, environment: Vec::new() })
}

/// Runs `softhsm2-util`, one at a time over all processes: it scans and changes a shared directory.
fn softhsm2_util(arguments: &[&str]) -> Output {
    let configuration = CONFIGURATION.as_path();
    let lock = fs::File::create(configuration.with_file_name("lock")).unwrap();
    lock.lock().unwrap();
    match Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", configuration).output() {
        Ok(output) => output,
        Err(error) => panic!("softhsm2-util cannot be run ({error}): install the package softhsm2"),
    }
}

/// The configuration file, with its directory of tokens in this process's use until it ends.
static CONFIGURATION: LazyLock<PathBuf> = LazyLock::new(|| {
    let configuration = PathBuf::from(
        env::var_os("SOFTHSM2_CONF").expect("SOFTHSM2_CONF is not set; cargo sets it by .cargo/config.toml"),
    );
    let directory = configuration.parent().expect("SOFTHSM2_CONF has a directory");
    if let Ok(existing) = fs::read_to_string(&configuration) {
        assert!(existing.starts_with(MADE_HERE), "SOFTHSM2_CONF names a configuration that is not for tests");
    }
    let tokens = directory.join("throw-away-tokens");
    fs::create_dir_all(&tokens).unwrap();
    let users = fs::File::create(directory.join("users")).unwrap();
    if users.try_lock().is_ok() {
        fs::remove_dir_all(&tokens).unwrap();
        fs::create_dir(&tokens).unwrap();
        fs::write(&configuration, configuration_text(&tokens)).unwrap();
    }
    users.lock_shared().unwrap();
    // Held as long as the process lives.
    mem::forget(users);
    configuration
});

fn configuration_text(tokens: &Path) -> String {
    format!(
        "{MADE_HERE}directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        tokens.display()
    )
}
