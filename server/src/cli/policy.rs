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
    /// Foresee which keys are renewed when, if policies stay as they are, or if one were as in a file. Changes nothing.
    Plan {
        /// The application whose policy would be as the file says; BASE for the periods of all base keys.
        #[arg(requires = "file")]
        application: Option<String>,
        /// A file with the policy as JSON, as `put` takes it.
        file: Option<PathBuf>,
        /// Days to look ahead.
        #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=3660))]
        days: u32,
        /// Only the keys on the token, and those of the first aliases, not those of all.
        #[arg(long)]
        first_page: bool,
    },
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
        PolicyCommand::Plan { application, file, days, first_page } => {
            let candidate = match application.zip(file) {
                Some((application, file)) => Some((path(&application)?, read_json(&file)?)),
                None => None,
            };
            plan(remote, candidate, days, first_page).await?;
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

/// Reads the plan page by page, and prints it as one: under the policies in force, or with `candidate`, a document and
/// where it would be stored, in place of one.
async fn plan(
    remote: &Remote,
    candidate: Option<(String, Value)>,
    days: u32,
    first_page: bool,
) -> Result<()> {
    let mut whole = Value::Null;
    let mut after = String::new();
    loop {
        let query = format!("plan?days={days}{after}");
        let request = match &candidate {
            None => remote.request(Method::GET, &format!("/v1/rotation/{query}")),
            Some((path, policy)) => remote.request(Method::POST, &format!("{path}/{query}")).json(policy),
        };
        let mut page = remote.send(request).await?.body;
        let next = member(&page, "next").as_str().map(str::to_owned);
        if whole.is_null() {
            whole = page;
        } else {
            join(&mut whole, &mut page);
        }
        match next {
            Some(next) if !first_page => after = format!("&after={next}"),
            _ => break,
        }
    }
    remote.print(&whole, steps_table)?;
    Ok(())
}

/// Adds the steps of a further page, in the order of time.
fn join(whole: &mut Value, page: &mut Value) {
    if let (Some(Value::Array(steps)), Some(Value::Array(more))) =
        (whole.get_mut("steps"), page.get_mut("steps"))
    {
        steps.append(more);
        steps.sort_by(|one, other| {
            let at = |step: &Value| member(step, "at").as_str().unwrap_or_default().to_owned();
            at(one).cmp(&at(other))
        });
    }
    for name in ["truncated", "next"] {
        let value = member(page, name).clone();
        let is_set = name == "truncated" && member(whole, name) == &Value::Bool(true);
        if let Some(place) = whole.get_mut(name).filter(|_| !is_set) {
            *place = value;
        }
    }
}

fn steps_table(body: &Value) -> Table {
    let headings = ["AT", "APPLICATION", "REFERENCE", "EVENT", "GENERATION", "VALID UNTIL"];
    let names = ["at", "application", "reference", "event", "generation", "notAfter"];
    let steps = member(body, "steps").as_array();
    steps
        .into_iter()
        .flatten()
        .fold(Table::new(&headings), |table, step| table.row(&names.map(|name| member(step, name))))
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
        "preExpire",
        "keyBits",
        "maxWraps",
        "active",
        "automaticRotation",
        "destructionWaitDays",
        "offlineAllowanceDays",
        "access",
        "revision",
        "changedBy",
    ];
    let headings = [
        "APPLICATION",
        "VALID DAYS",
        "PRE-EXPIRE",
        "BY PURPOSE",
        "KEY BITS",
        "MAX WRAPS",
        "ACTIVE",
        "AUTOMATIC",
        "DESTRUCTION WAITS",
        "OFFLINE DAYS",
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
