//! SoftHSM tokens in homes of their own, each behind a module that fails as told, and cloned by copying their files:
//! what the vendors of real ones do by means of theirs.
//!
//! A home is named to the library by the environment (`SOFTHSM2_CONF`), so each needs a process of its own: the
//! library in the test's process has another.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use kunji_server::adapters::pkcs11::{Isolation, PinSource, Pkcs11Settings, WorkerProgram};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::{fault_module::FaultModule, softhsm::isolated};

/// User PIN of every token made here.
pub const PIN: &str = "correct-horse-1876";
/// Label of every token made here.
pub const LABEL: &str = "kunji";

/// A directory of tokens, and a module of its own in front of SoftHSM.
#[derive(Debug)]
pub struct Home {
    /// The module to load.
    pub module: FaultModule,
    dir: TempDir,
}

impl Home {
    /// Without a token.
    pub fn empty() -> Self {
        let home = Self { module: FaultModule::new(), dir: TempDir::new().unwrap() };
        fs::create_dir(home.tokens()).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            home.tokens().display()
        );
        fs::write(home.configuration(), text).unwrap();
        home
    }

    /// With a new token.
    pub fn with_token() -> Self {
        let home = Self::empty();
        home.make_token();
        home
    }

    /// Makes a token.
    pub fn make_token(&self) {
        let output = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "0000"])
            .env("SOFTHSM2_CONF", self.configuration())
            .output()
            .expect("softhsm2-util is needed: install the package softhsm2");
        assert!(output.status.success(), "softhsm2-util: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the tokens here those of the directory `from`, and nothing else.
    pub fn clone_from(&self, from: &Path) {
        for token in fs::read_dir(self.tokens()).unwrap().map(|entry| entry.unwrap()) {
            if !from.join(token.file_name()).exists() {
                fs::remove_dir_all(token.path()).unwrap();
            }
        }
        for token in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            let copy = self.tokens().join(token.file_name());
            fs::create_dir_all(&copy).unwrap();
            let mut files: Vec<_> =
                fs::read_dir(token.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            // Last: by its change the library notices that there is something new.
            files.sort_by_key(|name| name == "generation");
            for name in files.iter().filter(|name| !name.to_string_lossy().ends_with(".lock")) {
                let draft = self.dir.path().join("draft");
                fs::copy(token.path().join(name), &draft).unwrap();
                fs::rename(draft, copy.join(name)).unwrap();
            }
        }
    }

    /// The directory of tokens.
    pub fn tokens(&self) -> PathBuf {
        self.dir.path().join("tokens")
    }

    /// What the library is told by `SOFTHSM2_CONF`.
    pub fn configuration(&self) -> PathBuf {
        self.dir.path().join("softhsm2.conf")
    }

    /// Settings to open the token with, in a process of its own: two workers, and a deadline that is soon over.
    pub fn settings(&self, name: &str) -> Pkcs11Settings {
        let Isolation::Process(program) = isolated() else { unreachable!("it has a process") };
        let environment = vec![(OsString::from("SOFTHSM2_CONF"), self.configuration().into_os_string())];
        Pkcs11Settings {
            name: name.to_owned(),
            module: self.module.path(),
            initialize_argument: None,
            token_label: LABEL.to_owned(),
            token_serial: None,
            pin: PinSource::fixed(SecretString::from(PIN)),
            isolation: Isolation::Process(WorkerProgram { environment, ..program }),
            workers: 2,
            queue: 1024,
            deadline: Duration::from_secs(2),
            wrapping: None,
        }
    }
}
