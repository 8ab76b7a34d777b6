//! Packets and content larger than memory: ciphertext waits on disk, plaintext only ever in small pieces.

use std::{
    fs::File,
    future::ready,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kunji_shared::{
    cipher::TAG_BYTES,
    packet::{ContentFrame, FormatError, HEAD_BYTES, Part, SealPlan},
    secret::Plaintext,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    BodyStream, CallerInputs, ContentStream, PacketError, PacketService, off_thread_if, unlocking::Unlocked,
    wiped_after_use,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
    },
    ports::{
        bulk_cipher::{BulkCipher, StreamOpener},
        entropy::EntropyRng,
        spool::Spool,
    },
};

/// Bytes handled at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces on their way between two threads.
const PIECES_IN_FLIGHT: usize = 4;

impl PacketService {
    /// As [`PacketService::encrypt`], for content larger than memory, up to the packet limit.
    ///
    /// # Errors
    /// [`PacketError`].
    pub async fn encrypt_stream(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        content: BodyStream,
        inputs: CallerInputs,
    ) -> Result<ContentStream, PacketError> {
        let taken = async {
            self.check_may_seal(call, alias)?;
            if alias.role() != AliasRole::Base {
                return Err(PacketError::SigningKey);
            }
            self.gather(content).await
        };
        let (content, beginning) = match self.taken(call, Operation::Encrypt, alias, taken.await).await? {
            Gathered::Whole(content) => {
                let sealed = async {
                    self.check_may_still_seal(call, alias)?;
                    self.seal(call, alias, Plaintext::new(content), inputs).await
                };
                let (_, packet) = self
                    .auditor
                    .audited(call, Operation::Encrypt, Some(alias), sealed, |(key, _)| Some(&key.id))
                    .await?;
                return Ok(in_memory(Bytes::from(packet)));
            }
            Gathered::Beginning(beginning, rest) => (rest, Zeroizing::new(beginning)),
        };
        let place = self.place().await?;
        let sealed = async {
            let (key, recipient) = self.recipient(call, alias, false).await?;
            let (cipher, entropy) = (Arc::clone(&self.cipher), Arc::clone(&self.entropy));
            let (splitter, spool) = (self.settings.splitter.clone(), Arc::clone(&self.spool));
            let limit = self.settings.limit_bytes;
            let stored = consume(content, move |pieces| {
                let rng = &mut EntropyRng(&*entropy);
                let plan = SealPlan::prepare(&recipient, inputs.shape(), &splitter, rng)?;
                seal_into(&*spool, &*cipher, &plan, &beginning, pieces, limit)
            })
            .await?;
            self.check_may_still_seal(call, alias)?;
            Ok::<_, PacketError>((key, stored))
        };
        // Awaited first: it takes as long as its caller likes, and no other event should wait for it.
        let sealed = ready(sealed.await);
        let (_, (file, length)) = self
            .auditor
            .audited(call, Operation::Encrypt, Some(alias), sealed, |(key, _)| Some(&key.id))
            .await?;
        Ok(ContentStream {
            length,
            pieces: read_pieces(file, length, move |_| {
                let _held = &place;
                Ok(())
            }),
        })
    }

    /// As [`PacketService::decrypt`], for packets larger than memory, up to the packet limit. Nothing is given
    /// out before the tag was verified: the content is decrypted twice.
    ///
    /// # Errors
    /// [`PacketError`].
    pub async fn decrypt_stream(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        packet: BodyStream,
        inputs: CallerInputs,
    ) -> Result<ContentStream, PacketError> {
        let taken = async {
            // Before gigabytes are taken in for nothing.
            self.unlocker.check_admitted(call, alias)?;
            self.gather(packet).await
        };
        let (packet, beginning) = match self.taken(call, Operation::Decrypt, alias, taken.await).await? {
            Gathered::Whole(packet) => {
                let opened = async {
                    self.unlocker.check_still_admitted(call, alias)?;
                    self.open(call, alias, packet, inputs).await
                };
                let (_, content) = self
                    .auditor
                    .audited(call, Operation::Decrypt, Some(alias), opened, |(key, _)| Some(key))
                    .await?;
                return Ok(in_memory(wiped_after_use(content)));
            }
            Gathered::Beginning(beginning, rest) => (rest, beginning),
        };
        let place = self.place().await?;
        let opened = async {
            let (spool, limit) = (Arc::clone(&self.spool), self.settings.limit_bytes);
            let head = beginning.get(..HEAD_BYTES.min(beginning.len())).unwrap_or_default().to_vec();
            let (mut file, total) =
                consume(packet, move |pieces| store(&*spool, &beginning, pieces, limit)).await?;
            // The place and the packet were long in coming, perhaps: days are enough for a caller to be called back.
            self.unlocker.check_still_admitted(call, alias)?;
            let unlocked = self.unlocker.unlock(call, alias, &head, total, &inputs).await?;
            let key = unlocked.key.clone();
            let cipher = Arc::clone(&self.cipher);
            let content = off_thread_if(true, move || {
                let parts = Parts::read(&mut file, &unlocked, &inputs)?;
                verify(&mut file, &*cipher, &unlocked, &parts)?;
                let opener = parts.opener(&*cipher, &unlocked)?;
                file.seek(SeekFrom::Start(parts.ciphertext.start)).map_err(PacketError::Body)?;
                Ok::<_, PacketError>((file, parts.ciphertext.end - parts.ciphertext.start, opener))
            })
            .await??;
            Ok::<_, PacketError>((key, content))
        };
        // As above.
        let opened = ready(opened.await);
        let (_, (file, length, mut decrypter)) =
            self.auditor.audited(call, Operation::Decrypt, Some(alias), opened, |(key, _)| Some(key)).await?;
        let decrypt = move |piece: &mut [u8]| {
            let _held = &place;
            decrypter.update(piece).map_err(std::io::Error::other)
        };
        Ok(ContentStream { length, pieces: read_pieces(file, length, decrypt) })
    }

