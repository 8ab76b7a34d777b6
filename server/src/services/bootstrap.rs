//! First start: what must be there before anything can be served, made where it is missing. Every step looks
//! first, so that a start after a crash, or of two servers at once, ends in the same state.

use std::sync::Arc;

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{
    access::{AccessError, AccessService},
    keys::{KeyError, provisioning::Provisioner},
    pseudonyms::Pseudonyms,
};
use crate::{
    domain::{
        access::{Operation, Role},
        alias::{AliasRole, KeyAlias},
        client::ClientId,
        policy::KeyPolicy,
    },
    ports::{
        entropy::Entropy,
        key_store::KeyStore,
        repository::{PolicyRepository, Repository, SystemSecret},
    },
};

/// Name of the secret behind the integrity tags of rows; also the context of its wrapping.
const INTEGRITY_SECRET: &str = "row-integrity/1";
/// Name of the secret behind the pseudonyms in the audit trail.
const PSEUDONYM_SECRET: &str = "audit-pseudonyms/1";

/// Unwraps the key of the integrity tags, or makes it, and gives it to the repository. Must come before anything
/// else that reads records.
pub(crate) async fn install_integrity_key(
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<(), KeyError> {
    let key = system_key(INTEGRITY_SECRET, provisioner, repository, token, entropy).await?;
    repository.install_integrity_key(key);
    Ok(())
}

/// Unwraps the key of the pseudonyms in the audit trail, or makes it.
pub(crate) async fn install_pseudonym_key(
    pseudonyms: &Pseudonyms,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<(), KeyError> {
    let key = system_key(PSEUDONYM_SECRET, provisioner, repository, token, entropy).await?;
    pseudonyms.install(&key);
    Ok(())
}

/// A random key of the servers, wrapped by the system KEK; made when there is none.
async fn system_key(
    name: &'static str,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if let Some(secret) = repository.find_system_secret(name).await? {
        return unwrap_system_key(name, token, &secret).await;
    }
    let lease = provisioner.lease(name).await?;
    let made = make_system_key(name, provisioner, repository, token, entropy).await;
    provisioner.release(lease).await?;
    made?;
    let secret = repository.find_system_secret(name).await?;
    unwrap_system_key(name, token, &secret.ok_or(KeyError::Internal("a key of the servers vanished"))?).await
}

async fn make_system_key(
    name: &'static str,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<(), KeyError> {
    if repository.find_system_secret(name).await?.is_some() {
        return Ok(());
    }
    let kek = provisioner.kek_object("system/kek/1").await?;
    let mut key = Zeroizing::new(vec![0; 32]);
    entropy.fill(&mut key).map_err(|_| KeyError::Internal("randomness"))?;
    let blob = token.wrap(kek, name.as_bytes(), key).await?;
    repository.insert_system_secret(name, &SystemSecret { kek, blob }).await?;
    Ok(())
}

async fn unwrap_system_key(
    name: &'static str,
    token: &dyn KeyStore,
    secret: &SystemSecret,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let key = token.unwrap(secret.kek, name.as_bytes(), &secret.blob).await?;
    let mut fixed = Zeroizing::new([0; 32]);
    if key.len() != fixed.len() {
        return Err(KeyError::Internal("a stored key of the servers has a wrong length"));
    }
    fixed.copy_from_slice(&key);
    Ok(fixed)
}

/// Writes the configured policies where there are none, and gives back those in force.
pub(crate) async fn ensure_policies(
    repository: &dyn PolicyRepository,
    configured: &[KeyPolicy],
) -> Result<Vec<KeyPolicy>, KeyError> {
    let mut present = repository.list_policies().await?;
    let mut added = false;
    for policy in configured {
        if !present.iter().any(|known| known.application == policy.application) {
            repository.insert_policy(policy).await?;
            added = true;
        }
    }
    if added {
        present = repository.list_policies().await?;
    }
    Ok(present)
}

/// Makes the configured keys, ROOT first.
pub(crate) async fn ensure_keys(provisioner: &Provisioner, aliases: &[KeyAlias]) -> Result<(), KeyError> {
    let mut ordered: Vec<_> = aliases.iter().collect();
    ordered.sort_by_key(|alias| alias.role() != AliasRole::Root);
    for alias in ordered {
        provisioner.ensure_with_kek(alias).await?;
    }
    Ok(())
}

/// Makes the first administrator where there is no client at all. `secret` is asked only then.
///
/// Returns whether it was made by this call.
pub(crate) async fn ensure_administrator(
    access: &AccessService,
    id: ClientId,
    secret: impl FnOnce(&AccessService) -> Result<SecretString, AccessError>,
) -> Result<bool, AccessError> {
    if access.repository.has_clients().await? {
        return Ok(false);
    }
    let secret = secret(access)?;
    match access.store_client(id, &secret, vec![Role::Administrator], None).await {
        Ok(()) => {
            access.auditor.own(Operation::CreateClient.name(), None, None).await?;
            Ok(true)
        }
        Err(AccessError::ClientExists) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Looks after what must be renewed or forgotten in time; never ends.
pub(crate) async fn maintain(
    tokens: Arc<super::access::tokens::AccessTokens>,
    private_keys: Arc<super::keys::private_keys::PrivateKeys>,
    denials: Arc<super::denials::Denials>,
) {
    /// Long-unused private keys stay in memory at most this much longer than they may.
    const FORGET_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
    /// How soon another server's new token-signing key is accepted.
    const REFRESH_EVERY: u32 = 60;
    let mut ticks = tokio::time::interval(FORGET_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for tick in 1_u32.. {
        ticks.tick().await;
        private_keys.expire().await;
        denials.flush(false).await;
        if tick % REFRESH_EVERY == 0
            && let Err(error) = tokens.refresh().await
        {
            tracing::warn!(%error, "the keys that verify access tokens could not be read again");
        }
    }
}
