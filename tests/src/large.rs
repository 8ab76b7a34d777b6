//! Content larger than memory should hold, to the server and back.

use std::{
    fs,
    io::{Read, Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, Method, Response, StatusCode};

use crate::{http::Http, measure::Process};

const PIECE_BYTES: usize = 1 << 20;

/// What it took to seal content and open it again.
#[derive(Debug)]
pub struct Journey {
    /// `/v1/packets/encrypt`, from the first byte sent to the last one received.
    pub sealing: Duration,
    /// `/v1/packets/decrypt`, likewise.
    pub opening: Duration,
    /// The most resident memory of the server on the way, less that before, in bytes.
    pub memory_growth: u64,
}

/// Seals `bytes` of content and opens the packet again, both through `/v1/packets`; the content must come back
/// as it was. The packet waits in `directory`.
pub async fn seal_and_open(client: &Http, server: Process, bytes: u64, directory: &Path) -> Journey {
    let before = server.holdings();
    server.forget_peak();
    let began = Instant::now();
    let content = stream::iter(
        (0..bytes.div_ceil(PIECE_BYTES as u64)).map(move |n| std::io::Result::Ok(piece(n, bytes))),
    );
    let answer = send(client, "/v1/packets/encrypt", Body::wrap_stream(content)).await;
    let mut packet = tempfile::tempfile_in(directory).unwrap();
    let length = store(answer, &mut packet).await;
    let sealing = began.elapsed();
    assert!(length > bytes);

    packet.rewind().unwrap();
    let began = Instant::now();
    let answer = send(client, "/v1/packets/decrypt", Body::wrap_stream(pieces_of(packet))).await;
    compare(answer, bytes).await;
    let opening = began.elapsed();
    Journey {
        sealing,
        opening,
        memory_growth: server.peak_resident_bytes().saturating_sub(before.resident_bytes),
    }
}

/// Bytes of all files below a directory.
pub fn disk_usage(directory: &Path) -> u64 {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                disk_usage(&entry.path())
            } else {
                entry.metadata().unwrap().len()
            }
        })
        .sum()
}

async fn send(client: &Http, path: &str, body: Body) -> Response {
    let request = client
        .request(Method::POST, path)
        .header("content-type", "application/octet-stream")
        .header("kunji-application", "REGISTRATION")
        .header("kunji-reference", "10001_110011")
        .body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

async fn store(mut answer: Response, file: &mut fs::File) -> u64 {
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        file.write_all(&piece).unwrap();
        length += piece.len() as u64;
    }
    length
}

fn pieces_of(
    mut file: fs::File,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::iter(std::iter::from_fn(move || {
        let mut piece = vec![0; PIECE_BYTES];
        let read = file.read(&mut piece).unwrap();
        piece.truncate(read);
        (read > 0).then(|| Ok(piece.into()))
    }))
    .boxed()
}

async fn compare(mut answer: Response, bytes: u64) {
    let mut received = Vec::new();
    let mut number = 0;
    while let Some(piece_received) = answer.chunk().await.unwrap() {
        received.extend_from_slice(&piece_received);
        while received.len() >= PIECE_BYTES {
            assert!(received[..PIECE_BYTES] == piece(number, bytes), "piece {number} came back changed");
            received.drain(..PIECE_BYTES);
            number += 1;
        }
    }
    assert!(received == piece(number, bytes), "the last piece came back changed");
    assert_eq!(number * PIECE_BYTES as u64 + received.len() as u64, bytes);
}

/// The `number`th mebibyte of `bytes`, different from every other.
fn piece(number: u64, bytes: u64) -> Bytes {
    let start = number * PIECE_BYTES as u64;
    let length = bytes.saturating_sub(start).min(PIECE_BYTES as u64);
    let words = (0..length.div_ceil(8))
        .flat_map(|word| (start / 8 + word).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    words.take(usize::try_from(length).unwrap()).collect::<Vec<u8>>().into()
}