    /// Records that a body was not taken in; when it was, its outcome is recorded later.
    async fn taken(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: &KeyAlias,
        result: Result<Gathered, PacketError>,
    ) -> Result<Gathered, PacketError> {
        match result {
            Ok(gathered) => Ok(gathered),
            refused @ Err(_) => {
                self.auditor.audited(call, operation, Some(alias), ready(refused), |_| None).await
            }
        }
    }

    /// Waits for one of the places that spooled bodies have: they bound the disk and the threads in use. Held
    /// until the answer was read.
    ///
    /// # Errors
    /// [`PacketError::Busy`] when none was free in time.
    async fn place(&self) -> Result<OwnedSemaphorePermit, PacketError> {
        let place = Arc::clone(&self.spool_places).acquire_owned();
        let place = timeout(self.settings.patience, place).await.map_err(|_elapsed| PacketError::Busy)?;
        place.map_err(|_| PacketError::Internal("the spool is closed"))
    }

    /// Reads the body to its end, or as far as memory may hold it. The pieces are joined once, so that a growing
    /// buffer leaves no copies of the content behind.
    async fn gather(&self, mut body: BodyStream) -> Result<Gathered, PacketError> {
        let mut pieces = Vec::new();
        let mut length = 0_u64;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(PacketError::Body)?;
            length = length.saturating_add(piece.len() as u64);
            pieces.push(piece);
            if length > self.settings.limit_bytes {
                return Err(PacketError::TooLarge { limit: self.settings.limit_bytes });
            }
            if length > self.settings.spool_threshold_bytes.max(HEAD_BYTES as u64) {
                return Ok(Gathered::Beginning(pieces.concat(), body));
            }
        }
        Ok(Gathered::Whole(pieces.concat()))
    }
}

enum Gathered {
    Beginning(Vec<u8>, BodyStream),
    Whole(Vec<u8>),
}

fn in_memory(bytes: Bytes) -> ContentStream {
    ContentStream { length: bytes.len() as u64, pieces: stream::iter([Ok(bytes)]).boxed() }
}

/// Pieces of a body as a blocking thread takes them.
type Pieces = mpsc::Receiver<Result<Bytes, std::io::Error>>;

