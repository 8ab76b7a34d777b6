//! HTTP to others: directly, not through the surroundings' proxies, and never on to where an answer redirects.

use std::error::Error;

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::ClientConfig;

/// A client that speaks TLS as [`crate::trust`] says. How long it waits is for the caller to set.
pub fn client(tls: ClientConfig) -> ClientBuilder {
    Client::builder().tls_backend_preconfigured(tls).no_proxy().redirect(Policy::none()).user_agent("kunji")
}

/// The innermost cause: the outer ones only say that a request failed. Without the address, which may hold a secret.
pub fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut innermost: &dyn Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
