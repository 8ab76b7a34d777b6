//! The promises of `kunji_server::ports::repository`, one function each.
//!
//! A function is given an empty repository whose integrity key is installed. [`repository_contract!`](crate::repository_contract)
//! makes tests of all of them for one kind of repository.
#![expect(clippy::missing_errors_doc, reason = "an error is a broken promise, and says which")]

use std::{collections::BTreeMap, future::Future, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use kunji_server::{
    domain::{
        access::{Operation, Role},
        alias::{ApplicationId, KeyAlias, KeyPurpose, ReferenceId},
        authorization::{
            ApprovalTerms, PolicyText, Rate,
            approval::{Approval, ApprovalId, Vote},
        },
        client::{ClientId, ClientRecord, Ending, FormerSecret, TokenEpoch},
        cross_certificate::CrossCertificate,
        destruction::Watch,
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord, TokenKeyId, Upload},
        key_tags::KeyTags,
        key_type::{Curve, KeyType},
        lifecycle::{Change, KeyState, Transition},
        policy::{AccessList, Cryptoperiod, DestructionTerms, KeyPolicy},
        symmetric::SymmetricKeyRecord,
        time::Timestamp,
    },
    ports::{
        key_policies::{KeyPolicyChange, KeyPolicyRecord, KeyPolicyRecords},
        repository::{
            AccessPolicyChange, AccessPolicyRecord, AccessPolicyRecords, Repository, RepositoryError,
            StoredRoster, SystemSecret,
        },
        rewrap::RewrapRun,
        rotation::NewestPage,
    },
};
use kunji_shared::{ModulusLength, Thumbprint};

/// A repository under test.
pub type Subject = Arc<dyn Repository>;

/// Makes a module `$name` of tests, one for each promise; `$make` is an async function that returns
/// `anyhow::Result` of an empty repository (and of what must outlive the test).
#[macro_export]
macro_rules! repository_contract {
    ($name:ident, $make:path) => {
        mod $name {
            $crate::repository_contract!(@tests $make,
                keys_come_back_as_they_went,
                a_successor_needs_its_predecessor,
                ids_and_thumbprints_are_unique,
                one_of_many_successors_wins,
                versions_are_listed_newest_first,
                aliases_do_not_mix,
                other_domains_certificates_may_have_several_names,
                symmetric_keys_succeed_each_other,
                wrappings_are_numbered_once,
                keys_are_listed_in_the_order_of_their_ids,
                the_last_tags_of_a_key_count,
                transitions_are_numbered_over_all_keys,
                one_of_many_transitions_wins,
                a_closed_alias_gets_a_successor_on_request_alone,
                closing_and_succeeding_exclude_each_other,
                private_parts_go_with_a_decision_alone,
                the_latest_use_of_a_key_counts,
                looks_succeed_each_other,
                a_wrapping_is_replaced_once,
                keks_succeed_each_other,
                one_of_many_keks_wins,
                clients_are_unique,
                clients_are_listed_in_the_order_of_their_ids,
                a_client_goes_from_state_to_state,
                one_of_many_changes_of_a_client_wins,
                endings_are_numbered_over_all_clients,
                endings_are_forgotten_when_their_time_is_over,
                each_change_of_key_policies_makes_a_version,
                each_change_of_access_policies_makes_a_version,
                the_first_cross_certificate_of_a_key_stays,
                newest_keys_are_listed_page_by_page,
                newest_symmetric_keys_are_listed_page_by_page,
                approvals_succeed_their_predecessors,
                a_lease_has_one_holder,
                one_of_many_takes_a_lease,
                the_latest_intent_counts,
                intents_are_listed_and_forgotten,
                the_first_system_secret_stays,
                one_of_many_rosters_follows_another,
                names_are_data,
                a_healthy_repository_says_so,
                a_second_integrity_key_is_ignored,
            );
        }
    };
    (@tests $make:path, $($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() -> anyhow::Result<()> {
                let (repository, _alive) = $make().await?;
                $crate::contract::repository::$promise(repository).await
            }
        )*
    };
}

/// The alias of a base key.
pub fn alias(reference: &str) -> Result<KeyAlias> {
    Ok(KeyAlias::parse("REGISTRATION", reference)?)
}

/// A key of the alias whose id and thumbprint come from `seed`, wrapped.
pub fn key(alias: &KeyAlias, generation: u32, seed: u8) -> KeyRecord {
    KeyRecord {
        id: KeyId(format!("00000000-0000-4000-8000-0000000000{seed:02x}")),
        alias: alias.clone(),
        generation,
        material: KeyMaterial::Wrapped { kek_version: 1, first_kek: 1, blob: vec![seed; 1240] },
        key_type: KeyType::Rsa(ModulusLength::Rsa2048),
        thumbprint: Thumbprint::from_bytes([seed; 32]),
        certificate: vec![seed; 1100],
        issuer: KeyId("00000000-0000-4000-8000-000000000000".to_owned()),
        upload: None,
        period: Cryptoperiod {
            not_before: Timestamp::from_seconds(1_700_000_000),
            not_after: Timestamp::from_seconds(1_800_000_000),
        },
    }
}

/// A KEK of `REGISTRATION`.
pub fn kek(version: u32, seed: u8) -> Result<KekRecord> {
    Ok(KekRecord {
        application: ApplicationId::parse("REGISTRATION")?,
        version,
        token_key: TokenKeyId([seed; 16]),
        created_at: Timestamp::from_millis(1_700_000_000_123),
    })
}

/// A client.
pub fn client(id: &str) -> Result<ClientRecord> {
    Ok(ClientRecord {
        id: ClientId::parse(id).context("a client id")?,
        secret_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".to_owned(),
        former_secrets: Vec::new(),
        roles: vec![Role::Decryptor, Role::Encryptor],
        disabled_at: None,
        epoch: TokenEpoch::from_bytes([7; 16]),
        version: 1,
        created_at: Timestamp::from_millis(1_700_000_000_001),
        created_by: None,
    })
}

/// The ending of a client's epoch.
pub fn ending(number: u64, until_seconds: i64) -> Ending {
    let mut epoch = [0; 16];
    epoch[8..].copy_from_slice(&number.to_be_bytes());
    let until = Timestamp::from_seconds(until_seconds);
    Ending { number, epoch: TokenEpoch::from_bytes(epoch), until }
}

/// A key policy that `version` stored.
pub fn policy(application: &str, version: u64, access: AccessList) -> Result<KeyPolicyRecord> {
    Ok(KeyPolicyRecord {
        policy: KeyPolicy {
            application: ApplicationId::parse_any(application)?,
            validity_days: 1095,
            pre_expire_days: 60,
            pre_expire: BTreeMap::from([(KeyPurpose::Encryption, 90), (KeyPurpose::Signing, 0)]),
            modulus: Some(ModulusLength::Rsa4096).filter(|_| version.is_multiple_of(2)),
            max_wraps: Some(1 << 32).filter(|_| version.is_multiple_of(2)),
            active: true,
            automatic_rotation: version.is_multiple_of(2),
            destruction: DestructionTerms { wait_days: 7, offline_allowance_days: 365 },
            access,
        },
        version,
        changed: Some((Timestamp::from_millis(1_700_000_000_123), "keeper".to_owned())),
    })
}

/// Whether another change came first.
pub fn is_conflict<T>(outcome: &Result<T, RepositoryError>) -> bool {
    matches!(outcome, Err(RepositoryError::Conflict))
}

