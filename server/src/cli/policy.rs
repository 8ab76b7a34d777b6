//! `kunji policy`: how long keys live, and who may use them.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Remote,
    output::{Table, member},
    versioned::{self, read_json},
};
use crate::domain::alias::ApplicationId;

/// What to do with key policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the key policies in force.
    List,
    /// Store a key policy, in place of that of the same application.
    Put {
        /// The application; BASE for the periods of all base keys.
        application: String,
        /// A file with the policy as JSON.
        file: PathBuf,
    },
    /// Remove the key policy of an application, which then has no keys.
    Remove {
        /// The application.
        application: String,
    },
    /// Print a key policy as JSON, as `put` takes it.
    Show {
        /// The application.
        application: String,
    },
}

/// Does it.
///
/// # Errors
/// What the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, command: PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::List => {
            let answer = remote.send(remote.request(Method::GET, "/v1/policies")).await?;
            remote.print(&answer.body, policies_table)?;
        }
        PolicyCommand::Put { application, file } => {
            let policy = read_json(&file)?;
            if let Some(stored) = versioned::store(remote, &path(&application)?, &policy).await? {
                remote.print(&stored, |stored| policies_table(&json!({ "policies": [stored] })))?;
            }
        }
        PolicyCommand::Remove { application } => versioned::remove(remote, &path(&application)?).await?,
        PolicyCommand::Show { application } => {
            versioned::show(remote, &path(&application)?, &["application"]).await?;
        }
    }
    Ok(())
}

fn path(application: &str) -> Result<String> {
    match ApplicationId::parse_any(application) {
        Ok(application) if !application.as_str().bytes().all(|byte| byte == b'.') => {
            Ok(format!("/v1/policies/{application}"))
        }
        _ => bail!("an application has 1 to 36 characters of A-Z, a-z, 0-9, '_', '-' and '.'"),
    }
}

fn policies_table(body: &Value) -> Table {
    let names = [
        "application",
        "validityDays",
        "preExpireDays",
        "active",
        "automaticRotation",
        "access",
        "revision",
        "changedBy",
    ];
    let headings = [
        "APPLICATION",
        "VALID DAYS",
        "PRE-EXPIRE",
        "ACTIVE",
        "AUTOMATIC",
        "ACCESS",
        "REVISION",
        "CHANGED BY",
    ];
    let policies = member(body, "policies").as_array();
    policies
        .into_iter()
        .flatten()
        .fold(Table::new(&headings), |table, policy| table.row(&names.map(|name| member(policy, name))))
}
