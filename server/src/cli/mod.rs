//! Commands that talk to a running server, as any other client does: by its HTTP API, with a token.

use std::path::PathBuf;

use clap::Args;

pub mod access;
pub mod approvals;
pub mod audit;
pub mod clients;
pub mod doctor;
pub mod keys;
mod output;
pub mod policy;
mod remote;
pub mod rewrap;
mod versioned;

pub use remote::{CliError, Remote};

/// Which server, as whom, and how to print what it answers. The token itself is only taken from the environment
/// (`KUNJI_TOKEN`): every user of a machine can list the arguments of its programs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct ServerArguments {
    /// Address of the server.
    #[arg(long, env = "KUNJI_URL", default_value = "http://127.0.0.1:8088", global = true)]
    url: String,
    /// Client to take a token for, where KUNJI_TOKEN gives none.
    #[arg(long, env = "KUNJI_CLIENT_ID", global = true)]
    client_id: Option<String>,
    /// File with that client's secret.
    #[arg(long, env = "KUNJI_CLIENT_SECRET_FILE", global = true)]
    client_secret_file: Option<PathBuf>,
    /// Print the server's answer as JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
}
