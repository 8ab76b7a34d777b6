//! Events looked for, a page at a time.

use std::sync::Arc;

use serde_json::Value;

use super::{AuditService, TrailError, blocking};
use crate::{
    domain::{
        access::CallContext,
        alias::{ApplicationId, KeyAlias, ReferenceId},
        audit::query::EventFilter,
    },
    ports::audit_trail::AuditTrail,
};

/// Lines that one request looks at; a search that finds little goes on with the next request.
const LOOKED_AT: u64 = 1_000_000;

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

    /// A reference that is looked for may stand in the trail by its pseudonym.
    pub(super) fn hide_references(&self, filter: &mut EventFilter) {
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

/// Looks for them.
pub(super) fn search(trail: &dyn AuditTrail, request: &SearchRequest) -> Result<Page, TrailError> {
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
