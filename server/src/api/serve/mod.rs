//! Connections: how many, how slow, and how they end.

mod linger;
mod peer_certificate;
mod peers;
mod stall;

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::{
    Addr, Endpoint, Request, Response,
    http::{StatusCode, Version, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;

pub(super) use self::peer_certificate::PeerCertificate;
use self::{
    linger::Linger,
    peers::{PeerPlace, Peers},
    stall::StallGuard,
};
use crate::config::Settings;

/// Pause after the system could not give us a connection (no more descriptors, no memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Room for the header of one request; also the largest piece that a body is read in.
const READ_BUFFER_BYTES: usize = 128 * 1024;
/// Longest time that a connection is kept for a peer that still sends when it was answered.
const LINGER: Duration = Duration::from_secs(2);
/// Most permits of a semaphore that counts in 32 bits.
const MAX_CONNECTIONS: usize = 1 << 20;

/// Bounds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections at once; more wait to be accepted.
    pub max_connections: usize,
    /// Connections of one address at once; more are closed unheard.
    pub max_connections_per_address: usize,
    /// Longest time for a request's header to arrive, and for a kept connection to stay unused.
    pub header_timeout: Duration,
    /// Longest time that a peer may take nothing of an answer.
    pub stall_timeout: Duration,
    /// Longest time that running requests get once the server is to end.
    pub shutdown: Duration,
}

impl From<&Settings> for ServeLimits {
    fn from(settings: &Settings) -> Self {
        Self {
            max_connections: settings.max_connections,
            max_connections_per_address: settings.max_connections_per_address,
            header_timeout: Duration::from_secs(settings.header_timeout_seconds),
            stall_timeout: Duration::from_secs(settings.idle_timeout_seconds),
            shutdown: Duration::from_secs(settings.shutdown_seconds),
        }
    }
}

/// What carries the connections.
#[derive(Clone, Debug)]
pub enum Carrier {
    /// TCP alone.
    Plain,
    /// TLS over it: each connection with what is the latest when it begins. One whose peer has shown a certificate ends
    /// when that is replaced, after the request that it is at: what comes may refuse the peer.
    Tls(watch::Receiver<Arc<ServerConfig>>),
}

/// Serves HTTP/1.1 on `listener` until `shutdown` completes; then accepts nothing more, lets running requests
/// end, and returns when they did or their time is over.
///
/// # Errors
/// None at present but those of the listener itself; single connections that fail are only logged.
pub async fn serve<E>(
    listener: TcpListener,
    carrier: Carrier,
    endpoint: E,
    limits: ServeLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()>
where
    E: Endpoint<Output = Response> + 'static,
{
    let local = LocalAddr(Addr::from(listener.local_addr()?));
    let endpoint = Arc::new(endpoint);
    let permits = limits.max_connections.clamp(1, MAX_CONNECTIONS);
    let connections = Arc::new(Semaphore::new(permits));
    let peers = Peers::new(limits.max_connections_per_address);
    let (ending, ended) = watch::channel(false);
    let mut shutdown = pin!(shutdown);

    loop {
        let (stream, peer, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => match accepted {
                Some(accepted) => accepted,
                None => continue,
            },
        };
        let Some(peer_place) = peers.enter(peer.ip()) else {
            tracing::debug!(%peer, "a connection was closed: its address has enough");
            continue;
        };
        let connection = Connection {
            endpoint: Arc::clone(&endpoint),
            local: local.clone(),
            remote: RemoteAddr(Addr::from(peer)),
            scheme: Scheme::HTTP,
            certificate: None,
            judged_by: None,
            limits,
            ended: ended.clone(),
            place: Arc::new(Place { _peer: peer_place, _permit: permit }),
        };
        match &carrier {
            Carrier::Plain => tokio::spawn(connection.run(stream)),
            Carrier::Tls(latest) => tokio::spawn(connection.secure(stream, latest.clone())),
        };
    }

    drop(listener);
    let _ = ending.send(true);
    // Every connection gives its permit back; those that do not within the time are cut by their own tasks.
    let all = u32::try_from(permits).unwrap_or(u32::MAX);
    let _ =
        tokio::time::timeout(limits.shutdown + Duration::from_secs(1), connections.acquire_many(all)).await;
    Ok(())
}

/// The next connection, once there is room for it. `None` after a pause when the system has none to give.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are written whole: waiting to join small pieces only delays them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was not set");
            }
            Some((stream, peer, permit))
        }
        Err(error) if is_of_one_connection(&error) => None,
        Err(error) => {
            tracing::error!(%error, "no connection can be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether only the connection that was to be accepted is gone.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// The place that a connection takes among those there may be at once; an extension of its requests. Whoever
/// still works for the connection keeps it.
pub(super) struct Place {
    // Given back first: whoever takes the permit next may be the same peer.
    _peer: PeerPlace,
    _permit: OwnedSemaphorePermit,
}

/// One connection, whatever carries it.
struct Connection<E> {
    endpoint: Arc<E>,
    local: LocalAddr,
    remote: RemoteAddr,
    scheme: Scheme,
    certificate: Option<PeerCertificate>,
    /// What has accepted the peer's certificate, if it has shown one.
    judged_by: Option<watch::Receiver<Arc<ServerConfig>>>,
    limits: ServeLimits,
    ended: watch::Receiver<bool>,
    place: Arc<Place>,
}

impl<E: Endpoint<Output = Response> + 'static> Connection<E> {
    /// Shakes hands, and answers what comes after that.
    async fn secure(mut self, stream: TcpStream, mut latest: watch::Receiver<Arc<ServerConfig>>) {
        let config = Arc::clone(&latest.borrow_and_update());
        let handshake =
            tokio::time::timeout(self.limits.header_timeout, TlsAcceptor::from(config).accept(stream));
        let stream = tokio::select! {
            () = wait_for_end(&mut self.ended) => return,
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    tracing::debug!(peer = %self.remote, %error, "a TLS handshake failed");
                    return;
                }
                Err(_elapsed) => return,
            },
        };
        self.scheme = Scheme::HTTPS;
        if let Some(shown) = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()) {
            self.certificate = PeerCertificate::read(shown);
            self.judged_by = Some(latest);
        }
        self.run(stream).await;
    }

    /// Answers the requests of `stream`, which may be TCP or TLS over it.
    async fn run<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(mut self, stream: S) {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let endpoint = Arc::clone(&self.endpoint);
            let named = names_its_host(&request);
            let mut request =
                Request::from((request, self.local.clone(), self.remote.clone(), self.scheme.clone()));
            request.set_data(Arc::clone(&self.place));
            if let Some(certificate) = &self.certificate {
                request.set_data(certificate.clone());
            }
            async move {
                let response =
                    if named { endpoint.get_response(request).await } else { StatusCode::BAD_REQUEST.into() };
                Ok::<_, Infallible>(hyper::Response::from(response))
            }
        });
        let stream = StallGuard::new(stream, self.limits.stall_timeout);
        let stream = TokioIo::new(Linger::new(stream, LINGER, self.ended.clone()));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            // Who says that no more comes still waits for its answer.
            .half_close(true)
            .max_buf_size(READ_BUFFER_BYTES)
            .serve_connection(stream, service);
        let mut connection = pin!(connection);
        let result = loop {
            tokio::select! {
                result = connection.as_mut() => break result,
                () = wait_for_other(&mut self.judged_by) => connection.as_mut().graceful_shutdown(),
                () = wait_for_end(&mut self.ended) => {
                    connection.as_mut().graceful_shutdown();
                    match tokio::time::timeout(self.limits.shutdown, connection).await {
                        Ok(result) => break result,
                        Err(_elapsed) => {
                            tracing::warn!(peer = %self.remote, "a request was cut off by the server's end");
                            return;
                        }
                    }
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(peer = %self.remote, %error, "a connection failed");
        }
    }
}

