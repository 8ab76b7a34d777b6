//! `kunji` as an operator runs it, against a running server.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::site::{Server, program};

/// Somebody at a terminal.
pub struct Operator {
    files: TempDir,
    settings: Vec<(String, String)>,
}

impl Operator {
    /// The first administrator of the server, by its id and the file with its secret.
    pub fn administrator(server: &Server) -> Self {
        Self::client(server, "administrator", &server.secret)
    }

    /// A client of the server, by its id and a file with its secret.
    pub fn client(server: &Server, id: &str, secret: &str) -> Self {
        let operator = Self { files: TempDir::new().unwrap(), settings: Vec::new() };
        let file = operator.files.path().join("secret");
        fs::write(&file, format!("{secret}\n")).unwrap();
        operator
            .with("KUNJI_URL", &server.base)
            .with("KUNJI_CLIENT_ID", id)
            .with("KUNJI_CLIENT_SECRET_FILE", file.to_str().unwrap())
    }

    /// Somebody with an access token, at the server of this address.
    pub fn bearing(base: &str, token: &str) -> Self {
        let operator = Self { files: TempDir::new().unwrap(), settings: Vec::new() };
        operator.with("KUNJI_URL", base).with("KUNJI_TOKEN", token)
    }

    /// The same with a variable of the environment.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs `kunji` with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KUNJI_"))
        {
            command.env_remove(name);
        }
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        Outcome::of(&command.envs(settings).args(arguments).output().unwrap())
    }

    /// Runs `kunji` with these arguments and `--json`, and reads what it prints.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(&[arguments, &["--json"]].concat());
        assert!(outcome.success, "{outcome:?}");
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it ended with 0.
    pub success: bool,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Outcome {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}
