//! A wait goes by only while somebody looks, by clocks that agree.

use std::sync::Arc;

use kunji_server::{
    domain::{
        key::KeyRecord,
        lifecycle::{Change, KeyState},
        time::Timestamp,
    },
    ports::clock::Clock,
    services::keys::KeyError,
};
use kunji_tests::faults::{Life, ManualClock};

use crate::world::{OBEYED, Server, UNRECORDED, World};

const DAY: u64 = 86_400;

fn clock_at(at: Timestamp) -> Arc<ManualClock> {
    Arc::new(ManualClock::at(u64::try_from(at.millis()).unwrap()))
}

/// The wait from then on.
fn anew(at: Timestamp) -> Timestamp {
    at.plus_days(30).plus_seconds(UNRECORDED)
}

impl World {
    /// A server where nobody need agree, long after the certificates of the first keys have ended.
    async fn long_after(&self) -> (Server, Arc<KeyRecord>) {
        let server = self.start(&Life::of(i64::MAX)).await;
        server.without_four_eyes().await;
        let (key, _) = server.superseded("watched").await;
        self.clock.advance_days(800);
        (server, key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_nobody_watched_begins_anew() {
    let world = World::new().await;
    let (server, key) = world.long_after().await;
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    let requested = world.clock.now();
    world.wait_days(&server, 29).await;
    assert_eq!(server.view(&key).await.1.due_at, Some(anew(requested)));

    // A clock that jumps, servers that were away, a database of an older day: all look like this.
    world.clock.advance_days(2);
    let next = world.start(&Life::of(i64::MAX)).await;
    assert_eq!(next.advance().await, 0);
    let seen = world.clock.now();
    for server in [&server, &next] {
        let (state, view) = server.view(&key).await;
        assert_eq!((state, view.due_at), (KeyState::Deactivated, Some(anew(seen))));
    }
    // Who starts meanwhile knows; and it can still be taken back.
    world.wait_days(&next, 30).await;
    server.change(&key, Change::CancelDestruction).await.unwrap();
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    let requested = world.clock.now();
    let last = world.start(&Life::of(i64::MAX)).await;
    world.wait_days(&last, 30).await;
    assert_eq!(last.view(&key).await.1.due_at, Some(anew(requested)));
    world.clock.advance_seconds(OBEYED);
    assert_eq!(last.advance().await, 1);
    assert_eq!(last.view(&key).await.0, KeyState::Destroying);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_ahead_destroys_nothing() {
    let world = World::new().await;
    let (server, key) = world.long_after().await;
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    server.advance().await;
    let ahead = clock_at(world.clock.now().plus_days(31));
    let wrong = world.start_by(&ahead, &Life::of(i64::MAX)).await;
    for _ in 0..3 {
        assert_eq!(wrong.advance().await, 0);
        ahead.advance_seconds(OBEYED);
    }
    // Whose clock is right begins anew by it.
    drop(wrong);
    world.clock.advance_seconds(600);
    assert_eq!(server.advance().await, 0);
    let (state, view) = server.view(&key).await;
    assert_eq!((state, view.due_at), (KeyState::Deactivated, Some(anew(world.clock.now()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_behind_takes_no_wait_away() {
    let world = World::new().await;
    let (server, key) = world.long_after().await;
    let behind = clock_at(world.clock.now());
    world.clock.advance_days(31);
    let wrong = world.start_by(&behind, &Life::of(i64::MAX)).await;
    // Nothing tells it that it is wrong.
    wrong.change(&key, Change::ScheduleDestruction).await.unwrap();
    assert_eq!(server.advance().await, 0);
    assert_eq!(server.view(&key).await.1.due_at, Some(anew(world.clock.now())));

    // What others decided does.
    server.change(&key, Change::CancelDestruction).await.unwrap();
    let refused = wrong.change(&key, Change::ScheduleDestruction).await;
    assert!(matches!(refused, Err(KeyError::ClockBehind)), "{refused:?}");
    behind.advance_seconds(31 * DAY - 61);
    assert!(matches!(wrong.change(&key, Change::ScheduleDestruction).await, Err(KeyError::ClockBehind)));
    behind.advance_seconds(1);
    wrong.change(&key, Change::ScheduleDestruction).await.unwrap();
}

/// A private part that is to be removed is not, by a clock behind what was decided last.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_by_a_clock_that_is_behind() {
    let world = World::new().await;
    let (server, key) = world.long_after().await;
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    world.wait_days(&server, 30).await;
    world.clock.advance_seconds(OBEYED);
    assert_eq!(server.advance().await, 1);
    let behind = clock_at(world.clock.now().plus_seconds(-61));
    let wrong = world.start_by(&behind, &Life::of(i64::MAX)).await;
    world.clock.advance_seconds(1_000);
    let outcome = wrong.running.services.destruction.advance().await;
    assert!(matches!(outcome, Err(KeyError::ClockBehind)), "{outcome:?}");
    assert_eq!(server.advance().await, 1);
}
