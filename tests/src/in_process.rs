//! A server within the process of a test, of real parts.

use std::{path::Path, sync::Arc};

use kunji_server::{
    adapters::{
        argon2_hasher::Argon2Hasher,
        audit_log::AuditLog,
        aws_lc_keys::AwsLcKeys,
        file_spool::FileSpool,
        native_gcm::NativeGcm,
        pdf::{PdfWorkerProgram, PdfWorkers},
        surreal::SurrealRepository,
        system_clock::SystemClock,
        system_entropy::SystemEntropy,
    },
    api,
    app::{self, Outside, Ports},
    config::{self, Settings},
    domain::{
        access::{CallContext, Principal, Role},
        authority::{Authority, Basis},
        client::TokenEpoch,
        time::Timestamp,
    },
    ports::{audit_trail::AuditTrail, key_store::KeyStore, repository::Repository},
};
use surrealdb::{Surreal, engine::any::Any};

use crate::{http::Http, site};

/// Settings by the names of their environment variables, and the data directory.
pub fn settings(data_dir: &Path, environment: &[(&str, &str)]) -> Settings {
    let data_dir = ("KUNJI_DATA_DIR", data_dir.to_str().unwrap());
    let environment = environment.iter().chain([&data_dir]);
    config::load(None, environment.map(|&(name, value)| (name.to_owned(), value.to_owned()))).unwrap()
}

/// A caller of every role, whom nothing ends.
pub fn caller(name: &str) -> CallContext {
    let basis = Basis::Client { epoch: TokenEpoch::from_bytes([7; 16]), readings: 0 };
    CallContext {
        principal: Arc::new(Principal { name: name.to_owned(), roles: Role::ALL.to_vec(), issuer: None }),
        authority: Authority { ends: Timestamp::from_seconds(i64::MAX), basis },
        address: None,
        request_id: "test".into(),
    }
}

/// An empty database in memory.
pub async fn database() -> Surreal<Any> {
    let database = surrealdb::engine::any::connect("mem://").await.unwrap();
    database.use_ns("kunji").use_db("kunji").await.unwrap();
    database
}

/// The records in it.
pub async fn repository(database: &Surreal<Any>) -> Arc<dyn Repository> {
    Arc::new(SurrealRepository::from_client(database.clone()).await.unwrap())
}

/// The audit trail in the data directory.
pub fn trail(data_dir: &Path) -> Arc<dyn AuditTrail> {
    Arc::new(AuditLog::open(data_dir).unwrap())
}

/// The ports of a server. A test puts its own in the place of some.
pub fn ports(
    data_dir: &Path,
    audit: Arc<dyn AuditTrail>,
    repository: Arc<dyn Repository>,
    token: Arc<dyn KeyStore>,
) -> Ports {
    let entropy = Arc::new(SystemEntropy);
    Ports {
        audit,
        cipher: Arc::new(NativeGcm::new().unwrap()),
        clock: Arc::new(SystemClock),
        demo_inbox: None,
        entropy: Arc::<SystemEntropy>::clone(&entropy),
        hasher: Arc::new(Argon2Hasher::new(entropy, 1).unwrap()),
        outside: Outside::default(),
        pdf: Arc::new(PdfWorkers::new(PdfWorkerProgram {
            path: site::program(),
            arguments: vec![app::pdf_worker::COMMAND.into()],
        })),
        repository,
        software: Arc::new(AwsLcKeys),
        spool: Arc::new(FileSpool::new(data_dir).unwrap()),
        token,
    }
}

/// A server of this database and token, with keys for `REGISTRATION`; it ends with the test's runtime.
pub async fn serve(database: &Surreal<Any>, token: Arc<dyn KeyStore>, data_dir: &Path) -> Http {
    let environment =
        [("KUNJI_KEYS", "ROOT,KERNEL/SIGN,REGISTRATION"), ("KUNJI_ISSUER", "http://kunji.test")];
    let settings = settings(data_dir, &environment);
    let (audit, repository) = (trail(data_dir), repository(database).await);
    let running = app::start(&settings, ports(data_dir, audit, repository, token)).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let endpoint = api::endpoint(&running.services, &settings);
        let never = std::future::pending();
        api::serve(listener, api::Carrier::Plain, endpoint, (&settings).into(), never).await.unwrap();
        drop(running);
    });
    http
}
