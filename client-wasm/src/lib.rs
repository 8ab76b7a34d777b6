//! JavaScript bindings of `kunji-shared`, for the npm package `@kunji/client`.
//!
//! Translation only: arguments in, one call, an object or an error out. There is no state between
//! calls, no clock and no randomness; the TypeScript around it passes both in. Whatever was on the
//! heap is wiped when it is freed ([`runtime`]), so arguments and results leave nothing behind.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

pub mod container;
mod failure;
mod host;
mod layout;
pub mod layouts;
pub mod open;
pub mod pieces;
mod random;
pub mod recipient;
#[cfg(target_arch = "wasm32")]
mod runtime;
pub mod seal;
#[cfg(target_arch = "wasm32")]
pub mod stack;
