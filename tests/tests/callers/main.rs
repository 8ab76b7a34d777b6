//! Who is let in: clients and their changes, tokens, and the tokens of other issuers.
#![cfg(test)]

mod access;
mod client_changes;
mod external_issuers;
mod slow_requests;
