//! What a request, a start and memory cost, by how many base keys there are.
//!
//! Three installations of the real program with default settings and the embedded database, which run side by side, so
//! that a round measures all of them one after the other. Their keys are records of their own, with ids, references and
//! thumbprints of their own, but share one key pair and certificate, since a million pairs take days to make; nothing
//! that is measured looks at whether they do. One connection, one request after the other: *first* for keys that were
//! never used, *again* for the same ones. A measurement is the median of its requests, since what the other servers do
//! meanwhile on the same processors is none of theirs; a round's ratio is of two measurements taken one after the other,
//! and the median over the rounds is shown.
//!
//! Afterwards the servers are left to themselves, which look through all of their keys again and again, and their memory
//! is watched, for ten minutes or `KUNJI_SCALE_MINUTES`.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench scale`
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement of something that fails is none"
)]

use std::{
    fs,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_server::{
    app,
    domain::{
        alias::KeyAlias,
        digest::sha256,
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord, wrapping_context},
    },
    ports::{
        key_store::KeyStore,
        repository::{Repository, RepositoryError},
    },
};
use kunji_shared::Thumbprint;
use kunji_tests::{
    http::Http,
    in_process,
    load::{Load, Request},
    measure::{Comparison, Process, median, percentile},
    peer,
    site::{Server, Site},
    softhsm::{self, Token},
};
use tokio::time::sleep;
use zeroize::Zeroizing;

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
const KEYS: &str = "ROOT,REGISTRATION";
const APPLICATION: &str = "REGISTRATION";
const STARTS: usize = 3;
const ROUNDS: usize = 7;
/// Keys that a round uses for the first time, for each kind of request. All rounds together use most of the fewest.
const FRESH: usize = 64;
/// How often they are used again.
const AGAIN: usize = 4;
/// How long memory is watched.
const MINUTES: u32 = 10;
/// Records that are written at once.
const WRITERS: usize = 8;
const CONTENT: &[u8] = &[0x5A; 1024];

#[tokio::main]
async fn main() {
    let tokens = Token::create_all("scale", SIZES.len());
    let mut installations = Vec::new();
    for (size, token) in SIZES.into_iter().zip(&tokens) {
        installations.push(Installation::new(size, token).await);
    }
    let rows = measure(&mut installations).await;
    show_times(&rows);
    show_memory(&installations).await;
}

fn show_times(rows: &[(&str, Times)]) {
    println!("Wall time of a request; median of {ROUNDS} rounds. Ratios are to {} keys.\n", SIZES[0]);
    println!("| Request | Keys | Time | Ratio | Lowest to highest |");
    println!("| --- | ---: | ---: | ---: | --- |");
    for (name, times) in rows {
        for (size, ours) in SIZES.iter().zip(times) {
            let rounds: Vec<_> = ours.iter().copied().zip(times[0].iter().copied()).collect();
            let Comparison { ratio, spread: (lowest, highest), ours, .. } = Comparison::of(&rounds);
            println!("| {name} | {size} | {:.0} µs | {ratio:.2} | {lowest:.2} to {highest:.2} |", ours * 1e6);
        }
    }
}

/// Watches the servers, and shows what they have on the disk as well.
async fn show_memory(installations: &[Installation]) {
    let minutes: u32 = std::env::var("KUNJI_SCALE_MINUTES").map_or(MINUTES, |text| text.parse().unwrap());
    let now =
        || installations.iter().map(|it| it.process().holdings().resident_bytes >> 20).collect::<Vec<_>>();
    let mut held = vec![now()];
    for minute in 1..=minutes {
        sleep(Duration::from_mins(1)).await;
        held.push(now());
        eprintln!("{:?} MiB after {minute} of {minutes} minutes", now());
    }
    println!("\nMemory in RAM in MiB, while the keys were written and of the server then.\n");
    let half = minutes / 2;
    println!(
        "| Base keys | On disk | Start, median of {STARTS} | Written, highest | Ready | Measured | {half} minutes later \
         | {minutes} minutes later | Highest |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (place, it) in installations.iter().enumerate() {
        let [measured, half, all] = [0, half, minutes].map(|minute| held[minute as usize][place]);
        println!(
            "| {} | {} | {:.2} s | {} | {} | {measured} | {half} | {all} | {} |",
            it.keys,
            it.bytes_on_disk() >> 20,
            it.start,
            it.written >> 20,
            it.ready >> 20,
            it.process().peak_resident_bytes() >> 20,
        );
    }
}

