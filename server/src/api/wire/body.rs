//! Request bodies, whole or in pieces, never above their limit.

use std::{
    io,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use poem::{Body, Request, RequestBody, http::header};

use crate::{
    api::{access::check_again, body_memory::UNCOUNTED_BYTES, exchange::Exchange, transport::TransportError},
    services::packets::BodyStream,
};

/// The whole body. One that came in a single piece is not copied.
///
/// # Errors
/// [`TransportError::TooLarge`] as soon as it is known, [`TransportError::Body`] when it ends early,
/// [`TransportError::Timeout`] when it does not arrive in time, and what [`check_again`] says of whoever took long.
pub(crate) async fn read_bounded(request: &Request, body: &mut RequestBody) -> Result<Bytes, TransportError> {
    let exchange = Exchange::of(request)?;
    let announced = announced_length(request);
    check_length(announced, exchange.body.limit)?;
    let whole = read_whole(take(body)?, announced, exchange);
    // Nobody else ends the reading: the operation goes on when its caller was told that it took too long.
    let whole = tokio::time::timeout(exchange.body.arrival, whole)
        .await
        .map_err(|_elapsed| TransportError::Timeout)??;
    exchange.complete_body();
    check_again(request, exchange)?;
    Ok(whole)
}

async fn read_whole(
    body: Body,
    announced: Option<u64>,
    exchange: &Exchange,
) -> Result<Bytes, TransportError> {
    let limit = exchange.body.limit;
    let mut counted = announced.unwrap_or_default().max(UNCOUNTED_BYTES);
    exchange.take_room(announced.or(Some(0))).await?;
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
        let length = whole.len() as u64 + length(&piece);
        check_length(Some(length), limit)?;
        if length > counted {
            // Nothing says how long it will become.
            exchange.take_room(None).await?;
            counted = limit;
        }
        whole.extend_from_slice(&piece);
        next = pieces.next().await;
    }
    Ok(whole.into())
}

/// The body in pieces, which must follow each other without long pauses and not too slowly; else, and above the
/// limit, it ends with an error.
///
/// # Errors
/// [`TransportError::TooLarge`] when the announced length is already above the limit,
/// [`TransportError::Overloaded`] when there is no room for what of it is kept in memory.
pub(crate) async fn stream_bounded(
    request: &Request,
    body: &mut RequestBody,
) -> Result<BodyStream, TransportError> {
    let exchange = Arc::clone(Exchange::of(request)?);
    let announced = announced_length(request);
    check_length(announced, exchange.body.limit)?;
    exchange.take_room(announced).await?;
    let pieces = take(body)?.into_bytes_stream();
    Ok(in_time(pieces, Patience::new(exchange.body.pause, exchange.body.pace)).boxed())
}

fn in_time(
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    patience: Patience,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((Box::pin(pieces), patience)), |state| async {
        let (mut pieces, mut patience) = state?;
        let began = Instant::now();
        match tokio::time::timeout(patience.left, pieces.next()).await {
            Ok(Some(Ok(piece))) => {
                patience.pass(began.elapsed(), piece.len());
                Some((Ok(piece), Some((pieces, patience))))
            }
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

/// The time that a sender may still let us wait. It begins with all of it, and wins back with each byte what the
/// byte takes at the least pace: so it may pause now and then, but not dawdle for ever. Only the time counts in
/// which we wait for it.
struct Patience {
    left: Duration,
    most: Duration,
    /// Bytes a second; 0 lets any byte win back everything.
    pace: u64,
}

impl Patience {
    const fn new(most: Duration, pace: u64) -> Self {
        Self { left: most, most, pace }
    }

    /// Notes that `bytes` came after it `waited`.
    fn pass(&mut self, waited: Duration, bytes: usize) {
        let micros = (bytes as u64).saturating_mul(1_000_000).checked_div(self.pace);
        let earned = micros.map_or(self.most, Duration::from_micros);
        self.left = self.left.saturating_sub(waited).saturating_add(earned).min(self.most);
    }
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
    use crate::api::{body_memory::BodyMemory, exchange::BodyBounds};

    fn exchange(limit: u64) -> Arc<Exchange> {
        exchange_within(limit, Duration::from_secs(30))
    }

    fn exchange_within(limit: u64, time: Duration) -> Arc<Exchange> {
        Exchange::bounded(BodyBounds::of(limit, time))
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
        let mut pieces = pin!(in_time(pieces, Patience::new(Duration::from_millis(10), 0)));
        assert_eq!(pieces.next().await.unwrap().unwrap(), "a");
        assert_eq!(pieces.next().await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(pieces.next().await.is_none());
    }

    #[test]
    fn whoever_keeps_the_pace_may_send_for_ever() {
        let (pause, second) = (Duration::from_secs(30), Duration::from_secs(1));
        let mut patience = Patience::new(pause, 1000);
        for _ in 0..100 {
            patience.pass(second * 20, 20_000);
        }
        assert_eq!(patience.left, pause);
        // A pause is taken from what is left, and what comes fast afterwards makes up for it.
        patience.pass(second * 29, 1000);
        assert_eq!(patience.left, second * 2);
        patience.pass(second, 1_000_000);
        assert_eq!(patience.left, pause);
    }

    #[test]
    fn whoever_dawdles_is_given_up() {
        let (second, mut patience) = (Duration::from_secs(1), Patience::new(Duration::from_secs(30), 1000));
        let waits = (0..100).take_while(|_| {
            let in_time = patience.left >= second;
            patience.pass(second, 500);
            in_time
        });
        assert_eq!(waits.count(), 59);
        let mut patience = Patience::new(Duration::from_secs(30), 0);
        for _ in 0..100 {
            patience.pass(Duration::from_secs(29), 1);
        }
        assert_eq!(patience.left, Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_body_that_comes_in_drops_ends_although_each_comes_soon() {
        let drops = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b"a")), ()))
        });
        let pieces = in_time(drops, Patience::new(Duration::from_millis(50), 1_000_000));
        let mut errors = pin!(pieces.filter_map(|piece| async { piece.err() }));
        assert_eq!(errors.next().await.unwrap().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_body_waits_for_room_and_is_refused_when_there_is_none() {
        const LONG: usize = 200_000;
        let memory = Arc::new(BodyMemory::new(LONG as u64));
        let exchange = |time| {
            let bounds = BodyBounds::of(LONG as u64, time);
            Arc::new(Exchange::new("r".into(), None, None, bounds, Arc::clone(&memory)))
        };
        let read = async |announced: Option<usize>, exchange: Arc<Exchange>| {
            let pieces = vec![b'a'; LONG].chunks(1000).map(Bytes::copy_from_slice).collect::<Vec<_>>();
            let body = Body::from_bytes_stream(stream::iter(pieces.into_iter().map(io::Result::Ok)));
            let builder = Request::builder();
            let builder = match announced {
                Some(length) => builder.header(header::CONTENT_LENGTH, length),
                None => builder,
            };
            let mut request = builder.body(body);
            request.set_data(exchange);
            let (request, mut body) = request.split();
            read_bounded(&request, &mut body).await.map(|body| body.len())
        };
        for announced in [Some(LONG), None] {
            let first = exchange(Duration::from_secs(30));
            assert_eq!(read(announced, Arc::clone(&first)).await, Ok(LONG));
            let refused = read(announced, exchange(Duration::from_millis(20))).await;
            assert_eq!(refused, Err(TransportError::Overloaded));
            let (waits, ()) =
                tokio::join!(read(announced, exchange(Duration::from_secs(30))), async { drop(first) });
            assert_eq!(waits, Ok(LONG));
        }
    }
}
