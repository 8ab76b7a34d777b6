//! Servers killed at random points, thousands of times. `make soak`; `KUNJI_SOAK_TRIALS` says how many (10 000),
//! `KUNJI_SOAK_SEED` the number that the first installation's are made from (1); each next one's is one more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_tests::fault_module::{Fault, Rule};

use crate::{
    operations::Operation,
    trials::{Blow, finish},
    trigger::Moment,
    world::World,
};

/// Trials in one installation, which grows with each.
const TRIALS: u64 = 100;
/// Installations at once: much of a trial is waiting.
const LANES: u8 = 4;
const FUNCTIONS: [&str; 6] =
    ["C_GenerateKey*", "C_Sign", "C_Encrypt", "C_Decrypt", "C_FindObjects", "C_GetAttributeValue"];
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];
const FAULTS: [Fault; 2] = [Fault::Kill, Fault::KillAfter];
/// Steps of an operation, and of a first start, at which servers are killed.
const STEPS: u64 = 8;
const STEPS_OF_START: u64 = 60;
/// Longer than most of them take.
const TIME: Duration = Duration::from_millis(400);
const TIME_OF_START: Duration = Duration::from_secs(6);
/// One installation of so many has a database server, which is slow in the build of the tests.
const REMOTE_ONE_OF: u64 = 10;

/// Numbers that look random and are the same for one seed (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let count = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.below(count)).unwrap()]
    }

    /// Half of the blows fall at any time, of which `longest` is the longest, shorter ones more often.
    fn blow(&mut self, is_remote: bool, longest: Duration) -> Blow {
        match self.below(4) {
            0 | 1 => {
                let most = u64::try_from(longest.as_micros()).unwrap() >> self.below(8);
                Blow::Time(Duration::from_micros(self.below(most)))
            }
            2 if is_remote => Blow::Records(self.one_of(&MOMENTS)),
            _ => Blow::Token(self.one_of(&FUNCTIONS), self.one_of(&FAULTS)),
        }
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// What an installation went through.
#[derive(Default)]
struct Tally {
    tried: u64,
    killed: u64,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.tried += other.tried;
        self.killed += other.killed;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "takes hours"]
async fn soak_servers_that_are_killed_anywhere_lose_nothing() {
    let trials = number("KUNJI_SOAK_TRIALS", 10_000);
    let first = number("KUNJI_SOAK_SEED", 1);
    let began = Instant::now();
    let lanes = (0..LANES).map(|lane| tokio::spawn(installations(u64::from(lane), trials, first, began)));
    let tallies = join_all(lanes).await;
    let failed = tallies.iter().filter(|tally| tally.is_err()).count();
    let mut all = Tally::default();
    tallies.into_iter().flatten().for_each(|tally| all.add(&tally));
    let Tally { tried, killed } = all;
    println!("{tried} trials in {:?}, in {killed} a server was killed", began.elapsed());
    assert_eq!((failed, tried), (0, trials), "which says above what was wrong, and with which seed");
    assert!(killed * 10 >= tried, "of {tried} servers only {killed} were killed");
}

/// Every so manieth installation of as many as have so many trials, one after the other.
async fn installations(lane: u64, trials: u64, first: u64, began: Instant) -> Tally {
    let mut all = Tally::default();
    for number in (lane..trials.div_ceil(TRIALS)).step_by(usize::from(LANES)) {
        let seed = first + number;
        println!("seed {seed} after {:?}", began.elapsed());
        all.add(&installation(seed, TRIALS.min(trials - number * TRIALS)).await);
    }
    all
}

/// One installation, from its first start on; the same for one seed.
async fn installation(seed: u64, trials: u64) -> Tally {
    let mut numbers = Numbers(seed);
    let is_remote = numbers.below(REMOTE_ONE_OF) == 0;
    let mut world = if is_remote { World::remote().await } else { World::embedded() };
    let mut tally =
        Tally { tried: 1, killed: u64::from(start_and_kill(&mut world, &mut numbers, is_remote)) };
    world.start().await;
    for number in 1..trials {
        let (operation, nth) = (numbers.one_of(&Operation::ALL), 1 + numbers.below(STEPS));
        let blow = numbers.blow(is_remote, TIME);
        println!("seed {seed}, {number}: {operation:?}, {blow:?}, step {nth}");
        tally.killed += u64::from(blow.strike(&mut world, operation, number, nth).await);
        tally.tried += 1;
    }
    finish(world).await;
    tally
}

/// A first start that is killed somewhere. Whether it was.
fn start_and_kill(world: &mut World, numbers: &mut Numbers, is_remote: bool) -> bool {
    let nth = 1 + numbers.below(STEPS_OF_START);
    let trigger = Arc::clone(&world.trigger);
    let mut killing = None;
    let started = match numbers.blow(is_remote, TIME_OF_START) {
        Blow::Records(moment) => world.try_start(|trigger| trigger.arm(moment, nth)),
        Blow::Token(functions, fault) => {
            world.faults.set([Rule::nth(nth, functions, fault)]);
            world.try_start(|_| ())
        }
        Blow::Time(time) => world.try_start(|_| killing = Some(trigger.kill_after(time))),
    };
    if let Some(killing) = killing {
        killing.join().unwrap();
    }
    started.is_err()
}
