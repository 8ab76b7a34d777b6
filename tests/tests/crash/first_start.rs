//! A first start that is killed again and again, each time a step later, ends as one that was not.

use kunji_tests::fault_module::{Fault, Rule};

use crate::{trigger::Moment, world::World};

/// More than any start has.
const STEPS: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_goes_on_from_whatever_change_of_the_records_the_one_before_died_at() {
    let mut world = World::remote().await;
    for nth in 1..STEPS {
        let moment = if nth % 2 == 0 { Moment::After } else { Moment::Before };
        let started = world.try_start(|trigger| trigger.arm(moment, nth));
        let was_killed = world.trigger.disarm();
        assert_eq!(started.is_err(), was_killed, "{started:?} {}", world.site.log());
        if !was_killed {
            assert!(nth > 8, "a first start has more changes than {nth}");
            return is_as_new(world).await;
        }
        world.end_leases().await;
    }
    panic!("it never starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_goes_on_from_whatever_key_the_one_before_died_at() {
    let mut world = World::embedded();
    for nth in 1..STEPS {
        let fault = if nth % 2 == 0 { Fault::Kill } else { Fault::KillAfter };
        world.faults.set([Rule::nth(nth, "C_GenerateKey*", fault)]);
        if world.try_start(|_| ()).is_ok() {
            assert!(nth > 3, "a first start makes more keys than {nth}");
            return is_as_new(world).await;
        }
        world.end_leases().await;
    }
    panic!("it never starts");
}

/// One key of each kind, and every one of them serves.
async fn is_as_new(mut world: World) {
    world.start().await;
    for application in ["ROOT", "REGISTRATION"] {
        assert_eq!(world.versions(application, "").await.len(), 1, "{application}");
    }
    world.seal("10001_110011").await;
    world.open_packets(1).await;
    world.examine().await;
}
