//! Syslog (RFC 5424), over UDP (RFC 5426), TCP with counted octets (RFC 6587 3.4.1), or the socket of this machine.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, UdpSocket, UnixDatagram},
    sync::Mutex,
    time::timeout,
};

use crate::ports::{
    audit_anchor::{AnchorError, AuditAnchor},
    clock::Clock,
    event_outlet::EventOutlet,
};

/// Longest time for a connection or a message.
const DEADLINE: Duration = Duration::from_secs(5);
/// Facility 13 (log audit), severity 6 (informational).
const PRIORITY: u8 = 13 * 8 + 6;

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// Host and port; whether a message arrives is not known.
    Udp(String),
    /// Host and port.
    Tcp(String),
    /// Path of a socket.
    Unix(PathBuf),
}

/// [`AuditAnchor`] and [`EventOutlet`] over syslog.
///
/// Only TCP tells that the other side is away, and even then what was sent right before may be lost: no syslog
/// acknowledges. The trail itself is what counts.
pub struct Syslog {
    target: Target,
    server: String,
    clock: Arc<dyn Clock>,
    connection: Mutex<Option<TcpStream>>,
}

impl Syslog {
    /// For `udp://HOST:PORT`, `tcp://HOST:PORT` or `unix:///PATH`; `None` for another address. `server` is the name of
    /// this server in messages.
    pub fn new(address: &str, server: &str, clock: Arc<dyn Clock>) -> Option<Self> {
        let host = |text: &str| {
            let (host, port) = text.rsplit_once(':')?;
            (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| text.to_owned())
        };
        let target = match address.split_once("://")? {
            ("udp", rest) => Target::Udp(host(rest)?),
            ("tcp", rest) => Target::Tcp(host(rest)?),
            ("unix", path) if path.starts_with('/') => Target::Unix(path.into()),
            _ => return None,
        };
        Some(Self { target, server: server.to_owned(), clock, connection: Mutex::default() })
    }

    fn message(&self, kind: &str, content: &[u8]) -> Vec<u8> {
        let time = self.clock.now().to_text();
        let mut message = format!("<{PRIORITY}>1 {time} {} kunji - {kind} - ", self.server).into_bytes();
        message.extend_from_slice(content);
        message
    }

    async fn send_all(&self, messages: &[Vec<u8>]) -> io::Result<()> {
        match &self.target {
            Target::Udp(address) => {
                let socket = bind_for(address).await?;
                for message in messages {
                    socket.send(message).await?;
                }
                Ok(())
            }
            Target::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                for message in messages {
                    socket.send_to(message, path).await?;
                }
                Ok(())
            }
            Target::Tcp(address) => {
                let mut connection = self.connection.lock().await;
                // Taken out: one that fails in between is not used again.
                let mut stream = match connection.take().filter(is_open) {
                    Some(stream) => stream,
                    None => TcpStream::connect(address).await?,
                };
                let mut text = Vec::new();
                for message in messages {
                    text.extend_from_slice(format!("{} ", message.len()).as_bytes());
                    text.extend_from_slice(message);
                }
                stream.write_all(&text).await?;
                stream.flush().await?;
                *connection = Some(stream);
                Ok(())
            }
        }
    }

    async fn send_in_time(&self, messages: &[Vec<u8>]) -> io::Result<()> {
        timeout(DEADLINE, self.send_all(messages)).await.map_err(|_elapsed| io::ErrorKind::TimedOut)?
    }
}

/// A socket that sends to the address, whichever family it is of.
async fn bind_for(address: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in tokio::net::lookup_host(address).await? {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(address).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether the other side has not closed it. It never sends anything.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[async_trait]
impl AuditAnchor for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    async fn publish(&self, statement: &str) -> Result<(), AnchorError> {
        let message = self.message("checkpoint", statement.as_bytes());
        self.send_in_time(&[message]).await.map_err(|error| AnchorError(error.to_string()))
    }
}

#[async_trait]
impl EventOutlet for Syslog {
    fn name(&self) -> &'static str {
        "syslog-events"
    }

    async fn send(&self, lines: &[Vec<u8>]) -> io::Result<()> {
        let messages: Vec<_> = lines.iter().map(|line| self.message("event", line)).collect();
        self.send_in_time(&messages).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt as _, net::TcpListener};

    use super::*;
    use crate::domain::time::Timestamp;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_767_607_872_007)
        }
    }

    const HEAD: &str = "<110>1 2026-01-05T10:11:12.007Z kunji-1 kunji - ";

    fn syslog(address: &str) -> Syslog {
        Syslog::new(address, "kunji-1", Arc::new(Noon)).unwrap()
    }

    #[test]
    fn addresses_are_of_three_kinds() {
        for address in ["udp://127.0.0.1:514", "tcp://[::1]:601", "tcp://log.example:601", "unix:///dev/log"]
        {
            assert!(Syslog::new(address, "x", Arc::new(Noon)).is_some(), "{address}");
        }
        for address in ["", "127.0.0.1:514", "udp://127.0.0.1", "udp://:514", "unix://dev/log", "http://a:1"]
        {
            assert!(Syslog::new(address, "x", Arc::new(Noon)).is_none(), "{address}");
        }
    }

    #[tokio::test]
    async fn datagrams_are_messages() {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = syslog(&format!("udp://{}", receiver.local_addr().unwrap()));
        sender.publish("{\"a\":1}").await.unwrap();
        let mut buffer = [0; 1024];
        let length = receiver.recv(&mut buffer).await.unwrap();
        assert_eq!(buffer[..length], *format!("{HEAD}checkpoint - {{\"a\":1}}").as_bytes());

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let sender = syslog(&format!("unix://{}", path.display()));
        sender.send(&[b"x".to_vec(), b"y".to_vec()]).await.unwrap();
        for content in ["x", "y"] {
            let length = receiver.recv(&mut buffer).await.unwrap();
            assert_eq!(buffer[..length], *format!("{HEAD}event - {content}").as_bytes());
        }
    }

    #[tokio::test]
    async fn a_connection_is_kept_and_replaced_when_it_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let syslog = syslog(&format!("tcp://{}", listener.local_addr().unwrap()));
        let expected = |content: &str| {
            let message = format!("{HEAD}event - {content}");
            format!("{} {message}", message.len())
        };
        syslog.send(&[b"a".to_vec()]).await.unwrap();
        syslog.send(&[b"b".to_vec()]).await.unwrap();
        let (mut first, _) = listener.accept().await.unwrap();
        let mut text = vec![0; expected("a").len() * 2];
        first.read_exact(&mut text).await.unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected("a") + &expected("b"));
        drop(first);
        // Once the end has arrived here, a new connection is made.
        let mut second = loop {
            syslog.send(&[b"c".to_vec()]).await.unwrap();
            if let Ok(accepted) = timeout(Duration::from_millis(50), listener.accept()).await {
                break accepted.unwrap().0;
            }
        };
        let mut text = vec![0; expected("c").len()];
        second.read_exact(&mut text).await.unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected("c"));
        drop((second, listener));
        let mut failed = false;
        for _ in 0..100 {
            failed |= syslog.send(&[b"d".to_vec()]).await.is_err();
        }
        assert!(failed);
    }
}
