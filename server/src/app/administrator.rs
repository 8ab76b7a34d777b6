//! The first administrator.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::private_file;
use crate::{
    config::Settings,
    domain::client::ClientId,
    services::{access::AccessService, bootstrap},
};

/// The client id when none is set.
const DEFAULT_ID: &str = "administrator";
/// The file with its secret, in the data directory, when none is set.
const SECRET_FILE: &str = "administrator-secret";

/// Makes the first administrator where there is no client yet, with the secret of the settings' file or with a
/// new one, which is written once into the data directory.
///
/// Returns the path of the file that it wrote.
pub(super) async fn ensure(settings: &Settings, access: &AccessService) -> Result<Option<PathBuf>> {
    let id = settings.bootstrap_client_id.as_deref().unwrap_or(DEFAULT_ID);
    let id = ClientId::parse(id)
        .context("bootstrap_client_id must have 1 to 64 characters of A-Z, a-z, 0-9, _, -, .")?;
    let given = settings.bootstrap_client_secret_file.as_deref();
    let own = settings.data_dir.join(SECRET_FILE);
    let mut written: Option<PathBuf> = None;
    let mut failure = None;
    let made = bootstrap::ensure_administrator(access, id, |access| {
        let secret = match given {
            Some(path) => private_file::read(path),
            // Written by a start that was killed before the client was stored: still the right one.
            None if own.exists() => private_file::read(&own),
            None => access.new_secret().map_err(anyhow::Error::from).and_then(|secret| {
                private_file::write(&own, &secret)?;
                written = Some(own.clone());
                Ok(secret)
            }),
        };
        secret.map_err(|error| {
            failure = Some(error);
            crate::services::access::AccessError::Internal("the administrator's secret")
        })
    })
    .await;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let made = made?;
    if !made && let Some(path) = written.take() {
        // Another server's administrator was first; this secret opens nothing.
        std::fs::remove_file(path)?;
    }
    Ok(written)
}
