//! Time from starting the program until it is ready, and its memory then.
//!
//! `cargo build --release && cargo bench --profile release -p kunji-tests --bench start`
#![expect(clippy::print_stdout, reason = "the output of a measurement")]

use kunji_tests::{
    measure::{Process, median},
    site::Site,
};

const ROUNDS: usize = 5;

fn main() {
    let mut first = Vec::new();
    let mut existing = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..ROUNDS {
        let site = Site::new();
        let server = site.start();
        first.push(server.ready_after.as_secs_f64());
        server.stop();
        let server = site.start();
        existing.push(server.ready_after.as_secs_f64());
        resident.push(bytes(Process::new(server.pid()).holdings().resident_bytes));
        server.stop();
    }
    println!("| Start, median of {ROUNDS} | |");
    println!("| --- | ---: |");
    println!("| First start: keys are made | {:.2} s |", median(first));
    println!("| With existing keys | {:.2} s |", median(existing));
    println!("| Resident memory when ready | {:.0} MiB |", median(resident) / f64::from(1 << 20));
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn bytes(count: u64) -> f64 {
    count as f64
}
