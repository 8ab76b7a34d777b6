//! A database in a server of its own: as the repository, and going away under a real server.
#![cfg(test)]

mod away;
mod remote;
