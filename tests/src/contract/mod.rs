//! What every adapter of a port must do, as functions over the port. Each adapter's test runs them all.

pub mod key_store;
