//! `kunji keys` and `kunji rotate`: keys, their states, and their successors.

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{
    Remote,
    approvals::{is_waiting, print_waiting},
    output::Table,
    remote::CliError,
};
use crate::domain::{alias::ApplicationId, key::KeyId};

/// Keys that are asked for at once; the server gives no more.
const PAGE: usize = 1000;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Have a key, or a KEK, not destroyed after all.
    CancelDestruction {
        /// The key's id, or APPLICATION:VERSION of a KEK.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Make the key of an application or reference that has no current one.
    Create {
        /// The application.
        application: String,
        /// The reference; none for the application's own (master) key.
        reference: Option<String>,
    },
    /// Have a key, or a KEK, destroyed when its time has come.
    Destroy {
        /// The key's id, or APPLICATION:VERSION of a KEK.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
    },
    /// List the KEKs of an application, which wrap its base keys.
    Keks {
        /// The application.
        application: String,
    },
    /// List keys.
    List {
        /// Only keys of this application.
        #[arg(long)]
        application: Option<String>,
        /// Only keys of this reference; blank means master keys.
        #[arg(long)]
        reference: Option<String>,
        /// Only keys that do this: issuing, encryption or signing.
        #[arg(long)]
        purpose: Option<String>,
        /// Only keys with this tag.
        #[arg(long)]
        tag: Option<String>,
        /// Only keys whose certificates end before this time, as 2027-01-31T00:00:00Z.
        #[arg(long)]
        expiring_before: Option<String>,
        /// Only keys in this state: preActivation, active, suspended, deactivated, compromised, destroying, destroyed.
        #[arg(long)]
        state: Option<String>,
        /// Most keys that are listed.
        #[arg(long, default_value_t = 1000)]
        most: usize,
    },
    /// Let a suspended key be used again.
    Resume {
        /// Its id.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Have a key protect nothing new. What was sealed for it can still be opened.
    Revoke {
        /// Its id.
        id: String,
        /// Whether it is only replaced, or somebody else may have it.
        #[arg(long, value_enum)]
        cause: Cause,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
        /// Have no new key made until somebody asks for one.
        #[arg(long)]
        disable_auto_generation: bool,
    },
    /// Show a key, what was decided about it, and its chain.
    Show {
        /// Its id.
        id: String,
    },
    /// Let a key do nothing until it is resumed.
    Suspend {
        /// Its id.
        id: String,
        /// Why, for people.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Say by which tags a key is found again, in the place of those that it had.
    Tag {
        /// Its id.
        id: String,
        /// All of its tags; none takes them away.
        tags: Vec<String>,
    },
}

/// Why a key is revoked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Cause {
    /// Something takes its place.
    Superseded,
    /// Somebody else may have it.
    Compromised,
}

/// Which key gets a successor.
#[derive(Args, Debug)]
pub struct RotateArguments {
    /// The key's id, or the application whose newest key it is.
    key: String,
    /// The reference, after an application; none for its own (master) key.
    reference: Option<String>,
}

/// Does it.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, command: KeysCommand) -> Result<()> {
    match command {
        KeysCommand::CancelDestruction { id, reason } => {
            let request = remote.request(Method::POST, &ending_path(&id, "/cancel-destruction")?);
            print(remote, request.json(&json!({ "reason": reason })), transitions_table).await
        }
        KeysCommand::Create { application, reference } => {
            let body = json!({ "applicationId": application, "referenceId": reference });
            print(remote, remote.request(Method::POST, "/v1/keys").json(&body), keys_table).await
        }
        KeysCommand::Destroy { id, reason } => {
            let request = remote.request(Method::POST, &ending_path(&id, "/destroy")?);
            print(remote, request.json(&json!({ "reason": reason })), transitions_table).await
        }
        KeysCommand::Keks { application } => {
            let application = checked(&application)?;
            let path = format!("/v1/keks/{application}");
            let answer = remote.send(remote.request(Method::GET, &path)).await?;
            remote.print(&answer.body, keks_table)?;
            Ok(())
        }
        KeysCommand::List { application, reference, purpose, tag, expiring_before, state, most } => {
            let filter = [
                ("application", application),
                ("reference", reference),
                ("purpose", purpose),
                ("tag", tag),
                ("expiringBefore", expiring_before),
                ("state", state),
            ];
            let keys = Value::Array(list(remote, &filter, most).await?);
            remote.print(&keys, keys_table)?;
            Ok(())
        }
        KeysCommand::Resume { id, reason } => {
            let request = remote.request(Method::POST, &path(&id, "/resume")?);
            print(remote, request.json(&json!({ "reason": reason })), transitions_table).await
        }
        KeysCommand::Revoke { id, cause, reason, disable_auto_generation } => {
            let cause = match cause {
                Cause::Superseded => "superseded",
                Cause::Compromised => "compromised",
            };
            let body = json!({
                "cause": cause, "reason": reason, "disableAutoGeneration": disable_auto_generation,
            });
            let request = remote.request(Method::POST, &path(&id, "/revoke")?).json(&body);
            print(remote, request, transitions_table).await
        }
        KeysCommand::Show { id } => {
            let answer = remote.send(remote.request(Method::GET, &path(&id, "")?)).await?;
            remote.print(&answer.body, details_table)?;
            Ok(())
        }
        KeysCommand::Suspend { id, reason } => {
            let request = remote.request(Method::POST, &path(&id, "/suspend")?);
            print(remote, request.json(&json!({ "reason": reason })), transitions_table).await
        }
        KeysCommand::Tag { id, tags } => {
            let request = remote.request(Method::PUT, &path(&id, "/tags")?);
            print(remote, request.json(&json!({ "tags": tags })), keys_table).await
        }
    }
}

