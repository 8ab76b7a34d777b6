//! Closes connections so that an answer given early arrives.
//!
//! When a socket is closed while its peer still sends, the system answers with a reset, and the peer may lose
//! what it has not read yet: the very answer that says why (RFC 9112 9.6).

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::Sleep,
};

/// Most bytes that are read and thrown away.
const DISCARD_BYTES: usize = 1 << 20;
/// Bytes that are thrown away at once.
const PIECE_BYTES: usize = 16 * 1024;

/// A stream that, once its write half was shut down, reads until the peer ends too, within bounds.
pub(super) struct Linger<S> {
    stream: S,
    /// Longest time to wait for the peer's end.
    time: Duration,
    /// When the whole server ends, no peer is waited for.
    ended: watch::Receiver<bool>,
    draining: Option<Draining>,
}

struct Draining {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl<S> Linger<S> {
    pub(super) const fn new(stream: S, time: Duration, ended: watch::Receiver<bool>) -> Self {
        Self { stream, time, ended, draining: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.draining.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        if *this.ended.borrow() {
            return Poll::Ready(Ok(()));
        }
        let time = this.time;
        let draining = this.draining.get_or_insert_with(|| Draining {
            until: Box::pin(tokio::time::sleep(time)),
            left: DISCARD_BYTES,
        });
        draining.poll(&mut this.stream, context).map(Ok)
    }
}

impl Draining {
    /// Ready at the peer's end, after too many bytes, or when the time is over.
    fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), context: &mut Context<'_>) -> Poll<()> {
        let mut piece = [0; PIECE_BYTES];
        while self.left > 0 {
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.left = self.left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.until.as_mut().poll(context),
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn running() -> (watch::Sender<bool>, watch::Receiver<bool>) {
        watch::channel(false)
    }

    #[tokio::test]
    async fn the_end_waits_for_the_peers_end() {
        let (ours, mut theirs) = duplex(8);
        let (_server, ended) = running();
        let mut lingering = Linger::new(ours, LONG, ended);
        lingering.write_all(b"answer").await.unwrap();
        let close = tokio::spawn(async move { lingering.shutdown().await });
        // More than fits into the pipe: someone reads it.
        theirs.write_all(&[7; 100]).await.unwrap();
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        assert!(!close.is_finished());
        drop(theirs);
        close.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_never_ends_is_left() {
        let (ours, theirs) = duplex(8);
        let (_server, ended) = running();
        Linger::new(ours, Duration::from_millis(10), ended).shutdown().await.unwrap();
        drop(theirs);
    }

    #[tokio::test]
    async fn a_peer_that_sends_on_and_on_is_left() {
        let (ours, mut theirs) = duplex(PIECE_BYTES);
        let (_server, ended) = running();
        let close = tokio::spawn(async move { Linger::new(ours, LONG, ended).shutdown().await });
        let sent = theirs.write_all(&vec![7; 2 * DISCARD_BYTES]).await;
        assert!(sent.is_err());
        close.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn nobody_is_waited_for_when_the_server_ends() {
        let (ours, theirs) = duplex(8);
        let (server, ended) = running();
        server.send(true).unwrap();
        Linger::new(ours, LONG, ended).shutdown().await.unwrap();
        drop(theirs);
    }
}