/// Every member of a key record is kept, and it is found by all its names.
pub async fn keys_come_back_as_they_went(repository: Subject) -> Result<()> {
    let master = KeyAlias::master(ApplicationId::internal());
    let base = alias("10001_110011")?;
    let records = [
        KeyRecord {
            material: KeyMaterial::Token(TokenKeyId([0xA5; 16])),
            key_type: KeyType::Rsa(ModulusLength::Rsa4096),
            ..key(&master, 1, 1)
        },
        KeyRecord { key_type: KeyType::Curve(Curve::Ed25519), ..key(&alias("ED25519_SIGN")?, 1, 3) },
        KeyRecord {
            period: Cryptoperiod { not_before: Timestamp::from_millis(-1), ..key(&base, 1, 2).period },
            ..key(&base, 1, 2)
        },
    ];
    for record in &records {
        ensure!(repository.find_newest(&record.alias).await?.is_none());
        ensure!(repository.find(&record.id).await?.is_none());
        ensure!(repository.find_by_thumbprint(&record.thumbprint).await?.is_none());
        ensure!(repository.list(&record.alias, 8).await?.is_empty());
        repository.insert_successor(record).await?;
        ensure!(repository.find_newest(&record.alias).await?.as_ref() == Some(record));
        ensure!(repository.find(&record.id).await?.as_ref() == Some(record));
        ensure!(repository.find_by_thumbprint(&record.thumbprint).await?.as_ref() == Some(record));
        ensure!(repository.list(&record.alias, 8).await? == std::slice::from_ref(record));
    }
    Ok(())
}

/// A key is inserted only as the direct successor of the newest one.
pub async fn a_successor_needs_its_predecessor(repository: Subject) -> Result<()> {
    let alias = alias("10001_110011")?;
    ensure!(is_conflict(&repository.insert_successor(&key(&alias, 2, 1)).await), "2 without 1");
    ensure!(is_conflict(&repository.insert_successor(&key(&alias, 0, 1)).await), "0");
    repository.insert_successor(&key(&alias, 1, 1)).await?;
    ensure!(is_conflict(&repository.insert_successor(&key(&alias, 1, 2)).await), "1 again");
    ensure!(is_conflict(&repository.insert_successor(&key(&alias, 3, 2)).await), "3 after 1");
    ensure!(repository.find(&key(&alias, 3, 2).id).await?.is_none(), "a refused key left a row");
    ensure!(repository.find_by_thumbprint(&Thumbprint::from_bytes([2; 32])).await?.is_none());
    repository.insert_successor(&key(&alias, 2, 2)).await?;
    ensure!(repository.find_newest(&alias).await? == Some(key(&alias, 2, 2)));
    ensure!(
        repository.find_by_thumbprint(&Thumbprint::from_bytes([1; 32])).await? == Some(key(&alias, 1, 1))
    );
    Ok(())
}

/// An id or thumbprint that is taken refuses the whole change, also of another alias.
pub async fn ids_and_thumbprints_are_unique(repository: Subject) -> Result<()> {
    let (first, second) = (alias("A")?, alias("B")?);
    repository.insert_successor(&key(&first, 1, 1)).await?;
    let same_id = KeyRecord { thumbprint: Thumbprint::from_bytes([2; 32]), ..key(&second, 1, 1) };
    let same_thumbprint = KeyRecord { thumbprint: Thumbprint::from_bytes([1; 32]), ..key(&second, 1, 2) };
    ensure!(is_conflict(&repository.insert_successor(&same_id).await));
    ensure!(is_conflict(&repository.insert_successor(&same_thumbprint).await));
    ensure!(repository.find_newest(&second).await?.is_none());
    ensure!(repository.find(&same_thumbprint.id).await?.is_none());
    ensure!(repository.find_newest(&first).await? == Some(key(&first, 1, 1)));
    Ok(())
}

/// Of eight tasks that insert the same generation one wins, and the others leave nothing behind.
pub async fn one_of_many_successors_wins(repository: Subject) -> Result<()> {
    let alias = alias("10001_110011")?;
    for generation in 1..=6_u8 {
        let offer = |task: u8| key(&alias, generation.into(), generation * 16 + task);
        let outcomes = at_once(|task| {
            let (repository, record) = (Arc::clone(&repository), offer(task));
            async move { repository.insert_successor(&record).await }
        })
        .await?;
        let winner = only_winner(&outcomes)?;
        ensure!(repository.find_newest(&alias).await? == Some(offer(winner)));
        for task in (0..8).filter(|task| *task != winner) {
            ensure!(repository.find(&offer(task).id).await?.is_none());
            ensure!(repository.find_by_thumbprint(&offer(task).thumbprint).await?.is_none());
        }
        ensure!(repository.list(&alias, 100).await?.len() == usize::from(generation));
    }
    Ok(())
}

