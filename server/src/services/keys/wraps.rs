//! KEKs wrap no more often than their policies say.
//!
//! Each wrapping has a number, which the database gives out once, whatever server asks. A server takes several at once
//! and keeps what it has not used in memory, so that few wrappings wait for the database; numbers that it still had when
//! it was killed are lost. So a KEK wraps at most as often as is said, and may get its successor a little earlier. Not
//! counted are its check value, and a wrapping that is repeated after a fault of the token.

use std::{collections::HashMap, ops::Range, sync::Arc};

use tokio::sync::Mutex;

use super::{KeyError, SubjectOverrides, provisioning::Provisioner};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias},
        key::{KekRecord, KeyRecord, TokenKeyId},
    },
    ports::{key_store::KeyStoreError, repository::RepositoryError},
};

/// A server takes this part of a limit at once, and no more numbers than this.
const PART: u64 = 1_000;
/// Tries while other servers take numbers, or rotate.
const ATTEMPTS: usize = 16;

/// The numbers that this server may still use, by the KEK's object.
#[derive(Default)]
pub(crate) struct Wraps(Mutex<HashMap<TokenKeyId, Range<u64>>>);

impl Provisioner {
    /// The application's own key and its KEK, which may wrap once more; that is counted. When it may not, the key gets a
    /// successor, and with it the KEK.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyStoreError::Unavailable`] while the next KEK waits for a token.
    pub(super) async fn module_with_kek(
        &self,
        application: &ApplicationId,
    ) -> Result<(Arc<KeyRecord>, KekRecord), KeyError> {
        let alias = KeyAlias::master(application.clone());
        for _ in 0..ATTEMPTS {
            let module = self.ensure(&alias, &SubjectOverrides::default()).await?;
            let kek = self.ensure_kek(application, module.generation).await?;
            if self.take_wrap(&kek).await? {
                return Ok((module, kek));
            }
            if kek.version < module.generation {
                let waits =
                    "the next KEK cannot be used yet, and the one before has wrapped as often as it may";
                return Err(KeyStoreError::Unavailable(waits.to_owned()).into());
            }
            tracing::info!(%application, version = kek.version, "a KEK has wrapped as often as it may");
            // Boxed: what is rare need not be a part of every operation's state.
            match Box::pin(self.rotate_used_up(&module)).await {
                Ok(_) | Err(KeyError::Forestalled) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    /// The KEK, if it may wrap once more, else that of [`Provisioner::module_with_kek`]; that is counted.
    ///
    /// # Errors
    /// The same.
    pub(super) async fn counted(&self, kek: KekRecord) -> Result<KekRecord, KeyError> {
        if self.take_wrap(&kek).await? {
            return Ok(kek);
        }
        self.module_with_kek(&kek.application).await.map(|(_, kek)| kek)
    }

    /// Takes a number for one wrapping. `false`: none is left.
    async fn take_wrap(&self, kek: &KekRecord) -> Result<bool, KeyError> {
        let limit = self.policies.in_force().compiled.max_wraps(&kek.application);
        let mut held = self.wraps.0.lock().await;
        let numbers = held.entry(kek.token_key).or_default();
        if numbers.is_empty() {
            *numbers = self.more_wraps(kek, limit).await?;
        }
        // The limit may have become lower.
        Ok(numbers.next().is_some_and(|number| number < limit))
    }

    /// Takes numbers below the limit, for this server alone; none when there are none.
    async fn more_wraps(&self, kek: &KekRecord, limit: u64) -> Result<Range<u64>, KeyError> {
        for _ in 0..ATTEMPTS {
            let from = self.repository.find_wraps(kek).await?;
            if from >= limit {
                return Ok(0..0);
            }
            let to = from.saturating_add((limit / PART).clamp(1, PART)).min(limit);
            match self.repository.take_wraps(kek, from, to).await {
                // Another server was faster.
                Err(RepositoryError::Conflict) => {}
                outcome => return outcome.map(|()| from..to).map_err(KeyError::from),
            }
        }
        Err(RepositoryError::Conflict.into())
    }
}
