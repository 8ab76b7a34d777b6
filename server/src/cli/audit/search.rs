//! `kunji audit search` and `status`.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use super::joined::{Query, Source, get, join};
use crate::cli::{Remote, ServerArguments, remote::printable};

/// Which events.
#[derive(Args, Debug, Default)]
pub(super) struct FilterArguments {
    /// Operation, for example packet.decrypt; packet.* for all that begin so.
    #[arg(long)]
    operation: Option<String>,
    /// Who.
    #[arg(long)]
    principal: Option<String>,
    /// succeeded, failed or refused.
    #[arg(long)]
    outcome: Option<String>,
}

/// Arguments of `kunji audit search`.
#[derive(Args, Debug)]
pub struct SearchArguments {
    /// Address of a further server of the same installation, whose events are joined with those of the first.
    #[arg(long, value_name = "URL")]
    also: Vec<String>,
    #[command(flatten)]
    filter: FilterArguments,
    /// The peer's address.
    #[arg(long)]
    address: Option<String>,
    /// Application.
    #[arg(long)]
    application: Option<String>,
    /// Reference within the application, as callers send it.
    #[arg(long, requires = "application")]
    reference: Option<String>,
    /// Key version.
    #[arg(long)]
    key_id: Option<String>,
    /// Request.
    #[arg(long)]
    request_id: Option<String>,
    /// Why it failed or was refused.
    #[arg(long)]
    code: Option<String>,
    /// First instant, UTC: 2026-01-05T10:11:12.007, or a beginning of that.
    #[arg(long)]
    since: Option<String>,
    /// Instant after the last one.
    #[arg(long)]
    until: Option<String>,
    /// Oldest first.
    #[arg(long)]
    oldest: bool,
    /// Most events.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl FilterArguments {
    /// As parameters of a request.
    pub(super) fn query(&self) -> Query {
        given([("operation", &self.operation), ("principal", &self.principal), ("outcome", &self.outcome)])
    }
}

fn given<const N: usize>(members: [(&'static str, &Option<String>); N]) -> Query {
    members.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

/// Lists events of one server's log or, joined, of several servers' logs. Says which servers did not answer and which
/// logs it has not looked at.
pub(super) async fn run(remote: Remote, server: &ServerArguments, arguments: &SearchArguments) -> Result<()> {
    let mut filter = arguments.filter.query();
    filter.extend(given([
        ("address", &arguments.address),
        ("application", &arguments.application),
        ("reference", &arguments.reference),
        ("keyId", &arguments.key_id),
        ("requestId", &arguments.request_id),
        ("code", &arguments.code),
        ("since", &arguments.since),
        ("until", &arguments.until),
    ]));
    filter.push(("order", if arguments.oldest { "oldest" } else { "newest" }.to_owned()));
    let (json, is_joined) = (remote.json, !arguments.also.is_empty());
    let mut sources = vec![Source::new(server.url.clone(), remote)];
    let mut silent = Vec::new();
    for url in &arguments.also {
        match Remote::connect(&ServerArguments { url: url.clone(), ..server.clone() }).await {
            Ok(remote) => sources.push(Source::new(url.clone(), remote)),
            Err(error) => silent.push((url.clone(), error.into())),
        }
    }
    let roster = match sources.first() {
        Some(first) if is_joined => first.roster().await.unwrap_or_default(),
        _ => BTreeMap::new(),
    };
    let show = |source: &Source, event: &Value| {
        if !is_joined {
            return print(&mut io::stdout().lock(), std::slice::from_ref(event), json);
        }
        let server = roster.get(&source.log).map_or("-", String::as_str);
        print_of(server, &source.log, event, json)
    };
    let failures = join(&mut sources, &filter, arguments.oldest, arguments.limit, show).await?;
    if !is_joined {
        return failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error));
    }
    let url = |place: usize| sources.get(place).map(|source| source.url.clone()).unwrap_or_default();
    silent.extend(failures.into_iter().map(|(place, error)| (url(place), error)));
    report(&roster, &sources, &silent);
    anyhow::ensure!(silent.is_empty(), "{} of the servers did not answer", silent.len());
    Ok(())
}

/// What is not in the list.
#[expect(clippy::print_stderr, reason = "what the list lacks")]
fn report(roster: &BTreeMap<String, String>, sources: &[Source], silent: &[(String, anyhow::Error)]) {
    for (url, error) in silent {
        eprintln!("{url} did not answer, and what it would is not in the list: {error:#}");
    }
    if roster.is_empty() {
        eprintln!("which logs there are is not known: the first server does not give the roster");
    }
    for (log, server) in roster.iter().filter(|(log, _)| sources.iter().all(|source| source.log != **log)) {
        eprintln!("the log {} of the server {} was not looked at", printable(log), printable(server));
    }
}

/// An event of one of several servers.
fn print_of(server: &str, log: &str, event: &Value, json: bool) -> Result<()> {
    let mut output = io::stdout().lock();
    if json {
        let mut event = event.clone();
        if let Some(members) = event.as_object_mut() {
            members.insert("log".to_owned(), log.into());
        }
        writeln!(output, "{event}")?;
    } else {
        writeln!(output, "{:<16}  {}", printable(server), summary(event))?;
    }
    Ok(())
}

/// Shows how the trail stands.
pub(super) async fn status(remote: &Remote) -> Result<()> {
    let status = get(remote, "/v1/audit/status", &Query::new()).await?;
    if remote.json {
        writeln!(io::stdout(), "{status}")?;
    } else {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&status)?)?;
    }
    Ok(())
}

/// The events of a page.
pub(super) fn events(page: &Value) -> Result<&Vec<Value>> {
    page.get("events").and_then(Value::as_array).context("the server's answer has no events")
}

/// Shows events.
pub(super) fn print(output: &mut impl io::Write, events: &[Value], json: bool) -> Result<()> {
    for event in events {
        if json {
            writeln!(output, "{event}")?;
        } else {
            writeln!(output, "{}", summary(event))?;
        }
    }
    Ok(output.flush()?)
}

/// An event on one line, for people.
fn summary(event: &Value) -> String {
    let member = |name: &str| event.get(name).and_then(Value::as_str);
    let text = |name: &str| printable(member(name).unwrap_or("-"));
    let alias = match (member("application"), member("reference")) {
        (Some(application), Some(reference)) => printable(&format!(" {application}/{reference}")),
        _ => String::new(),
    };
    let code = member("code").map(|code| format!(" ({})", printable(code))).unwrap_or_default();
    let count = event.pointer("/details/count").and_then(Value::as_u64);
    let count = count.map(|count| format!(" {count} times")).unwrap_or_default();
    format!(
        "{:>8}  {}  {:<20} {}{code}{count}  {} {}{alias}",
        event.get("sequence").and_then(Value::as_u64).unwrap_or_default(),
        text("time"),
        text("operation"),
        text("outcome"),
        text("principal"),
        text("address"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let event = json!({
            "sequence": 7, "time": "2026-01-05T10:11:12.007Z", "operation": "packet.decrypt", "principal": "a\nb\u{1b}",
            "application": "REGISTRATION", "reference": "10001", "outcome": "failed", "code": "KER-FSE-004",
        });
        assert_eq!(
            summary(&event),
            "       7  2026-01-05T10:11:12.007Z  packet.decrypt       failed (KER-FSE-004)  a b  - \
             REGISTRATION/10001"
        );
    }
}
