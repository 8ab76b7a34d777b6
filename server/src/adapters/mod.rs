//! The world as it is: each module keeps the promises of one port with one library.

pub mod pkcs11;
