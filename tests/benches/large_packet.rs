//! A packet of 2 GiB through `/v1/packets/encrypt` and `/v1/packets/decrypt`: memory, disk, throughput.
//!
//! `KUNJI_BENCH_LARGE_MIB` sets another size. Needs three times that much disk for temporary files.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench large_packet`
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement of something that fails is none"
)]

use kunji_tests::{
    large::{disk_usage, seal_and_open},
    measure::{Process, soon},
    site::Site,
};

const MIB: u64 = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mib = std::env::var("KUNJI_BENCH_LARGE_MIB").map_or(2048, |text| text.parse::<u64>().unwrap());
    let site = Site::new();
    let server = site.start();
    let administrator = server.http().sign_in("administrator", &server.secret).await;
    let client = administrator.new_client(&["encryptor", "decryptor"]).await;
    client.certificate("REGISTRATION", "10001_110011").await;
    let process = Process::new(server.pid());
    let spool = site.data_dir().join("spool");
    let disk = || disk_usage(&spool) + process.unnamed_file_bytes();
    let disk_before = disk();
    let journey = seal_and_open(&client, process, mib * MIB, site.path()).await;
    soon(|| disk() == disk_before).await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = |time: std::time::Duration| mib as f64 / time.as_secs_f64();

    println!("| One packet of {mib} MiB | |");
    println!("| --- | ---: |");
    println!("| Growth of resident memory at most | {} MiB |", journey.memory_growth.div_ceil(MIB));
    println!("| Sealing | {:.0} MiB/s |", rate(journey.sealing));
    println!("| Opening | {:.0} MiB/s |", rate(journey.opening));
    println!("| Spool before and after | {} and {} MiB |", disk_before.div_ceil(MIB), disk().div_ceil(MIB));
}
