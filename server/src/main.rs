//! `kunji`, the program.
fn main() {}
