//! Events as they happen, for as long as whoever follows them may read them.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, future::ready, stream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    AuditService, TrailError, blocking,
    search::{SearchRequest, search},
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        audit::query::EventFilter,
    },
    ports::audit_trail::EventTail,
    services::{
        auditor::Auditor,
        authorization::{AccessRefusal, Authorizer},
        denials::Denial,
        packets::BodyStream,
    },
};

/// Those who may follow at once.
pub(super) const FOLLOWERS: usize = 32;
/// Bytes of events that a follower is given at once, about.
const PIECE_BYTES: usize = 256 * 1024;
/// How often it is looked whether a follower may go on while nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl AuditService {
    /// The last `last` events that the filter admits, then all that follow as they happen, as NDJSON. Does not end by
    /// itself; it is cut off when the caller may not read the trail any more.
    ///
    /// # Errors
    /// [`TrailError`]; [`TrailError::Busy`] when as many follow as may at once.
    pub async fn follow(
        &self,
        call: &CallContext,
        mut filter: EventFilter,
        last: usize,
    ) -> Result<BodyStream, TrailError> {
        self.hide_references(&mut filter);
        let begun = async {
            let following = Arc::clone(&self.followers).try_acquire_owned().map_err(|_| TrailError::Busy)?;
            let place = self.place()?;
            let growth = self.trail.growth();
            let next = growth.borrow().saturating_add(1);
            let (trail, filter) = (Arc::clone(&self.trail), filter.clone());
            let (beginning, reader) = blocking(move || {
                let request = SearchRequest { filter, newest_first: true, from: Some(next), limit: last };
                let page = search(&*trail, &request)?;
                let lines = page.events.iter().rev().map(|event| format!("{event}\n"));
                let begun = (Bytes::from(lines.collect::<String>()), trail.tail(next)?);
                drop(place);
                Ok(begun)
            })
            .await?;
            Ok((beginning, growth, reader, following))
        };
        let (beginning, growth, reader, following) = self.read(call, begun).await?;
        let follower = Follower {
            auditor: Arc::clone(&self.auditor),
            authorizer: Arc::clone(&self.authorizer),
            call: call.clone(),
            filter,
            growth,
            tail: reader,
            _following: following,
        };
        let pieces = stream::unfold(Some(follower), |follower| async { follower?.turn().await });
        let pieces = pieces.filter(|piece| ready(!piece.as_ref().is_ok_and(Bytes::is_empty)));
        Ok(stream::iter([Ok(beginning)]).chain(pieces).boxed())
    }
}

/// Somebody who follows, and where.
struct Follower {
    auditor: Arc<Auditor>,
    authorizer: Arc<Authorizer>,
    call: CallContext,
    filter: EventFilter,
    growth: watch::Receiver<u64>,
    tail: Box<dyn EventTail>,
    _following: OwnedSemaphorePermit,
}

/// What a follower is given, and who goes on.
type Turn = (io::Result<Bytes>, Option<Follower>);

impl Follower {
    /// Waits for more events and reads them; what it gives is empty when the filter admits none. `None` with the end of
    /// the trail.
    async fn turn(mut self) -> Option<Turn> {
        let next = self.tail.next();
        let growth = async { self.growth.wait_for(|size| *size >= next).await.map(|size| *size) };
        let size = match tokio::time::timeout(LOOK_EVERY, growth).await {
            Ok(size) => Some(size.ok()?),
            Err(_elapsed) => None,
        };
        if let Err(refusal) = self.authorizer.enter_again(&self.call, Operation::ReadAudit) {
            return Some(self.cut_off(refusal).await);
        }
        let Some(size) = size else { return Some((Ok(Bytes::new()), Some(self))) };
        let read = blocking(move || {
            let lines = self.tail.read(size.saturating_add(1), PIECE_BYTES)?;
            let mut text = Vec::new();
            for line in lines.iter().filter(|line| self.filter.admits(line)) {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
            Ok((Bytes::from(text), self))
        });
        Some(match read.await {
            Ok((text, follower)) => (Ok(text), Some(follower)),
            Err(error) => (Err(io::Error::other(error.to_string())), None),
        })
    }

    /// Ends in a way that does not look like an end of the trail.
    async fn cut_off(self, refusal: AccessRefusal) -> Turn {
        let CallContext { principal, address, request_id, .. } = self.call;
        tracing::warn!(%request_id, principal = principal.name, %refusal, "a follower of the audit trail is cut off");
        let denial = Denial {
            operation: Operation::ReadAudit.name(),
            principal: Some(principal.name.clone()),
            address,
            request_id,
            code: refusal.code(),
        };
        self.auditor.refused(denial).await;
        (Err(io::Error::new(io::ErrorKind::PermissionDenied, refusal.to_string())), None)
    }
}
