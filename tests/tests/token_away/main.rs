//! What callers of a running server see of a token that fails: `kunji serve` on SoftHSM, behind a module that fails as
//! told.
#![cfg(test)]

mod classes;
mod flood;
mod goes_on;
mod pin;
mod queue;
mod service;
mod start;
mod storage;
mod worker;