/// The list has all versions of the alias, the newest first, and not more than wanted.
pub async fn versions_are_listed_newest_first(repository: Subject) -> Result<()> {
    let alias = alias("10001_110011")?;
    for generation in 1..=12_u8 {
        repository.insert_successor(&key(&alias, generation.into(), generation)).await?;
    }
    let generations = |keys: Vec<KeyRecord>| keys.into_iter().map(|key| key.generation).collect::<Vec<_>>();
    ensure!(generations(repository.list(&alias, 100).await?) == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    ensure!(generations(repository.list(&alias, 3).await?) == [12, 11, 10]);
    ensure!(repository.list(&alias, 0).await?.is_empty());
    ensure!(generations(repository.list_older(&alias, 5, 100).await?) == [4, 3, 2, 1]);
    ensure!(generations(repository.list_older(&alias, 5, 2).await?) == [4, 3]);
    ensure!(repository.list_older(&alias, 1, 100).await?.is_empty());
    ensure!(repository.list_older(&alias, 14, 100).await.is_err(), "there is no generation 13");
    Ok(())
}

/// Pages begin after a key, and have no more than wanted.
pub async fn keys_are_listed_in_the_order_of_their_ids(repository: Subject) -> Result<()> {
    ensure!(repository.list_keys(None, 10).await?.is_empty());
    let keys: Vec<_> = [3, 1, 2]
        .into_iter()
        .map(|seed| Ok(key(&alias(&format!("{seed}"))?, 1, seed)))
        .collect::<Result<_>>()?;
    for record in &keys {
        repository.insert_successor(record).await?;
    }
    let ordered = [keys[1].clone(), keys[2].clone(), keys[0].clone()];
    ensure!(repository.list_keys(None, 10).await? == ordered);
    ensure!(repository.list_keys(None, 2).await? == ordered[..2]);
    ensure!(repository.list_keys(Some(&ordered[0].id), 10).await? == ordered[1..]);
    ensure!(repository.list_keys(Some(&ordered[2].id), 10).await?.is_empty());
    let examined = repository.examine_keys(Some(&ordered[0].id), 10).await?;
    ensure!(examined.into_iter().collect::<Result<Vec<_>, _>>()? == ordered[1..]);
    Ok(())
}

/// Tags are put and read for keys that need not be there, and listed in the order of their keys.
pub async fn the_last_tags_of_a_key_count(repository: Subject) -> Result<()> {
    let keys = [1, 2, 3].map(|seed| KeyId(format!("{seed:036}")));
    let tags =
        |texts: &[&str]| KeyTags::parse(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
    let none = KeyTags::default();
    ensure!(repository.find_tags(&keys).await? == [none.clone(), none.clone(), none.clone()]);
    ensure!(
        repository.find_tags(&[]).await?.is_empty() && repository.list_tagged(None, 10).await?.is_empty()
    );
    repository.put_tags(&keys[2], &tags(&["north"])?).await?;
    repository.put_tags(&keys[0], &tags(&["pilot", "2026"])?).await?;
    repository.put_tags(&keys[0], &tags(&["north", "region=1"])?).await?;
    let (first, third) = (tags(&["north", "region=1"])?, tags(&["north"])?);
    ensure!(repository.find_tags(&keys).await? == [first.clone(), none.clone(), third.clone()]);
    let listed = [(keys[0].clone(), first), (keys[2].clone(), third)];
    ensure!(repository.list_tagged(None, 10).await? == listed);
    ensure!(repository.list_tagged(None, 1).await? == listed[..1]);
    ensure!(repository.list_tagged(Some(&keys[0]), 10).await? == listed[1..]);
    repository.put_tags(&keys[0], &none).await?;
    ensure!(repository.find_tags(&keys[..1]).await? == [none]);
    Ok(())
}

/// A transition of a key, suspended by odd numbers and resumed by even ones.
pub fn transition(number: u64, key: &KeyRecord) -> Transition {
    let (change, from, to) = if number % 2 == 1 {
        (Change::Suspend, KeyState::Active, KeyState::Suspended)
    } else {
        (Change::Resume, KeyState::Suspended, KeyState::Active)
    };
    Transition {
        number,
        key: key.id.clone(),
        previous: (number > 1).then(|| number - 1),
        change,
        from,
        to,
        reason: "lost and found, 'as said'".to_owned(),
        actor: "keeper".to_owned(),
        at: Timestamp::from_millis(1_700_000_000_123),
        closes: false,
    }
}

/// Transitions come without gaps, and are read from a number on.
pub async fn transitions_are_numbered_over_all_keys(repository: Subject) -> Result<()> {
    ensure!(repository.newest_transition().await? == 0 && repository.list_transitions(0).await?.is_empty());
    let keys = [key(&alias("A")?, 1, 1), key(&alias("B")?, 1, 2)];
    let of = |number: u64| transition(number, &keys[usize::from(number > 2)]);
    for number in 1..=4 {
        for wrong in [number - 1, number + 1] {
            ensure!(is_conflict(&repository.insert_transition(&of(wrong), None).await), "{wrong}");
        }
        repository.insert_transition(&of(number), None).await?;
        ensure!(repository.newest_transition().await? == number);
        ensure!(repository.find_transition(number).await? == Some(of(number)));
    }
    for after in 0..=5 {
        let expected: Vec<_> = (after + 1..=4).map(of).collect();
        ensure!(repository.list_transitions(after).await? == expected, "after {after}");
    }
    ensure!(repository.find_transition(5).await?.is_none());
    Ok(())
}

/// A private part is removed, once, where the state is `destroying`; what stays is the tombstone.
pub async fn private_parts_go_with_a_decision_alone(repository: Subject) -> Result<()> {
    let whole = key(&alias("A")?, 1, 1);
    let other = key(&alias("B")?, 1, 2);
    repository.insert_successor(&whole).await?;
    let decision = |number, change, from, to| Transition {
        change,
        from,
        to,
        previous: (number > 1).then_some(number - 1),
        ..transition(number, &whole)
    };
    let schedule = Change::ScheduleDestruction;
    let (off, destroying) = (KeyState::Deactivated, KeyState::Destroying);
    repository.insert_transition(&decision(1, schedule, off, off), None).await?;
    repository.insert_transition(&decision(2, Change::Destroy, off, destroying), None).await?;
    let removed = |keks| KeyRecord { material: KeyMaterial::Removed { keks: Some(keks) }, ..whole.clone() };
    for (record, number) in [
        (removed((1, 1)), 1),
        (removed((1, 1)), 3),
        (removed((1, 2)), 2),
        (KeyRecord { id: other.id.clone(), ..removed((1, 1)) }, 2),
        (whole.clone(), 2),
    ] {
        ensure!(is_conflict(&repository.remove_private_part(&record, number, "{}").await), "{number}");
    }
    ensure!(is_conflict(&repository.bury_kek(&kek(1, 1)?.id(), 2, "{}").await), "of another");
    ensure!(repository.find(&whole.id).await? == Some(whole.clone()));
    repository.remove_private_part(&removed((1, 1)), 2, "{}").await?;
    ensure!(repository.find(&whole.id).await? == Some(removed((1, 1))));
    ensure!(repository.find_by_thumbprint(&whole.thumbprint).await? == Some(removed((1, 1))));
    ensure!(repository.find_tombstone(&whole.id).await?.as_deref() == Some("{}"));
    ensure!(is_conflict(&repository.remove_private_part(&removed((1, 1)), 2, "{ }").await), "again");
    Ok(())
}

/// Uses may be written down in any order.
pub async fn the_latest_use_of_a_key_counts(repository: Subject) -> Result<()> {
    let key = key(&alias("A")?, 1, 1);
    ensure!(repository.find_key_use(&key.id).await?.is_none());
    for (seconds, latest) in [(5, 5), (3, 5), (5, 5), (9, 9)] {
        repository.note_key_use(&key.id, Timestamp::from_seconds(seconds)).await?;
        ensure!(repository.find_key_use(&key.id).await? == Some(Timestamp::from_seconds(latest)));
    }
    Ok(())
}

/// Of looks for keys that are due, each has the version after that before.
pub async fn looks_succeed_each_other(repository: Subject) -> Result<()> {
    let watch = |version, counts_from| Watch {
        version,
        looked_at: Timestamp::from_millis(1_700_000_000_123),
        seen: 7,
        counts_from,
    };
    ensure!(repository.find_watch().await?.is_none());
    ensure!(is_conflict(&repository.put_watch(&watch(2, None)).await), "2 without 1");
    for look in [watch(1, None), watch(2, Some(Timestamp::from_millis(-5)))] {
        repository.put_watch(&look).await?;
        ensure!(repository.find_watch().await? == Some(look));
    }
    ensure!(is_conflict(&repository.put_watch(&watch(2, None)).await), "2 again");
    ensure!(is_conflict(&repository.put_watch(&watch(4, None)).await), "4 without 3");
    Ok(())
}

/// Of two who move a private key to another KEK one does; and a walk has one state after the other.
pub async fn a_wrapping_is_replaced_once(repository: Subject) -> Result<()> {
    let old = key(&alias("A")?, 1, 1);
    repository.insert_successor(&old).await?;
    let moved = |blob: u8| KeyRecord {
        material: KeyMaterial::Wrapped { kek_version: 2, first_kek: 1, blob: vec![blob; 1240] },
        ..old.clone()
    };
    repository.replace_wrapping(&old, &moved(7)).await?;
    ensure!(is_conflict(&repository.replace_wrapping(&old, &moved(8)).await), "twice");
    ensure!(is_conflict(&repository.replace_wrapping(&moved(9), &moved(8)).await), "from another");
    ensure!(repository.find(&old.id).await? == Some(moved(7)));
    ensure!(repository.find_newest(&old.alias).await? == Some(moved(7)));

    ensure!(repository.find_rewrap().await?.is_none());
    let run = |version| RewrapRun {
        run: 1,
        version,
        started_at: Timestamp::from_seconds(1),
        started_by: "keeper".to_owned(),
        after: (version > 1).then(|| old.id.clone()),
        examined: version,
        moved: 1,
        failed: 0,
        ended_at: None,
    };
    ensure!(is_conflict(&repository.put_rewrap(&run(2)).await), "2 without 1");
    repository.put_rewrap(&run(1)).await?;
    ensure!(is_conflict(&repository.put_rewrap(&run(1)).await), "1 again");
    repository.put_rewrap(&run(2)).await?;
    ensure!(repository.find_rewrap().await? == Some(run(2)));
    Ok(())
}

/// Of eight tasks that write down the same number one wins.
pub async fn one_of_many_transitions_wins(repository: Subject) -> Result<()> {
    for number in 1..=4 {
        let offer = |task: u8| Transition {
            actor: format!("task-{task}"),
            ..transition(number, &key(&KeyAlias::master(ApplicationId::internal()), 1, task))
        };
        let outcomes = at_once(|task| {
            let (repository, offer) = (Arc::clone(&repository), offer(task));
            async move { repository.insert_transition(&offer, None).await }
        })
        .await?;
        let winner = only_winner(&outcomes)?;
        ensure!(repository.find_transition(number).await? == Some(offer(winner)));
    }
    Ok(())
}

fn closing(number: u64, key: &KeyRecord) -> Transition {
    Transition {
        change: Change::Supersede,
        from: KeyState::Active,
        to: KeyState::Deactivated,
        closes: true,
        ..transition(number, key)
    }
}

/// Only the newest key closes its alias, and only a successor that is asked for opens it.
pub async fn a_closed_alias_gets_a_successor_on_request_alone(repository: Subject) -> Result<()> {
    let alias = alias("10001_110011")?;
    let keys: Vec<_> = (1..=4_u8).map(|generation| key(&alias, generation.into(), generation)).collect();
    repository.insert_successor(&keys[0]).await?;
    repository.insert_successor(&keys[1]).await?;
    ensure!(is_conflict(&repository.insert_transition(&closing(1, &keys[0]), Some(&keys[0])).await));
    ensure!(repository.newest_transition().await? == 0, "a refused transition left a row");
    repository.insert_transition(&closing(1, &keys[1]), Some(&keys[1])).await?;
    ensure!(repository.find_newest(&alias).await?.as_ref() == Some(&keys[1]));
    ensure!(is_conflict(&repository.insert_successor(&keys[2]).await));
    ensure!(is_conflict(&repository.insert_requested_successor(&keys[3]).await), "not the next");
    repository.insert_requested_successor(&keys[2]).await?;
    repository.insert_successor(&keys[3]).await?;
    ensure!(repository.list(&alias, 10).await?.len() == 4);
    Ok(())
}

/// Whatever comes first: once an alias is closed, no successor is made that nobody asked for.
pub async fn closing_and_succeeding_exclude_each_other(repository: Subject) -> Result<()> {
    for round in 1..=6_u8 {
        let alias = alias(&format!("machine-{round}"))?;
        let first = key(&alias, 1, round);
        repository.insert_successor(&first).await?;
        let number = repository.newest_transition().await? + 1;
        let outcomes = at_once(|task| {
            let (repository, first) = (Arc::clone(&repository), first.clone());
            let next = key(&alias, 2, 100 + round * 8 + task);
            async move {
                match task {
                    0 => repository.insert_transition(&closing(number, &first), Some(&first)).await,
                    _ => repository.insert_successor(&next).await,
                }
            }
        })
        .await?;
        only_winner(&outcomes)?;
    }
    Ok(())
}

/// Aliases that look alike are different.
pub async fn aliases_do_not_mix(repository: Subject) -> Result<()> {
    let aliases = [
        KeyAlias::parse("AB", "C")?,
        KeyAlias::parse("A", "BC")?,
        KeyAlias::parse("AB", "")?,
        KeyAlias::parse("ab", "C")?,
        KeyAlias { application: ApplicationId::parse("AB")?, reference: ReferenceId::parse("c")? },
    ];
    for (alias, seed) in aliases.iter().zip(1..) {
        repository.insert_successor(&key(alias, 1, seed)).await?;
    }
    for (alias, seed) in aliases.iter().zip(1..) {
        ensure!(repository.find_newest(alias).await? == Some(key(alias, 1, seed)));
        ensure!(repository.list(alias, 8).await?.len() == 1);
    }
    Ok(())
}

/// A certificate whose key is elsewhere is found by its names alone, and hides no key of the same certificate.
pub async fn other_domains_certificates_may_have_several_names(repository: Subject) -> Result<()> {
    let own = key(&alias("own")?, 1, 1);
    let upload = Some(Upload { chain: vec![vec![7; 900], vec![8; 900]], is_verified: true });
    let elsewhere = |name: &str, seed: u8| -> Result<KeyRecord> {
        let thumbprint = own.thumbprint;
        let material = KeyMaterial::Elsewhere;
        Ok(KeyRecord { thumbprint, material, upload: upload.clone(), ..key(&alias(name)?, 1, seed) })
    };
    let (before, after) = (elsewhere("one", 2)?, elsewhere("two", 3)?);
    repository.insert_successor(&before).await?;
    ensure!(repository.find_by_thumbprint(&own.thumbprint).await?.is_none());
    repository.insert_successor(&own).await?;
    repository.insert_successor(&after).await?;
    for record in [&before, &own, &after] {
        ensure!(repository.find_newest(&record.alias).await?.as_ref() == Some(record));
        ensure!(repository.list(&record.alias, 8).await? == std::slice::from_ref(record));
    }
    ensure!(repository.find_by_thumbprint(&own.thumbprint).await? == Some(own));
    Ok(())
}

/// A symmetric key.
pub fn symmetric(alias: &KeyAlias, generation: u32, seed: u8) -> SymmetricKeyRecord {
    SymmetricKeyRecord {
        id: KeyId(format!("00000000-0000-4000-8000-0000000000{seed:02x}")),
        alias: alias.clone(),
        generation,
        token_key: TokenKeyId([seed; 16]),
        period: key(alias, 1, 1).period,
    }
}

/// Symmetric keys are inserted in order, one of many at once wins, and all are listed.
pub async fn symmetric_keys_succeed_each_other(repository: Subject) -> Result<()> {
    let (first, second) = (alias("A")?, alias("B")?);
    ensure!(repository.find_newest_symmetric(&first).await?.is_none());
    ensure!(repository.list_symmetric().await?.is_empty());
    let none_before = repository.insert_symmetric_successor(&symmetric(&first, 2, 2)).await;
    ensure!(is_conflict(&none_before), "2 without 1");
    repository.insert_symmetric_successor(&symmetric(&second, 1, 9)).await?;
    for generation in 1..=3_u8 {
        let offer = |task: u8| symmetric(&first, generation.into(), generation * 16 + task);
        let outcomes = at_once(|task| {
            let (repository, record) = (Arc::clone(&repository), offer(task));
            async move { repository.insert_symmetric_successor(&record).await }
        })
        .await?;
        let winner = only_winner(&outcomes)?;
        ensure!(repository.find_newest_symmetric(&first).await? == Some(offer(winner)));
    }
    ensure!(repository.find_newest_symmetric(&second).await? == Some(symmetric(&second, 1, 9)));
    ensure!(repository.list_symmetric().await?.len() == 4);
    // A key pair of the same alias is another matter.
    ensure!(repository.find_newest(&first).await?.is_none());
    Ok(())
}

/// KEKs are inserted in order, and each version is found.
pub async fn keks_succeed_each_other(repository: Subject) -> Result<()> {
    let application = ApplicationId::parse("REGISTRATION")?;
    ensure!(repository.find_newest_kek(&application).await?.is_none());
    ensure!(is_conflict(&repository.insert_kek_successor(&kek(2, 2)?).await), "2 without 1");
    repository.insert_kek_successor(&kek(1, 1)?).await?;
    ensure!(is_conflict(&repository.insert_kek_successor(&kek(1, 9)?).await), "1 again");
    repository.insert_kek_successor(&kek(2, 2)?).await?;
    ensure!(repository.find_newest_kek(&application).await? == Some(kek(2, 2)?));
    ensure!(repository.find_kek(&application, 1).await? == Some(kek(1, 1)?));
    ensure!(repository.find_kek(&application, 3).await?.is_none());
    ensure!(repository.find_newest_kek(&ApplicationId::parse("IDA")?).await?.is_none());
    ensure!(repository.find_kek(&ApplicationId::parse("IDA")?, 1).await?.is_none());
    Ok(())
}

/// Of eight tasks that insert the same version of a KEK one wins.
pub async fn one_of_many_keks_wins(repository: Subject) -> Result<()> {
    let application = ApplicationId::parse("REGISTRATION")?;
    for version in 1..=4_u8 {
        let mut offers = Vec::new();
        for task in 0..8 {
            offers.push(kek(version.into(), version * 16 + task)?);
        }
        let outcomes = at_once(|task| {
            let (repository, record) = (Arc::clone(&repository), offers.get(usize::from(task)).cloned());
            async move {
                match record {
                    Some(record) => repository.insert_kek_successor(&record).await,
                    None => Err(RepositoryError::Conflict),
                }
            }
        })
        .await?;
        let winner = only_winner(&outcomes)?;
        ensure!(repository.find_newest_kek(&application).await?.as_ref() == offers.get(usize::from(winner)));
    }
    Ok(())
}

/// A client id is taken once, and the record is kept whole.
pub async fn clients_are_unique(repository: Subject) -> Result<()> {
    ensure!(!repository.has_clients().await?);
    let first = client("regproc")?;
    ensure!(repository.find_client(&first.id).await?.is_none());
    repository.insert_client(&first).await?;
    ensure!(repository.has_clients().await?);
    let taken = ClientRecord { roles: vec![Role::Administrator], ..first.clone() };
    ensure!(is_conflict(&repository.insert_client(&taken).await));
    ensure!(is_conflict(&repository.insert_client(&first).await));
    ensure!(repository.find_client(&first.id).await? == Some(first));
    let second = ClientRecord { created_by: Some("regproc".to_owned()), roles: vec![], ..client("pms")? };
    repository.insert_client(&second).await?;
    ensure!(repository.find_client(&second.id).await? == Some(second));
    Ok(())
}

/// Pages of clients join without gaps or repetitions.
pub async fn clients_are_listed_in_the_order_of_their_ids(repository: Subject) -> Result<()> {
    ensure!(repository.list_clients(None, 10).await?.is_empty());
    // By bytes: capitals, digits and signs are where they are.
    let ids = ["-", ".a", "0", "10", "9", "A", "Z", "_", "a", "a-b", "a.b", "aa", "b"];
    for id in ids.iter().rev() {
        repository.insert_client(&client(id)?).await?;
    }
    for limit in [1, 4, 13, 100] {
        let mut after = None;
        let mut found = Vec::new();
        loop {
            let page = repository.list_clients(after.as_ref(), limit).await?;
            ensure!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.id.clone());
            found.extend(page);
        }
        let expected = ids.iter().map(|id| client(id)).collect::<Result<Vec<_>>>()?;
        ensure!(found == expected, "{limit}: {found:?}");
    }
    let absent = ClientId::parse("a0").context("an id")?;
    ensure!(repository.list_clients(Some(&absent), 1).await? == [client("aa")?]);
    Ok(())
}

/// A change needs the state before it, and keeps every member; a client that is removed is gone, and its name free.
pub async fn a_client_goes_from_state_to_state(repository: Subject) -> Result<()> {
    let first = client("regproc")?;
    let second = ClientRecord {
        secret_hash: "$argon2id$other".to_owned(),
        former_secrets: vec![FormerSecret {
            hash: "$argon2id$".to_owned(),
            until: Timestamp::from_millis(-5),
        }],
        roles: vec![Role::Administrator],
        disabled_at: Some(Timestamp::from_millis(9)),
        epoch: TokenEpoch::from_bytes([8; 16]),
        version: 2,
        ..first.clone()
    };
    ensure!(is_conflict(&repository.replace_client(&second, None).await), "a client that is not there");
    ensure!(is_conflict(&repository.replace_client(&first, None).await), "the first state");
    ensure!(repository.find_client(&first.id).await?.is_none());
    repository.insert_client(&first).await?;
    repository.insert_client(&client("pms")?).await?;
    let third = ClientRecord { version: 3, ..second.clone() };
    ensure!(is_conflict(&repository.replace_client(&third, None).await), "3 after 1");
    repository.replace_client(&second, None).await?;
    ensure!(is_conflict(&repository.replace_client(&second, None).await), "2 again");
    ensure!(repository.find_client(&first.id).await?.as_ref() == Some(&second));
    ensure!(repository.list_clients(None, 10).await? == [client("pms")?, second.clone()]);

    ensure!(is_conflict(&repository.remove_client(&first, &ending(1, 10)).await), "an old state");
    ensure!(repository.newest_ending().await? == 0, "a refused change left an ending");
    repository.remove_client(&second, &ending(1, 10)).await?;
    ensure!(repository.find_client(&first.id).await?.is_none());
    ensure!(is_conflict(&repository.remove_client(&second, &ending(2, 10)).await), "removed already");
    // Another one of that name and version.
    let another =
        ClientRecord { created_at: Timestamp::from_millis(first.created_at.millis() + 1), ..first.clone() };
    repository.insert_client(&another).await?;
    ensure!(is_conflict(&repository.replace_client(&second, None).await), "of the one before");
    ensure!(
        is_conflict(&repository.replace_client(&second, Some(&ending(2, 10))).await),
        "of the one before"
    );
    ensure!(is_conflict(&repository.remove_client(&first, &ending(2, 10)).await), "of the one before");
    ensure!(repository.find_client(&first.id).await? == Some(another));
    Ok(())
}

/// Of eight tasks that change a client at once one wins; so too when each changes another one and ends its epoch.
pub async fn one_of_many_changes_of_a_client_wins(repository: Subject) -> Result<()> {
    let first = client("regproc")?;
    repository.insert_client(&first).await?;
    for task in 0..8 {
        repository.insert_client(&client(&format!("client-{task}"))?).await?;
    }
    for version in 2..6 {
        let offer = |task: u8| ClientRecord { secret_hash: task.to_string(), version, ..first.clone() };
        let outcomes = at_once(|task| {
            let (repository, record) = (Arc::clone(&repository), offer(task));
            async move { repository.replace_client(&record, None).await }
        })
        .await?;
        let winner = only_winner(&outcomes)?;
        ensure!(repository.find_client(&first.id).await? == Some(offer(winner)));
    }
    let records = (0..8)
        .map(|task| Ok(ClientRecord { version: 2, ..client(&format!("client-{task}"))? }))
        .collect::<Result<Vec<_>>>()?;
    let outcomes = at_once(|task| {
        let (repository, record) = (Arc::clone(&repository), records[usize::from(task)].clone());
        async move { repository.replace_client(&record, Some(&ending(1, 10))).await }
    })
    .await?;
    let winner = usize::from(only_winner(&outcomes)?);
    for (task, record) in records.iter().enumerate() {
        let version = repository.find_client(&record.id).await?.context("a client")?.version;
        ensure!(version == if task == winner { 2 } else { 1 }, "{task}: {version}");
    }
    ensure!(repository.list_endings(0).await? == [ending(1, 10)]);
    Ok(())
}

/// Endings come without gaps, and are read from a number on.
pub async fn endings_are_numbered_over_all_clients(repository: Subject) -> Result<()> {
    ensure!(repository.newest_ending().await? == 0 && repository.list_endings(0).await?.is_empty());
    for number in 1..=5_u32 {
        let id = if number % 2 == 0 { "even" } else { "odd" };
        let made = client(id)?;
        if number < 3 {
            repository.insert_client(&made).await?;
        }
        let next = ClientRecord { version: number.div_ceil(2) + 1, ..made };
        for wrong in [u64::from(number) - 1, u64::from(number) + 1] {
            let outcome = repository.replace_client(&next, Some(&ending(wrong, 10))).await;
            ensure!(is_conflict(&outcome), "{wrong} after {}", number - 1);
        }
        repository.replace_client(&next, Some(&ending(number.into(), 10))).await?;
        ensure!(repository.newest_ending().await? == u64::from(number));
    }
    for after in 0..=6 {
        let expected: Vec<_> = (after + 1..=5).map(|number| ending(number, 10)).collect();
        ensure!(repository.list_endings(after).await? == expected, "after {after}");
    }
    Ok(())
}

/// Those that are over go, up to the first that is not; numbers go on from where they were.
pub async fn endings_are_forgotten_when_their_time_is_over(repository: Subject) -> Result<()> {
    let made = client("regproc")?;
    repository.insert_client(&made).await?;
    let end = |version: u32, until| {
        let (repository, next) = (Arc::clone(&repository), ClientRecord { version, ..made.clone() });
        async move { repository.replace_client(&next, Some(&ending(u64::from(version) - 1, until))).await }
    };
    repository.forget_endings(Timestamp::from_seconds(1000)).await?;
    for (version, until) in [(2, 10), (3, 20), (4, 15), (5, 40)] {
        end(version, until).await?;
    }
    let numbers = async || -> Result<Vec<u64>> {
        Ok(repository.list_endings(0).await?.iter().map(|ending| ending.number).collect())
    };
    for (now, left) in [(9, &[1, 2, 3, 4][..]), (10, &[2, 3, 4]), (15, &[2, 3, 4]), (20, &[4]), (40, &[])] {
        repository.forget_endings(Timestamp::from_seconds(now)).await?;
        ensure!(numbers().await? == left, "at {now}: {:?}", numbers().await?);
    }
    ensure!(repository.newest_ending().await? == 4);
    end(6, 50).await?;
    ensure!(numbers().await? == [5]);
    Ok(())
}

/// Key policies are stored together, replaced and removed, each change makes the next version, what was removed is
/// remembered until it is stored again, and of eight changes from one version one is made.
pub async fn each_change_of_key_policies_makes_a_version(repository: Subject) -> Result<()> {
    ensure!(repository.key_policies_version().await? == 0);
    ensure!(repository.list_key_policies().await? == KeyPolicyRecords::default());
    let listed = |names: &[&str]| AccessList::Principals(names.iter().map(|&name| name.to_owned()).collect());
    let started = KeyPolicyRecord { changed: None, ..policy(KeyPolicy::BASE, 1, AccessList::AnyRoleHolder)? };
    let first = [policy("REGISTRATION", 1, listed(&["regproc"]))?, started.clone()];
    repository.change_key_policies(0, KeyPolicyChange::Put(&first)).await?;
    ensure!(is_conflict(&repository.change_key_policies(0, KeyPolicyChange::Put(&first)).await));
    let wider = policy("REGISTRATION", 2, AccessList::AnyRoleHolder)?;
    repository.change_key_policies(1, KeyPolicyChange::Put(std::slice::from_ref(&wider))).await?;
    let found = repository.list_key_policies().await?;
    ensure!(found.version == 2 && repository.key_policies_version().await? == 2);
    ensure!(found.policies == [started.clone(), wider.clone()] && found.removed.is_empty());

    let application = wider.policy.application.clone();
    ensure!(is_conflict(&repository.change_key_policies(1, KeyPolicyChange::Remove(&application)).await));
    repository.change_key_policies(2, KeyPolicyChange::Remove(&application)).await?;
    let found = repository.list_key_policies().await?;
    ensure!(found.policies == [started.clone()] && found.removed == [application.clone()]);
    let again = policy("REGISTRATION", 4, listed(&[]))?;
    repository.change_key_policies(3, KeyPolicyChange::Put(std::slice::from_ref(&again))).await?;
    let found = repository.list_key_policies().await?;
    let expected = KeyPolicyRecords { version: 4, policies: vec![started, again], removed: vec![] };
    ensure!(found == expected);

    let outcomes = at_once(|task| {
        let repository = Arc::clone(&repository);
        async move {
            let record = policy(&format!("TASK-{task}"), 5, AccessList::AnyRoleHolder);
            let record = record.map_err(|_| RepositoryError::Unavailable("no policy".to_owned()))?;
            repository.change_key_policies(4, KeyPolicyChange::Put(&[record])).await
        }
    })
    .await?;
    let winner = policy(&format!("TASK-{}", only_winner(&outcomes)?), 5, AccessList::AnyRoleHolder)?;
    ensure!(repository.list_key_policies().await? == expected.after(KeyPolicyChange::Put(&[winner])));
    Ok(())
}

/// Each number of a KEK's wrappings is taken once, and other KEKs have their own.
pub async fn wrappings_are_numbered_once(repository: Subject) -> Result<()> {
    let (first, second) = (kek(1, 1)?, kek(2, 2)?);
    ensure!(repository.find_wraps(&first).await? == 0);
    ensure!(is_conflict(&repository.take_wraps(&first, 1, 2).await));
    repository.take_wraps(&first, 0, 3).await?;
    ensure!(repository.find_wraps(&first).await? == 3 && repository.find_wraps(&second).await? == 0);
    let outcomes = at_once(|task| {
        let (repository, kek) = (Arc::clone(&repository), first.clone());
        async move { repository.take_wraps(&kek, 3, 4 + u64::from(task)).await }
    })
    .await?;
    let winner = only_winner(&outcomes)?;
    ensure!(repository.find_wraps(&first).await? == 4 + u64::from(winner));
    Ok(())
}

/// A cross-certificate comes back as it went, and a key has one.
pub async fn the_first_cross_certificate_of_a_key_stays(repository: Subject) -> Result<()> {
    let id = KeyId("00000000-0000-4000-8000-000000000002".to_owned());
    ensure!(repository.find_cross_certificate(&id).await?.is_none());
    let cross = CrossCertificate {
        key: id.clone(),
        issuer: KeyId("00000000-0000-4000-8000-000000000001".to_owned()),
        certificate: vec![0x30, 0x00],
        period: Cryptoperiod {
            not_before: Timestamp::from_seconds(1),
            not_after: Timestamp::from_seconds(2),
        },
    };
    repository.insert_cross_certificate(&cross).await?;
    let other = CrossCertificate { certificate: vec![0x30], ..cross.clone() };
    ensure!(is_conflict(&repository.insert_cross_certificate(&other).await));
    ensure!(repository.find_cross_certificate(&id).await? == Some(cross));
    Ok(())
}

/// Every alias is listed once, with its newest key, whatever the size of the page.
pub async fn newest_keys_are_listed_page_by_page(repository: Subject) -> Result<()> {
    ensure!(repository.list_newest(None, 10).await? == NewestPage::default());
    let mut expected = Vec::new();
    for number in 1..=7_u8 {
        let alias = alias(&format!("{number}_1"))?;
        repository.insert_successor(&key(&alias, 1, number)).await?;
        let newest = key(&alias, 2, number + 100);
        repository.insert_successor(&newest).await?;
        expected.push(newest);
    }
    for limit in [1, 3, 7, 8] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = repository.list_newest(after.as_ref(), limit).await?;
            ensure!(page.keys.len() <= limit);
            found.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by_key(|key| key.alias.clone());
        ensure!(found == expected, "{limit}");
    }
    Ok(())
}

