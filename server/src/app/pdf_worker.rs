//! The processes that read PDFs, apart from the server.

use std::path::PathBuf;

use anyhow::Result;

use crate::adapters::{
    pdf::{self, PdfWorkerProgram},
    system_entropy::SystemEntropy,
};

/// The command of this program that runs [`run`].
pub const COMMAND: &str = "pdf-worker";

/// How a server starts one: this very program, also when another has taken its place on the disk.
pub(super) fn program() -> PdfWorkerProgram {
    PdfWorkerProgram { path: PathBuf::from("/proc/self/exe"), arguments: vec![COMMAND.into()] }
}

/// Reads one document for the server that has started this process.
///
/// # Errors
/// When it was not started by a server.
pub fn run() -> Result<()> {
    Ok(pdf::serve_parent(&SystemEntropy)?)
}
