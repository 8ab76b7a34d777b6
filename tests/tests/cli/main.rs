//! The commands that talk to a running server, as an operator runs them.
#![cfg(test)]

mod access;
mod clients;
mod connection;
mod doctor;
mod keys;
