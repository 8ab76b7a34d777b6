//! Harness.
pub mod contract;
pub mod surreal_server;
