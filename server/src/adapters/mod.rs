//! The token, the database, the operating system and the libraries, each behind its port.

pub mod surreal;
