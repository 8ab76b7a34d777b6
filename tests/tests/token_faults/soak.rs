//! Every return value of the classes from every function that the engine calls; a million operations. `make soak`.

use std::time::{Duration, Instant};

use cryptoki_sys::{CK_RV, CKR_GENERAL_ERROR, CKR_SESSION_CLOSED};
use futures_util::future::join_all;
use kunji_tests::{
    fault_module::{Fault, FaultModule, Rule},
    fault_page::{self, RETURN},
    measure::{Holdings, Process},
    token_faults::ALL,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    check::check,
    world::{Operation, Outcome, World},
};

const MIB: u64 = 1 << 20;

macro_rules! values {
    ($($name:ident,)+) => { &[$((stringify!($name), cryptoki_sys::$name)),+] };
}

/// Everything a token may say of itself, its sessions, its login, or of what it was given. Refused PINs, after which
/// nothing is tried again, have tests of their own.
const VALUES: &[(&str, CK_RV)] = values! {
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_CLOSED,
    CKR_SESSION_COUNT,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_KEY_HANDLE_INVALID,
    CKR_DEVICE_REMOVED,
    CKR_DEVICE_MEMORY,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_NOT_RECOGNIZED,
    CKR_SLOT_ID_INVALID,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_GENERAL_ERROR,
    CKR_DEVICE_ERROR,
    CKR_FUNCTION_FAILED,
    CKR_FUNCTION_CANCELED,
    CKR_HOST_MEMORY,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE,
    CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE,
    CKR_SIGNATURE_INVALID,
    CKR_WRAPPED_KEY_INVALID,
    CKR_ARGUMENTS_BAD,
    CKR_BUFFER_TOO_SMALL,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_VENDOR_DEFINED,
};

/// What the engine calls: first what an operation may need, then what only a mended session or a new engine needs.
const FUNCTIONS: [&str; 21] = [
    "C_SignInit",
    "C_Sign",
    "C_EncryptInit",
    "C_Encrypt",
    "C_DecryptInit",
    "C_Decrypt",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_GenerateRandom",
    "C_DestroyObject",
    "C_GetAttributeValue",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_GetTokenInfo",
    "C_GetSessionInfo",
    "C_CloseSession",
    "C_OpenSession",
    "C_Login",
    "C_GetSlotList",
    "C_Initialize",
];

/// What happens before the value is given, so that more of the engine is needed; and on which operations.
type Occasion = (&'static str, fn() -> Vec<Rule>, &'static [Operation]);

const OCCASIONS: [Occasion; 3] = [
    ("", Vec::new, &Operation::ALL),
    ("after the loss of all sessions, ", || vec![Rule::first(1, "*", Fault::DropSessions)], &ONE_OF_EACH),
    ("in a new engine, ", || vec![Rule::first(1, "*", Fault::LoseObjects)], &ONE_OF_EACH),
];
/// One that is repeated and one that is not.
const ONE_OF_EACH: [Operation; 2] = [Operation::Sign, Operation::MakeKek];

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and writes docs/faults.md"]
async fn soak_classes_of_faults_make_the_page() {
    let mut rows = Vec::new();
    for class in &ALL {
        rows.push(check(class).await);
    }
    fault_page::write("link", &rows);
    fault_page::check("link");
}

/// `KUNJI_SOAK_EVERY` tries every so many-th case only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn soak_every_value_from_every_function_on_every_operation() {
    let every = number("KUNJI_SOAK_EVERY", 1);
    let shares = join_all((0..WORLDS).map(|share| sweep(every, share))).await;
    let cases = shares.iter().map(|share| share.cases).max().unwrap_or_default();
    let tried: u64 = shares.iter().map(|share| share.tried).sum();
    let slowest = shares.iter().map(|share| share.slowest).max().unwrap_or_default();
    let faults: Vec<_> = shares.into_iter().flat_map(|share| share.faults).collect();
    println!("{tried} of {cases} cases; back after {} ms at most", slowest.as_millis());
    assert_eq!(tried, cases / every);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Tokens that are tried at once: most of a case is waiting.
const WORLDS: u64 = 6;

/// Held while a key is made, which keeps a processor busy: more at once would keep one another from meeting the
/// deadline.
async fn processor(operation: Operation) -> Option<SemaphorePermit<'static>> {
    static PROCESSORS: Semaphore = Semaphore::const_new(2);
    if operation.makes_key() { PROCESSORS.acquire().await.ok() } else { None }
}

/// What one of the tokens has seen.
#[derive(Default)]
struct Share {
    cases: u64,
    tried: u64,
    slowest: Duration,
    faults: Vec<String>,
}

/// Tries one token's share of every so many-th case.
async fn sweep(every: u64, share: u64) -> Share {
    let mut seen = Share::default();
    for (occasion, first, operations) in OCCASIONS {
        for operation in operations.iter().copied() {
            // A token of its own: with the keys of all operations on it, each search would take long.
            let world = {
                let _processor = processor(Operation::MakePair).await;
                World::open().await
            };
            for function in called(&world, operation, &first()).await {
                for (name, value) in VALUES.iter().copied() {
                    let fault = Fault::Return(value);
                    for (when, rule) in
                        [("once", Rule::first(1, function, fault)), ("always", Rule::always(function, fault))]
                    {
                        seen.cases += 1;
                        if seen.cases % every != 0 || (seen.cases / every) % WORLDS != share {
                            continue;
                        }
                        seen.tried += 1;
                        let rules = [first(), vec![rule]].concat();
                        let case = format!("{operation:?}: {occasion}{function} gives {name} {when}");
                        let _processor = processor(operation).await;
                        world.earn_retries().await;
                        let back = strike(&world, operation, rules, &case, &mut seen.faults).await;
                        seen.slowest = seen.slowest.max(back);
                    }
                }
            }
            println!(
                "{share}: {operation:?} {occasion}done, {} cases, faults: {:?}",
                seen.tried, seen.faults
            );
        }
    }
    seen
}

