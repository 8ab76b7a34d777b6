//! `kunji clients`: the clients of the built-in token issuer.

use anyhow::Result;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Remote,
    approvals::{is_waiting, print_waiting},
    output::Table,
};

/// What to do with clients.
#[derive(Debug, Subcommand)]
pub enum ClientsCommand {
    /// Make a client. Its secret is printed this once.
    Create {
        /// Its name: 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'.
        id: String,
        /// What it is trusted with: roles, separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        roles: Vec<String>,
    },
}

/// Does it.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, command: ClientsCommand) -> Result<()> {
    match command {
        ClientsCommand::Create { id, roles } => {
            let request = remote.request(Method::POST, "/v1/clients");
            let answer = remote.send(request.json(&json!({ "clientId": id, "roles": roles }))).await?;
            if is_waiting(&answer.body) {
                return print_waiting(remote, &answer.body);
            }
            remote.print(&answer.body, |body| {
                Table::new(&["CLIENT", "SECRET"])
                    .row(&[member(body, "clientId"), member(body, "clientSecret")])
            })?;
        }
    }
    Ok(())
}

fn member<'a>(body: &'a Value, name: &str) -> &'a Value {
    body.get(name).unwrap_or(&Value::Null)
}
