//! `kunji doctor`: what token and database disagree on.

use anyhow::{Result, ensure};
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Remote,
    output::{Table, member},
};

/// What to do with what is found.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    /// Mend what can be mended without risk, then look again. No key is ever removed.
    #[arg(long)]
    mend: bool,
}

/// Looks, and mends if asked to.
///
/// # Errors
/// When anything is found that is not as it should be; what the server says, or why it cannot be asked.
pub async fn run(remote: &Remote, arguments: &DoctorArguments) -> Result<()> {
    let mut report = Map::new();
    if arguments.mend {
        let mut outcome = remote.send(remote.request(Method::POST, "/v1/doctor/mend")).await?.body;
        report.insert("mended".to_owned(), taken(&mut outcome, "mended"));
    }
    let (mut findings, mut keys, mut after) = (Vec::new(), 0, String::new());
    loop {
        let path = format!("/v1/doctor{after}");
        let mut page = remote.send(remote.request(Method::GET, &path)).await?.body;
        if let Value::Array(found) = taken(&mut page, "findings") {
            findings.extend(found);
        }
        keys += member(&page, "keys").as_u64().unwrap_or(0);
        if after.is_empty() {
            report.insert("objects".to_owned(), taken(&mut page, "objects"));
        }
        match member(&page, "next").as_str() {
            Some(next) => after = format!("?after={next}"),
            None => break,
        }
    }
    let count = findings.len();
    report.insert("keys".to_owned(), json!(keys));
    report.insert("findings".to_owned(), Value::Array(findings));
    remote.print(&Value::Object(report), table)?;
    ensure!(count == 0, "{count} {}", if count == 1 { "finding" } else { "findings" });
    Ok(())
}

/// A member of an answer, which then has it no more.
fn taken(answer: &mut Value, name: &str) -> Value {
    answer.get_mut(name).map(Value::take).unwrap_or_default()
}

fn table(report: &Value) -> Table {
    let headings = ["", "CODE", "TOKEN", "ABOUT", "WHAT", "HOW TO MEND"];
    let rows = [("mended", "mended"), ("findings", "found")].into_iter().flat_map(|(name, word)| {
        member(report, name).as_array().into_iter().flatten().map(move |finding| (word, finding))
    });
    rows.fold(Table::new(&headings), |table, (word, finding)| {
        let about = ["label", "keyId", "objectId"].map(|name| member(finding, name));
        let about = about.into_iter().find(|value| !value.is_null()).unwrap_or(&Value::Null);
        let what = match (member(finding, "what").as_str(), member(finding, "detail").as_str()) {
            (Some(what), Some(detail)) => json!(format!("{what}: {detail}")),
            (what, _) => json!(what),
        };
        let [code, token, remedy] = ["code", "token", "remedy"].map(|name| member(finding, name));
        table.row(&[&json!(word), code, token, about, &what, remedy])
    })
}
