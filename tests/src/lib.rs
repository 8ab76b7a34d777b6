//! Harness.
pub mod contract;
