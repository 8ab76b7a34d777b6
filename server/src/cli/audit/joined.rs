//! Events of several servers' logs, joined in the order of their times.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, VecDeque},
};

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::Value;

use crate::cli::Remote;

pub(super) const EVENTS: &str = "/v1/audit/events";
/// Events on one page.
pub(super) const PAGE: usize = 1_000;

pub(super) type Query = Vec<(&'static str, String)>;

/// The log of one server, read page after page.
pub(super) struct Source {
    /// Where it is, for people.
    pub(super) url: String,
    /// Its log, once a page of it was read.
    pub(super) log: String,
    remote: Remote,
    events: VecDeque<Value>,
    next: Next,
}

/// Where a source goes on.
enum Next {
    Beginning,
    At(u64),
    End,
}

impl Source {
    pub(super) const fn new(url: String, remote: Remote) -> Self {
        Self { url, log: String::new(), remote, events: VecDeque::new(), next: Next::Beginning }
    }

    /// The roster of all logs, as this server knows it: the name of its server for each log.
    pub(super) async fn roster(&self) -> Result<BTreeMap<String, String>> {
        let answer = get(&self.remote, "/v1/audit/roster", &Query::new()).await?;
        let logs = answer.pointer("/roster/logs").and_then(Value::as_array);
        let entry = |entry: &Value| {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            text("log").zip(text("server"))
        };
        let logs = logs.map(|logs| logs.iter().filter_map(entry).collect());
        logs.context("the server's answer has no roster")
    }

    /// Has an event at hand, unless there are no more. A page can be empty although others follow.
    async fn fill(&mut self, filter: &Query, limit: usize) -> Result<()> {
        while self.events.is_empty() && !matches!(self.next, Next::End) {
            let mut query = filter.clone();
            query.push(("limit", limit.clamp(1, PAGE).to_string()));
            if let Next::At(from) = self.next {
                query.push(("from", from.to_string()));
            }
            let mut page = get(&self.remote, EVENTS, &query).await?;
            let Some(Value::Array(events)) = page.get_mut("events").map(Value::take) else {
                anyhow::bail!("the server's answer has no events");
            };
            self.events = events.into();
            self.next = page.get("next").and_then(Value::as_u64).map_or(Next::End, Next::At);
            if let Some(log) = page.get("log").and_then(Value::as_str) {
                log.clone_into(&mut self.log);
            }
        }
        Ok(())
    }
}

/// Hands the events of all sources to `print`, in the order of their times, at most `limit`. A source that fails is left
/// out from then on; the failures are returned, by the place of their sources.
///
/// # Errors
/// Those of `print`.
pub(super) async fn join(
    sources: &mut [Source],
    filter: &Query,
    oldest_first: bool,
    limit: usize,
    mut print: impl FnMut(&Source, &Value) -> Result<()>,
) -> Result<Vec<(usize, anyhow::Error)>> {
    let mut failures: Vec<(usize, anyhow::Error)> = Vec::new();
    for left in (1..=limit).rev() {
        for (place, source) in sources.iter_mut().enumerate() {
            if let Err(error) = source.fill(filter, left).await {
                source.next = Next::End;
                failures.push((place, error));
            }
        }
        let heads =
            sources.iter().enumerate().filter_map(|(place, source)| Some((place, source.events.front()?)));
        let Some(place) = first(heads, oldest_first) else { break };
        let Some(source) = sources.get_mut(place) else { break };
        let Some(event) = source.events.pop_front() else { break };
        print(source, &event)?;
    }
    Ok(failures)
}

/// Whose event comes first; of several at one instant the first server's.
fn first<'a>(heads: impl Iterator<Item = (usize, &'a Value)>, oldest_first: bool) -> Option<usize> {
    let time = |event: &'a Value| event.get("time").and_then(Value::as_str).unwrap_or_default();
    let order = |(_, a): &(usize, &'a Value), (_, b): &(usize, &'a Value)| match time(a).cmp(time(b)) {
        order if oldest_first => order,
        order => order.reverse(),
    };
    heads
        .reduce(|best, head| if order(&best, &head) == Ordering::Greater { head } else { best })
        .map(|(place, _)| place)
}

pub(super) async fn get(remote: &Remote, path: &str, query: &Query) -> Result<Value> {
    Ok(remote.send(remote.request(Method::GET, path).query(query)).await?.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_event_is_the_first_by_its_time_and_then_by_its_server() {
        let events = ["2026-01-05T10:11:12.007Z", "2026-01-05T10:11:12.006Z", "2026-01-05T10:11:12.007Z"]
            .map(|time| json!({ "time": time }));
        let first = |oldest_first| first(events.iter().enumerate(), oldest_first);
        assert_eq!((first(true), first(false)), (Some(1), Some(0)));
        assert_eq!(super::first(std::iter::empty(), true), None);
    }
}
