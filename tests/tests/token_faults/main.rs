//! Every class of fault of a token, on every operation, through the adapter that the server uses: a real SoftHSM behind
//! a module that fails as told.
//!
//! While a fault stands, an operation may give its right answer or say that the token is not available, and nothing
//! else: a key that is there is never reported as absent, no signature or secret is wrong. Once the fault has ended,
//! each operation works again within two seconds, by itself.
#![cfg(test)]

use std::time::{Duration, Instant};

use cryptoki_sys::{
    CK_RV, CKR_DEVICE_ERROR, CKR_ENCRYPTED_DATA_INVALID, CKR_GENERAL_ERROR, CKR_SESSION_HANDLE_INVALID,
    CKR_TEMPLATE_INCONSISTENT,
};
use futures_util::future::join_all;
use kunji_server::{
    adapters::pkcs11::WrappingRoute,
    domain::key_type::Curve,
    ports::key_store::{KeyStore as _, KeyStoreError, TokenSigner as _},
};
use kunji_tests::{
    contract::key_store::{fresh_id, sha256, verify},
    fault_module::{Fault, Rule},
    fault_page,
    token_faults::{ALL, by_name, nowhere},
};

mod check;
mod soak;
mod world;

use check::check;
use world::{Operation, Outcome, World};

async fn gate(class: &str) {
    let row = check(by_name(class)).await;
    println!("{row:?}");
    assert!(row.is_good(), "{row:?}");
}

macro_rules! classes {
    ($($name:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                gate(stringify!($name)).await;
            }
        )+

        #[test]
        fn every_class_has_a_test_and_a_row_on_the_page() {
            assert_eq!([$(stringify!($name)),+], ALL.each_ref().map(|class| class.name));
            fault_page::check("link");
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
    world.home.module.set([Rule::nth(1, "C_Sign", Fault::HangForever)]);
    let answers = join_all((0..32_u8).map(|caller| {
        let world = &world;
        async move { (caller, world.store.sign_digest(world.pair, sha256(&[caller])).await) }
    }))
    .await;
    world.home.module.clear();
    let served = answers
        .iter()
        .filter_map(|(caller, answer)| Some((caller, answer.as_ref().ok()?)))
        .map(|(caller, signature)| verify(&world.public, &[*caller], signature))
        .count();
    assert_eq!(served, 31, "one call hangs, all others are served");
    // The worker that it holds is given back, by another process.
    let begun = Instant::now();
    while world.home.module.counters().processes < 2 {
        world.store.check_health().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    world.right(Operation::Sign).await;
}

/// Some libraries answer nobody while they make a key, so that takes longer to tell from one that hangs for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_hangs_while_it_makes_a_key_is_replaced() {
    let world = World::open().await;
    world.right(Operation::Sign).await;
    // The first call of an examination, and that of a making.
    let hung =
        || ["C_GetTokenInfo", "C_FindObjectsInit"].map(|name| world.home.module.counters().calls(name));
    let (before, begun) = (hung(), Instant::now());
    world.home.module.set([Rule::always("*", Fault::HangForever)]);
    let examined = async {
        while hung().into_iter().zip(before).any(|(now, before)| now == before) {
            assert!(begun.elapsed() < Duration::from_secs(10), "not all is hung");
            tokio::task::yield_now().await;
        }
        world.home.module.clear();
        world.back(Operation::Sign, "a library that hangs").await
    };
    let (made, back) = tokio::join!(world.attempt(Operation::MakeKek), examined);
    assert!(matches!(made, Outcome::Refused(_)), "{made:?}");
    assert!(back < fault_page::RETURN, "{back:?}");
    assert_eq!(world.lost().await, 0);
}

/// A token that refuses every pair on a curve does not know it; one that refuses a single pair has stumbled. Were that
/// taken for the other, the key would be made outside the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stumble_is_not_taken_for_a_curve_that_the_token_lacks() {
    let world = World::open().await;
    let make = || world.store.generate_curve_pair(fresh_id(), "a pair on a curve", Curve::Secp256k1);
    world.home.module.set([Rule::first(1, "C_GenerateKeyPair", Fault::Return(CKR_GENERAL_ERROR))]);
    assert!(matches!(make().await, Err(KeyStoreError::Unavailable(_))));
    // The pair, and the one that is tried in its place.
    world.home.module.set([Rule::first(2, "C_GenerateKeyPair", Fault::Return(CKR_GENERAL_ERROR))]);
    assert!(matches!(make().await, Err(KeyStoreError::Unsupported(_))));
    // Not even a pair on P-256 is made.
    for value in [CKR_GENERAL_ERROR, CKR_TEMPLATE_INCONSISTENT] {
        world.home.module.set([Rule::always("C_GenerateKeyPair", Fault::Return(value))]);
        assert!(matches!(make().await, Err(KeyStoreError::Unavailable(_))));
    }
    world.home.module.clear();
    assert!(make().await.is_ok());
}

