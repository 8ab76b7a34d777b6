//! Finished parts of the log that are old enough go into the archive, after they were verified. Nothing is deleted.

use std::{sync::Arc, time::Duration};

use kunji_shared::encoding::encode_hex;
use serde::Deserialize;
use serde_json::json;

use super::{TrailError, blocking, checkpoints::Checkpointer};
use crate::{
    domain::{audit::Outcome, merkle::leaf_hash, time::Timestamp},
    ports::{audit_trail::AuditTrail, clock::Clock},
    services::auditor::Auditor,
};

/// How often it is looked whether something is old enough.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Archives what is old.
pub(crate) struct Retention {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) checkpointer: Arc<Checkpointer>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Days that events stay in the log's own directory.
    pub(crate) days: u32,
    pub(crate) trail: Arc<dyn AuditTrail>,
}

impl Retention {
    /// Archives now and then; never ends.
    pub(crate) async fn run(&self) {
        loop {
            if let Err(error) = self.archive_old().await {
                tracing::error!(%error, "old parts of the audit trail were not archived");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Archives every finished segment whose last event is old enough.
    async fn archive_old(&self) -> Result<(), TrailError> {
        let trail = Arc::clone(&self.trail);
        for events in blocking(move || Ok(trail.finished_segments()?)).await? {
            let keep_from = self.clock.now().minus_days(self.days);
            let covered = self.checkpointer.newest().borrow().checkpoint.clone();
            if covered.is_none_or(|covered| covered.statement.size < events.end - 1) {
                return Ok(());
            }
            let (trail, segment) = (Arc::clone(&self.trail), events.clone());
            if !blocking(move || archive(&*trail, segment, keep_from)).await? {
                return Ok(());
            }
            let details = json!({ "first": events.start, "last": events.end - 1 });
            self.auditor.own_with("audit.archive", Outcome::Succeeded, details).await?;
        }
        Ok(())
    }
}

/// Verifies and archives a segment if it is old enough; says whether it was.
fn archive(
    trail: &dyn AuditTrail,
    events: std::ops::Range<u64>,
    keep_from: Timestamp,
) -> Result<bool, TrailError> {
    #[derive(Deserialize)]
    struct Timed {
        time: String,
    }
    let last = trail.lines(events.end - 1..events.end)?.next().ok_or(TrailError::OutOfRange)??;
    let last: Timed =
        serde_json::from_slice(&last).map_err(|_| TrailError::Internal("an event cannot be read"))?;
    if last.time >= keep_from.to_text() {
        return Ok(false);
    }
    verify(trail, &events)?;
    trail.archive(events.start)?;
    Ok(true)
}

/// Compares the segment with the checkpoints within it, and with what the next one says came before it.
fn verify(trail: &dyn AuditTrail, events: &std::ops::Range<u64>) -> Result<(), TrailError> {
    let altered =
        || TrailError::Internal("a part of the audit trail is not what was signed; it is not archived");
    let mut tree = trail.tree_before(events.start)?;
    let mut checkpoints = trail.checkpoints(1)?;
    let mut next = checkpoints.next().transpose()?;
    for line in trail.lines(events.clone())? {
        tree.push(leaf_hash(&line?));
        while let Some(signed) = next.take_if(|signed| signed.statement.size <= tree.size()) {
            if signed.statement.size == tree.size() && signed.statement.root != encode_hex(&tree.root()) {
                return Err(altered());
            }
            next = checkpoints.next().transpose()?;
        }
    }
    if trail.tree_before(events.end)? == tree { Ok(()) } else { Err(altered()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapters::audit_log::{AuditLog, AuditLogSettings},
        domain::audit::{
            AuditEvent,
            statement::{Checkpoint, Signed},
        },
        ports::audit_sink::AuditSink as _,
    };

    const OLD: Timestamp = Timestamp::from_seconds(1_767_607_872);

    /// A log with old events in several segments, and a checkpoint over each, the last but one made by `root`.
    async fn log(data: &std::path::Path, root: impl Fn(String) -> String) -> AuditLog {
        let archive = Some(data.join("archive"));
        let settings = AuditLogSettings { archive, segment_bytes: 150, ..AuditLogSettings::default() };
        let log = AuditLog::open_with(data, settings).unwrap();
        for number in 1..=12 {
            log.record(AuditEvent::own(OLD, "server.start")).await.unwrap();
            let tree = log.head();
            let found = encode_hex(&tree.root());
            let statement = Checkpoint {
                log: log.log().to_owned(),
                number,
                size: tree.size(),
                root: if number == 2 { root(found) } else { found },
                time: OLD.to_text(),
                key: "ab".repeat(32),
            };
            log.keep_checkpoint(&Signed { statement, signature: vec![7; 256] }).unwrap();
        }
        log
    }

    #[tokio::test]
    async fn old_segments_are_verified_and_moved_and_still_read() {
        let data = tempfile::tempdir().unwrap();
        let log = log(data.path(), |root| root).await;
        let segments = log.finished_segments().unwrap();
        assert!(segments.len() > 2);
        // Not before their time.
        assert!(!archive(&log, segments[0].clone(), OLD).unwrap());
        assert_eq!(log.finished_segments().unwrap(), segments);
        for segment in segments.clone() {
            assert!(archive(&log, segment, OLD.plus_days(1)).unwrap());
        }
        assert_eq!(log.finished_segments().unwrap(), []);
        assert_eq!(std::fs::read_dir(data.path().join("archive")).unwrap().count(), segments.len());
        assert_eq!(log.lines(1..13).unwrap().collect::<Result<Vec<_>, _>>().unwrap().len(), 12);
    }

    #[tokio::test]
    async fn a_segment_that_is_not_what_was_signed_stays() {
        let data = tempfile::tempdir().unwrap();
        let log = log(data.path(), |root| root.replace(['0', '1', '2', '3'], "4")).await;
        let segments = log.finished_segments().unwrap();
        assert!(archive(&log, segments[0].clone(), OLD.plus_days(1)).is_err());
        assert_eq!(log.finished_segments().unwrap(), segments);
        // One whose file was changed since.
        let first = segments[1].start;
        let path = data.path().join(format!("audit/events-{first:020}.ndjson"));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("start", "stort", 1)).unwrap();
        assert!(archive(&log, segments[1].clone(), OLD.plus_days(1)).is_err());
        assert!(path.exists());
    }
}
