//! `kunji rewrap`: private keys that move to newer KEKs.

use anyhow::Result;
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Remote,
    output::{Table, member},
};

/// Whether to begin, or only to look.
#[derive(Args, Debug)]
pub struct RewrapArguments {
    /// Only show how far it has come.
    #[arg(long)]
    status: bool,
}

/// Does it.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, arguments: &RewrapArguments) -> Result<()> {
    let method = if arguments.status { Method::GET } else { Method::POST };
    let answer = remote.send(remote.request(method, "/v1/rewrap")).await?;
    remote.print(&answer.body, table)?;
    Ok(())
}

fn table(body: &Value) -> Table {
    let names = ["state", "percent", "examined", "moved", "failed", "startedAt", "startedBy", "endedAt"];
    names
        .iter()
        .fold(Table::new(&["MEMBER", "VALUE"]), |table, name| table.row(&[&json!(name), member(body, name)]))
}
