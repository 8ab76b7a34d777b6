//! The repository over SurrealDB, in memory and on disk: the port's contract, durability, migrations, tags.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use kunji_server::{
    adapters::surreal::{ConnectError, DatabaseSettings, SurrealRepository},
    domain::{
        alias::ApplicationId, client::ClientRecord, key::TokenKeyId, policy::AccessList, time::Timestamp,
    },
    ports::{
        key_policies::{KeyPolicyChange, KeyPolicyRepository as _},
        repository::{
            AccessPolicyChange, AccessPolicyRepository as _, ClientRepository as _, KeyRepository as _,
            ProvisioningRepository as _, Repository, RepositoryError, SystemSecret,
        },
        wrap_counts::WrapCountRepository,
    },
};
use kunji_shared::Thumbprint;
use kunji_tests::{
    contract::repository::{Subject, access_policy, alias, client, ending, kek, key, policy},
    repository_contract,
};
use surrealdb::{Surreal, engine::any::Any};
use tempfile::TempDir;

const INTEGRITY_KEY: [u8; 32] = [0x5A; 32];

repository_contract!(in_memory, crate::memory);
repository_contract!(on_disk, crate::disk);

async fn memory() -> Result<(Subject, ())> {
    Ok((Arc::new(open("mem://").await?), ()))
}

async fn disk() -> Result<(Subject, TempDir)> {
    let directory = tempfile::tempdir()?;
    Ok((Arc::new(open(&url(&directory)).await?), directory))
}

fn url(directory: &TempDir) -> String {
    format!("surrealkv://{}", directory.path().join("db").display())
}

fn settings(url: &str) -> DatabaseSettings {
    DatabaseSettings {
        url: url.to_owned(),
        namespace: "kunji".to_owned(),
        database: "kunji".to_owned(),
        user: String::new(),
        password: None,
        cache_bytes: 1 << 20,
    }
}

async fn open(url: &str) -> Result<SurrealRepository, ConnectError> {
    let repository = SurrealRepository::connect(settings(url)).await?;
    repository.install_integrity_key(INTEGRITY_KEY.into());
    Ok(repository)
}

/// Opens again once the former owner has let go, which happens a moment after it was dropped.
async fn reopen(url: &str) -> Result<SurrealRepository> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match open(url).await {
            Err(ConnectError::Open(_)) if Instant::now() < deadline => tokio::task::yield_now().await,
            outcome => return Ok(outcome?),
        }
    }
}

/// A database in memory, and a second handle to it.
async fn raw() -> Result<Surreal<Any>> {
    let client = surrealdb::engine::any::connect("mem://").await?;
    client.use_ns("kunji").use_db("kunji").await?;
    Ok(client)
}

async fn over(client: &Surreal<Any>) -> Result<SurrealRepository> {
    let repository = SurrealRepository::from_client(client.clone()).await?;
    repository.install_integrity_key(INTEGRITY_KEY.into());
    Ok(repository)
}

