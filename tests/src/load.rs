//! Many callers at once, as cheap as they can be: what is measured is the server, on a machine that both share.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Request(Vec<u8>);

impl Request {
    /// A GET of `path`.
    pub fn get(path: &str, token: &str) -> Self {
        Self(format!("{}\r\n", head("GET", path, token)).into_bytes())
    }

    /// A POST of `body` to `path`.
    pub fn post(path: &str, token: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = head("POST", path, token);
        write!(head, "content-length: {}\r\n", body.len()).unwrap();
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        Self([head.as_bytes(), body].concat())
    }
}

fn head(method: &str, path: &str, token: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: kunji.test\r\nauthorization: Bearer {token}\r\n")
}

/// What every answer must be.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// Status 200 and so many bytes in its body at least: less is an error in an envelope.
    Content(usize),
    /// A body that holds this text.
    Text(&'a str),
}

/// Connections to one server that stay open.
pub struct Load(Vec<Connection>);

impl Load {
    /// Opens `connections` of them to `base`, `http://address`.
    pub async fn connect(base: &str, connections: usize) -> Self {
        let address = base.strip_prefix("http://").unwrap();
        Self(join_all((0..connections).map(|_| Connection::open(address))).await)
    }

    /// Sends `posts` in turn on each connection, `count` of them, every one after the last answer was read;
    /// every answer must have `content_bytes` in its body at least, and status 200. How long each took.
    pub async fn run(&mut self, posts: &[Request], count: usize, content_bytes: usize) -> Vec<Duration> {
        let runs = self.0.iter_mut().enumerate().map(|(first, connection)| async move {
            let mut times = Vec::with_capacity(count);
            for number in first..first + count {
                let sent = Instant::now();
                connection.exchange(&posts[number % posts.len()], Expected::Content(content_bytes)).await;
                times.push(sent.elapsed());
            }
            times
        });
        join_all(runs).await.concat()
    }

    /// The same for as long as `time`, with answers as `expected`.
    pub async fn run_for(
        &mut self,
        posts: &[Request],
        time: Duration,
        expected: Expected<'_>,
    ) -> Vec<Duration> {
        let begun = Instant::now();
        let runs = self.0.iter_mut().enumerate().map(|(first, connection)| async move {
            let mut times = Vec::new();
            for number in first.. {
                let sent = Instant::now();
                if sent.duration_since(begun) >= time {
                    break;
                }
                connection.exchange(&posts[number % posts.len()], expected).await;
                times.push(sent.elapsed());
            }
            times
        });
        join_all(runs).await.concat()
    }

    /// How many there are.
    pub fn connections(&self) -> usize {
        self.0.len()
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 256 * 1024] }
    }

    async fn exchange(&mut self, post: &Request, expected: Expected<'_>) {
        self.stream.write_all(&post.0).await.unwrap();
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await;
            if let Some(end) = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head]).unwrap().to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        let kept = (head + length).min(self.buffer.len());
        while filled < kept {
            filled += self.read(filled).await;
        }
        let body = String::from_utf8_lossy(&self.buffer[head..kept]);
        match expected {
            Expected::Content(bytes) => {
                assert!(text.starts_with("http/1.1 200") && length >= bytes, "{text}{body}");
            }
            Expected::Text(wanted) => assert!(body.contains(wanted), "{text}{body}"),
        }
        let mut left = head + length - filled;
        while left > 0 {
            left -= self.read(0).await;
        }
    }

    async fn read(&mut self, from: usize) -> usize {
        let read = self.stream.read(&mut self.buffer[from..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        read
    }
}