/// The same of symmetric keys.
pub async fn newest_symmetric_keys_are_listed_page_by_page(repository: Subject) -> Result<()> {
    ensure!(repository.list_newest_symmetric(None, 10).await? == NewestPage::default());
    // A key pair is none.
    repository.insert_successor(&key(&alias("0_1")?, 1, 50)).await?;
    let mut expected = Vec::new();
    for number in 1..=5_u8 {
        let alias = alias(&format!("{number}_1"))?;
        repository.insert_symmetric_successor(&symmetric(&alias, 1, number)).await?;
        let newest = symmetric(&alias, 2, number + 100);
        repository.insert_symmetric_successor(&newest).await?;
        expected.push(newest);
    }
    for limit in [1, 2, 5, 6] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = repository.list_newest_symmetric(after.as_ref(), limit).await?;
            ensure!(page.keys.len() <= limit && page.untrusted == 0);
            found.extend(page.keys);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        found.sort_by_key(|key| key.alias.clone());
        ensure!(found == expected, "{limit}");
    }
    Ok(())
}

/// An access policy that `version` stored.
pub fn access_policy(name: &str, version: u64) -> AccessPolicyRecord {
    AccessPolicyRecord {
        text: PolicyText {
            name: name.to_owned(),
            description: "Nights, and no more than that".to_owned(),
            enabled: true,
            effect: "limit".to_owned(),
            principals: vec!["regproc".to_owned()],
            roles: vec![],
            operations: vec!["packet.*".to_owned()],
            keys: vec!["REGISTRATION/*".to_owned(), "*/SIGN".to_owned()],
            not_before: Some("2026-01-05T10:11:12Z".to_owned()),
            not_after: None,
            hours: Some("22:00-06:00".to_owned()),
            days: vec!["mon".to_owned()],
            networks: vec!["10.1.0.0/16".to_owned()],
            rate: Some(Rate { requests: 1, seconds: 60 }),
            approval: Some(ApprovalTerms { approvals: 2, seconds: 60 }),
            approver_principals: vec!["guard".to_owned()],
            approver_roles: vec!["administrator".to_owned()],
        },
        version,
        changed_at: Timestamp::from_millis(1_700_000_000_123),
        changed_by: "administrator".to_owned(),
    }
}

