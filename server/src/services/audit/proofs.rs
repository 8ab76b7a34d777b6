//! Proofs about single events and about two states of the log, RFC 6962 2.1.

use std::sync::Arc;

use super::{AuditService, TrailError, blocking};
use crate::{
    domain::{
        access::CallContext,
        audit::statement::{Checkpoint, Signed},
        merkle::{Frontier, Hash, RangeHasher, consistency_ranges, inclusion_ranges, leaf_hash},
    },
    ports::audit_trail::AuditTrail,
};

/// Shows that an event is in the log.
#[derive(Clone, Debug)]
pub struct InclusionProof {
    /// The event, as the log has it: the exact text whose hash is the leaf.
    pub event: String,
    /// The leaf's hash.
    pub leaf: Hash,
    /// The leaf's index, from 0: the event's number less one.
    pub index: u64,
    /// The hashes, the lowest first.
    pub path: Vec<Hash>,
    /// The checkpoint that it leads to.
    pub checkpoint: Arc<Signed<Checkpoint>>,
}

/// Shows that the log only grew.
#[derive(Clone, Debug)]
pub struct ConsistencyProof {
    /// Events of the earlier state.
    pub earlier: u64,
    /// The hashes.
    pub path: Vec<Hash>,
    /// The checkpoint of the later state.
    pub checkpoint: Arc<Signed<Checkpoint>>,
}

impl AuditService {
    /// Proves that event `sequence` is in the log, under a fresh checkpoint.
    ///
    /// # Errors
    /// [`TrailError::OutOfRange`] when it is not, or the events that the proof needs are archived.
    pub async fn prove_inclusion(
        &self,
        call: &CallContext,
        sequence: u64,
    ) -> Result<InclusionProof, TrailError> {
        let proved = async {
            let place = self.place()?;
            let checkpoint = self.checkpointer.fresh().await?;
            let index = sequence.checked_sub(1).ok_or(TrailError::OutOfRange)?;
            let ranges = inclusion_ranges(index, checkpoint.statement.size).ok_or(TrailError::OutOfRange)?;
            let trail = Arc::clone(&self.trail);
            let size = checkpoint.statement.size;
            let (path, line) = blocking(move || {
                let path = hashes(&*trail, ranges, size)?;
                let line = trail.lines(sequence..sequence + 1)?.next().ok_or(TrailError::OutOfRange)??;
                drop(place);
                Ok((path, line))
            })
            .await?;
            let leaf = leaf_hash(&line);
            let event = String::from_utf8(line).map_err(|_| TrailError::Internal("an event is no text"))?;
            Ok(InclusionProof { event, leaf, index, path, checkpoint })
        };
        self.read(call, proved).await
    }

    /// Proves that the log begins with all `earlier` events of a former state, under a fresh checkpoint.
    ///
    /// # Errors
    /// [`TrailError::OutOfRange`] when there never were so many, or the events that the proof needs are archived.
    pub async fn prove_consistency(
        &self,
        call: &CallContext,
        earlier: u64,
    ) -> Result<ConsistencyProof, TrailError> {
        let proved = async {
            let place = self.place()?;
            let checkpoint = self.checkpointer.fresh().await?;
            let size = checkpoint.statement.size;
            let ranges = consistency_ranges(earlier, size).ok_or(TrailError::OutOfRange)?;
            let trail = Arc::clone(&self.trail);
            let path = blocking(move || {
                let path = hashes(&*trail, ranges, size);
                drop(place);
                path
            })
            .await?;
            Ok(ConsistencyProof { earlier, path, checkpoint })
        };
        self.read(call, proved).await
    }
}

/// The hashes of the ranges, from the events at hand.
fn hashes(trail: &dyn AuditTrail, ranges: Vec<(u64, u64)>, size: u64) -> Result<Vec<Hash>, TrailError> {
    let first = trail.first()?;
    let before = if first == 1 { Frontier::default() } else { trail.tree_before(first)? };
    let mut hasher = RangeHasher::new(&before, ranges).ok_or(TrailError::OutOfRange)?;
    let end = hasher.end().min(size).saturating_add(1);
    for line in trail.lines(first..end)? {
        hasher.push(leaf_hash(&line?));
    }
    hasher.finish().ok_or(TrailError::OutOfRange)
}
