//! Roots that a log is known to have had, from elsewhere than the export at hand: anchors, and exports that were
//! verified before it.

use std::sync::Arc;

use crate::domain::merkle::Hash;

/// The root of a log's first `size` entries.
pub(super) struct KnownRoot {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) source: Source,
    /// Whether entries were compared with it.
    pub(super) is_checked: bool,
}

/// Where it is known from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A checkpoint of that time, from elsewhere.
    Anchor(String),
    /// A file that was verified before.
    Export(Arc<str>),
}

/// Those of one log.
#[derive(Default)]
pub(super) struct KnownRoots {
    /// By size, once [`KnownRoots::begin`] was called.
    roots: Vec<KnownRoot>,
    /// The next one to be compared.
    next: usize,
}

impl KnownRoots {
    /// Adds one.
    pub(super) fn add(&mut self, size: u64, root: Hash, source: Source) {
        self.roots.push(KnownRoot { size, root, source, is_checked: false });
    }

    /// Begins to compare from a tree of `size` entries on.
    pub(super) fn begin(&mut self, size: u64) {
        self.roots.sort_by(|one, other| {
            (one.size, &one.source, &one.root).cmp(&(other.size, &other.source, &other.root))
        });
        self.roots.dedup_by(|one, other| {
            one.size == other.size && one.root == other.root && one.is_anchor() == other.is_anchor()
        });
        self.next = self.roots.partition_point(|known| known.size < size);
    }

    /// The next root of at most `size` entries, which must not shrink from call to call. Those of fewer were not
    /// reached.
    pub(super) fn next_up_to(&mut self, size: u64) -> Option<&mut KnownRoot> {
        let known = self.roots.get_mut(self.next).filter(|known| known.size <= size)?;
        self.next += 1;
        Some(known)
    }

    /// The anchors.
    pub(super) fn anchors(&self) -> impl Iterator<Item = &KnownRoot> {
        self.roots.iter().filter(|known| known.is_anchor())
    }
}

impl KnownRoot {
    const fn is_anchor(&self) -> bool {
        matches!(self.source, Source::Anchor(_))
    }
}
