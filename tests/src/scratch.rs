//! Directories that are gone when the test's process is.

use std::{
    mem,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A new directory, for what a static keeps to the end: a child process removes it when this one has ended, however
/// it ends.
pub fn directory() -> PathBuf {
    let directory = tempfile::tempdir().unwrap().keep();
    let child = Command::new("sh")
        .args(["-c", "trap '' INT TERM; read -r _; rm -rf \"$0\""])
        .arg(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Nothing is written to it: its input ends with this process.
    mem::forget(child);
    directory
}
