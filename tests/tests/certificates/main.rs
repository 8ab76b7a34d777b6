//! Certificates that leave and arrive: chains, requests, certificates made elsewhere.
#![cfg(test)]

mod chains;
mod elsewhere;
mod issued;
mod other_domains;
mod requests;
mod revocation;
mod servers;
mod symmetric;
mod uploads;

use std::process::{Command, Output};

use kunji_tests::{
    http::Http,
    site::{Server, shared},
};
use tempfile::TempDir;

/// A client of the server with these roles.
async fn client(server: &Server, roles: &[&str]) -> Http {
    server.http().sign_in("administrator", &server.secret).await.new_client(roles).await
}

/// Files for the `openssl` program, which knows nothing of this code.
struct Openssl(TempDir);

impl Openssl {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("openssl").args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    /// What it prints; it must succeed.
    fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
