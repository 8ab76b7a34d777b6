//! The driver's client, whichever way the database was opened.

use surrealdb::{
    IndexedResults, Surreal,
    engine::{any::Any, local::Db},
    types::Variables,
};

/// A client with namespace and database chosen.
pub(in super::super) enum Client {
    /// Of a database in a server of its own, or that somebody else has opened.
    Any(Surreal<Any>),
    /// Of a database within this process.
    Embedded(Surreal<Db>),
}

impl Client {
    pub(super) async fn query(
        &self,
        text: &'static str,
        values: Variables,
    ) -> surrealdb::Result<IndexedResults> {
        match self {
            Self::Any(client) => client.query(text).bind(values).await,
            Self::Embedded(client) => client.query(text).bind(values).await,
        }
    }
}
