//! The repository over a SurrealDB server of its own (`ws://`), as a database-level user.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use kunji_server::{
    adapters::surreal::{ConnectError, DatabaseSettings, SurrealRepository},
    ports::repository::{KeyRepository as _, Repository, RepositoryError},
};
use kunji_tests::{
    contract::repository::{Subject, alias, is_conflict, key},
    repository_contract,
    surreal_server::{Database, SurrealServer},
};

repository_contract!(over_websocket, crate::remote::remote);

async fn remote() -> Result<(Subject, Arc<SurrealServer>)> {
    let server = SurrealServer::shared()?;
    let database = server.create_database().await?;
    Ok((Arc::new(open(&server, &database).await?), server))
}

async fn open(server: &SurrealServer, database: &Database) -> Result<SurrealRepository, ConnectError> {
    let repository = SurrealRepository::connect(settings(server, database)).await?;
    repository.install_integrity_key([0x5A; 32].into());
    Ok(repository)
}

fn settings(server: &SurrealServer, database: &Database) -> DatabaseSettings {
    DatabaseSettings {
        url: server.url().to_owned(),
        namespace: database.namespace.clone(),
        database: database.database.clone(),
        user: database.user.clone(),
        password: Some(database.password.clone().into()),
        cache_bytes: 1 << 20,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_end_in_the_same_state() -> Result<()> {
    let server = SurrealServer::shared()?;
    let database = server.create_database().await?;
    let starts = (0..4).map(|_| open(&server, &database));
    let record = key(&alias("A")?, 1, 1);
    let mut won = 0;
    for start in futures_util::future::join_all(starts).await {
        let outcome = start?.insert_successor(&record).await;
        ensure!(outcome.is_ok() || is_conflict(&outcome), "{outcome:?}");
        won += u32::from(outcome.is_ok());
    }
    ensure!(won == 1, "{won} servers inserted the same key");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_servers_makes_the_successor() -> Result<()> {
    let server = SurrealServer::shared()?;
    let database = server.create_database().await?;
    let alias = alias("A")?;
    let servers = futures_util::future::try_join_all((0..4).map(|_| open(&server, &database))).await?;
    for generation in 1..=8_u8 {
        let offers: Vec<_> =
            (0..4).map(|task| key(&alias, generation.into(), generation * 8 + task)).collect();
        let inserts = servers.iter().zip(&offers).map(|(server, offer)| server.insert_successor(offer));
        let outcomes = futures_util::future::join_all(inserts).await;
        ensure!(outcomes.iter().filter(|outcome| outcome.is_ok()).count() == 1, "{outcomes:?}");
        ensure!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count() == 3, "{outcomes:?}");
        for server in &servers {
            let newest = server.find_newest(&alias).await?.context("a key")?;
            ensure!(offers.contains(&newest));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() -> Result<()> {
    let server = SurrealServer::shared()?;
    let database = server.create_database().await?;
    let wrong = DatabaseSettings { password: Some("wrong".into()), ..settings(&server, &database) };
    let error = SurrealRepository::connect(wrong).await.err().context("an error")?;
    ensure!(matches!(error, ConnectError::SignIn(_)), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_is_unavailable_in_time() -> Result<()> {
    let server = SurrealServer::start()?;
    let database = server.create_database().await?;
    let repository = open(&server, &database).await?;
    let record = key(&alias("A")?, 1, 1);
    repository.insert_successor(&record).await?;
    server.kill()?;
    let start = Instant::now();
    let next = key(&alias("B")?, 1, 2);
    let (health, read, change) = tokio::join!(
        repository.check_health(),
        repository.find(&record.id),
        repository.insert_successor(&next)
    );
    for outcome in [health, read.map(drop)] {
        ensure!(matches!(outcome, Err(RepositoryError::Unavailable(_))), "{outcome:?}");
    }
    let unmade = matches!(change, Err(RepositoryError::Unavailable(_) | RepositoryError::OutcomeUnknown(_)));
    ensure!(unmade, "{change:?}");
    ensure!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    Ok(())
}
