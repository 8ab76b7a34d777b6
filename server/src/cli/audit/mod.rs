//! `kunji audit`: the audit trail, for auditors.

mod export;
mod joined;
mod search;
mod tail;
mod verify;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::{Remote, ServerArguments};

pub use self::verify::{VerifyArguments, run as verify};

/// What to do with the audit trail.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Write a server's whole log to a file that proves itself.
    ///
    /// Ends with a signed checkpoint that covers the last event. Beside it, in a file whose name ends in .keys.pem, go
    /// the certificates of the keys that sign.
    Export(export::ExportArguments),
    /// List events that fit, of one server's log or of several.
    Search(Box<search::SearchArguments>),
    /// Show how the trail stands: its length, what is signed, which copies outside fail.
    Status,
    /// Show the last events.
    Tail(tail::TailArguments),
    /// Find out whether exports were tampered with; needs no server.
    ///
    /// Exits with 0 only when everything holds. Names every entry that was edited, removed, inserted or moved, a
    /// missing end, and logs that are missing.
    Verify(VerifyArguments),
}

/// Does what needs a server.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: Remote, server: &ServerArguments, command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Export(arguments) => export::run(&remote, server, &arguments).await,
        AuditCommand::Search(arguments) => search::run(remote, server, &arguments).await,
        AuditCommand::Status => search::status(&remote).await,
        AuditCommand::Tail(arguments) => tail::run(remote, server, &arguments).await,
        AuditCommand::Verify(_) => bail!("verifying needs no server"),
    }
}