/// A kind of request, by what it is called for keys that were never used, and for those that were.
type Kind = (&'static str, &'static str, fn(&Installation, usize) -> Request);

const KINDS: [Kind; 2] = [
    ("`getCertificate`, first", "`getCertificate`, again", certificate),
    ("`decrypt` of 1 KiB, first", "`decrypt` of 1 KiB, again", decrypt),
];

/// By installation, the times of the rounds.
type Times = [Vec<f64>; SIZES.len()];

async fn measure(installations: &mut [Installation]) -> Vec<(&'static str, Times)> {
    let mut rows = Vec::new();
    for (first, again, request) in KINDS {
        let (mut of_first, mut of_again) = <(Times, Times)>::default();
        for _ in 0..ROUNDS {
            for (place, it) in installations.iter_mut().enumerate() {
                let fresh: Vec<_> = (0..FRESH).map(|_| it.next()).collect();
                let fresh: Vec<_> = fresh.into_iter().map(|number| request(it, number)).collect();
                of_first[place].push(it.time(&fresh, FRESH).await);
                of_again[place].push(it.time(&fresh, FRESH * AGAIN).await);
            }
        }
        rows.extend([(first, of_first), (again, of_again)]);
    }
    rows
}

/// A server with so many keys.
struct Installation {
    server: Server,
    site: Site,
    client: Http,
    certificate: String,
    keys: usize,
    /// Median, in seconds.
    start: f64,
    /// Most memory in RAM while the keys were written, by this process, and what the server had when it was ready; in
    /// bytes.
    written: u64,
    ready: u64,
    used: usize,
}

impl Installation {
    async fn new(keys: usize, token: &Token) -> Self {
        let site = Site::new()
            .with("SOFTHSM2_CONF", std::env::var("SOFTHSM2_CONF").unwrap())
            .with("KUNJI_PKCS11_TOKEN_LABEL", &token.label)
            .with("KUNJI_KEYS", KEYS)
            .with("KUNJI_TOKEN_LIFETIME_SECONDS", "86400");
        fs::write(site.pin_file(), softhsm::PIN).unwrap();
        fs::create_dir(site.data_dir()).unwrap();
        Process::current().forget_peak();
        fill(&site.data_dir(), token, keys).await;
        let written = Process::current().peak_resident_bytes();
        let mut starts = Vec::new();
        for _ in 1..STARTS {
            let server = site.start();
            starts.push(server.ready_after.as_secs_f64());
            server.stop();
        }
        let server = site.start();
        starts.push(server.ready_after.as_secs_f64());
        let ready = Process::new(server.pid()).holdings().resident_bytes;
        let administrator = server.http().sign_in("administrator", &server.secret).await;
        let client = administrator.new_client(&["encryptor", "decryptor"]).await;
        let certificate = client.certificate(APPLICATION, &reference(0)).await;
        Self { server, site, client, certificate, keys, start: median(starts), written, ready, used: 0 }
    }

    /// A key that was not used yet; they are spread over all.
    fn next(&mut self) -> usize {
        self.used += 1;
        self.used * stride(self.keys)
    }

    /// Median time of a request, in seconds.
    async fn time(&self, requests: &[Request], count: usize) -> f64 {
        // A new connection: the server does not keep one while the others are measured.
        let mut load = Load::connect(&self.server.base, 1).await;
        let times = load.run(requests, count, CONTENT.len()).await;
        percentile(times, 50).as_secs_f64()
    }

    fn process(&self) -> Process {
        Process::new(self.server.pid())
    }

    fn bytes_on_disk(&self) -> u64 {
        let output = Command::new("du").arg("-sb").arg(database(&self.site.data_dir())).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    }
}

fn certificate(it: &Installation, number: usize) -> Request {
    let query = format!("applicationId={APPLICATION}&referenceId={}", reference(number));
    Request::get(&format!("/v1/keymanager/getCertificate?{query}"), it.client.token().unwrap())
}

fn decrypt(it: &Installation, number: usize) -> Request {
    let mut packet = peer::seal_self_contained(&it.certificate, CONTENT);
    // After `VER_R2`.
    packet[6..38].copy_from_slice(&thumbprint(number));
    let reference = reference(number);
    let headers = [
        ("content-type", "application/octet-stream"),
        ("kunji-application", APPLICATION),
        ("kunji-reference", &reference),
    ];
    Request::post("/v1/packets/decrypt", it.client.token().unwrap(), &headers, &packet)
}

