//! Every class of fault of a token, on every operation, through the adapter that the server uses: a real SoftHSM behind
//! a module that fails as told.
//!
//! While a fault stands, an operation may give its right answer or say that the token is not available, and nothing
//! else: a key that is there is never reported as absent, no signature or secret is wrong. Once the fault has ended,
//! each operation works again within two seconds, by itself.
#![cfg(test)]

use std::time::Duration;

use futures_util::future::join_all;
use kunji_server::ports::key_store::{KeyStore as _, KeyStoreError, TokenSigner as _};
use kunji_tests::{
    contract::key_store::{sha256, verify},
    fault_module::Fault,
};

mod faults;
mod world;

use faults::{ALL, Class, nowhere};
use world::{Operation, World};

/// From the end of a fault until everything works.
const RETURN: Duration = Duration::from_secs(2);

async fn check(class: &Class) {
    let world = World::open().await;
    let mut slowest = Duration::ZERO;
    for operation in Operation::ALL {
        world.right(operation).await;
        world.module.set((class.rules)());
        let during = world.attempt(operation).await;
        if class.unnoticed {
            during.unwrap_or_else(|error| panic!("{}, {operation:?}: {error}", class.name));
        }
        world.module.clear();
        slowest = slowest.max(world.back(operation, class.name).await);
    }
    println!("{}: back after {} ms at most", class.name, slowest.as_millis());
    assert!(slowest < RETURN, "{}: {slowest:?}", class.name);
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
    the_device_is_removed, general_error, function_failed, out_of_memory, unknown_vendor_error, session_lost_once,
    session_handles_are_forgotten, all_sessions_are_closed, logged_out, object_handles_are_forgotten,
    objects_are_lost_until_the_library_is_initialised, no_object_is_found, the_token_is_pulled,
    slots_are_renumbered, no_session_is_left, the_library_crashes, the_library_is_finalised, a_call_is_slow,
    every_call_hangs, one_call_hangs_for_ever, output_is_corrupt, output_is_short, output_is_empty,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_hangs_holds_up_no_other() {
    let world = World::open().await;
    world.right(Operation::Sign).await;
    world.module.set([kunji_tests::fault_module::Rule::nth(1, "C_Sign", Fault::HangForever)]);
    let answers = join_all((0..32_u8).map(|caller| {
        let world = &world;
        async move { (caller, world.store.sign_digest(world.pair, sha256(&[caller])).await) }
    }))
    .await;
    world.module.clear();
    let served = answers
        .iter()
        .filter_map(|(caller, answer)| Some((caller, answer.as_ref().ok()?)))
        .map(|(caller, signature)| verify(&world.public, &[*caller], signature))
        .count();
    assert_eq!(served, 31, "one call hangs, all others are served");
    // The worker that it holds is given back, by another process.
    let begun = std::time::Instant::now();
    while world.module.counters().processes < 2 {
        world.store.check_health().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    world.right(Operation::Sign).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_callers_together_log_in_once() {
    let world = World::open().await;
    world.right(Operation::Sign).await;
    let logins = || world.module.counters().calls("C_Login");
    let before = logins();
    world.module.set([kunji_tests::fault_module::Rule::nth(1, "C_Sign", Fault::LogOut)]);
    let answers = join_all((0..32_u8).map(|caller| {
        let world = &world;
        async move { world.store.sign_digest(world.pair, sha256(&[caller])).await }
    }))
    .await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(logins(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_token_is_away_callers_are_told_at_once_and_the_pin_is_tried_with_care() {
    let world = World::open().await;
    world.module.set(nowhere());
    world.store.check_health().await.unwrap_err();
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        let answer = world.store.sign_digest(world.pair, [7; 32]).await;
        assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    world.module.clear();
    world.back(Operation::Sign, "away").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_from_callers_makes_nobody_log_in_or_open_the_token_again() {
    let world = World::open().await;
    world.right(Operation::Unwrap).await;
    let before = world.module.counters();
    for round in 0..500_usize {
        let mut wrapped = world.wrapped.clone();
        let last = wrapped.len() - 1;
        wrapped[last - round % 16] ^= 1;
        let answer = world.unwrap(&wrapped).await;
        assert!(matches!(answer, Err(KeyStoreError::Unauthentic)), "{answer:?}");
    }
    let after = world.module.counters();
    for function in ["C_Initialize", "C_Login", "C_Finalize"] {
        assert_eq!(after.calls(function), before.calls(function), "{function}");
    }
    assert!(after.sessions <= before.sessions, "{before:?} {after:?}");
}
