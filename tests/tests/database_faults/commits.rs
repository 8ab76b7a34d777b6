//! Connections that are lost around a commit: what was made is reported as made, what was not is not, and nothing is
//! made twice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_server::{
    domain::alias::KeyAlias,
    ports::repository::{KeyRepository as _, RepositoryError},
};
use kunji_tests::proxy::{Direction, Ending};

use crate::world::{Change, Operation, World, look_again, new_key};

const PATIENCE: Duration = Duration::from_secs(20);

/// One change of each kind, and what they need.
async fn prepared(world: &World) -> Vec<Change> {
    let changes: Vec<_> =
        Change::OPERATIONS.into_iter().map(|operation| world.next_change(operation)).collect();
    for change in &changes {
        if let Change::Release(name) = change {
            assert!(world.make(&Change::Lease(name.clone())).await.unwrap());
        }
    }
    changes
}

/// Waits until the change has been made.
async fn reaches(world: &World, change: &Change) {
    let begun = Instant::now();
    while !world.is_there(change).await {
        assert!(begun.elapsed() < PATIENCE, "{change:?} did not reach the database");
    }
}

/// The change reaches the database, and the connection breaks before its answer comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answer_was_lost_is_found_by_reading() {
    let world = World::open().await;
    for change in prepared(&world).await {
        world.proxy.stall_only(Direction::FromTarget);
        let (outcome, ()) = tokio::join!(world.make(&change), async {
            reaches(&world, &change).await;
            world.proxy.cut(Ending::Reset);
            world.proxy.resume();
        });
        assert!(matches!(outcome, Ok(true)), "{change:?}: {outcome:?}");
        assert!(world.is_there(&change).await, "{change:?}");
    }
}

/// The same, and the database stays away for longer than the callers wait: they hear that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_whose_answers_were_lost_for_long_are_reported_as_unknown_and_not_made_twice() {
    let world = World::open().await;
    let changes = prepared(&world).await;
    world.proxy.stall_only(Direction::FromTarget);
    let (outcomes, ()) = tokio::join!(join_all(changes.iter().map(|change| world.make(change))), async {
        for change in &changes {
            reaches(&world, change).await;
        }
        world.proxy.refuse();
        world.proxy.cut(Ending::Reset);
    });
    for (change, outcome) in changes.iter().zip(outcomes) {
        assert!(matches!(outcome, Err(RepositoryError::OutcomeUnknown(_))), "{change:?}: {outcome:?}");
    }
    world.proxy.resume();
    world.back(Operation::CheckHealth, "unknown").await;
    for change in &changes {
        // Who asks again finds what is there.
        let again = world.make(change).await;
        match (change, &again) {
            (
                Change::Successor(_)
                | Change::Kek(_)
                | Change::Client(_)
                | Change::CrossCertificate(_)
                | Change::Approval(_),
                Err(RepositoryError::Conflict),
            )
            | (Change::Secret(..), Ok(false))
            | (Change::Lease(_) | Change::Release(_) | Change::Intent(..), Ok(true)) => {}
            _ => panic!("{change:?}: {again:?}"),
        }
        assert!(world.is_there(change).await, "{change:?}");
    }
}

/// The connection breaks before the changes reach the database; or they arrive late, when their senders have given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_were_held_up_are_never_reported_as_made_and_are_made_once() {
    let world = World::open().await;
    for late in [false, true] {
        let changes = prepared(&world).await;
        world.proxy.stall_only(Direction::ToTarget);
        let (outcomes, ()) = tokio::join!(join_all(changes.iter().map(|change| world.make(change))), async {
            if late {
                world.away().await;
            } else {
                tokio::task::yield_now().await;
                world.proxy.refuse();
                world.proxy.cut(Ending::Reset);
            }
        });
        for (change, outcome) in changes.iter().zip(outcomes) {
            let refused =
                matches!(outcome, Err(RepositoryError::OutcomeUnknown(_) | RepositoryError::Unavailable(_)));
            assert!(refused, "{change:?}: {outcome:?}");
        }
        world.proxy.resume();
        world.back(Operation::CheckHealth, "held up").await;
        for change in &changes {
            let again = world.make(change).await;
            assert!(matches!(again, Ok(_) | Err(RepositoryError::Conflict)), "{change:?}: {again:?}");
            assert!(world.is_there(change).await, "{change:?}");
        }
    }
}

/// Writers go on while connections break under them: every acknowledged key is there, and each generation once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_key_is_lost_and_none_is_made_twice_while_connections_break() {
    const WRITERS: usize = 4;
    const CUTS: u64 = 40;
    let world = World::open().await;
    let done = AtomicBool::new(false);
    let write = async |writer: usize| {
        let reference = format!("w{writer}");
        let alias = KeyAlias::parse("REGISTRATION", &reference).unwrap();
        let (mut acknowledged, mut unknown) = (Vec::new(), 0);
        while !done.load(Ordering::Relaxed) {
            let generation = match world.repository.find_newest(&alias).await {
                Ok(newest) => newest.map_or(1, |newest| newest.generation + 1),
                Err(RepositoryError::Unavailable(_)) => {
                    look_again().await;
                    continue;
                }
                Err(other) => panic!("{other:?}"),
            };
            let record = new_key(&reference, generation, world.number());
            match world.repository.insert_successor(&record).await {
                Ok(()) => acknowledged.push(record),
                Err(RepositoryError::OutcomeUnknown(_)) => unknown += 1,
                // One that was given up arrived after all.
                Err(RepositoryError::Conflict | RepositoryError::Unavailable(_)) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        (alias, acknowledged, unknown)
    };
    let cut = async {
        for round in 0..CUTS {
            // At another point of the traffic each time.
            let from = world.proxy.bytes(Direction::ToTarget);
            let begun = Instant::now();
            while world.proxy.bytes(Direction::ToTarget) < from + 8_000 + 1_997 * round {
                assert!(begun.elapsed() < PATIENCE, "the writers stand still");
                look_again().await;
            }
            world.proxy.cut(if round % 2 == 0 { Ending::Reset } else { Ending::Orderly });
        }
        done.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(join_all((0..WRITERS).map(write)), cut);
    let (mut kept, mut unknown) = (0, 0);
    for (alias, acknowledged, unknown_here) in written {
        let there = world.truth.list(&alias, 100_000).await.unwrap();
        let generations: Vec<_> = there.iter().rev().map(|key| key.generation).collect();
        assert_eq!(generations, (1..=u32::try_from(there.len()).unwrap()).collect::<Vec<_>>());
        for record in &acknowledged {
            assert!(there.contains(record), "{record:?} was acknowledged and is lost");
        }
        kept += acknowledged.len();
        unknown += unknown_here;
    }
    println!(
        "{CUTS} cuts under {WRITERS} writers: {kept} keys acknowledged and kept, {unknown} of unknown outcome"
    );
    assert!(kept > 0);
}