/// Whether there is one `Host` header, as HTTP/1.1 demands (RFC 9112 3.2): of several, whoever stands in front of us
/// may have taken another one.
fn names_its_host<T>(request: &hyper::Request<T>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    (hosts.next().is_some() || request.version() != Version::HTTP_11) && hosts.next().is_none()
}

/// Completes when something else than this judges certificates; once.
async fn wait_for_other(judged_by: &mut Option<watch::Receiver<Arc<ServerConfig>>>) {
    let replaced = match judged_by {
        Some(latest) => latest.changed().await.is_ok(),
        None => false,
    };
    if !replaced {
        // Nothing comes any more.
        std::future::pending::<()>().await;
    }
    *judged_by = None;
}

/// Completes when the server is to end.
async fn wait_for_end(ended: &mut watch::Receiver<bool>) {
    // An error says that the server is gone already.
    let _ = ended.wait_for(|ended| *ended).await;
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::{Notify, oneshot},
    };

    use super::*;

    const LIMITS: ServeLimits = ServeLimits {
        max_connections: 2,
        max_connections_per_address: 2,
        header_timeout: Duration::from_millis(200),
        stall_timeout: Duration::from_secs(30),
        shutdown: Duration::from_secs(5),
    };

    struct Server {
        address: SocketAddr,
        stop: oneshot::Sender<()>,
        task: tokio::task::JoinHandle<io::Result<()>>,
    }

    async fn start(endpoint: impl Endpoint<Output = Response> + 'static, limits: ServeLimits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, Carrier::Plain, endpoint, limits, async {
            let _ = stopped.await;
        }));
        Server { address, stop, task }
    }

    fn hello() -> impl Endpoint<Output = Response> + 'static {
        make(|_| async { Ok::<_, poem::Error>(Response::from(StatusCode::NO_CONTENT)) })
    }

    async fn read_to_end(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn a_request_is_answered_and_the_end_waits_for_no_idle_connection() {
        let server = start(hello(), ServeLimits { header_timeout: Duration::from_secs(30), ..LIMITS }).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 204");
        server.stop.send(()).unwrap();
        server.task.await.unwrap().unwrap();
        assert!(read_to_end(&mut stream).await.contains("date:"));
    }

    #[tokio::test]
    async fn the_end_waits_for_a_running_request() {
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let endpoint = {
            let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
            make(move |_| {
                let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
                async move {
                    entered.notify_one();
                    release.notified().await;
                    Ok::<_, poem::Error>(Response::from(StatusCode::NO_CONTENT))
                }
            })
        };
        let server = start(endpoint, LIMITS).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        entered.notified().await;
        server.stop.send(()).unwrap();
        release.notify_one();
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 204"));
        server.task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_answer_given_early_arrives() {
        let server = start(hello(), LIMITS).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n").await.unwrap();
        // Nobody reads the body, and all of it is sent before the answer is looked at.
        for _ in 0..90 {
            stream.write_all(&[7; 10_000]).await.unwrap();
        }
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 204"));
    }

    #[tokio::test]
    async fn who_sends_no_more_still_gets_its_answer() {
        let endpoint = make(|_| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, poem::Error>(Response::from(StatusCode::NO_CONTENT))
        });
        let server = start(endpoint, LIMITS).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 204"));
    }

    #[tokio::test]
    async fn a_request_names_one_host() {
        let server = start(hello(), ServeLimits { max_connections_per_address: 10, ..LIMITS }).await;
        for (request, answer) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n", "HTTP/1.1 204"),
            ("GET http://y/ HTTP/1.1\r\nhost: x\r\n", "HTTP/1.1 204"),
            ("GET / HTTP/1.0\r\n", "HTTP/1.0 204"),
            ("GET / HTTP/1.1\r\n", "HTTP/1.1 400"),
            ("GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n", "HTTP/1.1 400"),
            ("GET / HTTP/1.0\r\nhost: x\r\nhost: y\r\n", "HTTP/1.0 400"),
        ] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(format!("{request}connection: close\r\n\r\n").as_bytes()).await.unwrap();
            let text = read_to_end(&mut stream).await;
            assert!(text.starts_with(answer), "{request}: {text}");
        }
    }

    #[tokio::test]
    async fn a_slow_header_ends_the_connection() {
        let server = start(hello(), LIMITS).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }

    #[tokio::test]
    async fn connections_above_the_limit_of_an_address_are_closed() {
        let server = start(hello(), ServeLimits { max_connections: 3, ..LIMITS }).await;
        let first = TcpStream::connect(server.address).await.unwrap();
        let second = TcpStream::connect(server.address).await.unwrap();
        let mut third = TcpStream::connect(server.address).await.unwrap();
        let mut byte = [0];
        assert!(matches!(third.read(&mut byte).await, Ok(0) | Err(_)));
        drop((first, second));
    }

    #[tokio::test]
    async fn connections_above_the_limit_wait() {
        let server = start(hello(), LIMITS).await;
        let first = TcpStream::connect(server.address).await.unwrap();
        let second = TcpStream::connect(server.address).await.unwrap();
        let mut third = TcpStream::connect(server.address).await.unwrap();
        third.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        // The third is answered once the first two were ended by their header timeout.
        assert!(read_to_end(&mut third).await.starts_with("HTTP/1.1 204"));
        drop((first, second));
    }
}
