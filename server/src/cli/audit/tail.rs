//! `kunji audit tail`.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use reqwest::{Method, Response};
use serde_json::Value;

use super::{
    joined::{EVENTS, PAGE, get},
    search::{FilterArguments, events, print},
};
use crate::cli::{Remote, ServerArguments};

/// A stream that gave nothing and lasted no longer than this is not opened again.
const SHORTEST: Duration = Duration::from_secs(5);

/// Arguments of `kunji audit tail`.
#[derive(Args, Debug)]
pub struct TailArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Past events that are shown.
    #[arg(long, short = 'n', default_value_t = 10)]
    last: usize,
    /// Go on with each event that follows.
    #[arg(long, short)]
    follow: bool,
}

/// Shows the last events, and perhaps those that follow.
pub(super) async fn run(remote: Remote, server: &ServerArguments, arguments: &TailArguments) -> Result<()> {
    if arguments.follow {
        return follow(remote, server, arguments, &mut io::stdout()).await;
    }
    let mut query = arguments.filter.query();
    query.push(("limit", arguments.last.clamp(1, PAGE).to_string()));
    let page = get(&remote, EVENTS, &query).await?;
    let mut events = events(&page)?.clone();
    events.reverse();
    print(&mut io::stdout(), &events, remote.json)
}

/// What was shown.
#[derive(Default)]
struct Shown {
    /// Number of the last event that was shown, or that came before all that are asked for.
    last: u64,
    is_any: bool,
}

/// Follows until the server refuses. A stream ends with the token that it was asked for with: then the next one is
/// asked for with a new token, and goes on where that ended.
async fn follow(
    mut remote: Remote,
    server: &ServerArguments,
    arguments: &TailArguments,
    output: &mut impl Write,
) -> Result<()> {
    let mut shown = Shown::default();
    if arguments.last == 0 {
        let status = get(&remote, "/v1/audit/status", &Vec::new()).await?;
        shown.last = status.get("last").and_then(Value::as_u64).unwrap_or_default();
    }
    let mut last = arguments.last.min(PAGE);
    loop {
        let mut query = arguments.filter.query();
        query.push(("last", last.to_string()));
        let request = remote.request(Method::GET, "/v1/audit/events/stream").query(&query);
        let mut response = remote.stream(request).await?;
        let (began, before) = (Instant::now(), shown.last);
        let ended = show(&mut response, &mut shown, remote.json, output).await?;
        if shown.last == before && began.elapsed() < SHORTEST {
            ended.context("the stream was cut off")?;
            anyhow::bail!("the server ended the stream");
        }
        remote = Remote::connect(server).await?;
        last = PAGE;
    }
}

/// Shows what a stream gives, up to its end: `Ok` within when the server ended it, `Err` when it was cut off.
async fn show(
    response: &mut Response,
    shown: &mut Shown,
    json: bool,
    output: &mut impl Write,
) -> Result<Result<(), reqwest::Error>> {
    // What was shown last is among what comes first, unless there was too much meanwhile.
    let mut may_lack = shown.is_any;
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => text.extend_from_slice(&piece),
            Ok(None) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error.without_url())),
        }
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let event: Value = serde_json::from_slice(&line)?;
            let number = event.get("sequence").and_then(Value::as_u64).context("an event has no number")?;
            if std::mem::take(&mut may_lack) && number > shown.last {
                report_lack(shown.last, number);
            }
            if number > shown.last {
                *shown = Shown { last: number, is_any: true };
                print(output, &[event], json)?;
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "what the list lacks")]
fn report_lack(last: u64, next: u64) {
    eprintln!(
        "events between {last} and {next} are not shown: there were too many while the stream was opened again"
    );
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// The next request, up to the end of its body.
    async fn request(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        loop {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).await.unwrap();
            text += std::str::from_utf8(&piece[..length]).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= announced.map_or(0, |length| length.parse().unwrap()) {
                return head.lines().next().unwrap().to_owned();
            }
        }
    }

    /// A server that gives these streams, each cut off, and then refuses. Says what it was asked.
    async fn serve(listener: TcpListener, streams: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        let mut streams = streams.iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let line = request(&mut stream).await;
            let is_stream = line.contains("/v1/audit/events/stream");
            let (head, body) = match (is_stream, if is_stream { streams.next() } else { None }) {
                (true, Some(text)) => {
                    ("200 OK\r\ntransfer-encoding: chunked", format!("{:x}\r\n{text}\r\n", text.len()))
                }
                (true, None) => {
                    ("401 Unauthorized", r#"{"type":"urn:kunji:problem:access.unauthenticated"}"#.to_owned())
                }
                (false, _) => ("200 OK", r#"{"access_token":"t"}"#.to_owned()),
            };
            let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            asked.push(line);
            if head.starts_with("401") {
                return asked;
            }
        }
    }

    #[tokio::test]
    async fn a_stream_that_ends_with_its_token_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let secret = tempfile::NamedTempFile::new().unwrap();
        let server = ServerArguments {
            url: format!("http://{}", listener.local_addr().unwrap()),
            client_id: Some("reader".to_owned()),
            client_secret_file: Some(secret.path().to_owned()),
            json: true,
        };
        let filter = FilterArguments::default();
        let arguments = TailArguments { filter, last: 2, follow: true };
        let streams = [
            "{\"sequence\":6}\n{\"sequence\":7}\n",
            "{\"sequence\":7}\n{\"sequence\":8}\n",
            "{\"sequence\":8}\n{\"sequence\":11}\n",
        ];
        let mut output = Vec::new();
        let followed = async {
            let remote = Remote::connect(&server).await.unwrap();
            follow(remote, &server, &arguments, &mut output).await
        };
        let (asked, followed) = futures_util::join!(serve(listener, &streams), followed);
        assert!(followed.unwrap_err().to_string().contains("401 access.unauthenticated"));
        let text = String::from_utf8(output).unwrap();
        let numbers: Vec<_> = text.lines().collect();
        assert_eq!(numbers, [6, 7, 8, 11].map(|number| format!("{{\"sequence\":{number}}}")));
        let streams: Vec<_> = asked.iter().filter(|line| line.starts_with("GET")).collect();
        let lasts = streams.iter().map(|line| line.split("last=").nth(1).unwrap().split(' ').next().unwrap());
        assert_eq!(lasts.collect::<Vec<_>>(), ["2", "1000", "1000", "1000"]);
        // A token for each.
        assert_eq!(asked.len(), 2 * streams.len());
    }
}
