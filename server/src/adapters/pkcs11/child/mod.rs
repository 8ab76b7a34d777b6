//! An engine in a process of its own, at the other end of a socket that only the two have.
//!
//! A library that hangs, or has ruined its own state or the heap it stands on, can be got rid of by no call. A
//! process can: it is killed, and the next one begins anew.

mod process;
mod worker;

pub(super) use process::Process;
pub use worker::{WorkerError, serve_parent};
