//! What a key manager is about, without any I/O: names, records, policies, who may do what, and the
//! decisions that follow from them. Nothing here is asynchronous and nothing here reads a clock.

pub mod access;
pub mod alias;
pub mod audit;
pub mod authority;
pub mod authorization;
pub mod client;
pub mod cross_certificate;
pub mod demo;
pub mod destruction;
pub mod digest;
pub mod doctor;
pub mod glob;
pub mod jose;
pub mod key;
pub mod key_policies;
pub mod key_tags;
pub mod key_type;
pub mod lifecycle;
pub mod merkle;
pub mod network;
pub mod policy;
pub mod revocation;
pub mod revocation_list;
pub mod rotation;
pub mod signature;
pub mod symmetric;
pub mod time;
pub mod web;
pub mod x509_signature;
