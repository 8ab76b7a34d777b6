//! `kunji access`: access policies.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError, Remote,
    approvals::{is_waiting, print_waiting},
    output::Table,
};
use crate::domain::authorization::{
    PolicyText, is_policy_name,
    mosip::{self, Imported},
};

/// Largest file that is read.
const FILE_LIMIT: u64 = 1 << 20;

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
            let policy = serde_json::from_str(&read(&file)?).context("the file holds no JSON")?;
            put(remote, &name, &policy).await?;
        }
        AccessCommand::Remove { name } => {
            let path = path(&name)?;
            let tag = revision(remote, &path).await?.unwrap_or_default();
            let answer = remote.send(remote.request(Method::DELETE, &path).header("If-Match", tag)).await?;
            if is_waiting(&answer.body) {
                print_waiting(remote, &answer.body)?;
            }
        }
        AccessCommand::Show { name } => {
            let mut policy = remote.send(remote.request(Method::GET, &path(&name)?)).await?.body;
            if let Some(members) = policy.as_object_mut() {
                for of_the_server in ["name", "revision", "changedAt", "changedBy"] {
                    members.remove(of_the_server);
                }
            }
            print_json(&policy)?;
        }
    }
    Ok(())
}

/// Stores a policy in place of the one that is there now.
async fn put(remote: &Remote, name: &str, policy: &Value) -> Result<()> {
    let path = path(name)?;
    let request = remote.request(Method::PUT, &path).json(policy);
    let request = match revision(remote, &path).await? {
        Some(tag) => request.header("If-Match", tag),
        None => request.header("If-None-Match", "*"),
    };
    let answer = remote.send(request).await?;
    if is_waiting(&answer.body) {
        return print_waiting(remote, &answer.body);
    }
    let policies = json!({ "policies": [answer.body] });
    remote.print(policies.pointer("/policies/0").unwrap_or(&Value::Null), |_| policies_table(&policies))?;
    Ok(())
}

/// The entity tag of the policy, if there is one.
async fn revision(remote: &Remote, path: &str) -> Result<Option<String>> {
    match remote.send(remote.request(Method::GET, path)).await {
        Ok(answer) => {
            Ok(answer.body.get("revision").and_then(Value::as_str).map(|revision| format!("\"{revision}\"")))
        }
        Err(CliError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
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

fn member<'a>(body: &'a Value, name: &str) -> &'a Value {
    body.get(name).unwrap_or(&Value::Null)
}

fn import(file: &Path) -> Result<Imported> {
    Ok(mosip::import(&read(file)?)?)
}

fn read(file: &Path) -> Result<String> {
    let length = fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?.len();
    if length > FILE_LIMIT {
        bail!("{} is larger than any file of this kind", file.display());
    }
    fs::read_to_string(file).with_context(|| format!("{} cannot be read as text", file.display()))
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

fn print_json(value: &Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}
