//! One program for all tests of the public API, so that they share vectors and keys.
#![cfg(test)]

mod certificates;
mod documents;
mod fuzz_packet;
mod layouts;
mod properties;
mod support;
mod vectors;
