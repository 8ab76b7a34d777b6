//! First start: what must be there before anything can be served, made where it is missing. Every step looks
//! first, so that a start after a crash, or of two servers at once, ends in the same state.

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{
    access::{AccessError, AccessService},
    keys::{
        KeyError,
        provisioning::Provisioner,
        recognition::{INTEGRITY_SECRET, SYSTEM_KEK, system_kek},
    },
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
        key_policies::{KeyPolicyChange, KeyPolicyRecord, KeyPolicyRecords, KeyPolicyRepository},
        key_store::{KeyStore, KeyStoreError},
        repository::{Repository, RepositoryError, SystemSecret},
    },
};

/// Name of the secret behind the pseudonyms in the audit trail.
const PSEUDONYM_SECRET: &str = "audit-pseudonyms/1";

/// Unwraps the key of the integrity tags, or makes it, and gives it to the repository. Must come before anything
/// else that reads records. Where the key is there already, the token must have what wraps it.
///
/// Returns whether this call made it: then there are no records of keys yet.
pub(crate) async fn install_integrity_key(
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<bool, KeyError> {
    if let Some(secret) = repository.find_system_secret(INTEGRITY_SECRET).await? {
        token.recognise(vec![system_kek(&secret)]).await?;
    }
    let (key, by_us) = system_key(INTEGRITY_SECRET, provisioner, repository, token, entropy).await?;
    repository.install_integrity_key(key);
    Ok(by_us)
}

/// Unwraps the key of the pseudonyms in the audit trail, or makes it.
pub(crate) async fn install_pseudonym_key(
    pseudonyms: &Pseudonyms,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<(), KeyError> {
    let (key, _) = system_key(PSEUDONYM_SECRET, provisioner, repository, token, entropy).await?;
    pseudonyms.install(&key);
    Ok(())
}

/// A random key of the servers, wrapped by the system KEK; made when there is none. Returns whether it was made by
/// this call, too.
async fn system_key(
    name: &'static str,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<(Zeroizing<[u8; 32]>, bool), KeyError> {
    if let Some(secret) = repository.find_system_secret(name).await? {
        return Ok((unwrap_system_key(name, token, &secret).await?, false));
    }
    let lease = provisioner.lease(name).await?;
    let made = make_system_key(name, provisioner, repository, token, entropy).await;
    provisioner.release(lease).await;
    let by_us = made?;
    let secret = repository.find_system_secret(name).await?;
    let secret = secret.ok_or(KeyError::Internal("a key of the servers vanished"))?;
    Ok((unwrap_system_key(name, token, &secret).await?, by_us))
}

/// Returns whether it was made by this call.
async fn make_system_key(
    name: &'static str,
    provisioner: &Provisioner,
    repository: &dyn Repository,
    token: &dyn KeyStore,
    entropy: &dyn Entropy,
) -> Result<bool, KeyError> {
    if repository.find_system_secret(name).await?.is_some() {
        return Ok(false);
    }
    let kek = provisioner.kek_object(SYSTEM_KEK).await?;
    let mut key = Zeroizing::new(vec![0; 32]);
    entropy.fill(&mut key).map_err(|_| KeyError::Internal("randomness"))?;
    let blob = token.wrap(kek, name.as_bytes(), key).await?;
    Ok(repository.insert_system_secret(name, &SystemSecret { kek, blob }).await?)
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

/// Writes the configured policies of applications that never had one, and gives back those in force.
pub(crate) async fn ensure_policies(
    repository: &dyn KeyPolicyRepository,
    configured: &[KeyPolicy],
) -> Result<KeyPolicyRecords, KeyError> {
    /// Starts at once: the first to write wins, and the others find what it wrote.
    const ATTEMPTS: usize = 8;
    for _ in 0..ATTEMPTS {
        let present = repository.list_key_policies().await?;
        let is_known = |policy: &&KeyPolicy| {
            present.policies.iter().any(|known| known.policy.application == policy.application)
                || present.removed.contains(&policy.application)
        };
        let version = present.version + 1;
        let record = |policy: &KeyPolicy| KeyPolicyRecord { policy: policy.clone(), version, changed: None };
        let missing: Vec<_> = configured.iter().filter(|policy| !is_known(policy)).map(record).collect();
        if missing.is_empty() {
            return Ok(present);
        }
        match repository.change_key_policies(present.version, KeyPolicyChange::Put(&missing)).await {
            Ok(()) | Err(RepositoryError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(RepositoryError::Conflict.into())
}

/// Tells the token by which keys it is recognised.
pub(crate) async fn recognise_keys(provisioner: &Provisioner) -> Result<(), KeyError> {
    Ok(provisioner.token.recognise(provisioner.known_keys().await?).await?)
}

/// Makes, on the primary alone, what a first start will need, so that it can be cloned all at once.
pub(crate) async fn make_ahead(provisioner: &Provisioner, aliases: &[KeyAlias]) -> Result<(), KeyError> {
    for alias in aliases.iter().chain(&KeyAlias::internal()) {
        provisioner.make_ahead(alias).await?;
    }
    Ok(())
}

/// Makes the configured keys, ROOT first, and those of the servers themselves. One that not every token has yet is waited for while the rest goes on, but
/// for ROOT.
pub(crate) async fn ensure_keys(provisioner: &Provisioner, aliases: &[KeyAlias]) -> Result<(), KeyError> {
    let internal = KeyAlias::internal();
    let mut ordered: Vec<_> = aliases.iter().chain(&internal).collect();
    ordered.sort_by_key(|alias| alias.role() != AliasRole::Root);
    for alias in ordered {
        match ensure_key(provisioner, alias).await {
            Err(KeyError::Token(KeyStoreError::Incomplete(_))) if alias.role() != AliasRole::Root => {}
            // Somebody decided so, which is no reason not to serve the rest.
            Err(error @ (KeyError::Closed | KeyError::NotUsable(_))) => {
                tracing::warn!(%alias, %error, "a key of the settings is not in use");
            }
            made => made?,
        }
    }
    Ok(())
}

/// Nothing below repeats the making of a key, but where its template was refused, since nobody knows what became of it. A
/// start can: it finds what was made, and one failure of a busy token should not end it.
async fn ensure_key(provisioner: &Provisioner, alias: &KeyAlias) -> Result<(), KeyError> {
    const ATTEMPTS: u32 = 3;
    for _ in 1..ATTEMPTS {
        match provisioner.ensure_with_kek(alias).await {
            Err(KeyError::Token(KeyStoreError::Unavailable(cause))) => {
                tracing::warn!(%alias, cause, "a key could not be made; the start tries again");
            }
            outcome => return outcome,
        }
    }
    provisioner.ensure_with_kek(alias).await
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

/// Looks after what must be renewed, confirmed or forgotten in time; never ends. `directory`: of a database that can
/// go away.
pub(crate) async fn maintain(
    tokens: Arc<super::access::tokens::AccessTokens>,
    private_keys: Arc<super::keys::private_keys::PrivateKeys>,
    directory: Option<Arc<super::keys::directory::KeyDirectory>>,
    denials: Arc<super::denials::Denials>,
) {
    let confirm = async {
        if let Some(directory) = directory {
            directory.confirm().await;
        }
    };
    tokio::join!(forget(&private_keys), refresh(&tokens), tell(&denials), confirm);
}

/// Records the refusals that were counted, when their time is over.
async fn tell(denials: &super::denials::Denials) {
    const EVERY: Duration = Duration::from_secs(1);
    let mut ticks = ticks(EVERY);
    loop {
        ticks.tick().await;
        denials.flush(false).await;
    }
}

async fn forget(private_keys: &super::keys::private_keys::PrivateKeys) {
    /// Long-unused private keys stay in memory at most this much longer than they may.
    const EVERY: Duration = Duration::from_secs(1);
    let mut ticks = ticks(EVERY);
    loop {
        ticks.tick().await;
        private_keys.expire().await;
    }
}

async fn refresh(tokens: &super::access::tokens::AccessTokens) {
    /// How soon another server's new token-signing key is accepted.
    const EVERY: Duration = Duration::from_mins(1);
    let mut ticks = ticks(EVERY);
    // They were read at start.
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = tokens.refresh().await {
            tracing::warn!(%error, "the keys that verify access tokens could not be read again");
        }
    }
}

/// Looks after the token's keys: makes those that could not be made before, and has every token show again, now and
/// then, those that there are, also those that other servers have made. Apart from [`maintain`], because it waits for
/// tokens. Never ends.
pub(crate) async fn maintain_keys(provisioner: Arc<Provisioner>) {
    const RETRY_EVERY: Duration = Duration::from_secs(5);
    const RECOGNISE_EVERY: u32 = 12;
    let mut ticks = tokio::time::interval(RETRY_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 0_u32.. {
        ticks.tick().await;
        provisioner.retry_pending().await;
        if tick % RECOGNISE_EVERY == RECOGNISE_EVERY - 1
            && let Err(error) = recognise_keys(&provisioner).await
        {
            tracing::warn!(%error, "the keys on the token could not be checked");
        }
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    ticks
}
