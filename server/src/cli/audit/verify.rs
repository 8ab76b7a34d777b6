//! `kunji audit verify`: needs no server, no token and no network.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::{
    cli::ServerArguments,
    config,
    domain::audit::{
        statement::VerifyingKeys,
        verify::{Verdict, Verifier},
    },
};

/// Where the server keeps the certificates, within its data directory.
const PINNED: [&str; 2] = ["audit", "keys.pem"];
/// What the name of the file with the certificates beside an export ends in.
pub(super) const BESIDE: &str = ".keys.pem";
/// Longest line; no roster is longer.
const LINE_LIMIT_BYTES: u64 = 32 << 20;

/// Arguments of `kunji audit verify`.
#[derive(Args, Debug)]
pub struct VerifyArguments {
    /// The exports; every log of the roster must be among them.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Certificates or public keys (PEM) that may sign. When absent: keys.pem in the server's data directory, or else
    /// the file beside the export whose name ends in .keys.pem.
    #[arg(long)]
    key: Option<PathBuf>,
    /// Checkpoints and rosters that were anchored elsewhere, one a line; or an export that was kept elsewhere, of which
    /// these are taken.
    #[arg(long)]
    anchors: Vec<PathBuf>,
    /// The first event that each log must have, when earlier ones are known to be archived.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// The server's data directory; as the settings have it when absent.
    #[arg(long, env = "KUNJI_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The server's settings, which name its data directory.
    #[arg(long, env = "KUNJI_CONFIG")]
    config: Option<PathBuf>,
}

/// Verifies exports; prints what holds and what does not.
///
/// # Errors
/// When anything does not hold, or a file cannot be read.
pub fn run(arguments: &VerifyArguments, server: &ServerArguments) -> Result<()> {
    let (keys, source) = keys(arguments)?;
    let mut verifier = Verifier::new(keys, arguments.first);
    for path in &arguments.anchors {
        let mut number = 0;
        each_line(path, |line| {
            number += 1;
            verifier.anchor(&path.display().to_string(), number, line);
        })?;
    }
    for path in &arguments.files {
        verifier.begin_file(&path.display().to_string());
        let whole = each_line(path, |line| verifier.line(line))?;
        verifier.end_file(whole);
    }
    let verdict = verifier.finish();
    if server.json {
        print_json(&verdict, &source);
    } else {
        print(&verdict, &source);
    }
    let count = verdict.findings.len() + verdict.more;
    ensure!(
        count == 0,
        "the audit trail does not hold: {count} {}",
        if count == 1 { "finding" } else { "findings" }
    );
    Ok(())
}

/// The keys that are trusted, and where they were found.
fn keys(arguments: &VerifyArguments) -> Result<(VerifyingKeys, String)> {
    if let Some(path) = &arguments.key {
        return Ok((read_keys(path)?, format!("the key given, {}", path.display())));
    }
    if let Some(path) = data_dir(arguments)?.map(|directory| directory.join(PINNED[0]).join(PINNED[1]))
        && path.exists()
    {
        return Ok((read_keys(&path)?, format!("the key pinned in {}", path.display())));
    }
    let mut text = String::new();
    for file in &arguments.files {
        let mut path = file.clone().into_os_string();
        path.push(BESIDE);
        let path = PathBuf::from(path);
        if path.exists() {
            text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        }
    }
    match VerifyingKeys::from_pem(&text) {
        Some(keys) => Ok((
            keys,
            "the key beside the export, which whoever made the export chose: compare it, or give one with --key"
                .to_owned(),
        )),
        None => bail!(
            "there is no key to verify with: give a certificate or public key (PEM) with --key, or put it beside the \
             export under its name and {BESIDE}"
        ),
    }
}

fn data_dir(arguments: &VerifyArguments) -> Result<Option<PathBuf>> {
    if let Some(directory) = &arguments.data_dir {
        return Ok(Some(directory.clone()));
    }
    let settings = config::load(arguments.config.as_deref(), [])?;
    Ok(Some(settings.data_dir))
}

fn read_keys(path: &Path) -> Result<VerifyingKeys> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    VerifyingKeys::from_pem(&text)
        .with_context(|| format!("{} has no certificate and no public key that can be read", path.display()))
}

/// Gives each line to `take`; says whether the last one had an end.
fn each_line(path: &Path, mut take: impl FnMut(&[u8])) -> Result<bool> {
    let context = || format!("{} cannot be read", path.display());
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).with_context(context)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length =
            reader.by_ref().take(LINE_LIMIT_BYTES).read_until(b'\n', &mut line).with_context(context)?;
        if length == 0 {
            return Ok(true);
        }
        let whole = line.pop_if(|byte| *byte == b'\n').is_some();
        take(&line);
        if !whole {
            return Ok(false);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn print(verdict: &Verdict, source: &str) {
    for log in &verdict.logs {
        println!(
            "log {} of server {}: entries {} to {} are covered by the checkpoint of {}",
            log.log, log.server, log.first, log.last, log.time
        );
    }
    for finding in &verdict.findings {
        println!("FOUND  {finding}");
    }
    if verdict.more > 0 {
        println!("FOUND  {} more", verdict.more);
    }
    for anchors in &verdict.unchecked {
        println!(
            "NOT CHECKED  {} {} of log {}, up to entry {}: the entries that they cover are not all here",
            anchors.count,
            if anchors.count == 1 { "anchor" } else { "anchors" },
            anchors.log,
            anchors.last
        );
    }
    println!("verified with {source}");
    if verdict.findings.is_empty() {
        println!(
            "{}",
            if verdict.unchecked.is_empty() {
                "everything holds"
            } else {
                "everything that was checked holds"
            }
        );
    }
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn print_json(verdict: &Verdict, source: &str) {
    let logs: Vec<_> = verdict
        .logs
        .iter()
        .map(|log| {
            json!({
                "log": log.log, "server": log.server, "first": log.first, "last": log.last, "signed": log.time,
            })
        })
        .collect();
    let findings: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| json!({ "file": finding.file, "line": finding.line, "text": finding.text }))
        .collect();
    let unchecked: Vec<_> = verdict
        .unchecked
        .iter()
        .map(|anchors| json!({ "log": anchors.log, "anchors": anchors.count, "last": anchors.last }))
        .collect();
    let holds = findings.is_empty() && verdict.more == 0;
    println!(
        "{}",
        json!({
            "holds": holds, "logs": logs, "findings": findings, "more": verdict.more, "unchecked": unchecked,
            "key": source,
        })
    );
}
