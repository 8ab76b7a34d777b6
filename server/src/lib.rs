//! The key manager.
//!
//! ```text
//! api ──► services ──► ports ──► domain
//!            ▲           ▲
//!           app ──► adapters
//! ```
//!
//! - [`domain`]: names, records, policies, decisions; pure.
//! - [`ports`]: what the services need from the world, as traits with promises.
//! - [`services`]: the use cases, over the ports.
//! - [`adapters`]: the token (PKCS#11), the database (SurrealDB), the operating system, the libraries.
//! - `api`: HTTP; translates, calls, translates.
//! - `app`: the one place that names adapters and joins everything.
//! - [`config`]: the settings.
//! - [`cli`]: commands that talk to a running server, as any other client does.
//! - [`outward`], [`trust`]: how others are talked to, and which TLS servers are believed.

pub mod adapters;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod outward;
pub mod ports;
pub mod services;
pub mod telemetry;
pub mod trust;
