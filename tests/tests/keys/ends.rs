//! Keys end when their time has come, wherever a server is killed on the way, and not before.

use kunji_server::{
    domain::{
        alias::KeyAlias,
        doctor::Fault,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::{Change, KeyState},
    },
    ports::{clock::Clock, repository::RepositoryError},
    services::keys::KeyError,
};
use kunji_shared::{ModulusLength, Thumbprint};
use kunji_tests::{faults::Life, peer};

use crate::world::{OBEYED, UNRECORDED, World, alias, caller, registration};

/// When whatever was due is, and a lease that somebody held has run out.
const LATER: u64 = OBEYED + 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_waits_and_then_ends_for_good() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    let (key, sealed) = server.superseded("ends").await;
    let newest = world.repository.find_newest(&key.alias).await.unwrap().unwrap();

    // The shipped policies have somebody else agree.
    assert!(matches!(server.change(&key, Change::ScheduleDestruction).await, Err(KeyError::Waits(_))));
    server.without_four_eyes().await;
    assert!(matches!(server.change(&newest, Change::ScheduleDestruction).await, Err(KeyError::Current)));
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    assert!(matches!(
        server.change(&key, Change::ScheduleDestruction).await,
        Err(KeyError::ChangeRefused(_))
    ));
    let (state, view) = server.view(&key).await;
    let due = view.due_at.unwrap();
    assert_eq!(state, KeyState::Deactivated);
    assert_eq!(due, key.period.not_after.plus_days(30).plus_seconds(UNRECORDED));

    // A module's key that certified what lives is needed; and so is the KEK that wraps it.
    let module = world.record(&key).await.issuer;
    let module = server.running.services.keys.rotate(&caller("keeper"), &module).await.unwrap();
    let old = world.repository.find(&key.issuer).await.unwrap().unwrap();
    assert!(module.is_newest && old.generation == 1);
    assert!(matches!(server.change(&old, Change::ScheduleDestruction).await, Err(KeyError::Needed(_))));
    assert!(matches!(server.change_kek(1, Change::ScheduleDestruction).await, Err(KeyError::Needed(_))));
    assert!(matches!(server.change_kek(2, Change::ScheduleDestruction).await, Err(KeyError::Current)));

    // Until then it opens, and what is asked for can be taken back.
    world.clock.advance_days(700);
    server.change(&key, Change::CancelDestruction).await.unwrap();
    world.clock.advance_days(100);
    assert_eq!(server.advance().await, 0);
    assert!(server.opens("ends", &sealed).await);
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    let requested = world.clock.now();
    world.wait_days(&server, 20).await;
    assert!(server.opens("ends", &sealed).await);
    server.running.services.destruction.record_uses().await;
    let (_, view) = server.view(&key).await;
    assert_eq!(view.due_at.unwrap(), requested.plus_days(50).plus_seconds(UNRECORDED), "its last use counts");
    world.wait_days(&server, 30).await;
    world.clock.advance_seconds(419);
    assert_eq!(server.advance().await, 0, "not before its time");

    // Then nothing stops it: everybody obeys first, and its private part goes when they have.
    world.clock.advance_seconds(2);
    server.advance().await;
    assert!(!server.opens("ends", &sealed).await);
    assert!(matches!(server.change(&key, Change::CancelDestruction).await, Err(KeyError::ChangeRefused(_))));
    assert!(matches!(world.record(&key).await.material, KeyMaterial::Wrapped { .. }));
    assert_eq!(server.advance().await, 0, "another server may not know yet");
    world.clock.advance_seconds(OBEYED);
    assert_eq!(server.advance().await, 0, "nor one that the database did not answer");
    world.clock.advance_seconds(1);
    server.advance().await;
    assert_eq!(world.check_tombstone(&server, &key).await.wrapped_by, Some((1, 1)));
    assert_eq!(server.advance().await, 0, "a backup would open");
    let (state, view) = server.view(&key).await;
    assert_eq!(state, KeyState::Destroying);
    assert!(view.remark.unwrap().contains("kek:REGISTRATION:1"));

    // With the KEK of its time it is destroyed. The newest key has another one by now.
    let newest = world.repository.find_newest(&key.alias).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &newest.id).await.unwrap();
    // One that the KEK wraps stays in its way.
    assert!(matches!(server.change_kek(1, Change::ScheduleDestruction).await, Err(KeyError::Needed(_))));
}

