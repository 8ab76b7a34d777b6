//! The record of who did what.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;

use crate::domain::audit::AuditEvent;

/// Takes events for good.
///
/// An operation is reported as successful only after its event was taken, and fails when the event cannot be
/// taken. A change of who may do what is not begun before an event has said so. Events of one server keep the order in which `record` returned.
#[async_trait]
pub trait AuditSink: Send + Sync {
    /// Says that the event of an operation that begins now will come. A sink that shares work among events that
    /// come at about the same time then knows whom to wait for.
    fn announce(&self) -> Announcement {
        Announcement::default()
    }

    /// Returns once the event would survive a crash of this machine.
    ///
    /// # Errors
    /// [`AuditError`] when the event may not be durable.
    async fn record(&self, event: AuditEvent) -> Result<(), AuditError>;
}

/// An event to come, or one that came and is not durable yet. Counts until it is dropped.
#[derive(Debug, Default)]
#[must_use]
pub struct Announcement(Option<Arc<AtomicUsize>>);

impl Announcement {
    /// Counts itself in `announced`.
    pub fn counted(announced: &Arc<AtomicUsize>) -> Self {
        announced.fetch_add(1, Ordering::Relaxed);
        Self(Some(Arc::clone(announced)))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if let Some(announced) = &self.0 {
            announced.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The event could not be made durable.
#[derive(Debug, thiserror::Error)]
#[error("the audit trail cannot be written")]
pub struct AuditError(#[source] pub io::Error);

#[derive(Debug, thiserror::Error)]
#[error("a change was made and its end not recorded")]
struct AfterChange(#[source] io::Error);

impl AuditError {
    /// The same about a change that was made all the same.
    #[must_use]
    pub fn after_change(self) -> Self {
        Self(io::Error::new(self.0.kind(), AfterChange(self.0)))
    }

    /// Whether it is about a change that was made all the same.
    pub fn is_after_change(&self) -> bool {
        self.0.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<AfterChange>)
    }
}
