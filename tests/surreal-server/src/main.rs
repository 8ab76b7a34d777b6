//! A SurrealDB server, with the command line of `surreal`.
#![recursion_limit = "512"]
#![forbid(unsafe_code)]

use std::process::ExitCode;

use surrealdb_server::core::CommunityComposer;

fn main() -> ExitCode {
    surrealdb_server::init(CommunityComposer())
}