/// Makes the successor of a key.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn rotate(remote: &Remote, arguments: &RotateArguments) -> Result<()> {
    let id = match KeyId::parse(&arguments.key) {
        Some(id) => id.0,
        None => newest(remote, &arguments.key, arguments.reference.as_deref().unwrap_or_default()).await?,
    };
    print(remote, remote.request(Method::POST, &path(&id, "/rotate")?), keys_table).await
}

/// The id of the newest key of an alias.
async fn newest(remote: &Remote, application: &str, reference: &str) -> Result<String> {
    let filter = [("application", Some(application.to_owned())), ("reference", Some(reference.to_owned()))];
    let keys = list(remote, &filter, 1).await?;
    let id = keys.first().and_then(|key| key.get("keyId")).and_then(Value::as_str);
    id.map(str::to_owned).with_context(|| format!("there is no key of {application}/{reference} to be seen"))
}

async fn list(remote: &Remote, filter: &[(&str, Option<String>)], most: usize) -> Result<Vec<Value>> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    while keys.len() < most {
        let mut request = remote.request(Method::GET, "/v1/keys");
        for (name, value) in filter {
            request = value.iter().fold(request, |request, value| request.query(&[(*name, value)]));
        }
        request = request.query(&[("limit", PAGE.min(most - keys.len()))]);
        request = after.iter().fold(request, |request, after| request.query(&[("after", after)]));
        let mut page = remote.send(request).await?.body;
        let Some(Value::Array(found)) = page.get_mut("keys").map(Value::take) else {
            return Err(CliError::NotKunji.into());
        };
        keys.extend(found);
        match page.get("next").and_then(Value::as_str) {
            // A page may be empty although others follow, but none begins where it began.
            Some(next) if after.as_deref() != Some(next) => after = Some(next.to_owned()),
            _ => break,
        }
    }
    Ok(keys)
}

/// Sends a request that changes something, and prints what came of it, or what it waits for.
async fn print(remote: &Remote, request: RequestBuilder, table: fn(&Value) -> Table) -> Result<()> {
    let answer = remote.send(request).await?;
    if is_waiting(&answer.body) {
        return print_waiting(remote, &answer.body);
    }
    remote.print(&answer.body, table)?;
    Ok(())
}

/// The path of a key, or of something of it. What is no id does not get to stand in one.
fn path(id: &str, below: &str) -> Result<String> {
    anyhow::ensure!(KeyId::parse(id).is_some(), "the id of a key is a UUID in lower case: {id:?} is none");
    Ok(format!("/v1/keys/{id}{below}"))
}

