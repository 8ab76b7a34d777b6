//! Processor time that a server takes for a request, divided by that of the cryptography alone.
//!
//! Both are measured alternately; a round's ratio is of two measurements taken one after the other, and the median over
//! the rounds is shown. The reference runs on as many threads as there are processors, as in the server: what processors
//! share, they share in both.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    clippy::print_stdout,
    reason = "figures for people, far from the ends of their types"
)]

use std::{
    num::NonZero,
    thread,
    time::{Duration, Instant},
};

use crate::{
    load::{Load, Request},
    measure::{Comparison, Process},
    site::Server,
};

/// How many stay open and send requests as fast as they are answered.
pub const CONNECTIONS: usize = 16;
const ROUNDS: usize = 11;
/// Wall time of the server's half of a round, about.
const ROUND: Duration = Duration::from_millis(800);
/// Processor time of the reference's half. Ticks of 10 ms are 2 % of it.
const REFERENCE_ROUND: Duration = Duration::from_millis(500);

/// Prints the head of the table.
pub fn print_head() {
    println!(
        "Server processor time by request / processor time of the cryptography alone; median of {ROUNDS} rounds.\n"
    );
    println!(
        "| Request, {CONNECTIONS} connections | Reference | Ratio | Lowest to highest | Server | Reference | Requests a second |"
    );
    println!("| --- | --- | ---: | --- | ---: | ---: | ---: |");
}

/// One operation of the reference, on one thread.
pub type Work = Box<dyn FnMut() + Send>;

/// A kind of request, and what it is compared with.
pub struct Measured<'a> {
    /// The server that is asked.
    pub server: &'a Server,
    /// The least that every answer has in its body.
    pub content_bytes: usize,
    /// What the reference is, in words.
    pub reference_name: &'static str,
    /// Makes it ready for one thread.
    pub reference: &'a dyn Fn() -> Work,
}

impl Measured<'_> {
    /// Measures, and prints a row of the table.
    pub async fn row(&self, name: &str, posts: &[Request]) {
        let mut load = Load::connect(&self.server.base, CONNECTIONS).await;
        let mut count = 4;
        // The second one finds caches warm and tells how many fit into a round.
        for _ in 0..2 {
            let began = Instant::now();
            load.run(posts, count, self.content_bytes).await;
            count = fitting(count, began.elapsed(), ROUND);
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let mut works: Vec<Work> = (0..threads).map(|_| (self.reference)()).collect();
        let repetitions = fitting(8, cost(&mut works, 8) * 8, REFERENCE_ROUND);
        let mut wall = Duration::ZERO;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let reference = cost(&mut works, repetitions);
            let (began, before) = (Instant::now(), self.processor_time());
            load.run(posts, count, self.content_bytes).await;
            wall += began.elapsed();
            let spent = (self.processor_time() - before).as_secs_f64() / (count * load.connections()) as f64;
            rounds.push((spent, reference.as_secs_f64()));
        }
        let Comparison { ratio, spread: (lowest, highest), ours, reference } = Comparison::of(&rounds);
        let rate = (ROUNDS * count * load.connections()) as f64 / wall.as_secs_f64();
        println!(
            "| {name} | {} | {ratio:.2} | {lowest:.2} to {highest:.2} | {:.0} µs | {:.0} µs | {rate:.0} |",
            self.reference_name,
            ours * 1e6,
            reference * 1e6
        );
    }

    fn processor_time(&self) -> Duration {
        Process::new(self.server.pid()).processor_time()
    }
}

/// Processor time of one of the works, each of which is done `repetitions` times, all at once.
fn cost(works: &mut [Work], repetitions: usize) -> Duration {
    let before = Process::current().processor_time();
    thread::scope(|scope| {
        for work in works.iter_mut() {
            scope.spawn(move || (0..repetitions).for_each(|_| work()));
        }
    });
    let spent = Process::current().processor_time() - before;
    spent / u32::try_from(repetitions * works.len()).unwrap()
}

/// How many take `time`, if `count` took `taken`.
fn fitting(count: usize, taken: Duration, time: Duration) -> usize {
    let tick = Duration::from_millis(10);
    (count as f64 * time.as_secs_f64() / taken.max(tick / 10).as_secs_f64()).ceil() as usize
}
