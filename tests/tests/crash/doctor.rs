//! The doctor finds what token and records disagree on, says how it is mended, and mends what is without risk.

use std::{collections::BTreeSet, sync::Arc};

use kunji_server::{
    adapters::pkcs11::Pkcs11KeyStore,
    app::{self, Running},
    domain::{
        access::CallContext,
        alias::KeyAlias,
        doctor::{Fault, Finding},
        key::{KeyId, KeyMaterial, KeyRecord, TokenKeyId},
        time::Timestamp,
    },
    ports::{
        key_store::{KekStore as _, KeyStore, TokenSigner as _},
        repository::Repository,
    },
    services::keys::Examination,
};
use kunji_shared::{ModulusLength, Thumbprint};
use kunji_tests::{
    contract::{
        key_store::fresh_id,
        pkcs11::{find, make_pair},
    },
    in_process,
    peer::random,
    softhsm::Token,
};
use surrealdb::{Surreal, engine::any::Any};
use tempfile::TempDir;

struct World {
    database: Surreal<Any>,
    repository: Arc<dyn Repository>,
    token: Token,
    store: Arc<Pkcs11KeyStore>,
    server: Running,
    _data_dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let token = Token::create("doctor");
        let store = Arc::new(token.open().await.unwrap());
        let database = in_process::database().await;
        let repository = in_process::repository(&database).await;
        let data_dir = tempfile::tempdir().unwrap();
        let settings =
            in_process::settings(data_dir.path(), &[("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION")]);
        let trail = in_process::trail(data_dir.path());
        let used: Arc<dyn KeyStore> = Arc::<Pkcs11KeyStore>::clone(&store);
        let ports = in_process::ports(data_dir.path(), trail, Arc::clone(&repository), used);
        let server = app::start(&settings, ports).await.unwrap();
        Self { database, repository, token, store, server, _data_dir: data_dir }
    }

    async fn look(&self, limit: usize) -> Examination {
        let keys = &self.server.services.keys;
        let mut all = keys.examine(&caller(), None, limit).await.unwrap();
        while let Some(next) = all.next.take() {
            let page = keys.examine(&caller(), Some(&next), limit).await.unwrap();
            all.findings.extend(page.findings);
            all.keys += page.keys;
            all.next = page.next;
        }
        all
    }

    /// What is found, whatever the size of pages.
    async fn findings(&self) -> Vec<Finding> {
        let found = self.look(1000).await;
        let piecewise = self.look(2).await;
        assert_eq!(found.keys, piecewise.keys);
        let codes = |found: &Examination| found.findings.iter().map(|it| it.fault).collect::<BTreeSet<_>>();
        assert_eq!(codes(&found), codes(&piecewise));
        found.findings
    }

    /// What is found beside what was before.
    async fn new_findings(&self, known: &[Finding]) -> Vec<Finding> {
        self.findings().await.into_iter().filter(|finding| !known.contains(finding)).collect()
    }

    async fn pair(&self, label: &str) -> TokenKeyId {
        let id = fresh_id();
        self.store.generate_signing_pair(id, label, ModulusLength::Rsa2048).await.unwrap();
        id
    }

    async fn newest(&self, application: &str, reference: &str) -> KeyRecord {
        self.repository.find_newest(&alias(application, reference)).await.unwrap().unwrap()
    }

    async fn query(&self, text: &'static str, id: &KeyId) {
        self.database.query(text).bind(("id", id.0.clone())).await.unwrap().check().unwrap();
    }
}

fn caller() -> CallContext {
    in_process::caller("test")
}

fn alias(application: &str, reference: &str) -> KeyAlias {
    KeyAlias::parse(application, reference).unwrap()
}

fn faults(findings: &[Finding]) -> Vec<Fault> {
    findings.iter().map(|finding| finding.fault).collect()
}

// One test for all: the library sees only tokens that exist when it is first loaded in a process.
#[tokio::test(flavor = "multi_thread")]
async fn every_disagreement_is_found_and_the_harmless_are_mended() {
    let world = World::new().await;
    let keys = &world.server.services.keys;
    keys.certificate(&caller(), &alias("REGISTRATION", "one")).await.unwrap();
    assert_eq!(world.findings().await, []);

    what_a_crash_left_is_gone_on_with(&world).await;
    let mut known = what_nobody_needs_stays(&world).await;
    what_records_say_amiss(&world, &mut known).await;
    what_the_token_has_amiss(&world, &known).await;
}

async fn what_a_crash_left_is_gone_on_with(world: &World) {
    let keys = &world.server.services.keys;
    // Killed before the token had made anything: forgotten.
    world.repository.put_intent("sign/REGISTRATION//2", fresh_id()).await.unwrap();
    world.repository.put_intent("kek/REGISTRATION/2", fresh_id()).await.unwrap();
    world.repository.put_intent("symmetric/REGISTRATION/s/1", fresh_id()).await.unwrap();
    assert_eq!(faults(&world.findings().await), [Fault::MakingBegun; 3]);
    let outcome = keys.mend(&caller()).await.unwrap();
    assert_eq!((outcome.mended.len(), outcome.remaining.len()), (3, 0));
    assert_eq!(world.findings().await, []);

    // Records of an older backup: the key is the next one's.
    let id = world.pair("sign/REGISTRATION//2").await;
    let kek = fresh_id();
    world.store.generate_kek(kek, "kek/REGISTRATION/2").await.unwrap();
    assert_eq!(faults(&world.findings().await), [Fault::ObjectUnclaimed; 2]);
    let outcome = keys.mend(&caller()).await.unwrap();
    assert_eq!(faults(&outcome.mended), [Fault::ObjectUnclaimed; 2]);
    // No key is due; one that somebody asks for is this one.
    assert_eq!(faults(&outcome.remaining), [Fault::MakingInterrupted; 2]);
    let before = world.newest("REGISTRATION", "").await;
    keys.rotate(&caller(), &before.id).await.unwrap();
    assert_eq!(world.newest("REGISTRATION", "").await.material, KeyMaterial::Token(id));
    let newest = world.repository.find_newest_kek(&before.alias.application).await.unwrap().unwrap();
    assert_eq!((newest.version, newest.token_key), (2, kek));
    assert_eq!(world.findings().await, []);

    // The first key of an application is due whenever there is none.
    let id = world.pair("sign/IDA//1").await;
    world.repository.put_intent("sign/IDA//1", id).await.unwrap();
    assert_eq!(faults(&world.findings().await), [Fault::MakingInterrupted]);
    let outcome = keys.mend(&caller()).await.unwrap();
    assert_eq!((outcome.mended.len(), outcome.remaining.len()), (1, 0));
    assert_eq!(world.newest("IDA", "").await.material, KeyMaterial::Token(id));
}

