//! Signatures: what the server signs verifies with libraries not ours, and what they sign verifies here.
#![cfg(test)]

use kunji_tests::{http::Http, site::Shared};

mod authorities;
mod bytes;
mod clocked;
mod cose;
mod curves;
mod forms;
mod issuers;
mod jose;
mod library;
mod moments;
mod native;
mod pdf;
mod peers;
mod refused;
mod rotation;
mod sequences;
mod trust;
mod vectors;

/// A client that signs, verifies and reads certificates.
async fn signer(shared: &Shared) -> Http {
    let administrator = shared.server.http().sign_in("administrator", &shared.server.secret).await;
    administrator.new_client(&["signer", "encryptor", "key-administrator"]).await
}