/// Access policies are stored, replaced and removed, each change makes the next version, and of eight changes from one
/// version one is made.
pub async fn each_change_of_access_policies_makes_a_version(repository: Subject) -> Result<()> {
    ensure!(repository.access_policies_version().await? == 0);
    ensure!(repository.list_access_policies().await? == AccessPolicyRecords::default());
    let put = |record| {
        let repository = Arc::clone(&repository);
        async move {
            let record: AccessPolicyRecord = record;
            repository.change_access_policies(record.version - 1, AccessPolicyChange::Put(&record)).await
        }
    };
    put(access_policy("b", 1)).await?;
    put(access_policy("a", 2)).await?;
    ensure!(is_conflict(&put(access_policy("c", 2)).await));
    put(access_policy("b", 3)).await?;
    let found = repository.list_access_policies().await?;
    ensure!(found.version == 3 && repository.access_policies_version().await? == 3);
    ensure!(found.policies == [access_policy("a", 2), access_policy("b", 3)]);

    ensure!(is_conflict(&repository.change_access_policies(2, AccessPolicyChange::Remove("a")).await));
    repository.change_access_policies(3, AccessPolicyChange::Remove("a")).await?;
    let found = repository.list_access_policies().await?;
    ensure!(found == AccessPolicyRecords { version: 4, policies: vec![access_policy("b", 3)] });

    let outcomes = at_once(|task| {
        let repository = Arc::clone(&repository);
        async move {
            let record = access_policy(&format!("policy-{task}"), 5);
            repository.change_access_policies(4, AccessPolicyChange::Put(&record)).await
        }
    })
    .await?;
    let winner = only_winner(&outcomes)?;
    let found = repository.list_access_policies().await?;
    let expected = [access_policy("b", 3), access_policy(&format!("policy-{winner}"), 5)];
    ensure!(found == AccessPolicyRecords { version: 5, policies: expected.to_vec() });
    Ok(())
}

