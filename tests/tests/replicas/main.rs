//! Several tokens with the same keys: real SoftHSM tokens, cloned by copying, each in a process of its own behind a
//! module that fails as told.
#![cfg(test)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use kunji_server::{
    adapters::pkcs11::{PinSource, Pkcs11KeyStore, Pkcs11Settings},
    ports::key_store::{
        KekStore as _, KeyStore as _, KeyStoreError,
        TokenCondition::{self, Incomplete, Ready, Refused, Unavailable},
        TokenSigner as _,
    },
};
use kunji_shared::ModulusLength;
use kunji_tests::{
    clones::{Home, PIN},
    contract::key_store::fresh_id,
    fault_module::{Fault, Rule},
};
use secrecy::SecretString;

mod provisioning;
mod server;
mod world;

use world::{Keys, World, pulled, until};

/// Callers at once.
const CALLERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_notices_the_loss_of_either_token() {
    let world = Arc::new(World::open().await);
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (world, over, served) = (Arc::clone(&world), Arc::clone(&over), Arc::clone(&served));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let (keys, store) = (&world.keys, &world.store);
                    match caller % 3 {
                        0 => keys.sign(store).await.unwrap(),
                        1 => keys.unwrap(store).await.unwrap(),
                        _ => keys.wrap(store).await.unwrap(),
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let served_again = async || {
        let before = served.load(Ordering::Relaxed);
        until(async || served.load(Ordering::Relaxed) > before + 200, "callers are served").await;
    };
    for (name, fault) in [
        ("pulled", Rule::always("*", Fault::NoToken)),
        ("crashes", Rule::nth(40, "*", Fault::Crash)),
        ("hangs", Rule::always("*", Fault::Hang)),
        ("loses its objects", Rule::always("C_FindObjects", Fault::NoObjects)),
    ] {
        for token in [&world.primary, &world.replica] {
            served_again().await;
            let begun = Instant::now();
            token.module.set([fault.clone()]);
            served_again().await;
            token.module.clear();
            world.until([Ready, Ready]).await;
            println!("{name}: {} ms with both back", begun.elapsed().as_millis());
        }
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    println!("{} operations, none failed", served.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_known_to_be_away_costs_nothing_and_is_preferred_again_once_it_is_back() {
    let world = World::open().await;
    let of = |home: &Home| home.module.counters().calls("C_Sign");
    world.keys.sign(&world.store).await.unwrap();
    let (primary, replica) = (of(&world.primary), of(&world.replica));
    for _ in 0..20 {
        world.keys.sign(&world.store).await.unwrap();
    }
    assert!(of(&world.primary) >= primary + 20);
    assert_eq!(of(&world.replica), replica, "the primary is preferred");

    world.primary.module.set([Rule::always("*", Fault::Hang)]);
    world.until([Unavailable, Ready]).await;
    let begun = Instant::now();
    for _ in 0..200 {
        world.keys.sign(&world.store).await.unwrap();
    }
    // One call that waited for the primary would take as long as its deadline.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    world.primary.module.clear();
    world.until([Ready, Ready]).await;
    let before = of(&world.primary);
    until(
        async || {
            world.keys.sign(&world.store).await.unwrap();
            of(&world.primary) > before + 20
        },
        "the primary is preferred again",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_away_and_back() {
    let world = World::open().await;
    for token in [&world.primary, &world.replica] {
        token.module.set(pulled());
    }
    world.until([Unavailable, Unavailable]).await;
    assert!(matches!(world.store.check_health().await, Err(KeyStoreError::Unavailable(_))));
    let begun = Instant::now();
    for _ in 0..1000 {
        assert!(matches!(world.keys.sign(&world.store).await, Err(KeyStoreError::Unavailable(_))));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "callers are told at once");
    world.replica.module.clear();
    let begun = Instant::now();
    until(async || world.keys.sign(&world.store).await.is_ok(), "one is enough").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    world.primary.module.clear();
    world.until([Ready, Ready]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_waits_until_every_token_has_it() {
    let world = World::open().await;
    let id = fresh_id();
    let public = world.store.generate_signing_pair(id, "new", ModulusLength::Rsa2048).await.unwrap();
    let new = Keys { pair: id, public, kek: world.keys.kek, wrapped: world.keys.wrapped.clone() };
    let answer = world.store.confirm(new.known_pair()).await;
    assert!(
        matches!(&answer, Err(KeyStoreError::Incomplete(text)) if text.contains("replica: it is not there")),
        "{answer:?}"
    );
    // The others are as good as before, on both.
    world.keys.sign(&world.store).await.unwrap();
    assert_eq!(world.conditions().await, [Ready, Ready]);
    world.replica.module.set(pulled());
    world.until([Ready, Unavailable]).await;
    let answer = world.store.confirm(new.known_pair()).await;
    assert!(
        matches!(answer, Err(KeyStoreError::Incomplete(_))),
        "one that is away is not left out: {answer:?}"
    );
    world.replica.module.clear();
    world.replica.clone_from(&world.primary.tokens());
    world.until([Ready, Ready]).await;
    world.store.confirm(new.known_pair()).await.unwrap();
    world.primary.module.set(pulled());
    world.until([Unavailable, Ready]).await;
    new.sign(&world.store).await.unwrap();
    // Keys are made on the primary or not at all.
    let made = world.store.generate_kek(fresh_id(), "newer").await;
    assert!(matches!(made, Err(KeyStoreError::Unavailable(_))), "{made:?}");
}

/// The replica is refused: nothing is done by it, whether the primary is there or not.
async fn never_used(world: &World) {
    for _ in 0..20 {
        world.keys.sign(&world.store).await.unwrap();
        world.keys.wrap(&world.store).await.unwrap();
    }
    world.primary.module.set(pulled());
    world.until([Unavailable, Refused]).await;
    for _ in 0..20 {
        for answer in [world.keys.sign(&world.store).await, world.keys.wrap(&world.store).await] {
            assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
        }
    }
    world.primary.module.clear();
    world.until([Ready, Refused]).await;
    world.keys.sign(&world.store).await.unwrap();
    // Once it is a clone, it is used without more ado.
    world.replica.clone_from(&world.primary.tokens());
    world.until([Ready, Ready]).await;
    world.primary.module.set(pulled());
    world.until([Unavailable, Ready]).await;
    world.keys.sign(&world.store).await.unwrap();
    world.keys.unwrap(&world.store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_same_label_without_our_keys_is_refused() {
    let world = World::with_replica(Home::with_token(), |_| ()).await;
    world.store.recognise(world.keys.known()).await.unwrap();
    assert_eq!(world.conditions().await, [Ready, Refused]);
    never_used(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_other_keys_under_our_ids_is_refused() {
    let world = World::with_replica(Home::with_token(), |_| ()).await;
    let foreign = Pkcs11KeyStore::open(world.replica.settings("foreign")).await.unwrap();
    let theirs = Keys::make_as(&foreign, world.keys.pair, world.keys.kek).await;
    theirs.sign(&foreign).await.unwrap();
    drop(foreign);
    world.store.recognise(world.keys.known()).await.unwrap();
    assert_eq!(world.conditions().await, [Ready, Refused]);
    never_used(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_alone_with_other_keys_is_refused_too() {
    let home = Home::with_token();
    let store = Pkcs11KeyStore::open(home.settings("alone")).await.unwrap();
    let keys = Keys::make(&store).await;
    store.recognise(keys.known()).await.unwrap();
    let other = Home::with_token();
    let foreign = Pkcs11KeyStore::open(other.settings("alone")).await.unwrap();
    let none = foreign.recognise(keys.known()).await;
    assert!(
        matches!(&none, Err(KeyStoreError::Foreign(cause)) if cause.contains("it lacks kek")),
        "{none:?}"
    );
    // As another token of the label that takes the place of ours while the server runs.
    home.module.set(pulled());
    until(async || store.check_health().await.is_err(), "away").await;
    home.clone_from(&other.tokens());
    home.module.clear();
    until(async || store.examine().await[0].condition == Refused, "refused").await;
    assert!(matches!(keys.sign(&store).await, Err(KeyStoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_that_lacks_a_key_is_used_for_the_others() {
    let world =
        World::with_replica(Home::empty(), |world| world.replica.clone_from(&world.primary.tokens())).await;
    let id = fresh_id();
    let public = world.store.generate_signing_pair(id, "new", ModulusLength::Rsa2048).await.unwrap();
    let new = Keys { pair: id, public, kek: world.keys.kek, wrapped: world.keys.wrapped.clone() };
    let known = || [world.keys.known(), vec![new.known_pair()]].concat();
    world.store.recognise(known()).await.unwrap();
    assert_eq!(world.conditions().await, [Ready, Incomplete]);
    world.primary.module.set(pulled());
    world.until([Unavailable, Incomplete]).await;
    world.keys.sign(&world.store).await.unwrap();
    // A key that is ours is never reported as absent.
    let answer = new.sign(&world.store).await;
    assert!(matches!(answer, Err(KeyStoreError::Unavailable(_))), "{answer:?}");
    world.primary.module.clear();
    world.until([Ready, Incomplete]).await;
    new.sign(&world.store).await.unwrap();
    world.replica.clone_from(&world.primary.tokens());
    world.store.recognise(known()).await.unwrap();
    assert_eq!(world.conditions().await, [Ready, Ready]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_token_has_its_pin_and_a_wrong_one_is_tried_once() {
    let world =
        World::with_replica(Home::empty(), |world| world.replica.clone_from(&world.primary.tokens())).await;
    let World { primary, replica, keys, store } = world;
    drop(store);
    let logins = || replica.module.counters().calls("C_Login");
    let before = logins();
    let file = Arc::new(Mutex::new("wrong-pin-9999".to_owned()));
    let source = Arc::clone(&file);
    let pin = PinSource::new(move || Ok(SecretString::from(source.lock().unwrap().clone())));
    let settings = Pkcs11Settings { pin, ..replica.settings("replica") };
    let store = Pkcs11KeyStore::open_several(primary.settings("primary"), vec![settings]).await.unwrap();
    let world = World { store, primary: Home::empty(), replica: Home::empty(), keys };
    world.store.recognise(world.keys.known()).await.unwrap();
    for _ in 0..50 {
        assert_eq!(world.conditions().await, [Ready, Unavailable]);
        world.keys.sign(&world.store).await.unwrap();
    }
    assert_eq!(logins(), before + 1, "the wrong PIN was tried once");
    PIN.clone_into(&mut file.lock().unwrap());
    world.until([Ready, Ready]).await;
    assert_eq!(logins(), before + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_needs_one_token_of_several() {
    let (there, away) = (Home::with_token(), Home::empty());
    let settings = || (away.settings("primary"), vec![there.settings("replica")]);
    let (primary, replicas) = settings();
    let store = Pkcs11KeyStore::open_several(primary, replicas).await.unwrap();
    let states: Vec<TokenCondition> = store.examine().await.iter().map(|state| state.condition).collect();
    assert_eq!(states, [Unavailable, Ready]);
    drop(store);
    there.module.set(pulled());
    let (primary, replicas) = settings();
    let error = Pkcs11KeyStore::open_several(primary, replicas).await.unwrap_err().to_string();
    assert!(error.contains("primary: ") && error.contains("replica: "), "{error}");
}