async fn run(client: &Surreal<Any>, text: &str) -> Result<()> {
    client.query(text.to_owned()).await?.check()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_survives_a_restart() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let alias = alias("10001_110011")?;
    let secret = SystemSecret { kek: TokenKeyId([1; 16]), blob: vec![7; 40] };
    {
        let repository = open(&url(&directory)).await?;
        repository.insert_successor(&key(&alias, 1, 1)).await?;
        repository.insert_successor(&key(&alias, 2, 2)).await?;
        repository.insert_kek_successor(&kek(1, 1)?).await?;
        repository.insert_client(&client("regproc")?).await?;
        let stored = [policy("REGISTRATION", 1, AccessList::AnyRoleHolder)?];
        repository.change_key_policies(0, KeyPolicyChange::Put(&stored)).await?;
        repository.put_intent("slot", TokenKeyId([4; 16])).await?;
        repository.insert_system_secret("integrity", &secret).await?;
    }
    let repository = reopen(&url(&directory)).await?;
    ensure!(repository.find_newest(&alias).await? == Some(key(&alias, 2, 2)));
    ensure!(repository.list(&alias, 8).await?.len() == 2);
    ensure!(
        repository.find_by_thumbprint(&Thumbprint::from_bytes([1; 32])).await? == Some(key(&alias, 1, 1))
    );
    ensure!(repository.find_newest_kek(&ApplicationId::parse("REGISTRATION")?).await? == Some(kek(1, 1)?));
    ensure!(repository.find_client(&client("regproc")?.id).await? == Some(client("regproc")?));
    ensure!(
        repository.list_key_policies().await?.policies
            == [policy("REGISTRATION", 1, AccessList::AnyRoleHolder)?]
    );
    ensure!(repository.find_intent("slot").await? == Some(TokenKeyId([4; 16])));
    ensure!(repository.find_system_secret("integrity").await? == Some(secret));
    repository.insert_successor(&key(&alias, 3, 3)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_has_one_owner() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let first = open(&url(&directory)).await?;
    ensure!(matches!(open(&url(&directory)).await, Err(ConnectError::Open(_))));
    first.check_health().await?;
    Ok(())
}

#[tokio::test]
async fn unsafe_addresses_are_refused() -> Result<()> {
    let directory = tempfile::tempdir()?;
    for parameters in ["sync=never", "sync=1s", "versioned=true"] {
        let outcome = open(&format!("{}?{parameters}", url(&directory))).await;
        let Err(ConnectError::Parameter) = outcome else { bail!("{parameters} was taken") };
    }
    ensure!(!directory.path().join("db").exists(), "a refused address made files");
    ensure!(matches!(open("rocksdb://db").await, Err(ConnectError::Url)));
    ensure!(matches!(open("ws://127.0.0.1:1").await, Err(ConnectError::PasswordMissing)));
    let text = open("tikv://db").await.err().context("an error")?.to_string();
    ensure!(text.contains("surrealkv://") && text.contains("wss://"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_remote_database_that_is_away_is_an_error() -> Result<()> {
    for scheme in ["ws", "wss"] {
        let settings = DatabaseSettings {
            password: Some("secret".into()),
            ..settings(&format!("{scheme}://127.0.0.1:1"))
        };
        let error = SurrealRepository::connect(settings).await.err().context("an error")?;
        ensure!(matches!(error, ConnectError::Open(_)), "{error:?}");
    }
    Ok(())
}

fn waits<T>(outcome: &Result<T, RepositoryError>) -> bool {
    matches!(outcome, Err(RepositoryError::Unavailable(_)))
}

#[tokio::test]
async fn nothing_tagged_is_read_or_written_without_the_integrity_key() -> Result<()> {
    let repository = SurrealRepository::connect(settings("mem://")).await?;
    let record = key(&alias("A")?, 1, 1);
    let application = ApplicationId::parse("REGISTRATION")?;
    ensure!(waits(&repository.find_newest(&record.alias).await));
    ensure!(waits(&repository.find(&record.id).await));
    ensure!(waits(&repository.find_by_thumbprint(&record.thumbprint).await));
    ensure!(waits(&repository.list(&record.alias, 8).await));
    ensure!(waits(&repository.insert_successor(&record).await));
    ensure!(waits(&repository.find_newest_kek(&application).await));
    ensure!(waits(&repository.find_kek(&application, 1).await));
    ensure!(waits(&repository.insert_kek_successor(&kek(1, 1)?).await));
    ensure!(waits(&repository.find_client(&client("a")?.id).await));
    ensure!(waits(&repository.insert_client(&client("a")?).await));
    ensure!(waits(&repository.has_clients().await));
    ensure!(waits(&repository.list_clients(None, 1).await));
    ensure!(waits(&repository.replace_client(&client("a")?, Some(&ending(1, 10))).await));
    ensure!(waits(&repository.remove_client(&client("a")?, &ending(1, 10)).await));
    ensure!(waits(&repository.newest_ending().await));
    ensure!(waits(&repository.list_endings(0).await));
    ensure!(waits(&repository.forget_endings(Timestamp::from_seconds(0)).await));
    ensure!(waits(&repository.key_policies_version().await));
    ensure!(waits(&repository.list_key_policies().await));
    let stored = [policy("REGISTRATION", 1, AccessList::AnyRoleHolder)?];
    ensure!(waits(&repository.change_key_policies(0, KeyPolicyChange::Put(&stored)).await));
    ensure!(waits(&repository.access_policies_version().await));
    ensure!(waits(&repository.list_access_policies().await));
    let stored = access_policy("a", 1);
    ensure!(waits(&repository.change_access_policies(0, AccessPolicyChange::Put(&stored)).await));
    repository.check_health().await?;
    repository.put_intent("slot", TokenKeyId([1; 16])).await?;
    repository.install_integrity_key(INTEGRITY_KEY.into());
    repository.insert_successor(&record).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_migrate_at_once_end_in_the_same_state() -> Result<()> {
    for _ in 0..5 {
        let database = raw().await?;
        let starts: Vec<_> =
            (0..4).map(|_| tokio::spawn(SurrealRepository::from_client(database.clone()))).collect();
        for start in starts {
            start.await??.check_health().await?;
        }
        let repository = over(&database).await?;
        let record = key(&alias("A")?, 1, 1);
        repository.insert_successor(&record).await?;
        drop(repository);
        ensure!(over(&database).await?.find(&record.id).await? == Some(record));
    }
    Ok(())
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    for version in ["1000", "-1", "4294967297"] {
        run(&database, &format!("UPDATE schema_version:current SET version = {version}")).await?;
        let outcome = SurrealRepository::from_client(database.clone()).await;
        ensure!(matches!(outcome, Err(ConnectError::Schema { .. })), "{version}");
        ensure!(matches!(repository.check_health().await, Err(RepositoryError::Unavailable(_))), "{version}");
    }
    Ok(())
}

#[tokio::test]
async fn the_database_keeps_rows_in_shape() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    repository.insert_client(&client("regproc")?).await?;
    for text in [
        "UPDATE client:regproc SET extra = 1",
        "UPDATE client:regproc SET roles = 'administrator'",
        "UPDATE client:regproc UNSET tag",
        "CREATE client:other SET secret_hash = 'x'",
    ] {
        ensure!(run(&database, text).await.is_err(), "{text}");
    }
    ensure!(repository.find_client(&client("regproc")?.id).await? == Some(client("regproc")?));
    Ok(())
}

/// What a reader must refuse after `text` was run on a database with two keys, two KEKs, two clients, two policies, two access
/// policies.
struct Tampering {
    text: &'static str,
    /// The table whose row is refused, by reader.
    refused: &'static [(&'static str, Reader)],
}

#[derive(Clone, Copy, Debug)]
enum Reader {
    Newest,
    NewestOfB,
    ById,
    ByThumbprint,
    List,
    NewestKek,
    Kek,
    Wraps,
    Client,
    AnyClient,
    Clients,
    Endings,
    Policies,
    PolicyVersion,
    AccessPolicies,
    AccessVersion,
}

const KEY_1: &str = "00000000-0000-4000-8000-000000000001";

const TAMPERINGS: &[Tampering] = &[
    // A field changes.
    Tampering {
        text: "UPDATE type::record('key', $key1) SET not_after += 86400000",
        refused: &[
            ("key", Reader::Newest),
            ("key", Reader::ById),
            ("key", Reader::ByThumbprint),
            ("key", Reader::List),
        ],
    },
    Tampering {
        text: "UPDATE type::record('key', $key1) SET blob = <bytes>'x'",
        refused: &[("key", Reader::ById)],
    },
    Tampering {
        text: "UPDATE type::record('key', $key1) SET issuer = 'x'",
        refused: &[("key", Reader::ById)],
    },
    Tampering {
        text: "UPDATE client:regproc SET roles = ['administrator']",
        refused: &[("client", Reader::Client)],
    },
    Tampering {
        text: "UPDATE client SET secret_hash = 'x'",
        refused: &[("client", Reader::Client), ("client", Reader::AnyClient), ("client", Reader::Clients)],
    },
    Tampering {
        text: "UPDATE client:regproc UNSET disabled_at",
        refused: &[("client", Reader::Client), ("client", Reader::Clients)],
    },
    // A client's tokens are to be good again.
    Tampering { text: "UPDATE ending:`1` SET until = 0", refused: &[("ending", Reader::Endings)] },
    Tampering {
        text: "LET $a = SELECT * OMIT id FROM ONLY ending:`1`; UPDATE ending:`2` CONTENT $a",
        refused: &[("ending", Reader::Endings)],
    },
    Tampering { text: "DELETE ending:`1`", refused: &[("ending", Reader::Endings)] },
    Tampering { text: "UPDATE endings SET newest = 1", refused: &[("endings", Reader::Endings)] },
    Tampering { text: "UPDATE endings SET oldest = 2", refused: &[("endings", Reader::Endings)] },
    Tampering { text: "UPDATE policy:IDA UNSET principals", refused: &[("policy", Reader::Policies)] },
    Tampering { text: "UPDATE policy:IDA SET principals += 'eve'", refused: &[("policy", Reader::Policies)] },
    Tampering {
        text: "UPDATE kek SET token_key = '00000000000000000000000000000000' WHERE version = 2",
        refused: &[("kek", Reader::NewestKek), ("kek", Reader::Kek)],
    },
    Tampering { text: "UPDATE kek_wraps SET taken = 1", refused: &[("kek_wraps", Reader::Wraps)] },
    Tampering {
        text: "UPDATE policy:PMS SET automatic_rotation = false",
        refused: &[("policy", Reader::Policies)],
    },
    Tampering {
        text: "UPDATE policies SET version = 1",
        refused: &[("policies", Reader::Policies), ("policies", Reader::PolicyVersion)],
    },
    Tampering { text: "DELETE policy:IDA", refused: &[("policies", Reader::Policies)] },
    Tampering { text: "DELETE policies", refused: &[("policies", Reader::Policies)] },
    Tampering {
        text: "UPDATE access_policy:night SET effect = 'allow'",
        refused: &[("access_policy", Reader::AccessPolicies)],
    },
    Tampering {
        text: "UPDATE access_policies SET version = 1",
        refused: &[("access_policies", Reader::AccessPolicies), ("access_policies", Reader::AccessVersion)],
    },
    Tampering { text: "DELETE access_policy:night", refused: &[("access_policies", Reader::AccessPolicies)] },
    Tampering { text: "DELETE access_policies", refused: &[("access_policies", Reader::AccessPolicies)] },
    // A tag goes, or is of another row.
    Tampering {
        text: "DEFINE FIELD OVERWRITE tag ON key TYPE option<bytes>; UPDATE type::record('key', $key1) UNSET tag",
        refused: &[("key", Reader::ById), ("key", Reader::Newest)],
    },
    Tampering {
        text: "UPDATE type::record('key', $key1) SET tag = (SELECT VALUE tag FROM ONLY type::record('key', $key2))",
        refused: &[("key", Reader::ById)],
    },
    Tampering { text: "UPDATE key SET tag = <bytes>''", refused: &[("key", Reader::ById)] },
    // The contents of two rows are swapped.
    Tampering {
        text: "LET $a = SELECT * OMIT id FROM ONLY client:regproc; LET $b = SELECT * OMIT id FROM ONLY client:root; \
               UPDATE client:regproc CONTENT $b; UPDATE client:root CONTENT $a",
        refused: &[("client", Reader::Client)],
    },
    Tampering {
        text: "LET $a = SELECT * OMIT id FROM ONLY type::record('key', $key1); \
               LET $b = SELECT * OMIT id FROM ONLY type::record('key', $key2); \
               DELETE key; CREATE type::record('key', $key1) CONTENT $b; CREATE type::record('key', $key2) CONTENT $a",
        refused: &[("key", Reader::ById), ("key", Reader::ByThumbprint), ("key", Reader::Newest)],
    },
    Tampering {
        text: "LET $a = SELECT * OMIT id FROM ONLY policy:IDA; UPDATE policy:PMS CONTENT $a",
        refused: &[("policy", Reader::Policies)],
    },
    // A row is copied to another record.
    Tampering {
        text: "LET $a = SELECT * OMIT id FROM ONLY client:root; DELETE client; CREATE client:regproc CONTENT $a",
        refused: &[("client", Reader::Client), ("client", Reader::AnyClient)],
    },
    // A pointer or mapping names another key.
    Tampering {
        text: "UPDATE newest_key SET key = $key2 WHERE key = $key1",
        refused: &[("newest_key", Reader::Newest)],
    },
    Tampering {
        text: "LET $b = (SELECT * OMIT id FROM newest_key WHERE key = $key2)[0]; \
               UPDATE newest_key CONTENT $b WHERE key = $key1",
        refused: &[("newest_key", Reader::Newest)],
    },
    Tampering {
        text: "UPDATE thumbprint SET key = $key2 WHERE key = $key1",
        refused: &[("thumbprint", Reader::ByThumbprint)],
    },
    Tampering { text: "UPDATE newest_kek SET version = 1", refused: &[("newest_kek", Reader::NewestKek)] },
    // What a name leads to is away.
    Tampering {
        text: "DELETE type::record('key', $key1)",
        refused: &[("newest_key", Reader::Newest), ("thumbprint", Reader::ByThumbprint)],
    },
    Tampering {
        text: "DELETE newest_key",
        refused: &[("newest_key", Reader::Newest), ("newest_key", Reader::NewestOfB)],
    },
    Tampering { text: "DELETE newest_kek", refused: &[("newest_kek", Reader::NewestKek)] },
    Tampering {
        text: "UPDATE key_version SET key = $key2 WHERE key = $key1",
        refused: &[("key_version", Reader::List)],
    },
    Tampering { text: "DELETE key_version WHERE key = $key1", refused: &[("key_version", Reader::List)] },
    Tampering { text: "DELETE kek WHERE version = 2", refused: &[("newest_kek", Reader::NewestKek)] },
];

impl Reader {
    async fn read(self, repository: &SurrealRepository) -> Result<Result<(), RepositoryError>> {
        let (a, b) = (key(&alias("A")?, 1, 1), key(&alias("B")?, 1, 2));
        let application = ApplicationId::parse("REGISTRATION")?;
        Ok(match self {
            Self::Newest => repository.find_newest(&a.alias).await.map(drop),
            Self::NewestOfB => repository.find_newest(&b.alias).await.map(drop),
            Self::ById => repository.find(&a.id).await.map(drop),
            Self::ByThumbprint => repository.find_by_thumbprint(&a.thumbprint).await.map(drop),
            Self::List => repository.list(&a.alias, 8).await.map(drop),
            Self::NewestKek => repository.find_newest_kek(&application).await.map(drop),
            Self::Kek => repository.find_kek(&application, 2).await.map(drop),
            Self::Wraps => repository.find_wraps(&kek(2, 2)?).await.map(drop),
            Self::Client => repository.find_client(&client("regproc")?.id).await.map(drop),
            Self::AnyClient => repository.has_clients().await.map(drop),
            Self::Clients => repository.list_clients(None, 10).await.map(drop),
            Self::Endings => repository.list_endings(0).await.map(drop),
            Self::Policies => repository.list_key_policies().await.map(drop),
            Self::PolicyVersion => repository.key_policies_version().await.map(drop),
            Self::AccessPolicies => repository.list_access_policies().await.map(drop),
            Self::AccessVersion => repository.access_policies_version().await.map(drop),
        })
    }
}

#[tokio::test]
async fn rows_that_were_tampered_with_are_refused() -> Result<()> {
    for Tampering { text, refused } in TAMPERINGS {
        let database = raw().await?;
        let repository = over(&database).await?;
        repository.insert_successor(&key(&alias("A")?, 1, 1)).await?;
        repository.insert_successor(&key(&alias("B")?, 1, 2)).await?;
        repository.insert_kek_successor(&kek(1, 1)?).await?;
        repository.insert_kek_successor(&kek(2, 2)?).await?;
        repository.take_wraps(&kek(2, 2)?, 0, 7).await?;
        repository.insert_client(&client("regproc")?).await?;
        repository.insert_client(&client("root")?).await?;
        for version in [2, 3] {
            let disabled_at = Some(Timestamp::from_seconds(5));
            let disabled = ClientRecord { version, disabled_at, ..client("regproc")? };
            repository.replace_client(&disabled, Some(&ending(u64::from(version) - 1, 10))).await?;
        }
        for (application, version) in [("IDA", 1), ("PMS", 2)] {
            let listed = AccessList::Principals(vec!["regproc".to_owned()]);
            let stored = [policy(application, version, listed)?];
            repository.change_key_policies(version - 1, KeyPolicyChange::Put(&stored)).await?;
        }
        for version in [1, 2] {
            let stored = access_policy(if version == 1 { "day" } else { "night" }, version);
            repository.change_access_policies(version - 1, AccessPolicyChange::Put(&stored)).await?;
        }
        for (_, reader) in *refused {
            reader
                .read(&repository)
                .await?
                .with_context(|| format!("{reader:?} before anything was done"))?;
        }
        let change = database.query(*text).bind(("key1", KEY_1)).bind(("key2", key(&alias("B")?, 1, 2).id.0));
        change.await?.check().with_context(|| (*text).to_owned())?;
        for (table, reader) in *refused {
            match reader.read(&repository).await? {
                Err(RepositoryError::Inconsistent { table: found, .. }) if found == *table => {}
                outcome => bail!("{reader:?} after {text}: {outcome:?}"),
            }
        }
    }
    Ok(())
}

/// An older state of the pointer has a tag that is right; the newer key gives it away.
#[tokio::test]
async fn a_pointer_set_back_is_refused() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    let alias = alias("A")?;
    repository.insert_successor(&key(&alias, 1, 1)).await?;
    run(&database, "CREATE kept:1 CONTENT { row: (SELECT * OMIT id FROM newest_key)[0] }").await?;
    repository.insert_successor(&key(&alias, 2, 2)).await?;
    run(&database, "UPDATE newest_key CONTENT (SELECT VALUE row FROM ONLY kept:1)").await?;
    let outcome = repository.find_newest(&alias).await;
    ensure!(matches!(outcome, Err(RepositoryError::Inconsistent { table: "newest_key", .. })), "{outcome:?}");
    let outcome = repository.insert_successor(&key(&alias, 2, 3)).await;
    ensure!(matches!(outcome, Err(RepositoryError::Conflict)), "a second current key: {outcome:?}");
    Ok(())
}

/// An older state of an access policy has a tag that is right; that it is not the newest gives it away.
#[tokio::test]
async fn an_access_policy_set_back_is_refused() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    let put = |version| {
        let stored = access_policy("night", version);
        let repository = &repository;
        async move { repository.change_access_policies(version - 1, AccessPolicyChange::Put(&stored)).await }
    };
    put(1).await?;
    run(&database, "CREATE kept:1 CONTENT { row: (SELECT * OMIT id FROM access_policy)[0] }").await?;
    put(2).await?;
    run(&database, "UPDATE access_policy:night CONTENT (SELECT VALUE row FROM ONLY kept:1)").await?;
    let outcome = repository.list_access_policies().await;
    ensure!(
        matches!(outcome, Err(RepositoryError::Inconsistent { table: "access_policies", .. })),
        "{outcome:?}"
    );
    Ok(())
}

