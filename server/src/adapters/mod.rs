//! The ports over real things: the operating system, the libraries, the disk.

pub mod argon2_hasher;
pub mod audit_log;
pub mod aws_lc_keys;
pub mod file_spool;
pub mod native_gcm;
mod private_directory;
pub mod system_clock;
pub mod system_entropy;
