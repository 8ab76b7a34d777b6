//! What the routes of the audit trail answer.

use kunji_shared::encoding::{encode_base64url, encode_hex};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::audit::statement::{Checkpoint, Signed},
    services::audit::{ConsistencyProof, InclusionProof, Page, TrailStatus},
};

/// Events found.
#[derive(Serialize, Object)]
pub(super) struct AuditEventsAnswer {
    /// The log that they are of.
    log: String,
    /// The events, as the log has them.
    events: Vec<Value>,
    /// Where the next page begins: the parameter `from` of its request; null when there is none.
    next: Option<u64>,
}

impl From<Page> for AuditEventsAnswer {
    fn from(page: Page) -> Self {
        Self { log: page.log, events: page.events, next: page.next }
    }
}

/// The state of a log, and the token's signature over it.
#[derive(Serialize, Object)]
pub(super) struct SignedCheckpointAnswer {
    /// What is signed.
    checkpoint: CheckpointAnswer,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the lines `kunji audit checkpoint v1`, log, number, size, root, time and
    /// key, each ended by LF; base64url.
    signature: String,
}

/// The state of a log.
#[derive(Serialize, Object)]
pub(super) struct CheckpointAnswer {
    /// The log, a UUID.
    log: String,
    /// 1 for the log's first checkpoint, one more for each later one.
    number: u64,
    /// Events in the log.
    size: u64,
    /// Root of the Merkle tree over the log's lines (RFC 6962 2.1), hexadecimal.
    root: String,
    /// When it was made.
    time: String,
    /// SHA-256 of the public key that signed, hexadecimal.
    key: String,
}

impl From<&Signed<Checkpoint>> for SignedCheckpointAnswer {
    fn from(signed: &Signed<Checkpoint>) -> Self {
        let Checkpoint { log, number, size, root, time, key } = signed.statement.clone();
        Self {
            checkpoint: CheckpointAnswer { log, number, size, root, time, key },
            signature: encode_base64url(&signed.signature),
        }
    }
}

/// Checkpoints of a log.
#[derive(Serialize, Object)]
pub(super) struct CheckpointsAnswer {
    /// The oldest first, at most a thousand.
    checkpoints: Vec<SignedCheckpointAnswer>,
}

impl CheckpointsAnswer {
    pub(super) fn new(checkpoints: &[Signed<Checkpoint>]) -> Self {
        Self { checkpoints: checkpoints.iter().map(SignedCheckpointAnswer::from).collect() }
    }
}

/// Shows that an event is in the log.
#[derive(Serialize, Object)]
pub(super) struct InclusionProofAnswer {
    /// The event's line in the log: SHA-256 over a byte 0 and this text is the leaf.
    event: String,
    /// The leaf's hash, hexadecimal.
    leaf: String,
    /// The leaf's index, from 0.
    index: u64,
    /// The audit path (RFC 6962 2.1.1), hexadecimal.
    path: Vec<String>,
    /// The state that it leads to.
    checkpoint: SignedCheckpointAnswer,
}

impl From<InclusionProof> for InclusionProofAnswer {
    fn from(proof: InclusionProof) -> Self {
        Self {
            event: proof.event,
            leaf: encode_hex(&proof.leaf),
            index: proof.index,
            path: proof.path.iter().map(|hash| encode_hex(hash)).collect(),
            checkpoint: SignedCheckpointAnswer::from(&*proof.checkpoint),
        }
    }
}

/// Shows that the log only grew.
#[derive(Serialize, Object)]
pub(super) struct ConsistencyProofAnswer {
    /// Events of the earlier state.
    earlier: u64,
    /// The proof (RFC 6962 2.1.2), hexadecimal.
    path: Vec<String>,
    /// The later state.
    checkpoint: SignedCheckpointAnswer,
}

impl From<ConsistencyProof> for ConsistencyProofAnswer {
    fn from(proof: ConsistencyProof) -> Self {
        Self {
            earlier: proof.earlier,
            path: proof.path.iter().map(|hash| encode_hex(hash)).collect(),
            checkpoint: SignedCheckpointAnswer::from(&*proof.checkpoint),
        }
    }
}

/// How the trail stands.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct AuditStatusAnswer {
    /// The log, a UUID.
    log: String,
    /// The server that writes it.
    server: String,
    /// Number of the first event that is at hand.
    first: u64,
    /// Number of the last event.
    last: u64,
    /// Events that wait in the spool because the log cannot be written.
    spooled: u64,
    /// The newest checkpoint.
    checkpoint: Option<SignedCheckpointAnswer>,
    /// Whether no checkpoint can be signed now.
    checkpoints_failing: bool,
    /// Copies outside.
    copies: Vec<AuditCopyAnswer>,
}

/// How a copy outside stands.
#[derive(Serialize, Object)]
pub(super) struct AuditCopyAnswer {
    /// `file`, `webhook`, `syslog`, `stdout` or `syslog-events`.
    name: String,
    /// Number of the last event that is there, or that a checkpoint there covers.
    last: u64,
    /// Whether it fails now; the server's log says why.
    failing: bool,
}

impl From<TrailStatus> for AuditStatusAnswer {
    fn from(status: TrailStatus) -> Self {
        let copy = |(name, state): (&str, crate::services::audit::CopyState)| AuditCopyAnswer {
            name: name.to_owned(),
            last: state.last,
            failing: state.error.is_some(),
        };
        Self {
            log: status.log,
            server: status.server,
            first: status.first,
            last: status.last,
            spooled: status.spooled,
            checkpoint: status.checkpoint.as_deref().map(SignedCheckpointAnswer::from),
            checkpoints_failing: status.checkpoints_failing,
            copies: status.copies.into_iter().map(copy).collect(),
        }
    }
}
