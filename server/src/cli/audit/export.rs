//! `kunji audit export`.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use reqwest::Method;

use super::verify::BESIDE;
use crate::cli::{Remote, ServerArguments};

/// Arguments of `kunji audit export`.
#[derive(Args, Debug)]
pub struct ExportArguments {
    /// Address of a further server of the same installation, whose log goes into the same file.
    #[arg(long, value_name = "URL")]
    also: Vec<String>,
    /// File to write; one that is there is replaced once the export is whole.
    #[arg(long)]
    output: PathBuf,
    /// Number of the first event; the first that is at hand when absent.
    #[arg(long)]
    first: Option<u64>,
}

/// Writes the export and the certificates beside it: whole or not at all.
pub(super) async fn run(
    remote: &Remote,
    server: &ServerArguments,
    arguments: &ExportArguments,
) -> Result<()> {
    let output = &arguments.output;
    let (temporary, beside) = (with_end(output, ".part"), with_end(output, BESIDE));
    let mut file = File::create(&temporary).with_context(|| temporary.display().to_string())?;
    write_log(remote, arguments.first, &mut file).await?;
    for url in &arguments.also {
        let other = ServerArguments { url: url.clone(), ..server.clone() };
        let other = Remote::connect(&other).await.with_context(|| url.clone())?;
        write_log(&other, arguments.first, &mut file).await.with_context(|| url.clone())?;
    }
    file.sync_all()?;
    let keys = remote.stream(remote.request(Method::GET, "/v1/audit/keys")).await?.bytes().await?;
    fs::write(&beside, keys).with_context(|| beside.display().to_string())?;
    fs::rename(&temporary, output)?;
    report(output, &beside);
    Ok(())
}

async fn write_log(remote: &Remote, first: Option<u64>, file: &mut File) -> Result<()> {
    let request = remote.request(Method::GET, "/v1/audit/export");
    let request = match first {
        Some(first) => request.query(&[("first", first)]),
        None => request,
    };
    let mut response = remote.stream(request).await?;
    while let Some(piece) = response.chunk().await.context("the export was cut off")? {
        file.write_all(&piece)?;
    }
    Ok(())
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut path = path.to_owned().into_os_string();
    path.push(end);
    path.into()
}

#[expect(clippy::print_stderr, reason = "what the command has done")]
fn report(output: &Path, beside: &Path) {
    eprintln!(
        "wrote {}, and the certificates of the keys that sign to {}",
        output.display(),
        beside.display()
    );
}
