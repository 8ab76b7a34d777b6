//! The server is killed at every step of every operation, seen from the database and from the token, and started again.

use std::time::Duration;

use kunji_tests::{
    fault_module::{Fault, Rule},
    http::Answer,
};

use crate::{
    operations::{Attempt, Operation, is_success},
    trigger::Moment,
    world::World,
};

/// Where a server is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Blow {
    /// At the nth change of the records.
    Records(Moment),
    /// At the nth call of these functions of the token: before, or with its answer.
    Token(&'static str, Fault),
    /// So long after it was asked, even when it has answered by then.
    Time(Duration),
}

/// More steps than any operation has.
const STEPS: u64 = 60;
/// Packets that are opened after each crash, the newest; all are at the end.
const OPENED: usize = 3;

impl Blow {
    /// One attempt at the operation, killed at its nth step. Whether it did not end for that.
    pub(crate) async fn strike(self, world: &mut World, operation: Operation, number: u64, nth: u64) -> bool {
        let attempt = Attempt::prepare(world, operation, number).await;
        let mut killing = None;
        match self {
            Self::Records(moment) => world.trigger.arm(moment, nth),
            Self::Token(functions, fault) => world.faults.set([Rule::nth(nth, functions, fault)]),
            Self::Time(time) => killing = Some(world.trigger.kill_after(time)),
        }
        let answer = attempt.perform(world).await;
        if let Some(killing) = killing {
            killing.join().unwrap();
        }
        let was_killed = world.trigger.disarm() || answer.is_none();
        let acknowledged = answer.as_ref().is_some_and(is_success);
        if was_killed {
            world.bury();
            world.start().await;
            attempt.check(world, acknowledged).await;
        } else {
            world.faults.clear();
            // On a busy machine the database may not answer in time.
            assert!(acknowledged || answer.as_ref().is_some_and(is_away), "{operation:?}: {answer:?}");
            if acknowledged {
                attempt.leave(world).await;
            } else {
                attempt.check(world, false).await;
            }
        }
        world.open_packets(OPENED).await;
        world.count_keys().await;
        world.examine().await;
        !acknowledged
    }
}

fn is_away(answer: &Answer) -> bool {
    answer.status == 503
}

/// Kills at each step of the operation, one after the other, until it is done without being killed.
async fn at_each_step(world: &mut World, numbers: &mut u64, operation: Operation, blow: Blow, least: u64) {
    for nth in 1..STEPS {
        *numbers += 1;
        if !blow.strike(world, operation, *numbers, nth).await {
            assert!(nth > least, "{operation:?} has fewer steps than {least}: {nth}");
            return;
        }
    }
    panic!("{operation:?} does not end");
}

/// Everything is there at the end, and serves.
pub(crate) async fn finish(mut world: World) {
    world.open_packets(usize::MAX).await;
    world.count_keys().await;
    world.examine().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_change_of_the_records_a_server_dies_at_while_it_makes_keys() {
    let mut world = World::remote().await;
    world.start().await;
    let mut numbers = 0;
    for (operation, least) in
        [(Operation::GenerateMaster, 8), (Operation::Generate, 1), (Operation::Revoke, 1)]
    {
        at_each_step(&mut world, &mut numbers, operation, Blow::Records(Moment::After), least).await;
    }
    assert!(Blow::Records(Moment::Before).strike(&mut world, Operation::Generate, 1_000, 1).await);
    finish(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_change_of_the_records_a_server_dies_at_while_it_changes_keys() {
    let mut world = World::remote().await;
    world.start().await;
    let mut numbers = 0;
    for (operation, least) in [
        (Operation::RotateMaster, 8),
        (Operation::Rotate, 1),
        (Operation::RotateRoot, 5),
        (Operation::RotateCurve, 3),
        (Operation::Suspend, 1),
        (Operation::Resume, 1),
        (Operation::Upload, 1),
        (Operation::Destroy, 1),
    ] {
        at_each_step(&mut world, &mut numbers, operation, Blow::Records(Moment::After), least).await;
    }
    finish(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_step_a_server_dies_at_while_it_wraps_keys_anew() {
    let mut world = World::remote().await;
    world.start().await;
    let mut numbers = 0;
    for (blow, least) in [(Blow::Records(Moment::After), 4), (Blow::Token("C_Encrypt", Fault::KillAfter), 2)]
    {
        at_each_step(&mut world, &mut numbers, Operation::Rewrap, blow, least).await;
    }
    finish(world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_whatever_call_of_the_token_a_server_dies_at() {
    let mut world = World::embedded();
    world.start().await;
    let mut numbers = 0;
    for (operation, functions, fault, least) in [
        (Operation::GenerateMaster, "C_GenerateKey*", Fault::KillAfter, 2),
        (Operation::RotateMaster, "C_GenerateKey*", Fault::KillAfter, 2),
        (Operation::RotateRoot, "C_Sign", Fault::KillAfter, 3),
        (Operation::Generate, "C_Encrypt", Fault::KillAfter, 1),
        (Operation::Upload, "C_Decrypt", Fault::Kill, 2),
    ] {
        at_each_step(&mut world, &mut numbers, operation, Blow::Token(functions, fault), least).await;
    }
    finish(world).await;
}