/// The database itself holds to it.
#[tokio::test(flavor = "multi_thread")]
async fn no_private_part_is_removed_of_a_key_that_is_not_being_destroyed() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    server.without_four_eyes().await;
    let (key, sealed) = server.superseded("guarded").await;
    let scheduled = server.change(&key, Change::ScheduleDestruction).await.unwrap();
    let removed = KeyRecord { material: KeyMaterial::Removed { keks: Some((1, 1)) }, ..(*key).clone() };
    for number in [scheduled.number, scheduled.number + 1] {
        let outcome = world.repository.remove_private_part(&removed, number, "{}").await;
        assert!(matches!(outcome, Err(RepositoryError::Conflict)), "{outcome:?}");
    }
    assert!(server.opens("guarded", &sealed).await);
    assert_eq!(world.repository.find_tombstone(&key.id).await.unwrap(), None);
}

/// A private part stays as long as another record has it, however many keys the name has had since.
#[tokio::test(flavor = "multi_thread")]
async fn a_twin_is_found_among_any_number_of_keys() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    server.without_four_eyes().await;
    let (keys, call) = (&server.running.services.keys, caller("user"));
    let key = keys.certificate(&call, &alias("twins")).await.unwrap();
    let other = keys.certificate(&call, &alias("other")).await.unwrap();
    for generation in 2..=1_003 {
        let model = if generation == 2 { &key } else { &other };
        let record = KeyRecord {
            id: KeyId(uuid::Uuid::new_v4().to_string()),
            alias: key.alias.clone(),
            generation,
            thumbprint: Thumbprint::from_bytes(peer::random()),
            ..(**model).clone()
        };
        world.repository.insert_successor(&record).await.unwrap();
    }
    world.clock.advance_days(800);
    server.change(&key, Change::ScheduleDestruction).await.unwrap();
    world.wait_days(&server, 31).await;
    assert_eq!(server.advance().await, 0, "it is needed");
    assert_eq!(server.view(&key).await.0, KeyState::Deactivated);
}

/// Servers are killed at each call on the way; whoever comes next goes on, and two at once do no harm.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_on_the_way_another_goes_on() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    server.without_four_eyes().await;
    let other = world.start(&Life::of(i64::MAX)).await;
    let life = Life::of(i64::MAX);
    let mortal = world.start(&life).await;
    let module = world.repository.find_newest(&KeyAlias::master(registration())).await.unwrap().unwrap();
    let (key, _) = server.superseded("killed").await;
    // On the token, and in the records.
    server.running.services.keys.rotate(&caller("keeper"), &module.id).await.unwrap();
    let after = world.repository.find_newest(&key.alias).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &after.id).await.unwrap();
    world.clock.advance_days(1100);
    for ending in [&*key, &after, &module] {
        server.change(ending, Change::ScheduleDestruction).await.unwrap();
    }
    mortal.running.services.destruction.record_uses().await;
    for round in 0..3 {
        // Two steps for each; then the KEK, as soon as it wraps nothing.
        if round != 1 {
            world.wait_days(&server, 30).await;
        }
        world.clock.advance_seconds(LATER);
        if round == 1 {
            server.change_kek(1, Change::ScheduleDestruction).await.unwrap();
        }
        for calls in 0.. {
            life.go_on(calls);
            let outcome = mortal.running.services.destruction.advance().await;
            // What the dead server holds runs out.
            world.clock.advance_seconds(LATER);
            if !life.is_over() {
                outcome.unwrap();
                break;
            }
        }
        life.go_on(i64::MAX);
        let (one, two) = tokio::join!(
            server.running.services.destruction.advance(),
            other.running.services.destruction.advance()
        );
        one.unwrap();
        two.unwrap();
        world.clock.advance_seconds(LATER);
    }
    for _ in 0..4 {
        server.advance().await;
        world.clock.advance_seconds(LATER);
    }
    for ending in [&*key, &after, &module] {
        let (state, view) = server.view(ending).await;
        assert_eq!(state, KeyState::Destroyed, "{view:?}");
        world.check_tombstone(&server, ending).await;
        let history =
            server.running.services.keys.describe(&caller("keeper"), &ending.id).await.unwrap().history;
        let changes: Vec<_> = history.iter().map(|transition| transition.change).collect();
        assert_eq!(changes, [Change::FinishDestruction, Change::Destroy, Change::ScheduleDestruction]);
        // However often a step was tried, it is on record.
        for operation in ["key.begin_destruction", "key.remove_private_part", "key.destroyed"] {
            let told = [&server, &other, &mortal].map(|server| server.told(operation, &ending.id));
            assert!(told.iter().sum::<usize>() > 0, "{operation} of {} is on no record", ending.alias);
        }
    }
    let KeyMaterial::Token(object) = module.material else { panic!("it is on the token") };
    assert_eq!(world.store.find_signing_pair(object).await.unwrap(), None);
    let kek = world.repository.find_kek(&registration(), 1).await.unwrap().unwrap();
    assert!(!world.store.has_kek(kek.token_key).await.unwrap());
    let keks = server.running.services.keys.keks(&caller("keeper"), &registration()).await.unwrap();
    assert_eq!(keks.last().unwrap().state, KeyState::Destroyed);

    // What is on a token again, from a backup of it, is noticed and goes again.
    world.store.generate_kek(kek.token_key, "kek/REGISTRATION/1").await.unwrap();
    world.store.generate_signing_pair(object, "sign/REGISTRATION//1", ModulusLength::Rsa2048).await.unwrap();
    let returned = async || {
        let found = server.running.services.keys.examine(&caller("keeper"), None, 1).await.unwrap();
        let faults = found.findings.iter().map(|finding| finding.fault);
        faults.filter(|fault| *fault == Fault::ObjectReturned).count()
    };
    assert_eq!(returned().await, 2);
    assert_eq!(server.running.services.destruction.destroy_again().await.unwrap(), 2);
    assert!(!world.store.has_kek(kek.token_key).await.unwrap());
    assert_eq!(world.store.find_signing_pair(object).await.unwrap(), None);
    assert_eq!(returned().await, 0);

    // Who starts now misses nothing.
    let next = world.start(&Life::of(i64::MAX)).await;
    let tokens = world.store.examine().await;
    assert!(
        tokens.iter().all(|token| token.condition == kunji_server::ports::key_store::TokenCondition::Ready)
    );
    next.running.services.keys.certificate(&caller("user"), &alias("killed")).await.unwrap();
}

