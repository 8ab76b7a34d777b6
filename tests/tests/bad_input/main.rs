//! Bad input: every refusal has its exact status, shape and code, shows nothing of what was sent, and leaves the
//! server serving and unchanged.
#![cfg(test)]

mod aliases;
mod base64;
mod bodies;
mod connections;
mod limits;
mod members;
mod memory;
mod operations;
mod packets;
mod paths;
mod references;
mod tokens;
mod witness;
