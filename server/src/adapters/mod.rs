//! The ports over real things: the token, the database, the operating system, the libraries, the disk.

pub mod anchor_file;
pub mod argon2_hasher;
pub mod audit_log;
pub mod aws_lc_keys;
pub mod event_stdout;
pub mod file_inbox;
pub mod file_spool;
pub mod http_documents;
pub mod native_gcm;
pub mod pdf;
pub mod pkcs11;
mod private_directory;
pub mod revocation_files;
pub mod surreal;
pub mod syslog;
pub mod system_clock;
pub mod system_entropy;
pub mod webhook;
