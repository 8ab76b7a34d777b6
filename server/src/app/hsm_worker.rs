//! The process that the PKCS#11 library runs in, apart from the server.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use anyhow::Result;

use crate::{
    adapters::pkcs11::{self, WorkerProgram},
    config::{LogFormat, Settings},
};

/// The command of this program that runs [`run`].
pub const COMMAND: &str = "hsm-worker";

/// How a server starts its workers: this very program, also when another has taken its place on the disk.
///
/// `environment` is added to that of the server.
pub(super) fn program(settings: &Settings, environment: &BTreeMap<String, String>) -> WorkerProgram {
    let format = match settings.log_format {
        LogFormat::Json => "json",
        LogFormat::Text => "text",
    };
    WorkerProgram {
        path: PathBuf::from("/proc/self/exe"),
        arguments: [COMMAND, "--log-format", format, "--log-filter", &settings.log_filter]
            .map(OsString::from)
            .to_vec(),
        environment: environment
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect(),
    }
}

/// Works for the server that has started this process; ends with it.
///
/// # Errors
/// When it was not started by a server.
pub fn run() -> Result<()> {
    Ok(pkcs11::serve_parent()?)
}
