//! What is left when servers are killed: found, told, and gone on with.
#![cfg(test)]

mod doctor;
