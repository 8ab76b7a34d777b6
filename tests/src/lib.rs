//! Harness of the cross-crate tests.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness stops the test when something is not as it must be"
)]

pub mod cli;
pub mod clones;
pub mod contract;
pub mod cost;
pub mod fault_module;
pub mod fault_page;
pub mod faults;
pub mod http;
pub mod in_process;
pub mod kryoptic;
pub mod large;
pub mod load;
pub mod measure;
pub mod nss;
pub mod peer;
pub mod proxy;
pub mod raw;
pub mod raw_token;
pub mod refusals;
pub mod scratch;
pub mod site;
pub mod softhsm;
pub mod surreal_server;
pub mod tls;
pub mod tls_front;
pub mod token;
pub mod token_faults;
