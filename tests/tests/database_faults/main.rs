//! Every class of fault of a database, on every operation, through the adapter that the server uses: a real SurrealDB
//! server behind a proxy that fails as told.
//!
//! While a fault stands, an operation may give its right answer, or say that the database is not available or that it
//! is not known what came of a change, and nothing else: a row that is there is never reported as absent, what was
//! acknowledged is there. Once the fault has ended, each operation works again within two seconds, by itself.
#![cfg(test)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use kunji_server::ports::repository::Repository as _;
use kunji_tests::{proxy::Ending, surreal_server::SurrealServer};

mod commits;
mod faults;
mod world;

use faults::{ALL, Class, KILLED, Notice};
use world::{Operation, World, look_again};

/// From the end of a fault until everything works.
const RETURN: Duration = Duration::from_secs(2);
/// Until a fault that lasts is known, and callers are told of it at once.
const KNOWN: Duration = Duration::from_secs(4);

async fn check(class: &Class) {
    let world = &if class.name == KILLED {
        World::over(Arc::new(SurrealServer::start_with_files().unwrap())).await
    } else {
        World::open().await
    };
    let each = || Operation::ALL.map(|operation| async move { (operation, world.attempt(operation).await) });
    let (during, known) = tokio::join!(join_all(each()), async {
        // Some are under way by then.
        tokio::task::yield_now().await;
        (class.begin)(world);
        if class.notice == Notice::Absence { Some(world.away().await) } else { None }
    });
    if class.notice == Notice::Nothing {
        for (operation, outcome) in during {
            outcome.unwrap_or_else(|error| panic!("{}, {operation:?}: {error}", class.name));
        }
    }
    if let Some(known) = known {
        assert!(known < KNOWN, "{}: {known:?}", class.name);
        let begun = Instant::now();
        for (operation, outcome) in join_all(each()).await {
            assert!(outcome.is_err(), "{}, {operation:?}: done without a database", class.name);
        }
        assert!(begun.elapsed() < Duration::from_millis(200), "{}: {:?}", class.name, begun.elapsed());
    }
    (class.end)(world);
    let back = join_all(Operation::ALL.map(|operation| world.back(operation, class.name))).await;
    let slowest = back.into_iter().max().unwrap_or_default();
    let known = known.map_or_else(
        || "nothing to know".to_owned(),
        |known| format!("known after {} ms", known.as_millis()),
    );
    println!(
        "{}: {known}, back after {} ms at most, wrong answers 0, acknowledged losses 0",
        class.name,
        slowest.as_millis()
    );
    assert!(slowest < RETURN, "{}: {slowest:?}", class.name);
    assert_eq!(world.repository.away_for(), None);
}

macro_rules! classes {
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                check(faults::by_name(stringify!($name))).await;
            }
        )+

        #[test]
        fn every_class_has_a_test() {
            assert_eq!([$(stringify!($name)),+], ALL.each_ref().map(|class| class.name));
        }
    };
}

classes! {
    cut_in_good_order, reset, half_closed_towards_the_database, half_closed_by_the_database, delayed,
    delayed_beyond_use, stalled, questions_stalled, answers_stalled, reset_and_refused, cut_and_silent,
    killed_and_started_again,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_callers_are_told_at_once() {
    let world = World::open().await;
    world.proxy.refuse();
    world.proxy.cut(Ending::Reset);
    world.away().await;
    let begun = Instant::now();
    for _ in 0..500 {
        for operation in [Operation::FindNewest, Operation::InsertSuccessor] {
            world.attempt(operation).await.unwrap_err();
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    world.proxy.resume();
    world.back(Operation::InsertSuccessor, "away").await;
}

/// A connection that is given up takes its sockets and threads with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_lost_leave_nothing_behind() {
    let world = World::open().await;
    world.back(Operation::FindNewest, "before").await;
    let threads = threads();
    for _ in 0..20 {
        world.proxy.cut(Ending::Reset);
        world.back(Operation::FindNewest, "cut").await;
    }
    let begun = Instant::now();
    while world.proxy.open_connections() != 1 || self::threads() > threads + 2 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{} connections, {} threads after {threads}",
            world.proxy.open_connections(),
            self::threads()
        );
        look_again().await;
    }
}

/// The database may end sessions after a time: each is begun anew, and no read is refused for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_database_has_ended_is_begun_anew() {
    let world = World::open().await;
    world.let_user_in("DURATION FOR SESSION 1s").await;
    world.proxy.cut(Ending::Reset);
    world.back(Operation::FindNewest, "cut").await;
    let connections = world.proxy.connections();
    let begun = Instant::now();
    while world.proxy.connections() < connections + 3 {
        world.attempt(Operation::FindNewest).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "sessions do not end");
    }
}

/// A database that refuses our user is away, and is not stormed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_let_in_again_is_signed_in_by_itself() {
    let world = World::open().await;
    world.lock_user_out().await;
    world.proxy.cut(Ending::Reset);
    world.away().await;
    let (begun, connections) = (Instant::now(), world.proxy.connections());
    while begun.elapsed() < Duration::from_secs(3) {
        world.attempt(Operation::FindNewest).await.unwrap_err();
        look_again().await;
    }
    let attempts = world.proxy.connections() - connections;
    assert!(attempts <= 10, "{attempts} attempts in three seconds");
    world.let_user_in("").await;
    // Refused sign-ins are a second apart, so this takes that much longer than other returns.
    assert!(world.back(Operation::InsertSuccessor, "locked out").await < RETURN + Duration::from_secs(1));
}

/// Threads of drivers in this process.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim_end() == "database")
        .count()
}