/// Performs it, well. A pair may take longer than the deadline now and then, and is not made again.
async fn well(world: &World, operation: Operation) {
    if operation.makes_key() {
        world.back(operation, "no fault yet").await;
    } else {
        world.right(operation).await;
    }
}

/// Which functions the operation needs on this occasion.
async fn called(world: &World, operation: Operation, occasion: &[Rule]) -> Vec<&'static str> {
    let _processor = processor(operation).await;
    well(world, operation).await;
    let before = world.home.module.counters();
    world.home.module.set(occasion.to_vec());
    world.attempt(operation).await;
    world.home.module.clear();
    world.back(operation, "no fault").await;
    let after = world.home.module.counters();
    let mut called: Vec<_> =
        FUNCTIONS.into_iter().filter(|function| after.calls(function) > before.calls(function)).collect();
    if operation.makes_key() {
        // Called when something has gone wrong.
        called.push("C_DestroyObject");
    }
    assert!(!called.is_empty());
    called
}

async fn strike(
    world: &World,
    operation: Operation,
    rules: Vec<Rule>,
    case: &str,
    faults: &mut Vec<String>,
) -> Duration {
    well(world, operation).await;
    world.home.module.set(rules);
    let during = world.attempt(operation).await;
    world.home.module.clear();
    let back = world.back(operation, case).await;
    if let Outcome::Wrong(answer) = during {
        faults.push(format!("{case}: {answer}"));
    }
    if back >= RETURN {
        faults.push(format!("{case}: back after {back:?}"));
    }
    let lost = world.lost().await;
    if lost > 0 {
        faults.push(format!("{case}: {lost} lost"));
    }
    back
}

/// Sessions, and what the processes that hold the library need, are the same after a million operations
/// (`KUNJI_SOAK_OPERATIONS`), with a fault now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn soak_a_million_operations_leave_nothing_behind() {
    const CALLERS: u64 = 8;
    const ROUND: u64 = 2_000;
    let operations = number("KUNJI_SOAK_OPERATIONS", 1_000_000);
    let world = World::open().await;
    // Caches fill, each worker opens its session, and the driver of the module keeps some of its old rules.
    (0..32).for_each(|_| world.home.module.clear());
    round(&world, CALLERS, ROUND).await;
    let before = seen(&world.home.module);
    let begun = Instant::now();
    let mut done = 0;
    for number in 0.. {
        if done >= operations {
            break;
        }
        let fault = match number % 5 {
            0 => Fault::ForgetObjects,
            1 => Fault::LogOut,
            2 => Fault::DropSessions,
            3 => Fault::Return(CKR_SESSION_CLOSED),
            _ => Fault::Return(CKR_GENERAL_ERROR),
        };
        world
            .home
            .module
            .set([Rule::nth(ROUND / 2, "C_DecryptInit", fault), Rule::nth(ROUND / 3, "C_Sign", fault)]);
        round(&world, CALLERS, ROUND).await;
        done += CALLERS * ROUND;
    }
    world.home.module.clear();
    world.back(Operation::Sign, "soak").await;
    let after = seen(&world.home.module);
    println!("{done} operations in {:?}: {before:?}, then {after:?}", begun.elapsed());
    assert!(after.sessions <= before.sessions, "{before:?} {after:?}");
    assert_eq!(after.running.len(), 1, "one engine, and none left behind");
    for (after, before) in [(after.child, before.child), (after.own, before.own)] {
        assert!(after.resident_bytes < before.resident_bytes + 32 * MIB, "{before:?} {after:?}");
        assert!(after.threads <= before.threads, "{before:?} {after:?}");
        assert!(after.descriptors <= before.descriptors, "{before:?} {after:?}");
    }
    assert_eq!(world.lost().await, 0);
}

/// Mostly what costs little, so that a million is soon done.
async fn round(world: &World, callers: u64, calls: u64) {
    join_all((0..callers).map(|caller| async move {
        for call in 0..calls {
            let operation = match (call + caller) % 20 {
                0 => Operation::Sign,
                1 => Operation::Wrap,
                2..10 => Operation::HasKek,
                _ => Operation::Unwrap,
            };
            assert_eq!(world.attempt(operation).await, Outcome::Right, "{operation:?}");
        }
    }))
    .await;
    assert_eq!(world.lost().await, 0);
}

#[derive(Debug)]
struct Seen {
    sessions: u64,
    running: Vec<u32>,
    child: Holdings,
    own: Holdings,
}

fn seen(module: &FaultModule) -> Seen {
    let counters = module.counters();
    Seen {
        sessions: counters.sessions,
        child: Process::new(counters.running[0]).holdings(),
        running: counters.running,
        own: Process::current().holdings(),
    }
}
