//! Settings: defaults, then a TOML file, then the environment (`KUNJI_<NAME IN CAPITALS>`).
//!
//! Names are flat, units stand in the names, secrets are given by file. An unknown name is an error.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

mod external_issuer;
mod in_force;
mod list;
mod load;
mod replicas;
mod validate;

pub use external_issuer::ExternalIssuer;
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
    /// File with the certificate chain that callers are shown, PEM; with it the server speaks TLS.
    pub tls_certificate_file: Option<PathBuf>,
    /// File with its private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Whether callers show certificates.
    pub tls_client_certificates: ClientCertificates,
    /// File with the authorities that issue those, PEM.
    pub tls_client_authorities_file: Option<PathBuf>,
    /// File with the lists of those that they have revoked, PEM.
    pub tls_client_revocation_lists_file: Option<PathBuf>,
    /// Networks of the proxies in front, whose word on the sender's address counts.
    #[serde(deserialize_with = "list::deserialize")]
    pub trusted_proxies: Vec<String>,
    /// The header in which they say it.
    pub forwarded_header: ForwardedHeader,
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
    /// How long copies in memory stand in for a database that is away.
    pub database_away_seconds: u64,
    /// Bytes of an embedded database that are kept in memory at most.
    pub database_cache_bytes: u64,
    /// For how long nobody may have looked which keys are to be destroyed without all waits beginning anew.
    pub destruction_unwatched_seconds: u32,
    /// The PKCS#11 library.
    pub pkcs11_module: PathBuf,
    /// What the library is given at `C_Initialize` in `pReserved`; blank means nothing.
    pub pkcs11_initialize_argument: String,
    /// Label of the token.
    pub pkcs11_token_label: String,
    /// Serial number of the token, where several have the label.
    pub pkcs11_token_serial: Option<String>,
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
    /// Further tokens with the same keys, in the order in which they take over. Only in the file.
    #[serde(default)]
    pub pkcs11_replicas: Vec<Pkcs11Replica>,
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
    /// Where others reach the server, as certificates name it; blank means that they name no place.
    pub public_url: String,
    /// `iss` of access tokens; blank means `http://<listen>`.
    pub issuer: String,
    /// Life of an access token.
    pub token_lifetime_seconds: u32,
    /// Secrets hashed at once.
    pub secret_hash_concurrency: usize,
    /// Token requests for one client from one address that may fail, a minute.
    pub token_failures_per_minute: u32,
    /// Clients by a name in the certificate that they show: `subject:`, `dns:`, `email:` or `uri:` and the name.
    pub certificate_clients: BTreeMap<String, String>,
    /// Networks whose callers need no token under `/v1/keymanager`.
    #[serde(deserialize_with = "list::deserialize")]
    pub tokenless_networks: Vec<String>,
    /// The client that they count as.
    pub tokenless_client: String,
    /// Issuers whose tokens are accepted beside our own, by a name for each.
    pub external_issuers: BTreeMap<String, ExternalIssuer>,
    /// Largest JSON body.
    pub json_body_limit_bytes: u64,
    /// Bodies in memory at once, all together; more wait.
    pub body_memory_bytes: u64,
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
    /// Least speed of such a body; 0 is none.
    pub slowest_packet_bytes_per_second: u64,
    /// Longest time that running requests get after SIGTERM.
    pub shutdown_seconds: u64,
    /// Patterns `APPLICATION/REFERENCE` (with `*`) of the certificates that anyone may read.
    #[serde(deserialize_with = "list::deserialize")]
    pub public_certificates: Vec<String>,
    /// Directory with the trust anchors of each domain.
    pub trust_anchors_dir: Option<PathBuf>,
    /// Directory with the anchors of time-stamping authorities.
    pub timestamp_anchors_dir: Option<PathBuf>,
    /// Directory with revocation lists.
    pub revocation_lists_dir: Option<PathBuf>,
    /// What a list that has ended means.
    pub expired_revocation_lists: ExpiredLists,
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

/// A token that has the same keys as the primary. What is not set is as it is for the primary.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11Replica {
    /// What logs and `/readyz` call it.
    pub name: String,
    /// The PKCS#11 library.
    pub module: Option<PathBuf>,
    /// What the library is given at `C_Initialize`.
    pub initialize_argument: Option<String>,
    /// Label of the token.
    pub token_label: Option<String>,
    /// Serial number of the token; that of the primary is not taken over.
    pub token_serial: Option<String>,
    /// File with the token's user PIN.
    pub pin_file: Option<PathBuf>,
    /// Environment variables for the process of the library.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
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

/// What a revocation list that has ended means for certificates that it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpiredLists {
    /// They are trusted.
    Accept,
    /// They are not.
    Refuse,
}

/// Whether callers show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// None is asked for.
    Off,
    /// Those who have one may.
    Optional,
    /// Whoever has none is not served.
    Required,
}

/// The header in which a proxy names the sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
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
