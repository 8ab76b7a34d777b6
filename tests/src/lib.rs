//! Harness.

pub mod contract;
pub mod softhsm;
