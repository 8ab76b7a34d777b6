//! A database within this process, in a bounded amount of memory.
//!
//! The driver offers no way to bound it, takes half of the machine's memory for a cache, and passes over what it does not
//! know of in an address (SurrealDB 3.3). So the engine is made here, in the steps in which the driver makes its own.

use surrealdb::{Surreal, engine::local::Db};
use surrealdb_cnf::ConfigMap;
use surrealdb_core::kvs::Datastore;

use super::{error::ConnectError, runner::DEADLINE};

/// Bytes of changes in memory, which are in the log on disk too, before they are put into tables. A start reads at most
/// so many again; one change has to fit.
const CHANGES_BYTES: u64 = 64 << 20;

/// Opens the database at `path`, as SurrealDB names it; blocks of at most `cache_bytes` of it are kept in memory.
pub(super) async fn open(path: &str, cache_bytes: u64) -> Result<Surreal<Db>, ConnectError> {
    let config = ConfigMap::empty()
        .with_key_value("surrealkv_block_cache_capacity", cache_bytes.to_string())
        .with_key_value("surrealkv_max_memtable_size", CHANGES_BYTES.to_string());
    let datastore = Datastore::builder()
        .with_config(config)
        .with_query_timeout(Some(DEADLINE))
        .without_maintenance_tasks()
        .build_with_path(path)
        .await
        .map_err(ConnectError::unopened)?;
    // In this order: the tasks write, and a database with anything in it but a version is refused for ever.
    datastore.check_version().await.map_err(ConnectError::unopened)?;
    datastore.bootstrap().await.map_err(ConnectError::unopened)?;
    datastore.start_maintenance_tasks();
    Surreal::unstable_from_datastore(datastore, None).await.map_err(ConnectError::unopened)
}
