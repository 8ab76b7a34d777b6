//! The commands that talk to a running server, as an operator runs them.
#![cfg(test)]

mod clients;
mod connection;
