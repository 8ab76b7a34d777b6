//! Ports in executable form: what an adapter must pass to be one.

pub mod key_store;
pub mod pkcs11;
pub mod repository;
pub mod server;
pub mod traits;