/// Feeds the body to `work` on a thread that may block. When either ends early, so does the other.
async fn consume<T: Send + 'static>(
    mut body: BodyStream,
    work: impl FnOnce(Pieces) -> Result<T, PacketError> + Send + 'static,
) -> Result<T, PacketError> {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    let worker = tokio::task::spawn_blocking(move || work(receiver));
    while let Some(piece) = body.next().await {
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    worker.await.map_err(|_| PacketError::Internal("a worker ended early"))?
}

/// Writes ciphertext to a new spool file; returns it with its length.
fn store(
    spool: &dyn Spool,
    beginning: &[u8],
    mut pieces: Pieces,
    limit: u64,
) -> Result<(File, u64), PacketError> {
    let mut file = spool.open().map_err(spool_failed)?;
    let mut length = beginning.len() as u64;
    file.write_all(beginning).map_err(spool_failed)?;
    while let Some(piece) = pieces.blocking_recv() {
        let piece = piece.map_err(PacketError::Body)?;
        length = length.saturating_add(piece.len() as u64);
        if length > limit {
            return Err(PacketError::TooLarge { limit });
        }
        file.write_all(&piece).map_err(spool_failed)?;
    }
    Ok((file, length))
}

/// Seals content into a new spool file; returns it, rewound, with its length.
fn seal_into(
    spool: &dyn Spool,
    cipher: &dyn BulkCipher,
    plan: &SealPlan<'_>,
    beginning: &[u8],
    mut pieces: Pieces,
    limit: u64,
) -> Result<(File, u64), PacketError> {
    let failed = |_| PacketError::Internal("the content could not be sealed");
    let mut sealer = cipher.sealer(plan.data_key(), plan.nonce(), plan.aad()).map_err(failed)?;
    let mut file = spool.open().map_err(spool_failed)?;
    file.write_all(plan.prefix()).map_err(spool_failed)?;
    let mut length = 0_u64;
    // Reused: what stands in it after each round is ciphertext, and wiped once is enough.
    let mut buffer = Zeroizing::new(Vec::with_capacity(PIECE_BYTES));
    let mut seal_piece = |piece: &[u8]| {
        length = length.saturating_add(piece.len() as u64);
        if length > limit {
            return Err(PacketError::TooLarge { limit });
        }
        for part in piece.chunks(PIECE_BYTES) {
            buffer.clear();
            buffer.extend_from_slice(part);
            sealer.update(&mut buffer).map_err(failed)?;
            file.write_all(&buffer).map_err(spool_failed)?;
        }
        Ok(())
    };
    seal_piece(beginning)?;
    while let Some(piece) = pieces.blocking_recv() {
        seal_piece(&piece.map_err(PacketError::Body)?)?;
    }
    let tag = sealer.finish().map_err(failed)?;
    file.write_all(&tag).and_then(|()| file.write_all(plan.suffix())).map_err(spool_failed)?;
    file.rewind().map_err(spool_failed)?;
    Ok((file, plan.packet_len(length)?))
}

/// The parts of a spooled packet that are no ciphertext, and where the ciphertext is.
struct Parts {
    nonce: Vec<u8>,
    aad: Vec<u8>,
    tag: [u8; TAG_BYTES],
    ciphertext: Range<u64>,
}

impl Parts {
    fn read(file: &mut File, unlocked: &Unlocked, inputs: &CallerInputs) -> Result<Self, PacketError> {
        let ContentFrame { nonce, aad, ciphertext, tag, .. } = unlocked.content(inputs)?;
        let tag = read_range(file, &tag)?;
        Ok(Self {
            nonce: read_part(file, &nonce)?,
            aad: read_part(file, &aad)?,
            tag: tag.try_into().map_err(|_| FormatError::Truncated)?,
            ciphertext,
        })
    }

    fn opener(
        &self,
        cipher: &dyn BulkCipher,
        unlocked: &Unlocked,
    ) -> Result<Box<dyn StreamOpener>, PacketError> {
        cipher
            .opener(&unlocked.data_key, &self.nonce, &self.aad)
            .map_err(|_| PacketError::Internal("the content cipher failed"))
    }
}

fn read_part(file: &mut File, part: &Part<'_>) -> Result<Vec<u8>, PacketError> {
    match part {
        Part::FromCaller(bytes) => Ok(bytes.to_vec()),
        Part::InPacket(range) => read_range(file, range),
    }
}

/// Reads one of the packet's small parts.
fn read_range(file: &mut File, range: &Range<u64>) -> Result<Vec<u8>, PacketError> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| FormatError::TooLong)?;
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(range.start)).map_err(spool_failed)?;
    file.read_exact(&mut bytes).map_err(spool_failed)?;
    Ok(bytes)
}

/// First pass: decrypts into a small buffer that is overwritten, to learn whether the tag fits.
fn verify(
    file: &mut File,
    cipher: &dyn BulkCipher,
    unlocked: &Unlocked,
    parts: &Parts,
) -> Result<(), PacketError> {
    let mut opener = parts.opener(cipher, unlocked)?;
    let mut buffer = Zeroizing::new(vec![0; PIECE_BYTES]);
    file.seek(SeekFrom::Start(parts.ciphertext.start)).map_err(spool_failed)?;
    let mut left = parts.ciphertext.end - parts.ciphertext.start;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let piece = buffer.get_mut(..size).unwrap_or_default();
        file.read_exact(piece).map_err(spool_failed)?;
        opener.update(piece).map_err(|_| PacketError::Internal("the content cipher failed"))?;
        left -= size as u64;
    }
    if opener.finish(&parts.tag) && unlocked.genuine { Ok(()) } else { Err(PacketError::DecryptionFailed) }
}

/// Reads `length` bytes of the file from where it stands, piece by piece, each passed through `transform`, on a
/// thread that may block and that stops when nobody takes the pieces any more.
fn read_pieces(
    mut file: File,
    length: u64,
    mut transform: impl FnMut(&mut [u8]) -> Result<(), std::io::Error> + Send + 'static,
) -> BodyStream {
    let (sender, receiver) = mpsc::channel(PIECES_IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
            let mut piece = Zeroizing::new(vec![0; size]);
            let result = file.read_exact(&mut piece).and_then(|()| transform(&mut piece));
            let failed = result.is_err();
            let piece = result.map(|()| wiped_after_use(Plaintext::new(std::mem::take(&mut *piece))));
            if sender.blocking_send(piece).is_err() || failed {
                return;
            }
            left -= size as u64;
        }
    });
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) })
        .boxed()
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn spool_failed(error: std::io::Error) -> PacketError {
    tracing::error!(%error, "the spool cannot be written or read");
    PacketError::Internal("the spool cannot be used")
}