/// Of so many keys, every how manieth is used.
const fn stride(keys: usize) -> usize {
    keys / SIZES[0]
}

fn reference(number: usize) -> String {
    format!("machine-{number}")
}

fn thumbprint(number: usize) -> [u8; 32] {
    sha256(&number.to_be_bytes())
}

fn database(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("database")
}

/// Makes the installation, and its keys. The database does not write each of them to the disk at once.
async fn fill(data_dir: &Path, token: &Token, size: usize) {
    let url = format!("surrealkv://{}?sync=never", database(data_dir).display());
    let client = surrealdb::engine::any::connect(url).await.unwrap();
    client.use_ns("kunji").use_db("kunji").await.unwrap();
    let repository = in_process::repository(&client).await;
    let settings = in_process::settings(data_dir, &[("KUNJI_KEYS", KEYS)]);
    let token: Arc<dyn KeyStore> = Arc::new(token.open().await.unwrap());
    let trail = in_process::trail(data_dir);
    let ports = in_process::ports(data_dir, trail, Arc::clone(&repository), Arc::clone(&token));
    let running = app::start(&settings, ports).await.unwrap();
    let good = running.services.keys.certificate(&in_process::caller("bench"), &alias(0)).await.unwrap();
    let template = Arc::new(Template::of(&good, &*repository, token).await);
    let began = Instant::now();
    let writers = (1..=WRITERS).map(|first| {
        tokio::spawn(write(Arc::clone(&repository), Arc::clone(&template), (first, size), began))
    });
    join_all(writers).await.into_iter().for_each(Result::unwrap);
    drop(template);
    running.stop().await.unwrap();
    client.query("DELETE lease").await.unwrap().check().unwrap();
    drop((repository, client));
    // The engine's tasks end some time after its last handle.
    let lock = fs::File::open(database(data_dir).join("LOCK")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

/// What the keys have in common.
struct Template {
    key: KeyRecord,
    token: Arc<dyn KeyStore>,
    kek: KekRecord,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl Template {
    async fn of(key: &KeyRecord, repository: &dyn Repository, token: Arc<dyn KeyStore>) -> Self {
        let KeyMaterial::Wrapped { kek_version, blob, .. } = &key.material else { panic!("a wrapped key") };
        let kek = repository.find_kek(&key.alias.application, *kek_version).await.unwrap().unwrap();
        let context = wrapping_context(&key.alias, &key.id, &key.thumbprint, kek.version);
        let pkcs8 = token.unwrap(kek.token_key, &context, blob).await.unwrap();
        Self { key: key.clone(), token, kek, pkcs8 }
    }

    /// A key of so many. Those that packets are opened with are wrapped for good; the others have a blob of the same
    /// length, since a million of them take the token minutes.
    async fn record(&self, number: usize, keys: usize) -> KeyRecord {
        let mut record = KeyRecord {
            id: KeyId(uuid::Uuid::new_v4().to_string()),
            alias: alias(number),
            thumbprint: Thumbprint::from_bytes(thumbprint(number)),
            ..self.key.clone()
        };
        if number.is_multiple_of(stride(keys)) {
            let kek_version = self.kek.version;
            let context = wrapping_context(&record.alias, &record.id, &record.thumbprint, kek_version);
            let blob = self.token.wrap(self.kek.token_key, &context, self.pkcs8.clone()).await.unwrap();
            record.material = KeyMaterial::Wrapped { kek_version, first_kek: kek_version, blob };
        }
        record
    }
}

/// Writes every eighth record.
async fn write(
    repository: Arc<dyn Repository>,
    template: Arc<Template>,
    (first, size): (usize, usize),
    began: Instant,
) {
    const STEP: usize = 100_000;
    for number in (first..size).step_by(WRITERS) {
        let record = template.record(number, size).await;
        let mut is_unsure = false;
        loop {
            match repository.insert_successor(&record).await {
                // While the engine writes its tables it may not answer in time.
                Err(RepositoryError::OutcomeUnknown(_)) => is_unsure = true,
                Err(RepositoryError::Conflict) if is_unsure => break,
                outcome => break outcome.unwrap(),
            }
        }
        if number % STEP == 0 {
            let taken = Duration::from_secs(began.elapsed().as_secs());
            eprintln!("{number} of {size} keys written after {taken:?}");
        }
    }
}

fn alias(number: usize) -> KeyAlias {
    KeyAlias::parse(APPLICATION, &reference(number)).unwrap()
}