/// What makes a key, and the function that does.
const MAKINGS: [(Operation, &str); 2] =
    [(Operation::MakeKek, "C_GenerateKey"), (Operation::MakePair, "C_GenerateKeyPair")];

/// SoftHSM refuses keys so whose files another thread reads while it writes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_template_is_refused_once_is_made() {
    let world = World::open().await;
    let refusal = Fault::Return(CKR_TEMPLATE_INCONSISTENT);
    for (operation, function) in MAKINGS {
        world.home.module.set([Rule::first(1, function, refusal)]);
        world.right(operation).await;
        let before = world.home.module.counters().calls(function);
        world.home.module.set([Rule::always(function, refusal)]);
        let refused = world.attempt(operation).await;
        assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
        assert_eq!(world.home.module.counters().calls(function), before + 2, "{function}");
        world.home.module.clear();
    }
    assert_eq!(world.lost().await, 0);
}

/// A cluster may have made it, and show it later: it would have a twin of the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_have_been_made_is_not_made_again() {
    let world = World::open().await;
    for (operation, function) in MAKINGS {
        let before = world.home.module.counters().calls(function);
        world.home.module.set([Rule::first(1, function, Fault::Return(CKR_GENERAL_ERROR))]);
        let refused = world.attempt(operation).await;
        assert!(matches!(refused, Outcome::Refused(_)), "{refused:?}");
        assert_eq!(world.home.module.counters().calls(function), before + 1, "{function}");
        world.home.module.clear();
    }
}

/// Nor is the part taken for a key of somebody else's, under whose id nothing is to be made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_made_beside_a_part_of_it() {
    let world = World::open_with(|settings| settings.wrapping = Some(WrappingRoute::AesCbcHmac)).await;
    let before = world.home.module.counters().calls("C_GenerateKey");
    world.home.module.set([
        // The first of the two keys stays.
        Rule::nth(2, "C_GenerateKey", Fault::Return(CKR_TEMPLATE_INCONSISTENT)),
        Rule::always("C_DestroyObject", Fault::Return(CKR_GENERAL_ERROR)),
    ]);
    let answer = world.attempt(Operation::MakeKek).await;
    assert!(matches!(&answer, Outcome::Refused(cause) if cause.contains("a part is left")), "{answer:?}");
    assert_eq!(world.home.module.counters().calls("C_GenerateKey"), before + 2);
    world.home.module.clear();
    world.right(Operation::MakeKek).await;
}

