//! Policies on a server, which change under `If-Match`: stored from files, shown, removed.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::Value;

use super::{
    CliError, Remote,
    approvals::{is_waiting, print_waiting},
    output::print_json,
};

/// Largest file that is read.
const FILE_LIMIT: u64 = 1 << 20;

/// Stores a document in place of the one that is there now. `None` when it waits for approval, which was printed.
pub(super) async fn store(remote: &Remote, path: &str, document: &Value) -> Result<Option<Value>> {
    let request = remote.request(Method::PUT, path).json(document);
    let request = match revision(remote, path).await? {
        Some(tag) => request.header("If-Match", tag),
        None => request.header("If-None-Match", "*"),
    };
    let answer = remote.send(request).await?;
    if is_waiting(&answer.body) {
        print_waiting(remote, &answer.body)?;
        return Ok(None);
    }
    Ok(Some(answer.body))
}

/// Removes a document.
pub(super) async fn remove(remote: &Remote, path: &str) -> Result<()> {
    let tag = revision(remote, path).await?.unwrap_or_default();
    let answer = remote.send(remote.request(Method::DELETE, path).header("If-Match", tag)).await?;
    if is_waiting(&answer.body) {
        print_waiting(remote, &answer.body)?;
    }
    Ok(())
}

/// Prints a document as it is stored: without `names`, which stand in its path, and without what the server adds.
pub(super) async fn show(remote: &Remote, path: &str, names: &[&str]) -> Result<()> {
    let mut document = remote.send(remote.request(Method::GET, path)).await?.body;
    if let Some(members) = document.as_object_mut() {
        for of_the_server in names.iter().chain(&["revision", "changedAt", "changedBy"]) {
            members.remove(*of_the_server);
        }
    }
    print_json(&document)
}

/// The entity tag of the document, if there is one.
async fn revision(remote: &Remote, path: &str) -> Result<Option<String>> {
    match remote.send(remote.request(Method::GET, path)).await {
        Ok(answer) => {
            Ok(answer.body.get("revision").and_then(Value::as_str).map(|revision| format!("\"{revision}\"")))
        }
        Err(CliError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file with JSON.
pub(super) fn read_json(file: &Path) -> Result<Value> {
    serde_json::from_str(&read(file)?).context("the file holds no JSON")
}

/// A file with text.
pub(super) fn read(file: &Path) -> Result<String> {
    let length = fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
    if length > FILE_LIMIT {
        bail!("{} is larger than any file of this kind", file.display());
    }
    fs::read_to_string(file).with_context(|| format!("{} cannot be read as text", file.display()))
}
