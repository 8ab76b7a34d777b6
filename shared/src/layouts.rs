//! What clients of the field send beside packets: contents whose key, nonce or associated data travel elsewhere.
//!
//! | Module | Bytes |
//! | --- | --- |
//! | [`auth_request`] | `C ‖ T ‖ nonce(16)`, twice under one key, which stands in a member of its own |
//! | [`biometric`] | `C ‖ T`; nonce and associated data follow from time stamp and transaction |
//! | [`pin`] | `salt(32) ‖ nonce(12) ‖ C ‖ T` under a key that follows from a PIN |
//! | [`machine`] | `wrapped key ‖ nonce(12) ‖ AAD(32) ‖ C ‖ T` for the key of a registration machine |
//! | [`container`] | a ZIP of registration packets, which goes into a registration packet |
//!
//! `docs/packet-format.md` is the normative text.

pub mod auth_request;
pub mod biometric;
mod body;
pub mod container;
pub mod machine;
pub mod pin;

pub use body::{Body, BodyPlan};