/// The first of two examinations; other processes that write their token make SoftHSM do so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_failed_examination_loses_no_token() {
    let world = World::open().await;
    world.right(Operation::Sign).await;
    let before = world.home.module.counters();
    world.home.module.set([Rule::first(1, "C_GetTokenInfo", Fault::Return(CKR_GENERAL_ERROR))]);
    world.store.check_health().await.unwrap();
    world.right(Operation::Sign).await;
    let after = world.home.module.counters();
    assert!(after.calls("C_GetTokenInfo") >= before.calls("C_GetTokenInfo") + 2);
    assert_eq!((after.processes, after.calls("C_Login")), (before.processes, before.calls("C_Login")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_making_that_hangs_holds_up_no_other() {
    let world = World::open().await;
    world.right(Operation::MakeKek).await;
    let making = || world.home.module.counters().calls("C_GenerateKey");
    let before = making();
    world.home.module.set([Rule::first(1, "C_GenerateKey", Fault::HangForever)]);
    let (one, other) = tokio::join!(world.attempt(Operation::MakeKek), async {
        while making() == before {
            tokio::task::yield_now().await;
        }
        let asked = Instant::now();
        world.right(Operation::MakeKek).await;
        asked.elapsed()
    });
    assert!(matches!(one, Outcome::Refused(_)), "{one:?}");
    assert!(other < fault_page::RETURN, "{other:?}");
    world.home.module.clear();
    assert_eq!(world.lost().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_callers_together_log_in_once() {
    let world = World::open().await;
    world.right(Operation::Sign).await;
    let logins = || world.home.module.counters().calls("C_Login");
    let before = logins();
    // While others sign, and long enough for them to ask again.
    let slow = Fault::Delay(Duration::from_millis(100));
    world.home.module.set([Rule::nth(16, "C_Sign", Fault::LogOut), Rule::nth(1, "C_Login", slow)]);
    let answers = join_all((0..32_u8).map(|caller| {
        let world = &world;
        async move { world.store.sign_digest(world.pair, sha256(&[caller])).await }
    }))
    .await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(logins(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_token_is_away_callers_are_told_at_once_and_it_is_looked_for_now_and_then() {
    let world = World::open().await;
    let before = world.home.module.counters();
    let begun = Instant::now();
    world.home.module.set(nowhere());
    world.store.check_health().await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let asked = Instant::now();
    for _ in 0..10_000 {
        let answer = world.store.sign_digest(world.pair, [7; 32]).await;
        assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let searched = || world.home.module.counters().processes - before.processes;
    while searched() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    // 50, 100, 200 ms and so on up to half a second lie between one search and the next.
    let most = 6 + 2 * usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(searched() <= most, "{} searches, {most} at most", searched());
    world.home.module.clear();
    world.back(Operation::Sign, "away").await;
    assert_eq!(world.home.module.counters().calls("C_Login"), before.calls("C_Login") + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_key_is_not_refused_for_one_refusal() {
    let world = World::open().await;
    for value in [CKR_GENERAL_ERROR, CKR_ENCRYPTED_DATA_INVALID] {
        world.right(Operation::Unwrap).await;
        world.home.module.set([Rule::first(1, "C_Decrypt", Fault::Return(value))]);
        assert_eq!(world.attempt(Operation::Unwrap).await, Outcome::Right, "{value:#x}");
    }
}

/// The same value of the same function: by the probe it is the input's fault, or the token's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vague_value_is_judged_by_a_probe() {
    let world = World::open().await;
    world.right(Operation::Unwrap).await;
    let mut forged = world.wrapped.clone();
    *forged.last_mut().unwrap() ^= 1;
    let answer = world.unwrap(&forged).await;
    assert!(matches!(answer, Err(KeyStoreError::Unauthentic)), "{answer:?}");

    let always = |function, value: CK_RV| Rule::always(function, Fault::Return(value));
    world
        .home
        .module
        .set([always("C_Decrypt", CKR_GENERAL_ERROR), always("C_GetTokenInfo", CKR_DEVICE_ERROR)]);
    for blob in [&forged, &world.wrapped] {
        let answer = world.unwrap(blob).await;
        assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
    }
    world.store.check_health().await.unwrap_err();
    world.home.module.clear();
    world.back(Operation::Unwrap, "a failing probe").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_fails_every_call_is_not_asked_twice_as_often() {
    const CALLS: u64 = 2_000;
    let world = World::open().await;
    world.right(Operation::Sign).await;
    let asked = || world.home.module.counters().calls("C_SignInit");
    let before = asked();
    world.home.module.set([Rule::always("C_SignInit", Fault::Return(CKR_SESSION_HANDLE_INVALID))]);
    for _ in 0..CALLS {
        world.store.sign_digest(world.pair, [7; 32]).await.unwrap_err();
    }
    // A tenth, and what was saved; again for each engine that was opened meanwhile.
    assert!((CALLS..=CALLS * 3 / 2).contains(&(asked() - before)), "{}", asked() - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_from_callers_makes_nobody_log_in_or_open_the_token_again() {
    let world = World::open().await;
    world.right(Operation::Unwrap).await;
    let before = world.home.module.counters();
    for round in 0..500_usize {
        let mut wrapped = world.wrapped.clone();
        let last = wrapped.len() - 1;
        wrapped[last - round % 16] ^= 1;
        let answer = world.unwrap(&wrapped).await;
        assert!(matches!(answer, Err(KeyStoreError::Unauthentic)), "{answer:?}");
    }
    let after = world.home.module.counters();
    for function in ["C_Initialize", "C_Login", "C_Finalize"] {
        assert_eq!(after.calls(function), before.calls(function), "{function}");
    }
    assert!(after.sessions <= before.sessions, "{before:?} {after:?}");
}
