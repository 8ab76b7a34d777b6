//! The first administrator.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};

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
pub(super) async fn ensure(settings: &Settings, access: &AccessService) -> Result<()> {
    let id = settings.bootstrap_client_id.as_deref().unwrap_or(DEFAULT_ID);
    let id = ClientId::parse(id)
        .context("bootstrap_client_id must have 1 to 64 characters of A-Z, a-z, 0-9, _, -, .")?;
    let given = settings.bootstrap_client_secret_file.as_deref();
    let own = settings.data_dir.join(SECRET_FILE);
    let mut written: Option<PathBuf> = None;
    let mut failure = None;
    let made = bootstrap::ensure_administrator(access, id, |access| {
        let secret = match given {
            Some(path) => read(path),
            // Written by a start that was killed before the client was stored: still the right one.
            None if own.exists() => read(&own),
            None => access.new_secret().map_err(anyhow::Error::from).and_then(|secret| {
                write(&own, &secret)?;
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
    match written {
        // Another server's administrator was first; this secret opens nothing.
        Some(path) if !made => std::fs::remove_file(path)?,
        Some(path) => tracing::info!(path = %path.display(), "wrote the administrator's secret, once"),
        None => {}
    }
    Ok(())
}

/// A secret from a file, without the line end.
pub(super) fn read(path: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
    anyhow::ensure!(!secret.expose_secret().is_empty(), "{} is empty", path.display());
    Ok(secret)
}

fn write(path: &Path, secret: &SecretString) -> Result<()> {
    let temporary = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(secret.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    Ok(())
}
