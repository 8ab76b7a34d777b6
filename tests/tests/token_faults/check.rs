//! One class of faults, on each operation, and among others.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kunji_tests::{
    fault_page::{RETURN, Row},
    measure::percentile,
    token_faults::Class,
};
use tokio::time::{MissedTickBehavior, interval};

use super::world::{Operation, Outcome, World};

/// Who uses the token while a fault stands.
const OTHERS: [Operation; 4] = [Operation::Sign, Operation::Sign, Operation::Unwrap, Operation::MakeKek];
/// How long it stands for them, and how often each of them asks at most.
const STANDS: Duration = Duration::from_millis(500);
const PACE: Duration = Duration::from_millis(2);

/// What comes of the class. The fault strikes each operation while no other is under way, so that none takes it from
/// the one that is meant; then it strikes among callers who use the token all the time.
pub(crate) async fn check(class: &Class) -> Row {
    let world = World::open().await;
    let mut row =
        Row { class: class.name.to_owned(), back: Duration::ZERO, wrong: 0, lost: 0, others: Duration::ZERO };
    for operation in Operation::ALL {
        world.right(operation).await;
        world.home.module.set((class.rules)());
        let during = world.attempt(operation).await;
        assert!(
            !class.unnoticed || operation.makes_key() || during == Outcome::Right,
            "{}, {operation:?}: {during:?}",
            class.name
        );
        row.wrong += wrong(&during, operation);
        world.home.module.clear();
        let back = world.back(operation, class.name).await;
        if back >= RETURN {
            println!("{}, {operation:?}: back after {back:?}", class.name);
        }
        row.back = row.back.max(back);
        row.lost += world.lost().await;
    }
    among_others(&world, class, &mut row).await;
    row
}

async fn among_others(world: &World, class: &Class, row: &mut Row) {
    world.home.module.set((class.rules)());
    let begun = Instant::now();
    let calls = join_all(OTHERS.map(|operation| async move {
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut calls = Vec::new();
        while begun.elapsed() < STANDS {
            ticks.tick().await;
            let asked = Instant::now();
            let outcome = world.attempt(operation).await;
            calls.push((asked.elapsed(), wrong(&outcome, operation)));
        }
        calls
    }))
    .await
    .concat();
    world.home.module.clear();
    row.wrong += calls.iter().map(|(_, wrong)| wrong).sum::<usize>();
    row.others = percentile(calls.iter().map(|(time, _)| *time).collect(), 99);
    row.back = row.back.max(world.back(Operation::Sign, class.name).await);
    row.lost += world.lost().await;
}

/// Counts what is neither right nor says that the token is not available. A key that the token does not show as safe is
/// not made, whatever the reason.
fn wrong(outcome: &Outcome, operation: Operation) -> usize {
    match outcome {
        Outcome::Right | Outcome::Refused(_) => 0,
        Outcome::Unsupported(_) if operation.makes_key() => 0,
        Outcome::Unsupported(what) | Outcome::Wrong(what) => {
            println!("{operation:?}: {what}");
            1
        }
    }
}
