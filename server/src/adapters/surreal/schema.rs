//! The schema's version, and the way to the newest one: forward only, one transaction a step.

use surrealdb::types::{Number, Value};

use super::{
    error::{ConnectError, Failure},
    runner::{Query, Runner},
};

/// One step's transaction, which ends by writing its version.
macro_rules! step {
    ($file:literal) => {
        concat!(
            "-- kunji_server::adapters::surreal::schema::migrate\n",
            "BEGIN;\n",
            "LET $found = (SELECT VALUE version FROM ONLY schema_version:current) ?? 0;\n",
            "IF $found != $from { THROW 'superseded' };\n",
            include_str!(concat!("../../../migrations/", $file)),
            "UPSERT ONLY schema_version:current CONTENT { version: $from + 1 } RETURN NONE;\n",
            "COMMIT;\n",
        )
    };
}

/// The steps; the first leads to version 1.
const MIGRATIONS: [&str; 13] = [
    step!("0001_initial.surql"),
    step!("0002_clients.surql"),
    step!("0003_access_policies.surql"),
    step!("0004_audit_roster.surql"),
    step!("0005_key_policies.surql"),
    step!("0006_certificates.surql"),
    step!("0007_key_types.surql"),
    step!("0008_key_states.surql"),
    step!("0009_key_tags.surql"),
    step!("0010_key_ends.surql"),
    step!("0011_destruction_watch.surql"),
    step!("0012_policy_purposes.surql"),
    step!("0013_wrap_counts.surql"),
];

/// The newest version known here.
pub(super) const VERSION: u32 = 13;
const _: () = assert!(MIGRATIONS.len() == VERSION as usize, "a migration leads to each version");

/// Rounds until the steps are done; several servers may do them at once, and only one wins each.
const ROUNDS: usize = 32;

/// Brings the schema to [`VERSION`]. Servers that do so at once end in the same state.
///
/// # Errors
/// [`ConnectError::Schema`] when the database's version is not one of a state on the way.
pub(super) async fn migrate(runner: &Runner) -> Result<(), ConnectError> {
    define_version_table(runner).await?;
    let mut last = Failure::Contended;
    for _ in 0..ROUNDS {
        let found = read_version(runner).await?;
        let step = u32::try_from(found).ok().filter(|found| *found <= VERSION);
        let Some(step) = step else { return Err(ConnectError::Schema { found, known: VERSION }) };
        let Some(text) = MIGRATIONS.get(step as usize) else { return Ok(()) };
        // Whatever came of it: the version says what is to be done next.
        if let Err(failure) = runner.change(Query::new(text).bind("from", step)).await {
            tracing::debug!(step, reason = failure.kind(), "a step of the schema was not made here");
            last = failure;
        }
    }
    Err(last.into())
}

/// Fails unless the schema is that of this program.
pub(super) async fn check(runner: &Runner) -> Result<(), Failure> {
    match read_version(runner).await {
        Ok(found) if found == i64::from(VERSION) => Ok(()),
        Ok(_) => Err(Failure::Unavailable("the schema is of another version")),
        Err(failure) => Err(failure),
    }
}

async fn define_version_table(runner: &Runner) -> Result<(), Failure> {
    const TEXT: &str = "
        -- kunji_server::adapters::surreal::schema::define_version_table
        BEGIN;
        DEFINE TABLE IF NOT EXISTS schema_version TYPE NORMAL SCHEMAFULL PERMISSIONS NONE;
        DEFINE FIELD IF NOT EXISTS version ON schema_version TYPE int;
        COMMIT;";
    match runner.change(Query::new(TEXT)).await {
        // Another server was faster.
        Ok(()) | Err(Failure::Exists) => Ok(()),
        Err(failure) => Err(failure),
    }
}

async fn read_version(runner: &Runner) -> Result<i64, Failure> {
    const TEXT: &str = "
        -- kunji_server::adapters::surreal::schema::read_version
        SELECT VALUE version FROM ONLY schema_version:current;";
    match runner.read(Query::new(TEXT)).await? {
        Value::None => Ok(0),
        Value::Number(Number::Int(version)) => Ok(version),
        _ => Err(Failure::Unavailable("the schema's version is malformed")),
    }
}
