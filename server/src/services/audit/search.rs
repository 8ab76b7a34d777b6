//! Events looked for, a page at a time, and followed as they happen.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{AuditService, TrailError, blocking};
use crate::{
    domain::{
        access::CallContext,
        alias::{ApplicationId, KeyAlias, ReferenceId},
        audit::query::EventFilter,
    },
    ports::audit_trail::AuditTrail,
    services::packets::BodyStream,
};

/// Lines that one request looks at; a search that finds little goes on with the next request.
const LOOKED_AT: u64 = 1_000_000;
/// Events that a follower is given at once.
const BATCH: u64 = 1_000;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Which events.
    pub filter: EventFilter,
    /// Backwards from the newest, or forwards from the oldest.
    pub newest_first: bool,
    /// Where to go on: the `next` of the page before.
    pub from: Option<u64>,
    /// Most events on the page.
    pub limit: usize,
}

/// Events found.
#[derive(Clone, Debug)]
pub struct Page {
    /// The log.
    pub log: String,
    /// The events, as the log has them.
    pub events: Vec<Value>,
    /// Where to go on; `None` when all was looked at.
    pub next: Option<u64>,
}

impl AuditService {
    /// The events that the request looks for.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn search(&self, call: &CallContext, mut request: SearchRequest) -> Result<Page, TrailError> {
        self.hide_references(&mut request.filter);
        let searched = async {
            let place = self.place()?;
            let trail = Arc::clone(&self.trail);
            blocking(move || {
                let page = search(&*trail, &request);
                drop(place);
                page
            })
            .await
        };
        self.read(call, searched).await
    }

    /// The last `last` events that the filter admits, then all that follow as they happen, as NDJSON. Never ends by
    /// itself.
    ///
    /// # Errors
    /// [`TrailError`].
    pub async fn follow(
        &self,
        call: &CallContext,
        mut filter: EventFilter,
        last: usize,
    ) -> Result<BodyStream, TrailError> {
        self.hide_references(&mut filter);
        let request = SearchRequest { filter: filter.clone(), newest_first: true, from: None, limit: last };
        let growth = self.trail.growth();
        let size = *growth.borrow();
        let trail = Arc::clone(&self.trail);
        let begun = blocking(move || {
            let mut page = search(&*trail, &SearchRequest { from: Some(size + 1), ..request })?;
            page.events.reverse();
            let lines = page.events.iter().map(|event| format!("{event}\n"));
            Ok(Bytes::from(lines.collect::<String>()))
        });
        let beginning = self.read(call, begun).await?;
        let trail = Arc::clone(&self.trail);
        let state = (trail, growth, filter, size + 1);
        let following = stream::unfold(state, |(trail, mut growth, filter, next)| async move {
            let size = *growth.wait_for(|size| *size >= next).await.ok()?;
            let end = size.saturating_add(1).min(next.saturating_add(BATCH));
            let (source, wanted) = (Arc::clone(&trail), filter.clone());
            let lines = blocking(move || Ok(admitted(&*source, &wanted, next, end)?)).await;
            let lines = lines.map_err(|error| io::Error::other(error.to_string()));
            Some((lines, (trail, growth, filter, end)))
        });
        let following = following.filter(|piece| {
            let is_empty = piece.as_ref().is_ok_and(Bytes::is_empty);
            async move { !is_empty }
        });
        Ok(stream::iter([Ok(beginning)]).chain(following).boxed())
    }

    /// A reference that is looked for may stand in the trail by its pseudonym.
    fn hide_references(&self, filter: &mut EventFilter) {
        let application = filter.application.as_deref().and_then(|text| ApplicationId::parse_any(text).ok());
        let Some((application, references)) = application.zip(filter.references.as_mut()) else { return };
        let hidden: Vec<_> = references
            .iter()
            .filter_map(|reference| ReferenceId::parse(reference).ok())
            .map(|reference| KeyAlias { application: application.clone(), reference })
            .map(|alias| self.auditor.pseudonyms.reference(&alias))
            .collect();
        references.extend(hidden);
    }
}

fn admitted(trail: &dyn AuditTrail, filter: &EventFilter, from: u64, end: u64) -> io::Result<Bytes> {
    let mut text = Vec::new();
    for line in trail.lines(from..end)? {
        let line = line?;
        if filter.admits(&line) {
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
    }
    Ok(text.into())
}

fn search(trail: &dyn AuditTrail, request: &SearchRequest) -> Result<Page, TrailError> {
    let size = trail.head().size();
    let mut page = Page { log: trail.log().to_owned(), events: Vec::new(), next: None };
    let mut looked_at = 0;
    let mut take = |number: u64, line: &[u8]| {
        if page.events.len() >= request.limit || looked_at >= LOOKED_AT {
            page.next = Some(number);
            return false;
        }
        looked_at += 1;
        if request.filter.admits(line) {
            page.events.extend(serde_json::from_slice::<Value>(line).ok());
        }
        true
    };
    if request.newest_first {
        let below = request.from.unwrap_or(u64::MAX).min(size + 1);
        for line in trail.backwards(below)? {
            let (number, line) = line?;
            // The page goes on below the event that did not fit, that one included.
            if !take(number + 1, &line) {
                break;
            }
        }
    } else {
        let from = request.from.unwrap_or(1).max(trail.first()?);
        for (number, line) in (from..).zip(trail.lines(from..size + 1)?) {
            if !take(number, &line?) {
                break;
            }
        }
    }
    Ok(page)
}
