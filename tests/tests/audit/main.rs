//! The audit trail, from what a caller does to what an auditor verifies elsewhere: the real program, its token, its
//! files.
#![cfg(test)]

mod anchors;
mod crashes;
mod events;
mod following;
mod proofs;
mod redaction;
mod tampering;
mod trail;