/// A request that waits, with nobody's vote yet.
pub fn approval(content: &str) -> Approval {
    Approval {
        id: ApprovalId::of(Operation::ChangeAccess, "one", "client 1", content),
        operation: Operation::ChangeAccess,
        requester: "one".to_owned(),
        content: content.to_owned(),
        policy: "four-eyes".to_owned(),
        terms: ApprovalTerms { approvals: 2, seconds: 60 },
        approver_principals: vec!["guard".to_owned()],
        approver_roles: vec!["administrator".to_owned()],
        asked_at: Timestamp::from_millis(1_700_000_000_123),
        votes: vec![],
        used: false,
        generation: 1,
    }
}

/// A request that waits is replaced by the next generation of it alone, and of eight votes at once one counts.
pub async fn approvals_succeed_their_predecessors(repository: Subject) -> Result<()> {
    let first = approval("{}");
    ensure!(repository.find_approval(&first.id).await?.is_none());
    ensure!(is_conflict(&repository.put_approval(&Approval { generation: 2, ..first.clone() }).await));
    repository.put_approval(&first).await?;
    ensure!(is_conflict(&repository.put_approval(&first).await));
    ensure!(repository.find_approval(&first.id).await? == Some(first.clone()));
    let voted = |task: u8| {
        let vote = Vote {
            issuer: None,
            principal: format!("voter {task}"),
            approves: task.is_multiple_of(2),
            at: Timestamp::from_millis(task.into()),
        };
        Approval { votes: vec![vote], generation: 2, ..approval("{}") }
    };
    let outcomes = at_once(|task| {
        let repository = Arc::clone(&repository);
        async move { repository.put_approval(&voted(task)).await }
    })
    .await?;
    let winner = voted(only_winner(&outcomes)?);
    ensure!(repository.find_approval(&first.id).await? == Some(winner.clone()));
    let other = approval("{\"a\":1}");
    repository.put_approval(&other).await?;
    ensure!(repository.list_approvals().await?.len() == 2);
    ensure!(is_conflict(&repository.remove_approval(&first).await));
    repository.remove_approval(&winner).await?;
    ensure!(repository.list_approvals().await? == [other]);
    Ok(())
}

