//! Packet format and client-side cryptography of Kunji.
