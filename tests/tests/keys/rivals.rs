//! Decisions that others get ahead of, and requests that have the whole table of keys read.

use kunji_server::{
    domain::{
        alias::KeyAlias,
        lifecycle::{Change, KeyState},
    },
    ports::repository::RepositoryError,
    services::keys::KeyError,
};
use kunji_tests::faults::Life;

use crate::world::{World, caller, registration};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_of_one_state_is_not_done_from_another() {
    let world = World::new().await;
    let life = Life::of(i64::MAX);
    let (server, other) = (world.start(&life).await, world.start(&Life::of(i64::MAX)).await);
    let (key, _) = server.superseded("approved").await;
    let Err(KeyError::Waits(approval)) = server.change(&key, Change::ScheduleDestruction).await else {
        panic!("it needs nobody to agree")
    };
    let authorization = &server.running.services.authorization;
    authorization.vote(&caller("administrator"), approval.id.as_str(), true).await.unwrap();

    let pause = life.pause_at("insert_transition");
    let (outcome, compromised) = tokio::join!(server.change(&key, Change::ScheduleDestruction), async {
        pause.reached().await;
        let compromised = other.change(&key, Change::Compromise).await;
        pause.end();
        compromised
    });
    assert_eq!(compromised.unwrap().from, KeyState::Deactivated);
    assert!(matches!(outcome, Err(KeyError::Repository(RepositoryError::Conflict))), "{outcome:?}");
    // It is another request from then on.
    let Err(KeyError::Waits(again)) = server.change(&key, Change::ScheduleDestruction).await else {
        panic!("what was approved was something else")
    };
    assert_ne!(again.id, approval.id);
    let history = server.running.services.keys.describe(&caller("keeper"), &key.id).await.unwrap().history;
    assert_eq!(history.len(), 1, "{history:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_at_a_time_has_all_keys_read() {
    let world = World::new().await;
    let life = Life::of(i64::MAX);
    let server = world.start(&life).await;
    server.superseded("wrapped").await;
    let module = world.repository.find_newest(&KeyAlias::master(registration())).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &module.id).await.unwrap();
    let pause = life.pause_at("list_keys");
    let (first, [kek, key]) = tokio::join!(server.change_kek(1, Change::ScheduleDestruction), async {
        pause.reached().await;
        let outcomes = [
            server.change_kek(1, Change::ScheduleDestruction).await,
            server.change(&module, Change::ScheduleDestruction).await,
        ];
        pause.end();
        outcomes
    });
    assert!(matches!(kek, Err(KeyError::Busy)), "{kek:?}");
    assert!(matches!(key, Err(KeyError::Busy)), "{key:?}");
    assert!(matches!(first, Err(KeyError::Needed(_))), "{first:?}");
    let after = server.change(&module, Change::ScheduleDestruction).await;
    assert!(matches!(after, Err(KeyError::Needed(_))), "{after:?}");
}
