//! Request bodies, whole or in pieces, never above their limit.

use std::{io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use poem::{Body, Request, RequestBody, http::header};

use crate::{
    api::{exchange::Exchange, transport::TransportError},
    services::packets::BodyStream,
};

/// The whole body. One that came in a single piece is not copied.
///
/// # Errors
/// [`TransportError::TooLarge`] as soon as it is known, [`TransportError::Body`] when it ends early,
/// [`TransportError::Timeout`] when it does not arrive in time.
pub(crate) async fn read_bounded(request: &Request, body: &mut RequestBody) -> Result<Bytes, TransportError> {
    let exchange = Exchange::of(request)?;
    let limit = exchange.body.limit;
    let announced = announced_length(request);
    check_length(announced, limit)?;
    let whole = read_whole(take(body)?, announced, limit);
    // Nobody else ends the reading: the operation goes on when its caller was told that it took too long.
    let whole = tokio::time::timeout(exchange.body.arrival, whole)
        .await
        .map_err(|_elapsed| TransportError::Timeout)??;
    exchange.complete_body();
    Ok(whole)
}

async fn read_whole(body: Body, announced: Option<u64>, limit: u64) -> Result<Bytes, TransportError> {
    let mut pieces = pin!(body.into_bytes_stream());
    let Some(first) = pieces.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|_| TransportError::Body)?;
    check_length(Some(length(&first)), limit)?;
    let Some(second) = pieces.next().await else { return Ok(first) };
    // Room for what was announced, but no more than a megabyte on the word of a caller who may never send it.
    let room = announced.unwrap_or(0).min(1 << 20);
    let mut whole = Vec::with_capacity(usize::try_from(room).unwrap_or(0).max(first.len()));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        let piece = piece.map_err(|_| TransportError::Body)?;
        check_length(Some(whole.len() as u64 + length(&piece)), limit)?;
        whole.extend_from_slice(&piece);
        next = pieces.next().await;
    }
    Ok(whole.into())
}

/// The body in pieces, each of which must follow within the idle timeout. More than the limit, and a pause
/// above the timeout, end it with an error.
///
/// # Errors
/// [`TransportError::TooLarge`] when the announced length is already above the limit.
pub(crate) fn stream_bounded(
    request: &Request,
    body: &mut RequestBody,
) -> Result<BodyStream, TransportError> {
    let exchange = Arc::clone(Exchange::of(request)?);
    check_length(announced_length(request), exchange.body.limit)?;
    let pieces = take(body)?.into_bytes_stream();
    Ok(within_idle_time(pieces, exchange.body.pause).boxed())
}

fn within_idle_time(
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    pause: Duration,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some(Box::pin(pieces)), move |pieces| async move {
        let mut pieces = pieces?;
        match tokio::time::timeout(pause, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

fn take(body: &mut RequestBody) -> Result<Body, TransportError> {
    body.take().map_err(|_| TransportError::Internal)
}

fn announced_length(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn check_length(length: Option<u64>, limit: u64) -> Result<(), TransportError> {
    match length {
        Some(length) if length > limit => Err(TransportError::TooLarge { limit }),
        _ => Ok(()),
    }
}

fn length(piece: &Bytes) -> u64 {
    piece.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::exchange::BodyBounds;

    fn exchange(limit: u64) -> Arc<Exchange> {
        exchange_within(limit, Duration::from_secs(30))
    }

    fn exchange_within(limit: u64, time: Duration) -> Arc<Exchange> {
        let bounds = BodyBounds { limit, arrival: time, pause: time };
        Arc::new(Exchange::new("id".into(), None, None, bounds))
    }

    async fn read(
        pieces: &[&'static [u8]],
        announced: Option<u64>,
        limit: u64,
    ) -> Result<Bytes, TransportError> {
        let pieces: Vec<_> = pieces.iter().map(|piece| io::Result::Ok(Bytes::from_static(piece))).collect();
        let body = Body::from_bytes_stream(stream::iter(pieces));
        let mut builder = Request::builder();
        if let Some(announced) = announced {
            builder = builder.header(header::CONTENT_LENGTH, announced);
        }
        let mut request = builder.body(body);
        request.set_data(exchange(limit));
        let (request, mut body) = request.split();
        read_bounded(&request, &mut body).await
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read(&[], None, 0).await.unwrap(), "");
        assert_eq!(read(&[b"abc"], Some(3), 3).await.unwrap(), "abc");
        assert_eq!(read(&[b"ab", b"", b"c"], None, 3).await.unwrap(), "abc");
    }

    #[tokio::test]
    async fn a_body_above_its_limit_is_refused_with_and_without_length() {
        let too_large = Err(TransportError::TooLarge { limit: 3 });
        assert_eq!(read(&[b"abcd"], Some(4), 3).await, too_large);
        assert_eq!(read(&[b"abcd"], None, 3).await, too_large);
        assert_eq!(read(&[b"abc", b"d"], None, 3).await, too_large);
        // The announcement alone is enough.
        assert_eq!(read(&[], Some(4), 3).await, too_large);
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let pieces = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"a"))]).chain(stream::pending());
        let mut request = Request::builder().body(Body::from_bytes_stream(pieces));
        let exchange = exchange_within(3, Duration::from_millis(10));
        request.set_data(Arc::clone(&exchange));
        let (request, mut body) = request.split();
        assert_eq!(read_bounded(&request, &mut body).await, Err(TransportError::Timeout));
        assert!(!exchange.is_body_complete());
    }

    #[tokio::test]
    async fn a_pause_ends_a_stream() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"a"))]).chain(stream::pending());
        let mut pieces = pin!(within_idle_time(pieces, Duration::from_millis(10)));
        assert_eq!(pieces.next().await.unwrap().unwrap(), "a");
        assert_eq!(pieces.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(pieces.next().await.is_none());
    }
}