/// Without a pointer there is still no second key of a generation.
#[tokio::test]
async fn a_lost_pointer_makes_no_second_first_key() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    let alias = alias("A")?;
    repository.insert_successor(&key(&alias, 1, 1)).await?;
    run(&database, "DELETE newest_key").await?;
    let outcome = repository.insert_successor(&key(&alias, 1, 2)).await;
    ensure!(matches!(outcome, Err(RepositoryError::Conflict)), "{outcome:?}");
    ensure!(repository.find(&key(&alias, 1, 2).id).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn another_integrity_key_reads_nothing() -> Result<()> {
    let database = raw().await?;
    let record = key(&alias("A")?, 1, 1);
    over(&database).await?.insert_successor(&record).await?;
    let other = SurrealRepository::from_client(database.clone()).await?;
    other.install_integrity_key([1; 32].into());
    ensure!(matches!(other.find(&record.id).await, Err(RepositoryError::Inconsistent { table: "key", .. })));
    Ok(())
}

/// SurrealDB's texts hold values; ours do not.
#[tokio::test]
async fn errors_hold_no_values_of_rows() -> Result<()> {
    let database = raw().await?;
    let repository = over(&database).await?;
    let mut record = client("regproc")?;
    record.secret_hash = "hunter2".repeat(200);
    let error = repository.insert_client(&record).await.err().context("a hash above the limit was taken")?;
    ensure!(matches!(error, RepositoryError::Unavailable(_)), "{error:?}");
    ensure!(!format!("{error} {error:?}").contains("hunter2"));
    Ok(())
}
