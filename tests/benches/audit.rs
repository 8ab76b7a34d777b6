//! What the audit trail costs a decryption: throughput and processor time of the server with its trail on and off.
//!
//! The server is this very program, started again as the composition root of the real one: the same adapters, settings
//! and routes, once with the audit log and once with a sink that keeps nothing. Both run at the same time and are loaded
//! in alternating rounds, each from 16 connections; a round's ratio is of two measurements taken one after the
//! other, and the median over the rounds is shown. The load generator shares the machine, so requests a second are
//! those of both.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench audit`
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures for people, far from the ends of their types"
)]

use std::{
    io,
    ops::Range,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use kunji_server::{
    api, app, config,
    domain::{
        audit::{
            AuditEvent,
            statement::{Checkpoint, Signed},
        },
        merkle::Frontier,
    },
    ports::{
        audit_sink::{AuditError, AuditSink},
        audit_trail::{AuditTrail, Checkpoints, EventLines, EventLinesBackwards, EventTail},
    },
};
use kunji_tests::{
    load::{Load, Request},
    measure::{Comparison, Process},
    peer,
    site::{Server, Site},
};
use tokio::{net::TcpListener, sync::watch};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 21;
/// Wall time of each half of a round, about.
const ROUND: Duration = Duration::from_millis(1500);
const APPLICATION: &str = "REGISTRATION";
const REFERENCE: &str = "10001_110011";
/// Makes this program the server, with its trail `on` or `off`.
const ROLE: &str = "KUNJI_TEST_AUDIT_BENCH";

fn main() {
    if let Ok(trail) = std::env::var(ROLE) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(serve(trail == "on"));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(measure());
}

async fn serve(trail: bool) {
    let settings = config::load(None, std::env::vars()).unwrap();
    let listener = TcpListener::bind(settings.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut ports = app::open_ports(&settings).await.unwrap();
    if !trail {
        ports.audit = Arc::new(NoTrail(watch::Sender::new(0)));
    }
    let running = app::start(&settings, ports).await.unwrap();
    let endpoint = api::endpoint(&running.services, &settings);
    println!("kunji is ready on http://{address}");
    let (carrier, limits) = (api::Carrier::Plain, (&settings).into());
    api::serve(listener, carrier, endpoint, limits, std::future::pending()).await.unwrap();
}

async fn measure() {
    let (on, off) = (Subject::start("on").await, Subject::start("off").await);
    let mut subjects = [on.load().await, off.load().await];
    let mut count = 16;
    for _ in 0..2 {
        let began = Instant::now();
        subjects[0].run(count).await;
        subjects[1].run(count).await;
        count = (count as f64 * 2.0 * ROUND.as_secs_f64() / began.elapsed().as_secs_f64()).ceil() as usize;
    }
    let (mut wall, mut processor) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut spent = [(0.0, 0.0); 2];
        for turn in 0..2 {
            // Whoever goes first differs from round to round.
            let which = (round + turn) % 2;
            spent[which] = subjects[which].run(count).await;
        }
        wall.push((spent[0].0, spent[1].0));
        processor.push((spent[0].1, spent[1].1));
    }
    println!("`POST /v1/packets/decrypt`, 1 KiB, {CONNECTIONS} connections; median of {ROUNDS} rounds.\n");
    println!("| | Trail on / off | Lowest to highest | On | Off |");
    println!("| --- | ---: | --- | ---: | ---: |");
    for (name, rounds) in [("Time of a request", wall), ("Processor time of a request", processor)] {
        let Comparison { ratio, spread: (lowest, highest), ours, reference } = Comparison::of(&rounds);
        println!(
            "| {name} | {ratio:.3} | {lowest:.3} to {highest:.3} | {:.0} µs | {:.0} µs |",
            ours * 1e6,
            reference * 1e6
        );
    }
}

/// A server, and the packet that it opens.
struct Subject {
    server: Server,
    post: Request,
    _site: Site,
}

impl Subject {
    async fn start(trail: &str) -> Self {
        let site = Site::new().with("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION");
        let command = site.command();
        let mut own = Command::new(std::env::current_exe().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => own.env(name, value),
                None => own.env_remove(name),
            };
        }
        // The library's process would be started by the program's own arguments, which this one does not have; a
        // decryption does not use it.
        own.env(ROLE, trail).env("KUNJI_PKCS11_ISOLATION", "none");
        let server = site.start_command(own);
        let administrator = server.http().sign_in("administrator", &server.secret).await;
        let client = administrator.new_client(&["encryptor", "decryptor"]).await;
        let certificate = client.certificate(APPLICATION, REFERENCE).await;
        let packet = peer::seal_self_contained(&certificate, &[0x5A; 1024]);
        let headers = [
            ("content-type", "application/octet-stream"),
            ("kunji-application", APPLICATION),
            ("kunji-reference", REFERENCE),
        ];
        let post = Request::post("/v1/packets/decrypt", client.token().unwrap(), &headers, &packet);
        Self { server, post, _site: site }
    }

    async fn load(&self) -> Loaded<'_> {
        Loaded { subject: self, load: Load::connect(&self.server.base, CONNECTIONS).await }
    }
}

struct Loaded<'a> {
    subject: &'a Subject,
    load: Load,
}

impl Loaded<'_> {
    /// Seconds of wall and processor time of each request.
    async fn run(&mut self, count: usize) -> (f64, f64) {
        let process = Process::new(self.subject.server.pid());
        let (began, before) = (Instant::now(), process.processor_time());
        self.load.run(std::slice::from_ref(&self.subject.post), count, 1024).await;
        let requests = (count * self.load.connections()) as f64;
        let processor = process.processor_time().saturating_sub(before);
        (began.elapsed().as_secs_f64() / requests, processor.as_secs_f64() / requests)
    }
}

/// A trail that keeps nothing.
struct NoTrail(watch::Sender<u64>);

#[async_trait]
impl AuditSink for NoTrail {
    async fn record(&self, _: AuditEvent) -> Result<(), AuditError> {
        Ok(())
    }
}

impl AuditTrail for NoTrail {
    fn log(&self) -> &'static str {
        "00000000-0000-4000-8000-000000000000"
    }

    fn head(&self) -> Frontier {
        Frontier::default()
    }

    fn growth(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    fn spooled(&self) -> u64 {
        0
    }

    fn first(&self) -> io::Result<u64> {
        Ok(1)
    }

    fn tree_before(&self, _: u64) -> io::Result<Frontier> {
        Ok(Frontier::default())
    }

    fn lines(&self, _: Range<u64>) -> io::Result<EventLines> {
        Ok(Box::new(std::iter::empty()))
    }

    fn backwards(&self, _: u64) -> io::Result<EventLinesBackwards> {
        Ok(Box::new(std::iter::empty()))
    }

    fn tail(&self, _: u64) -> io::Result<Box<dyn EventTail>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn checkpoints(&self, _: u64) -> io::Result<Checkpoints> {
        Ok(Box::new(std::iter::empty()))
    }

    fn last_checkpoint(&self) -> io::Result<Option<Signed<Checkpoint>>> {
        Ok(None)
    }

    fn keep_checkpoint(&self, _: &Signed<Checkpoint>) -> io::Result<()> {
        Ok(())
    }

    fn keep_certificates(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn roster(&self) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn keep_roster(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn finished_segments(&self) -> io::Result<Vec<Range<u64>>> {
        Ok(Vec::new())
    }

    fn archive(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
}
