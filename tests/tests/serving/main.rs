//! What a running server does for whoever calls it, how it starts and ends, and what is in front of it.
#![cfg(test)]

mod demo;
mod field;
mod main_job;
mod proxies;
mod public_certificates;
mod starting;
mod tls;
