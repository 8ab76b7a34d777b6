//! A connection that sends exactly the bytes it is told to, which no HTTP library would.

use std::time::{Duration, Instant};

use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::http::{Answer, Http};

/// Longest time that a test waits for the server to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    opened: Instant,
}

impl Raw {
    /// Connects to the server that `http` calls.
    pub async fn connect(http: &Http) -> Self {
        let address = http.base().strip_prefix("http://").unwrap();
        Self { stream: TcpStream::connect(address).await.unwrap(), opened: Instant::now() }
    }

    /// Sends bytes. A server that has closed the connection does not take them, which is no failure here.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends bytes one at a time, with a pause after each, until the server answers or ends the connection.
    pub async fn trickle(&mut self, bytes: &[u8], pause: Duration) {
        let mut ticks = tokio::time::interval(pause);
        for byte in bytes {
            tokio::select! {
                _ = ticks.tick() => self.send([*byte]).await,
                _ = self.stream.readable() => return,
            }
        }
    }

    /// Says that no more comes, and still reads.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// How long ago the connection was opened.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// All that comes until the server ends the connection; fails when it does not.
    pub async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut bytes)).await;
        // A reset after the answer is an end too.
        let _ = read.unwrap_or_else(|_| panic!("the connection was not ended: {bytes:?}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The answer that comes next; `None` when the server ends the connection without one.
    pub async fn answer(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, async {
            while parse(&bytes, false).is_none() {
                let mut piece = [0; 4096];
                match self.stream.read(&mut piece).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => bytes.extend_from_slice(&piece[..count]),
                }
            }
        });
        read.await.unwrap_or_else(|_| panic!("no answer in time: {:?}", String::from_utf8_lossy(&bytes)));
        // Answers to HEAD have the length of a body and no body.
        let bodiless = bytes.ends_with(b"\r\n\r\n");
        parse(&bytes, bodiless)
    }
}

/// Sends a whole request and takes its answer. The connection is used once.
pub async fn exchange(http: &Http, request: impl AsRef<[u8]>) -> Option<Answer> {
    let mut connection = Raw::connect(http).await;
    connection.send(request).await;
    connection.answer().await
}

/// A request line and headers, with the caller's token and `lines` after the usual ones.
pub fn head(http: &Http, method: &str, target: &str, lines: &[&str]) -> String {
    let first = format!("{method} {target} HTTP/1.1\r\nhost: kunji.test\r\nconnection: close\r\n");
    let token = http.token().map(|token| format!("authorization: Bearer {token}\r\n"));
    let lines = lines.iter().map(|line| format!("{line}\r\n"));
    [first].into_iter().chain(token).chain(lines).chain(["\r\n".to_owned()]).collect()
}

/// An answer whose body has a `Content-Length`; `None` until it is all there, unless it is `bodiless`.
fn parse(bytes: &[u8], bodiless: bool) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status =
        lines.next()?.split(' ').nth(1)?.parse().ok().and_then(|code| StatusCode::from_u16(code).ok())?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers
            .append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?);
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    (bodiless || body.len() >= length.unwrap_or(0)).then(|| Answer::new(status, headers, body.to_owned()))
}
