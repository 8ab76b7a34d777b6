//! The keys of the servers that the token unwraps at each start.

use anyhow::{Context, Result};

use super::Ports;
use crate::{
    config::Settings,
    ports::key_store::KeyStoreError,
    services::{
        auditor::Auditor,
        bootstrap,
        keys::{KeyError, provisioning::Provisioner},
    },
};

/// Installs the key of the records' integrity tags, and that of the audit trail's pseudonyms where there are any.
///
/// Returns whether this is the first start of all.
pub(super) async fn install(
    settings: &Settings,
    ports: &Ports,
    auditor: &Auditor,
    provisioner: &Provisioner,
) -> Result<bool> {
    let (repository, token, entropy) = (&*ports.repository, &*ports.token, &*ports.entropy);
    let installed = bootstrap::install_integrity_key(provisioner, repository, token, entropy).await;
    if let Err(KeyError::Token(KeyStoreError::Incomplete(_))) = installed {
        bootstrap::make_ahead(provisioner, &settings.key_aliases())
            .await
            .context("the first keys could not be made on the primary token")?;
    }
    let is_first_start =
        installed.context("the key that protects the records could not be unwrapped by the token")?;
    if !settings.audit_pseudonymous_references.is_empty() {
        bootstrap::install_pseudonym_key(&auditor.pseudonyms, provisioner, repository, token, entropy)
            .await
            .context("the key of the audit trail's pseudonyms could not be unwrapped by the token")?;
    }
    Ok(is_first_start)
}
