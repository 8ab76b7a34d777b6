//! What the services need from the world, as traits, with the promises each adapter keeps.
//!
//! | Port | Promise in one line | Adapter |
//! |---|---|---|
//! | [`audit_anchor::AuditAnchor`] | what was signed is kept elsewhere | file, webhook, syslog |
//! | [`audit_sink::AuditSink`] | durable before success is reported | segmented log in the data directory |
//! | [`audit_trail::AuditTrail`] | its events in order, and what was signed about them | the same log |
//! | [`bulk_cipher::BulkCipher`] | AES-256-GCM over slices and streams | OpenSSL |
//! | [`clock::Clock`] | UTC, may jump | the system's clock |
//! | [`demo_inbox::DemoInbox`] | durable, bounded, sealed packets only | files in the data directory |
//! | [`document_fetcher::DocumentFetcher`] | small, in time, from where it was told | HTTPS |
//! | [`entropy::Entropy`] | unpredictable bytes or an error | the operating system's generator |
//! | [`event_outlet::EventOutlet`] | copies of events, as they happen | standard output, syslog |
//! | [`key_states`] | decisions about keys, numbered without gaps | SurrealDB |
//! | [`key_store`] | private parts never leave the token | PKCS#11 |
//! | [`pdf::PdfSigning`] | hostile documents end in an error, in bounded time and memory | hayro in a process of its own |
//! | [`repository`], [`key_policies`], [`rotation`] | each method atomic and durable | SurrealDB |
//! | [`revocation_lists::RevocationLists`] | what was read last, each minute anew | files in a directory |
//! | [`secret_hasher::SecretHasher`] | slow, salted, bounded in memory | Argon2id |
//! | [`software_keys::SoftwareKeys`] | constant-time RSA with keys in memory | AWS-LC |
//! | [`spool::Spool`] | room for ciphertext, gone when closed | files in the data directory |

pub mod audit_anchor;
pub mod audit_sink;
pub mod audit_trail;
pub mod bulk_cipher;
pub mod clock;
pub mod demo_inbox;
pub mod document_fetcher;
pub mod entropy;
pub mod event_outlet;
pub mod key_ends;
pub mod key_policies;
pub mod key_states;
pub mod key_store;
pub mod pdf;
pub mod repository;
pub mod revocation_lists;
pub mod rewrap;
pub mod rotation;
pub mod secret_hasher;
pub mod software_keys;
pub mod spool;
pub mod wrap_counts;
