//! A whole log on its way to whoever verifies it elsewhere.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, future::ready, stream};
use tokio::sync::mpsc;

use super::{AuditService, TrailError};
use crate::{
    domain::{
        access::{CallContext, Operation},
        audit::{
            export::{ExportHeader, with_leaf},
            statement::{Checkpoint, Roster, Signed},
        },
    },
    ports::audit_trail::AuditTrail,
    services::packets::BodyStream,
};

/// Bytes that go on their way at once, about.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces on their way.
const PIECES: usize = 4;

impl AuditService {
    /// The log from event `first` on (as far as it is at hand when `first` is `None`), up to this export's own event,
    /// with a checkpoint that covers it: `domain::audit::export`.
    ///
    /// # Errors
    /// [`TrailError`]; [`TrailError::OutOfRange`] when the log does not have that event.
    pub async fn export(&self, call: &CallContext, first: Option<u64>) -> Result<BodyStream, TrailError> {
        // Recorded before anything is read, so that the export covers its own event.
        self.auditor
            .audited(call, Operation::ExportAudit, None, ready(Ok::<_, TrailError>(())), |()| None)
            .await?;
        let place = self.place()?;
        let roster = self.checkpointer.refresh_roster().await?;
        let last = self.checkpointer.fresh().await?;
        let trail = Arc::clone(&self.trail);
        let (sender, receiver) = mpsc::channel(PIECES);
        let begun = super::blocking(move || Export::begin(trail, &roster, &last, first)).await?;
        tokio::task::spawn_blocking(move || {
            let sink = Sink { sender: &sender, piece: Vec::new() };
            if let Err(error) = begun.write(sink) {
                tracing::error!(%error, "an export of the audit trail was not completed");
                // The connection is cut: what came over it is no whole export.
                let _ = sender.blocking_send(Err(error));
            }
            drop(place);
        });
        let pieces = stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        Ok(pieces.boxed())
    }
}

struct Export {
    trail: Arc<dyn AuditTrail>,
    /// Header and roster.
    beginning: String,
    first: u64,
    last: Signed<Checkpoint>,
    /// The first of the checkpoints between the events.
    checkpoint: u64,
}

impl Export {
    fn begin(
        trail: Arc<dyn AuditTrail>,
        roster: &Signed<Roster>,
        last: &Signed<Checkpoint>,
        first: Option<u64>,
    ) -> Result<Self, TrailError> {
        let at_hand = trail.first()?;
        let first = first.unwrap_or(at_hand);
        if first < at_hand || first > last.statement.size {
            return Err(TrailError::OutOfRange);
        }
        let before = trail.tree_before(first)?;
        let mut checkpoint = last.statement.number;
        for signed in trail.checkpoints(1)? {
            let Checkpoint { number, size, .. } = signed?.statement;
            if size >= first {
                checkpoint = number;
                break;
            }
        }
        let log = trail.log().to_owned();
        // As the roster has it, which is signed.
        let entry = roster.statement.logs.iter().find(|entry| entry.log == log);
        let server = entry.ok_or(TrailError::Internal("the log is not on the roster"))?.server.clone();
        let header = ExportHeader::new(log, server, &before, last.statement.size, checkpoint);
        let beginning = format!("{}\n{}\n", header.to_line(), roster.to_line());
        Ok(Self { trail, beginning, first, last: last.clone(), checkpoint })
    }

    fn write(&self, mut sink: Sink<'_>) -> io::Result<()> {
        sink.put(self.beginning.as_bytes())?;
        let last = &self.last.statement;
        let mut checkpoints = self.trail.checkpoints(self.checkpoint)?;
        let mut next = checkpoints.next().transpose()?;
        for (number, line) in (self.first..).zip(self.trail.lines(self.first..last.size + 1)?) {
            let mut line = with_leaf(&line?);
            line.push(b'\n');
            sink.put(&line)?;
            while let Some(signed) = next.take_if(|signed| signed.statement.size == number) {
                sink.put(format!("{}\n", signed.to_line()).as_bytes())?;
                next = checkpoints.next().transpose()?;
            }
        }
        sink.flush()
    }
}

/// Gathers lines into pieces.
struct Sink<'a> {
    sender: &'a mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() < PIECE_BYTES {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
