//! One row that cannot be trusted hides no others.

use std::time::{Duration, Instant};

use kunji_server::{
    domain::{
        alias::KeyAlias,
        key::{KeyId, KeyMaterial, KeyRecord},
        lifecycle::Change,
    },
    services::keys::{KeyFilter, revocation::RevocationList},
};
use kunji_tests::faults::Life;
use openssl::{stack::StackRef, x509::X509Crl};

use crate::world::{World, alias, caller, registration};

/// How long what servers do by themselves, twice a second, may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl World {
    async fn write_generation(&self, key: &KeyRecord, generation: u32) {
        const TEXT: &str = "UPDATE type::record('key', $id) SET generation = $generation;";
        let query = self.database.query(TEXT).bind(("id", key.id.0.clone())).bind(("generation", generation));
        query.await.unwrap().check().unwrap();
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
    let rewrap = &server.running.services.rewrap;
    rewrap.start(&caller("keeper")).await.unwrap();
    let run = loop {
        let run = rewrap.progress(&caller("keeper")).await.unwrap().unwrap();
        if run.ended_at.is_some() {
            break run;
        }
    };
    assert_eq!((run.moved, run.failed), (3, 1), "{run:?}");
    for key in [&good, &newest] {
        let now = world.repository.find(&key.id).await.unwrap().unwrap();
        assert!(matches!(now.material, KeyMaterial::Wrapped { kek_version: 2, .. }), "{now:?}");
    }

    // All others are listed, and those of a name whose newest key cannot be trusted are not.
    let listed = async |server: &crate::world::Server| -> Vec<KeyId> {
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
