//! Settings: defaults, then a TOML file, then the environment (`KUNJI_<NAME IN CAPITALS>`).
//!
//! Names are flat, units stand in the names, secrets are given by file. An unknown name is an error.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

mod in_force;
mod list;
mod load;
mod validate;

pub use load::{ConfigError, load};

/// The settings as shipped, TOML.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Every setting of the server. `docs/configuration.md` explains each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address and port to serve on.
    pub listen: SocketAddr,
    /// Whether `listen` may be an address that other machines reach, without TLS in front being known.
    pub allow_public_listen: bool,
    /// Directory of everything the server writes, but for a remote database.
    pub data_dir: PathBuf,
    /// `surrealkv://PATH`, `mem://`, `ws://…` or `wss://…`; blank means `surrealkv://` in the data directory.
    pub database_url: String,
    /// Namespace in a remote database.
    pub database_namespace: String,
    /// Database in a remote database.
    pub database_name: String,
    /// Database-level user of a remote database.
    pub database_user: String,
    /// File with that user's password.
    pub database_password_file: Option<PathBuf>,
    /// The PKCS#11 library.
    pub pkcs11_module: PathBuf,
    /// What the library is given at `C_Initialize` in `pReserved`; blank means nothing.
    pub pkcs11_initialize_argument: String,
    /// Label of the token.
    pub pkcs11_token_label: String,
    /// File with the token's user PIN.
    pub pkcs11_pin_file: Option<PathBuf>,
    /// The PIN itself, where a file cannot be had; only by `KUNJI_PKCS11_PIN`.
    #[serde(skip)]
    pub pkcs11_pin: Option<SecretString>,
    /// Where the PKCS#11 library runs.
    pub pkcs11_isolation: Pkcs11Isolation,
    /// Threads that each own a session.
    pub pkcs11_workers: usize,
    /// Calls that may wait for a worker before more are refused.
    pub pkcs11_queue: usize,
    /// Longest time that a caller waits for the token.
    pub pkcs11_deadline_seconds: u64,
    /// How long an unwrapped base private key stays in memory; 0 unwraps it in the HSM on every call.
    pub key_cache_seconds: u64,
    /// Most unwrapped private keys in memory.
    pub key_cache_entries: u64,
    /// How long a server may use its copy of which key is newest before it reads the database again.
    pub current_key_cache_milliseconds: u64,
    /// Client id of the first administrator.
    pub bootstrap_client_id: Option<String>,
    /// File with that client's secret.
    pub bootstrap_client_secret_file: Option<PathBuf>,
    /// `iss` of access tokens; blank means `http://<listen>`.
    pub issuer: String,
    /// Life of an access token.
    pub token_lifetime_seconds: u32,
    /// Secrets hashed at once.
    pub secret_hash_concurrency: usize,
    /// Token requests of one address that may fail, a minute.
    pub token_failures_per_minute: u32,
    /// Largest JSON body.
    pub json_body_limit_bytes: u64,
    /// Largest packet or content on the binary routes.
    pub packet_limit_bytes: u64,
    /// Bodies of the binary routes above this are spooled to disk.
    pub spool_threshold_bytes: u64,
    /// Bodies spooled to disk at once; more wait. Bounds the disk in use to this many times the packet limit.
    pub spooled_bodies: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections of one address at once.
    pub max_connections_per_address: usize,
    /// Longest time for a request's header to arrive.
    pub header_timeout_seconds: u64,
    /// Longest time for a JSON request from its header to the end of its answer.
    pub request_timeout_seconds: u64,
    /// Longest pause within the body of a binary route.
    pub idle_timeout_seconds: u64,
    /// Longest time that running requests get after SIGTERM.
    pub shutdown_seconds: u64,
    /// Patterns `APPLICATION/REFERENCE` (with `*`) of the certificates that anyone may read.
    #[serde(deserialize_with = "list::deserialize")]
    pub public_certificates: Vec<String>,
    /// Reads of public certificates a minute for one address.
    pub public_certificates_per_minute: u32,
    /// Origins that browsers may read public certificates from.
    #[serde(deserialize_with = "list::deserialize")]
    pub cors_origins: Vec<String>,
    /// Keys that one principal may make by reading, an hour.
    pub key_creation_quota_per_hour: u32,
    /// The key splitter of packets.
    pub splitter: String,
    /// Whether packets without a thumbprint are opened.
    pub packets_without_thumbprint: bool,
    /// Most keys tried for such a packet.
    pub packets_without_thumbprint_keys: usize,
    /// RSA modulus of new keys: 2048, 3072 or 4096.
    pub rsa_bits: u32,
    /// Members of every certificate's subject.
    pub subject: Subject,
    /// Keys made at first start: `APPLICATION` or `APPLICATION/REFERENCE`.
    #[serde(deserialize_with = "list::deserialize")]
    pub keys: Vec<String>,
    /// Policies written at first start, by application; `BASE` is that of base keys.
    pub policies: BTreeMap<String, Policy>,
    /// Regular expressions that a new reference must match as a whole, by application; the entry `*` is for all others.
    pub reference_patterns: BTreeMap<String, String>,
    /// Whether the demo's form may leave packets for its reviewer.
    pub demo_inbox: bool,
    /// Whose certificate the demo's form encrypts for: `APPLICATION/REFERENCE`.
    pub demo_recipient: String,
    /// Names this server on the roster of audit logs; blank means the machine's name.
    pub audit_server_name: String,
    /// Longest time that an event waits for a signed checkpoint.
    pub audit_checkpoint_seconds: u64,
    /// Most events that wait for one.
    pub audit_checkpoint_events: u64,
    /// Patterns `APPLICATION/REFERENCE` (with `*`) of the references that stand in the audit trail by pseudonyms.
    #[serde(deserialize_with = "list::deserialize")]
    pub audit_pseudonymous_references: Vec<String>,
    /// File elsewhere that checkpoints are appended to.
    pub audit_anchor_file: Option<PathBuf>,
    /// Address that checkpoints are posted to; blank means none.
    pub audit_anchor_url: String,
    /// File with a bearer token for that address.
    pub audit_anchor_token_file: Option<PathBuf>,
    /// Syslog that checkpoints are sent to: `udp://`, `tcp://` or `unix://`; blank means none.
    pub audit_anchor_syslog: String,
    /// Where events are copied to: `stdout`, or a syslog by its address.
    #[serde(deserialize_with = "list::deserialize")]
    pub audit_event_copies: Vec<String>,
    /// Directory on another disk where events wait while the trail cannot be written.
    pub audit_spool_dir: Option<PathBuf>,
    /// Most bytes that wait there.
    pub audit_spool_bytes: u64,
    /// Directory that finished parts of the trail are moved to.
    pub audit_archive_dir: Option<PathBuf>,
    /// Days until they are; 0 leaves them where they are.
    pub audit_retention_days: u32,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// What is logged, as `tracing` filters say it.
    pub log_filter: String,
    /// All of these as they were read, without secrets, for the audit trail.
    #[serde(skip)]
    pub(crate) in_force: serde_json::Value,
}

/// Members of the distinguished name of our certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// CN of module certificates, with the application in brackets after it.
    pub common_name: String,
    /// OU
    pub organization_unit: String,
    /// O
    pub organization: String,
    /// L
    pub location: String,
    /// ST
    pub state: String,
    /// C, two letters
    pub country: String,
}

/// A policy as configuration writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Days from a key's making to its certificate's end.
    pub validity_days: u32,
    /// Days before that end from which a successor is made.
    pub pre_expire_days: u32,
    /// Principals that may decrypt and sign; absent means everyone with the role.
    pub access: Option<Vec<String>>,
}

/// Where the PKCS#11 library runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pkcs11Isolation {
    /// In the server itself.
    None,
    /// In a process of its own, which the server replaces when the library hangs or crashes.
    Process,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