async fn what_nobody_needs_stays(world: &World) -> Vec<Finding> {
    let unused = world.pair("sign/ROOT//1").await;
    let half = world.pair("sign/ROOT//7").await;
    world.pair("of somebody else").await;
    let raw = world.token.raw(&world.store);
    for object in find(&raw.session, &half.0, cryptoki::object::ObjectClass::PUBLIC_KEY) {
        raw.session.destroy_object(object).unwrap();
    }
    let found = world.findings().await;
    let about: BTreeSet<_> = found.iter().map(|it| (it.fault, it.subject.object.unwrap())).collect();
    assert_eq!(about, [(Fault::ObjectPartial, half), (Fault::ObjectUnused, unused)].into());
    let outcome = world.server.services.keys.mend(&caller()).await.unwrap();
    assert_eq!((outcome.mended.len(), outcome.remaining), (0, found.clone()));
    assert!(world.store.find_signing_pair(unused).await.unwrap().is_some(), "no key is removed");
    found
}

/// What makes a record wrong.
type Change<'a> = &'a dyn Fn(&mut KeyRecord);

async fn what_records_say_amiss(world: &World, known: &mut Vec<Finding>) {
    let good = world.newest("REGISTRATION", "one").await;
    let record = |reference: &str, change: Change<'_>| {
        let mut record = KeyRecord {
            id: KeyId(uuid::Uuid::new_v4().to_string()),
            alias: alias("REGISTRATION", reference),
            thumbprint: Thumbprint::from_bytes(random()),
            generation: 1,
            ..good.clone()
        };
        change(&mut record);
        record
    };
    let kekless = |record: &mut KeyRecord| {
        record.material = KeyMaterial::Wrapped { kek_version: 9, first_kek: 9, blob: vec![1; 64] };
    };
    let endless = |record: &mut KeyRecord| record.period.not_after = Timestamp::from_millis(i64::MAX / 2);
    let orphaned = |record: &mut KeyRecord| record.issuer = KeyId(uuid::Uuid::new_v4().to_string());
    let cases: [(&str, Fault, Change<'_>); 3] = [
        ("kekless", Fault::KekMissing, &kekless),
        ("endless", Fault::CertificateOutlives, &endless),
        ("orphaned", Fault::IssuerMissing, &orphaned),
    ];
    for (reference, fault, change) in cases {
        let record = record(reference, change);
        world.repository.insert_successor(&record).await.unwrap();
        let found = world.new_findings(known).await;
        assert_eq!(faults(&found), [fault], "{reference}");
        assert_eq!(found[0].subject.key.as_ref(), Some(&record.id));
        known.extend(found);
    }
    let rival = record("rival", &|_| {});
    world.repository.insert_successor(&rival).await.unwrap();
    world.query("DELETE newest_key WHERE key = $id; DELETE key_version WHERE key = $id;", &rival.id).await;
    let found = world.new_findings(known).await;
    assert_eq!(faults(&found), [Fault::TwoCurrent]);
    known.extend(found);
    world.query("UPDATE type::record('key', $id) SET generation = 3;", &rival.id).await;
    let found = world.new_findings(known).await;
    assert_eq!(faults(&found), [Fault::RecordUntrusted]);
    known.retain(|finding| finding.fault != Fault::TwoCurrent);
    known.extend(found);

    // A record of a key that the token never had.
    let mut gone = world.newest("KERNEL", "SIGN").await;
    gone.id = KeyId(uuid::Uuid::new_v4().to_string());
    gone.generation += 1;
    gone.thumbprint = Thumbprint::from_bytes(random());
    gone.material = KeyMaterial::Token(fresh_id());
    world.repository.insert_successor(&gone).await.unwrap();
    let found = world.new_findings(known).await;
    assert_eq!(faults(&found), [Fault::ObjectMissing]);
    known.extend(found);
}

async fn what_the_token_has_amiss(world: &World, known: &[Finding]) {
    let key = world.newest("IDA", "").await;
    let KeyMaterial::Token(id) = key.material else { panic!("{key:?}") };
    let raw = world.token.raw(&world.store);
    for class in [cryptoki::object::ObjectClass::PUBLIC_KEY, cryptoki::object::ObjectClass::PRIVATE_KEY] {
        for object in find(&raw.session, &id.0, class) {
            raw.session.destroy_object(object).unwrap();
        }
    }
    assert_eq!(faults(&world.new_findings(known).await), [Fault::ObjectMissing]);
    make_pair(&raw.session, id);
    let found = world.new_findings(known).await;
    assert_eq!(faults(&found), [Fault::ObjectDiffers]);
    assert_eq!(found[0].subject.label.as_deref(), Some("sign/IDA//1"));
}