/// A lease is held by one until it ends or is given back; its holder extends it.
pub async fn a_lease_has_one_holder(repository: Subject) -> Result<()> {
    let at = Timestamp::from_seconds;
    ensure!(repository.try_lease("root", "a", at(0), at(10)).await?, "free");
    ensure!(!repository.try_lease("root", "b", at(5), at(15)).await?, "held");
    ensure!(repository.try_lease("root", "a", at(5), at(20)).await?, "extended");
    ensure!(!repository.try_lease("root", "b", at(19), at(30)).await?, "held since extended");
    repository.release_lease("root", "b").await?;
    ensure!(!repository.try_lease("root", "b", at(19), at(30)).await?, "released by another");
    ensure!(repository.try_lease("root", "b", at(20), at(30)).await?, "expired");
    ensure!(!repository.try_lease("root", "a", at(21), at(40)).await?, "taken over");
    repository.release_lease("root", "a").await?;
    ensure!(!repository.try_lease("root", "a", at(21), at(40)).await?, "released by the former holder");
    repository.release_lease("root", "b").await?;
    repository.release_lease("root", "b").await?;
    ensure!(repository.try_lease("root", "a", at(21), at(40)).await?, "given back");
    ensure!(repository.try_lease("other", "b", at(21), at(40)).await?, "another lease");
    Ok(())
}

