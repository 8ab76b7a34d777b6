//! Packet format and client-side cryptography of Kunji.
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod certificate;
pub mod cipher;
pub mod encoding;
pub mod key_wrap;
pub mod layouts;
pub mod packet;
pub mod pem;
pub mod public_key;
pub mod secret;
mod thumbprint;
pub mod time;

pub use certificate::{Certificate, Recipient, RecipientPolicy};
pub use cipher::{ContentCipher, RustCipher};
pub use packet::{Envelope, Frame, OpenInputs, RecipientKey, SealPlan, Shape, Splitter};
pub use public_key::{ModulusLength, RsaPublicKey};
pub use secret::{DataKey, Plaintext};
pub use thumbprint::Thumbprint;
pub use time::UnixTime;
