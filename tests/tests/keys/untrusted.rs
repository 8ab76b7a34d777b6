//! One row that cannot be trusted hides no others.

use std::time::{Duration, Instant};

use kunji_server::{
    domain::{
        alias::KeyAlias,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::Change,
    },
    ports::{repository::RepositoryError, rewrap::RewrapRun},
    services::keys::{KeyError, KeyFilter, revocation::RevocationList},
};
use kunji_tests::faults::Life;
use openssl::{stack::StackRef, x509::X509Crl};

use crate::world::{Server, World, alias, caller, registration};

/// How long what servers do by themselves, twice a second, may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl World {
    async fn write_generation(&self, key: &KeyRecord, generation: u32) {
        const TEXT: &str = "UPDATE type::record('key', $id) SET generation = $generation;";
        let query = self.database.query(TEXT).bind(("id", key.id.0.clone())).bind(("generation", generation));
        query.await.unwrap().check().unwrap();
    }

    async fn remove_row(&self, key: &KeyId) {
        const TEXT: &str = "
            BEGIN;
            DEFINE TABLE IF NOT EXISTS kept SCHEMALESS;
            CREATE type::record('kept', $id) CONTENT (SELECT * OMIT id FROM ONLY type::record('key', $id));
            DELETE type::record('key', $id);
            COMMIT;";
        self.database.query(TEXT).bind(("id", key.0.clone())).await.unwrap().check().unwrap();
    }

    async fn put_row_back(&self, key: &KeyId) {
        const TEXT: &str =
            "CREATE type::record('key', $id) CONTENT (SELECT * OMIT id FROM ONLY type::record('kept', $id));";
        self.database.query(TEXT).bind(("id", key.0.clone())).await.unwrap().check().unwrap();
    }
}

impl Server {
    /// Has all private keys wrapped anew. What came of it.
    async fn rewrap(&self) -> RewrapRun {
        let rewrap = &self.running.services.rewrap;
        let started = rewrap.start(&caller("keeper")).await.unwrap();
        loop {
            let run = rewrap.progress(&caller("keeper")).await.unwrap().unwrap();
            if run.run == started.run && run.ended_at.is_some() {
                return run;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn revoked(list: &RevocationList) -> usize {
    X509Crl::from_der(&list.der).unwrap().get_revoked().map_or(0, StackRef::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_that_cannot_be_trusted_hides_no_others() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    let (good, _) = server.superseded("good").await;
    let (bad, _) = server.superseded("bad").await;
    for key in [&good, &bad] {
        server.change(key, Change::Compromise).await.unwrap();
    }
    let module = world.repository.find_newest(&KeyAlias::master(registration())).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &module.id).await.unwrap();
    let newest = world.repository.find_newest(&alias("bad")).await.unwrap().unwrap();
    world.write_generation(&bad, 9).await;

    // Private keys are wrapped anew.
    let run = server.rewrap().await;
    assert_eq!((run.moved, run.failed), (3, 1), "{run:?}");
    for key in [&good, &newest] {
        let now = world.repository.find(&key.id).await.unwrap().unwrap();
        assert!(matches!(now.material, KeyMaterial::Wrapped { kek_version: 2, .. }), "{now:?}");
    }

    // All others are listed, and those of a name whose newest key cannot be trusted are not.
    let listed = async |server: &Server| -> Vec<KeyId> {
        let keys = &server.running.services.keys;
        let page = keys.inventory(&caller("keeper"), &KeyFilter::default(), None, 100).await.unwrap();
        page.keys.iter().map(|shown| shown.key.id.clone()).collect()
    };
    let ids = listed(&server).await;
    assert!(ids.contains(&good.id) && ids.contains(&module.id) && ids.contains(&newest.id), "{ids:?}");
    assert!(!ids.contains(&bad.id));
    world.write_generation(&newest, 9).await;
    let next = world.start(&Life::of(i64::MAX)).await;
    let ids = listed(&next).await;
    assert!(ids.contains(&good.id) && !ids.contains(&newest.id), "{ids:?}");

    // What is revoked is on the lists, and that which is mended within the hour.
    let lists = &next.running.services.revocation_lists;
    assert_eq!(revoked(&lists.read(&module.id).await.unwrap()), 1);
    world.write_generation(&bad, 1).await;
    world.clock.advance_seconds(3600);
    let began = Instant::now();
    while revoked(&lists.read(&module.id).await.unwrap()) != 2 {
        assert!(began.elapsed() < PATIENCE, "it is not looked at again");
        tokio::task::yield_now().await;
    }
}

/// What somebody has removed from the database is in backups, and opens with its KEK only.
#[tokio::test(flavor = "multi_thread")]
async fn a_kek_is_not_taken_for_idle_when_rows_of_keys_are_missing() {
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    server.without_four_eyes().await;
    let (key, _) = server.superseded("gone").await;
    let newest = world.repository.find_newest(&alias("gone")).await.unwrap().unwrap();
    let module = world.repository.find_newest(&KeyAlias::master(registration())).await.unwrap().unwrap();
    server.running.services.keys.rotate(&caller("keeper"), &module.id).await.unwrap();
    let schedule = || server.change_kek(1, Change::ScheduleDestruction);
    let is_refused = |outcome: Result<_, KeyError>| {
        matches!(outcome, Err(KeyError::Repository(RepositoryError::Inconsistent { table: "key", .. })))
    };

    // All that the KEK wraps.
    world.remove_row(&key.id).await;
    world.remove_row(&newest.id).await;
    assert!(is_refused(schedule().await), "the newest one is named");
    world.put_row_back(&newest.id).await;
    assert!(matches!(schedule().await, Err(KeyError::Needed(_))));
    assert_eq!(server.rewrap().await.failed, 0);
    assert!(is_refused(schedule().await), "it has a predecessor");
    world.put_row_back(&key.id).await;
    assert!(matches!(schedule().await, Err(KeyError::Needed(_))));
    assert_eq!(server.rewrap().await.failed, 0);
    schedule().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_cannot_be_trusted_hide_no_keys() {
    const TEXT: &str = "UPDATE type::record('key_tags', $id) SET tags = ['forged'];";
    let world = World::new().await;
    let server = world.start(&Life::of(i64::MAX)).await;
    let keys = &server.running.services.keys;
    let mut ids = Vec::new();
    for reference in ["1", "2"] {
        let (key, _) = server.superseded(reference).await;
        keys.tag(&caller("keeper"), &key.id, &["moved".to_owned()]).await.unwrap();
        ids.push(key.id.clone());
    }
    let forged = world.database.query(TEXT).bind(("id", ids[0].0.clone())).await.unwrap();
    forged.check().unwrap();
    let tags = async |filter: KeyFilter| {
        let page = keys.inventory(&caller("keeper"), &filter, None, 100).await.unwrap();
        let of = |id: &KeyId| {
            page.keys.iter().find(|shown| shown.key.id == *id).map(|shown| shown.tags.as_slice().to_vec())
        };
        [of(&ids[0]), of(&ids[1])]
    };
    let moved = vec!["moved".to_owned()];
    assert_eq!(tags(KeyFilter::default()).await, [Some(vec![]), Some(moved.clone())]);
    let tagged = |tag: &str| KeyFilter { tag: Some(tag.to_owned()), ..KeyFilter::default() };
    assert_eq!(tags(tagged("moved")).await, [None, Some(moved.clone())]);
    assert_eq!(tags(tagged("forged")).await, [None, None]);
    keys.tag(&caller("keeper"), &ids[0], &moved).await.unwrap();
    assert_eq!(tags(tagged("moved")).await, [Some(moved.clone()), Some(moved)]);
}
