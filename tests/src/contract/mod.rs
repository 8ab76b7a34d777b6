//! What every adapter of a port must do, as suites that run on each of them.

pub mod key_store;
pub mod repository;
