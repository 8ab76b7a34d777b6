//! What is left when servers are killed: found, told, and gone on with.
#![cfg(test)]

mod doctor;
#[path = "../certificates/elsewhere.rs"]
#[expect(dead_code, reason = "not all that others can issue is needed here")]
mod elsewhere;
mod ends;
mod first_start;
mod operations;
mod servers;
mod soak;
mod trials;
mod trigger;
mod world;
