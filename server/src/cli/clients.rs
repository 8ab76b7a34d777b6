//! `kunji clients`: the clients of the built-in token issuer.

use anyhow::Result;
use clap::Subcommand;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{
    Remote,
    approvals::{is_waiting, print_waiting},
    output::Table,
    remote::CliError,
};
use crate::domain::client::ClientId;

/// Clients that are asked for at once; the server gives no more.
const PAGE: u32 = 1000;

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
    /// List all clients.
    List,
    /// Show a client.
    Show {
        /// Its name.
        id: String,
    },
    /// Give a client other roles. The tokens that it has end.
    Roles {
        /// Its name.
        id: String,
        /// What it is trusted with from now on: roles, separated by commas.
        #[arg(long, required = true, value_delimiter = ',')]
        roles: Vec<String>,
    },
    /// Give a client a new secret, which is printed this once.
    Rotate {
        /// Its name.
        id: String,
        /// How long the secret before stays good, in seconds. With 0, for a secret that has leaked, it ends now, and
        /// the tokens that the client has end too.
        #[arg(long, default_value_t = 86_400)]
        overlap_seconds: u32,
    },
    /// Let a client take no more tokens, and end those that it has.
    Disable {
        /// Its name.
        id: String,
    },
    /// Let a disabled client take tokens again.
    Enable {
        /// Its name.
        id: String,
    },
    /// Delete a client, and end the tokens that it has.
    Delete {
        /// Its name.
        id: String,
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
        ClientsCommand::List => {
            let clients = Value::Array(list(remote).await?);
            remote.print(&clients, table)?;
        }
        ClientsCommand::Show { id } => {
            let answer = remote.send(remote.request(Method::GET, &path(&id, "")?)).await?;
            remote.print(&answer.body, table)?;
        }
        ClientsCommand::Roles { id, roles } => {
            let request = remote.request(Method::PUT, &path(&id, "/roles")?).header(header::IF_MATCH, "*");
            let answer = remote.send(request.json(&json!({ "roles": roles }))).await?;
            if is_waiting(&answer.body) {
                return print_waiting(remote, &answer.body);
            }
            remote.print(&answer.body, table)?;
        }
        ClientsCommand::Rotate { id, overlap_seconds } => {
            let request = remote.request(Method::POST, &path(&id, "/secret")?);
            let answer = remote.send(request.json(&json!({ "overlapSeconds": overlap_seconds }))).await?;
            if is_waiting(&answer.body) {
                return print_waiting(remote, &answer.body);
            }
            remote.print(&answer.body, |body| {
                Table::new(&["CLIENT", "SECRET", "FORMER-UNTIL"]).row(&[
                    member(body, "clientId"),
                    member(body, "clientSecret"),
                    member(body, "formerSecretsUntil"),
                ])
            })?;
        }
        ClientsCommand::Disable { id } => call(remote, &id, "/disable").await?,
        ClientsCommand::Enable { id } => call(remote, &id, "/enable").await?,
        ClientsCommand::Delete { id } => {
            remote.send(remote.request(Method::DELETE, &path(&id, "")?)).await?;
            let deleted = json!({ "clientId": id, "deleted": true });
            remote.print(&deleted, |body| Table::new(&["DELETED"]).row(&[member(body, "clientId")]))?;
        }
    }
    Ok(())
}

/// A call that changes the client and answers with it.
async fn call(remote: &Remote, id: &str, what: &str) -> Result<()> {
    let answer = remote.send(remote.request(Method::POST, &path(id, what)?)).await?;
    if is_waiting(&answer.body) {
        return print_waiting(remote, &answer.body);
    }
    remote.print(&answer.body, table)?;
    Ok(())
}

async fn list(remote: &Remote) -> Result<Vec<Value>> {
    let mut clients = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let request = remote.request(Method::GET, "/v1/clients").query(&[("limit", PAGE)]);
        let request = match &after {
            Some(after) => request.query(&[("after", after)]),
            None => request,
        };
        let mut page = remote.send(request).await?.body;
        let Some(Value::Array(found)) = page.get_mut("clients").map(Value::take) else {
            return Err(CliError::NotKunji.into());
        };
        let is_empty = found.is_empty();
        clients.extend(found);
        match page.get("next").and_then(Value::as_str) {
            Some(next) if !is_empty => after = Some(next.to_owned()),
            _ => return Ok(clients),
        }
    }
}

/// The path of a client, or of something of it. A name that no client has does not get to stand in one.
fn path(id: &str, below: &str) -> Result<String> {
    anyhow::ensure!(ClientId::parse(id).is_some(), "no client has such a name: {id:?}");
    Ok(format!("/v1/clients/{id}{below}"))
}

/// One client, or an array of them.
fn table(body: &Value) -> Table {
    let clients = body.as_array().map_or_else(|| std::slice::from_ref(body), Vec::as_slice);
    let headings = ["CLIENT", "ROLES", "DISABLED", "FORMER-SECRETS-UNTIL", "CREATED", "BY"];
    let names = ["clientId", "roles", "disabledAt", "formerSecretsUntil", "createdAt", "createdBy"];
    clients
        .iter()
        .fold(Table::new(&headings), |table, client| table.row(&names.map(|name| member(client, name))))
}

fn member<'a>(body: &'a Value, name: &str) -> &'a Value {
    body.get(name).unwrap_or(&Value::Null)
}
