//! What readers see of the log while it is written.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::watch;

use crate::domain::merkle::Frontier;

/// The tree over the events that are durable in the log.
pub(super) struct Published {
    tree: Mutex<Frontier>,
    size: watch::Sender<u64>,
    spooled: AtomicU64,
}

impl Published {
    pub(super) fn new(tree: Frontier) -> Self {
        Self { size: watch::Sender::new(tree.size()), tree: Mutex::new(tree), spooled: AtomicU64::new(0) }
    }

    pub(super) fn set(&self, tree: &Frontier, spooled: u64) {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone_from(tree);
        self.spooled.store(spooled, Ordering::Relaxed);
        // Told when it has grown only.
        self.size.send_if_modified(|size| std::mem::replace(size, tree.size()) != tree.size());
    }

    pub(super) fn tree(&self) -> Frontier {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn growth(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }

    pub(super) fn spooled(&self) -> u64 {
        self.spooled.load(Ordering::Relaxed)
    }
}