/// Of eight tasks that want a free lease one gets it, and none fails.
pub async fn one_of_many_takes_a_lease(repository: Subject) -> Result<()> {
    for round in 0..5_i64 {
        let (now, until) = (Timestamp::from_seconds(round * 10), Timestamp::from_seconds(round * 10 + 10));
        let outcomes = at_once(|task| {
            let repository = Arc::clone(&repository);
            async move { repository.try_lease("root", &format!("holder {task}"), now, until).await }
        })
        .await?;
        let mut holders = 0;
        for outcome in outcomes {
            holders += u32::from(outcome?);
        }
        ensure!(holders == 1, "{holders} holders in round {round}");
    }
    Ok(())
}

/// Intents are listed with their slots; one is forgotten only while it is the slot's.
pub async fn intents_are_listed_and_forgotten(repository: Subject) -> Result<()> {
    ensure!(repository.list_intents().await?.is_empty());
    let (one, other) = ("sign/ROOT//1".to_owned(), "kek/A: b/1".to_owned());
    repository.put_intent(&one, TokenKeyId([1; 16])).await?;
    repository.put_intent(&other, TokenKeyId([2; 16])).await?;
    let mut listed = repository.list_intents().await?;
    listed.sort();
    ensure!(listed == [(other.clone(), TokenKeyId([2; 16])), (one.clone(), TokenKeyId([1; 16]))]);
    repository.remove_intent(&one, TokenKeyId([3; 16])).await?;
    ensure!(repository.find_intent(&one).await? == Some(TokenKeyId([1; 16])));
    repository.remove_intent(&one, TokenKeyId([1; 16])).await?;
    repository.remove_intent(&one, TokenKeyId([1; 16])).await?;
    ensure!(repository.list_intents().await? == [(other, TokenKeyId([2; 16]))]);
    Ok(())
}

/// An intent is replaced by a later one of the same slot.
pub async fn the_latest_intent_counts(repository: Subject) -> Result<()> {
    ensure!(repository.find_intent("sign/ROOT//1").await?.is_none());
    repository.put_intent("sign/ROOT//1", TokenKeyId([1; 16])).await?;
    repository.put_intent("sign/ROOT//2", TokenKeyId([2; 16])).await?;
    ensure!(repository.find_intent("sign/ROOT//1").await? == Some(TokenKeyId([1; 16])));
    repository.put_intent("sign/ROOT//1", TokenKeyId([3; 16])).await?;
    ensure!(repository.find_intent("sign/ROOT//1").await? == Some(TokenKeyId([3; 16])));
    ensure!(repository.find_intent("sign/ROOT//2").await? == Some(TokenKeyId([2; 16])));
    Ok(())
}

/// Of several secrets of one name the first is kept, and of eight at once one.
pub async fn the_first_system_secret_stays(repository: Subject) -> Result<()> {
    ensure!(repository.find_system_secret("integrity").await?.is_none());
    let offer = |task: u8| SystemSecret { kek: TokenKeyId([9; 16]), blob: vec![task; 40] };
    let outcomes = at_once(|task| {
        let repository = Arc::clone(&repository);
        async move { repository.insert_system_secret("integrity", &offer(task)).await }
    })
    .await?;
    let mut kept = Vec::new();
    for (task, outcome) in (0..).zip(outcomes) {
        if outcome? {
            kept.push(offer(task));
        }
    }
    ensure!(kept.len() == 1, "{} were kept", kept.len());
    ensure!(!repository.insert_system_secret("integrity", &offer(100)).await?);
    ensure!(repository.find_system_secret("integrity").await? == kept.pop());
    ensure!(repository.find_system_secret("other").await?.is_none());
    Ok(())
}

/// A roster takes the place of the one it knows of, and of eight at once one does.
pub async fn one_of_many_rosters_follows_another(repository: Subject) -> Result<()> {
    let roster = |version, task: u64| StoredRoster { version, statement: format!("{{\"task\":{task}}}") };
    ensure!(repository.find_roster().await?.is_none());
    ensure!(matches!(
        repository.replace_roster(Some(1), &roster(2, 0)).await,
        Err(RepositoryError::Conflict)
    ));
    for (expected, version) in [(None, 1), (Some(1), 2), (Some(2), 7)] {
        let outcomes = at_once(|task| {
            let repository = Arc::clone(&repository);
            async move { repository.replace_roster(expected, &roster(version, task.into())).await }
        })
        .await?;
        let mut kept = Vec::new();
        for (task, outcome) in (0..).zip(outcomes) {
            match outcome {
                Ok(()) => kept.push(roster(version, task)),
                Err(RepositoryError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(kept.len() == 1, "{} were kept", kept.len());
        ensure!(repository.find_roster().await? == kept.pop());
    }
    Ok(())
}

/// Names are never taken for anything else than names.
pub async fn names_are_data(repository: Subject) -> Result<()> {
    let names = [
        "a'; REMOVE TABLE lease; --",
        "lease:root",
        "⟨a⟩",
        "`a`",
        "{ a: 1 }",
        "[1]",
        "1",
        "..",
        "NONE",
        "$name",
        " ",
        "a/b//c",
        "é\u{1F511}\n",
    ];
    let at = Timestamp::from_seconds;
    for name in names {
        ensure!(repository.try_lease(name, name, at(0), at(10)).await?, "{name}");
        repository.put_intent(name, TokenKeyId([1; 16])).await?;
        let secret = SystemSecret { kek: TokenKeyId([1; 16]), blob: name.as_bytes().to_vec() };
        ensure!(repository.insert_system_secret(name, &secret).await?, "{name}");
    }
    for name in names {
        ensure!(!repository.try_lease(name, "another", at(0), at(10)).await?, "{name}");
        ensure!(repository.find_intent(name).await? == Some(TokenKeyId([1; 16])), "{name}");
        let secret = repository.find_system_secret(name).await?.context("a secret")?;
        ensure!(secret.blob == name.as_bytes(), "{name}");
    }
    Ok(())
}

/// A repository that works is healthy.
pub async fn a_healthy_repository_says_so(repository: Subject) -> Result<()> {
    Ok(repository.check_health().await?)
}

/// Rows stay readable when a second integrity key is offered.
pub async fn a_second_integrity_key_is_ignored(repository: Subject) -> Result<()> {
    let record = key(&alias("A")?, 1, 1);
    repository.insert_successor(&record).await?;
    repository.install_integrity_key([0xEE; 32].into());
    ensure!(repository.find(&record.id).await? == Some(record));
    Ok(())
}

/// What eight tasks come to that begin at the same moment.
async fn at_once<T, F>(work: impl Fn(u8) -> F) -> Result<Vec<Result<T, RepositoryError>>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, RepositoryError>> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(8));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (start, work) = (Arc::clone(&start), work(task));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await?);
    }
    Ok(outcomes)
}

/// The only task that succeeded; all others must have met a conflict.
fn only_winner(outcomes: &[Result<(), RepositoryError>]) -> Result<u8> {
    let mut winners = (0..).zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(task, _)| task);
    let winner = winners.next().context("nobody won")?;
    ensure!(winners.next().is_none(), "more than one won: {outcomes:?}");
    ensure!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count() == 7, "{outcomes:?}");
    Ok(winner)
}