/// The path of a key by its id, or of a KEK by `APPLICATION:VERSION`, or of something of it.
fn ending_path(id: &str, below: &str) -> Result<String> {
    let Some((application, version)) = id.split_once(':') else { return path(id, below) };
    let version: u32 = version.parse().context("a KEK is named by APPLICATION:VERSION")?;
    Ok(format!("/v1/keks/{}/{version}{below}", checked(application)?))
}

/// What is no application does not get to stand in a path.
fn checked(application: &str) -> Result<ApplicationId> {
    let parsed = ApplicationId::parse(application)?;
    anyhow::ensure!(!application.bytes().all(|byte| byte == b'.'), "{application:?} is no application");
    Ok(parsed)
}

fn keks_table(body: &Value) -> Table {
    let headings = ["APPLICATION", "VERSION", "STATE", "NEWEST", "CREATED", "DESTRUCTION"];
    let names = ["applicationId", "version", "state", "newest", "createdAt"];
    let keks = body.get("keks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    keks.iter().fold(Table::new(&headings), |table, kek| {
        let said = json!(destruction(kek).unwrap_or_default());
        let members = names.map(|name| kek.get(name).unwrap_or(&Value::Null));
        let [application, version, state, newest, created] = members;
        table.row(&[application, version, state, newest, created, &said])
    })
}

/// Where a destruction stands, in words.
fn destruction(body: &Value) -> Option<String> {
    let destruction = body.get("destruction").filter(|it| !it.is_null())?;
    let part = |name: &str| destruction.get(name).and_then(Value::as_str);
    let by = part("requestedBy").unwrap_or_default();
    let is_removed = destruction.get("tombstone").is_some_and(|tombstone| !tombstone.is_null());
    let stands = match (part("dueAt"), part("remark")) {
        (Some(due), _) => format!("not before {due}"),
        (None, Some(remark)) => remark.to_owned(),
        (None, None) if is_removed => "the private part is no more".to_owned(),
        (None, None) => "under way".to_owned(),
    };
    Some(format!("asked for by {by}: {stands}"))
}

/// One key, or an array of them.
fn keys_table(body: &Value) -> Table {
    let headings = ["KEY", "APPLICATION", "REFERENCE", "GENERATION", "STATE", "NEWEST", "UNTIL", "TAGS"];
    let names =
        ["keyId", "applicationId", "referenceId", "generation", "state", "newest", "notAfter", "tags"];
    rows(body, &headings, names)
}

/// One transition, or an array of them.
fn transitions_table(body: &Value) -> Table {
    let headings = ["AT", "CHANGE", "FROM", "TO", "BY", "REASON"];
    rows(body, &headings, ["at", "change", "from", "to", "actor", "reason"])
}

fn details_table(body: &Value) -> Table {
    let member = |name: &str| body.get(name).unwrap_or(&Value::Null);
    let key = member("key");
    let history = member("history").as_array().map_or(&[][..], Vec::as_slice);
    let names = [
        "keyId",
        "applicationId",
        "referenceId",
        "generation",
        "state",
        "newest",
        "keyBits",
        "storedIn",
        "thumbprint",
        "issuer",
        "verified",
        "notBefore",
        "notAfter",
        "purpose",
        "tags",
    ];
    let table = names.iter().fold(Table::new(&["MEMBER", "VALUE"]), |table, name| {
        table.row(&[&json!(name), key.get(name).unwrap_or(&Value::Null)])
    });
    let table = table.row(&[&json!("kid"), member("kid")]);
    let table = match destruction(body) {
        Some(said) => table.row(&[&json!("destruction"), &json!(said)]),
        None => table,
    };
    history.iter().fold(table, |table, transition| {
        let part = |name: &str| transition.get(name).and_then(Value::as_str).unwrap_or_default();
        let said = format!("{} by {}: {}", part("change"), part("actor"), part("reason"));
        table.row(&[transition.get("at").unwrap_or(&Value::Null), &json!(said)])
    })
}

fn rows<const N: usize>(body: &Value, headings: &[&str], names: [&str; N]) -> Table {
    let found = body.as_array().map_or_else(|| std::slice::from_ref(body), Vec::as_slice);
    found.iter().fold(Table::new(headings), |table, one| {
        table.row(&names.map(|name| one.get(name).unwrap_or(&Value::Null)))
    })
}