/// Private keys move to the newest KEK whoever is killed on the way; then the old one can go.
#[tokio::test(flavor = "multi_thread")]
async fn private_keys_move_to_the_newest_kek_and_the_old_one_goes() {
    let world = World::new().await;
    let (idle, life) = (Life::of(i64::MAX), Life::of(i64::MAX));
    let (server, mortal) = (world.start(&idle).await, world.start(&life).await);
    server.without_four_eyes().await;
    let mut packets = Vec::new();
    for reference in ["1", "2"] {
        let (key, sealed) = server.superseded(reference).await;
        // Both have the records at hand.
        assert!(server.opens(reference, &sealed).await && mortal.opens(reference, &sealed).await);
        packets.push((reference, key, sealed));
    }
    let module = world.repository.find_newest(&KeyAlias::master(registration())).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &module.id).await.unwrap();
    let rewrap = &server.running.services.rewrap;
    // It would do the work by itself.
    let now = world.clock.now();
    assert!(world.repository.try_lease("rewrap", "nobody", now, now.plus_seconds(60)).await.unwrap());
    let started = rewrap.start(&caller("keeper")).await.unwrap();
    assert_eq!(rewrap.start(&caller("other")).await.unwrap().run, started.run, "the one that is under way");
    idle.go_on(0);
    world.clock.advance_seconds(61);
    for calls in 0.. {
        life.go_on(calls);
        let outcome = mortal.running.services.rewrap.advance().await;
        if !life.is_over() {
            outcome.unwrap();
            break;
        }
        life.go_on(i64::MAX);
        for (reference, _, sealed) in &packets {
            assert!(mortal.opens(reference, sealed).await);
        }
        // What the dead server holds runs out.
        world.clock.advance_seconds(LATER);
    }
    life.go_on(i64::MAX);
    idle.go_on(i64::MAX);
    let (one, two) = tokio::join!(rewrap.advance(), mortal.running.services.rewrap.advance());
    assert!(!one.unwrap() && !two.unwrap());
    let run = rewrap.progress(&caller("keeper")).await.unwrap().unwrap();
    assert!(run.ended_at.is_some() && run.failed == 0, "{run:?}");
    for (_, key, _) in &packets {
        for key in world.repository.list(&key.alias, 10).await.unwrap() {
            assert!(matches!(key.material, KeyMaterial::Wrapped { kek_version: 2, first_kek: 1, .. }));
        }
    }

    server.change_kek(1, Change::ScheduleDestruction).await.unwrap();
    world.wait_days(&server, 30).await;
    world.clock.advance_seconds(LATER);
    for _ in 0..3 {
        server.advance().await;
        world.clock.advance_seconds(LATER);
    }
    let kek = world.repository.find_kek(&registration(), 1).await.unwrap().unwrap();
    assert!(!world.store.has_kek(kek.token_key).await.unwrap());
    // A server that has them at hand as they were, and one that starts now.
    mortal.running.services.destruction.advance().await.unwrap();
    let next = world.start(&Life::of(i64::MAX)).await;
    for (reference, _, sealed) in &packets {
        assert!(mortal.opens(reference, sealed).await && next.opens(reference, sealed).await);
    }
    assert!(rewrap.start(&caller("keeper")).await.unwrap().run > started.run);
}
