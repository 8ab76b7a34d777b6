//! `kunji access`: access policies.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Remote,
    output::{Table, member, print_json},
    versioned::{self, read, read_json},
};
use crate::domain::authorization::{
    PolicyText, is_policy_name,
    mosip::{self, Imported},
};

/// What to do with access policies.
#[derive(Debug, Subcommand)]
pub enum AccessCommand {
    /// Ask whether somebody may do something, and which policy decides.
    Check {
        /// The client id, or the name that its token has.
        #[arg(long)]
        principal: String,
        /// The roles of its token, separated by commas; those of the client of that name when left out.
        #[arg(long, value_delimiter = ',')]
        roles: Option<Vec<String>>,
        /// The operation, for example packet.decrypt.
        #[arg(long)]
        operation: String,
        /// The application whose keys are used.
        #[arg(long)]
        application: Option<String>,
        /// The reference within the application.
        #[arg(long, requires = "application")]
        reference: Option<String>,
        /// The address that it calls from.
        #[arg(long)]
        address: Option<String>,
        /// When it calls, for example 2026-01-05T10:00:00Z; now when left out.
        #[arg(long)]
        at: Option<String>,
    },
    /// Print the policies that the mosip.role properties of a file stand for, or store them.
    Import {
        /// A properties file of the MOSIP key manager.
        file: PathBuf,
        /// Store them on the server, each in place of the policy of its name.
        #[arg(long)]
        put: bool,
    },
    /// List the policies in force.
    List,
    /// Store a policy, in place of one of the same name.
    Put {
        /// Its name.
        name: String,
        /// A file with the policy as JSON.
        file: PathBuf,
    },
    /// Remove a stored policy; a shipped one of that name is in force again.
    Remove {
        /// Its name.
        name: String,
    },
    /// Print a policy as JSON, as `put` takes it.
    Show {
        /// Its name.
        name: String,
    },
}

impl AccessCommand {
    /// Does what needs no server; `None` for everything else.
    pub fn without_server(&self) -> Option<Result<()>> {
        match self {
            Self::Import { file, put: false } => Some(print_imported(file)),
            _ => None,
        }
    }
}

/// Does what needs a server.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, command: AccessCommand) -> Result<()> {
    match command {
        AccessCommand::Check { principal, roles, operation, application, reference, address, at } => {
            let question = json!({
                "principal": principal, "roles": roles, "operation": operation, "applicationId": application,
                "referenceId": reference, "address": address, "at": at,
            });
            let request = remote.request(Method::POST, "/v1/access/check").json(&question);
            let answer = remote.send(request).await?;
            remote.print(&answer.body, |body| {
                let names = ["allowed", "decidedBy", "policy", "limitedBy", "roles", "version"];
                Table::new(&["ALLOWED", "DECIDED BY", "POLICY", "LIMITED BY", "ROLES", "VERSION"])
                    .row(&names.map(|name| member(body, name)))
            })?;
        }
        AccessCommand::Import { file, .. } => {
            let imported = import(&file)?;
            for policy in &imported.policies {
                put(remote, &policy.name, &document(policy)).await?;
            }
            note(&imported)?;
        }
        AccessCommand::List => {
            let answer = remote.send(remote.request(Method::GET, "/v1/access/policies")).await?;
            remote.print(&answer.body, policies_table)?;
        }
        AccessCommand::Put { name, file } => {
            put(remote, &name, &read_json(&file)?).await?;
        }
        AccessCommand::Remove { name } => versioned::remove(remote, &path(&name)?).await?,
        AccessCommand::Show { name } => versioned::show(remote, &path(&name)?, &["name"]).await?,
    }
    Ok(())
}

/// Stores a policy in place of the one that is there now.
async fn put(remote: &Remote, name: &str, policy: &Value) -> Result<()> {
    let Some(stored) = versioned::store(remote, &path(name)?, policy).await? else { return Ok(()) };
    let policies = json!({ "policies": [stored] });
    remote.print(policies.pointer("/policies/0").unwrap_or(&Value::Null), |_| policies_table(&policies))?;
    Ok(())
}

fn path(name: &str) -> Result<String> {
    if !is_policy_name(name) {
        bail!("a policy's name has 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'");
    }
    Ok(format!("/v1/access/policies/{name}"))
}

fn policies_table(body: &Value) -> Table {
    let names = ["name", "enabled", "effect", "principals", "roles", "operations", "keys", "revision"];
    let headings = ["NAME", "ENABLED", "EFFECT", "PRINCIPALS", "ROLES", "OPERATIONS", "KEYS", "REVISION"];
    let policies = body.get("policies").and_then(Value::as_array);
    policies
        .into_iter()
        .flatten()
        .fold(Table::new(&headings), |table, policy| table.row(&names.map(|name| member(policy, name))))
}

fn import(file: &Path) -> Result<Imported> {
    Ok(mosip::import(&read(file)?)?)
}

fn print_imported(file: &Path) -> Result<()> {
    let imported = import(file)?;
    let policies = imported.policies.iter().map(|policy| (policy.name.clone(), document(policy)));
    print_json(&Value::Object(policies.collect()))?;
    note(&imported)
}

/// What whoever imports should know, apart from the result.
fn note(imported: &Imported) -> Result<()> {
    let mut notes = io::stderr().lock();
    for (list, text) in [
        (&imported.beyond_shipped, "granted, which the shipped policies leave out on purpose"),
        (&imported.unserved, "not served here, left out"),
        (&imported.untouched, "shipped policies of roles that the file does not name, still in force"),
    ] {
        if !list.is_empty() {
            writeln!(notes, "kunji: {text}: {}", list.join(", "))?;
        }
    }
    Ok(())
}

fn document(policy: &PolicyText) -> Value {
    json!({
        "description": policy.description, "effect": policy.effect, "roles": policy.roles,
        "operations": policy.operations, "keys": policy.keys,
    })
}
