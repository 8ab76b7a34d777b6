//! `kunji approvals`: what waits until others have approved it.

use anyhow::{Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Remote, output::Table};
use crate::domain::authorization::approval::ApprovalId;

/// What to do with requests that wait for approval.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// Approve a request. Once enough have, whoever asked for it sends it again.
    Approve {
        /// Its id.
        id: String,
    },
    /// Deny a request.
    Deny {
        /// Its id.
        id: String,
    },
    /// List what waits, and what did.
    List,
    /// Show a request, with all that it would do.
    Show {
        /// Its id.
        id: String,
    },
}

/// Does it.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, command: ApprovalsCommand) -> Result<()> {
    let request = match &command {
        ApprovalsCommand::Approve { id } => remote.request(Method::POST, &path(id, "/approve")?),
        ApprovalsCommand::Deny { id } => remote.request(Method::POST, &path(id, "/deny")?),
        ApprovalsCommand::List => remote.request(Method::GET, "/v1/approvals"),
        ApprovalsCommand::Show { id } => remote.request(Method::GET, &path(id, "")?),
    };
    let answer = remote.send(request).await?;
    remote.print(&answer.body, |body| match command {
        ApprovalsCommand::List => {
            table(body.get("approvals").and_then(Value::as_array).into_iter().flatten())
        }
        _ => table([body]),
    })?;
    Ok(())
}

/// What a command prints that has something wait.
pub(super) fn print_waiting(remote: &Remote, approval: &Value) -> Result<()> {
    remote.print(approval, |approval| table([approval]))?;
    Ok(())
}

/// Whether an answer is that of a request that waits.
pub(super) fn is_waiting(body: &Value) -> bool {
    body.get("approverRoles").is_some() && body.get("requester").is_some()
}

fn path(id: &str, end: &str) -> Result<String> {
    match ApprovalId::parse(id) {
        Some(id) => Ok(format!("/v1/approvals/{}{end}", id.as_str())),
        None => bail!("the id of an approval has 32 digits of 0-9 and a-f"),
    }
}

fn table<'a>(approvals: impl IntoIterator<Item = &'a Value>) -> Table {
    let headings = ["ID", "STATUS", "OPERATION", "REQUESTER", "APPROVED", "UNTIL", "CONTENT"];
    approvals.into_iter().fold(Table::new(&headings), |table, approval| {
        let member = |name: &str| approval.get(name).unwrap_or(&Value::Null);
        let votes = member("votes").as_array().map_or(0, Vec::len);
        let approved = json!(format!("{votes} of {}", member("approvals")));
        table.row(&[
            member("id"),
            member("status"),
            member("operation"),
            member("requester"),
            &approved,
            member("until"),
            member("content"),
        ])
    })
}
