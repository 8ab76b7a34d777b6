//! Successors that somebody asks for.

use std::sync::Arc;

use super::{KeyError, SubjectOverrides, base::BaseKeyMaker, provisioning::Provisioner};
use crate::{
    domain::{alias::KeyAlias, key::KeyRecord},
    ports::{key_store::KeyStoreError, repository::RepositoryError},
};

/// Why a key gets a successor before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Somebody asks for it.
    Request,
    /// Its KEK has wrapped as often as it may.
    Limit,
}

impl Provisioner {
    /// Makes the successor of `expected`, a key on the token, whatever its age and state. Of several that are asked for
    /// at once, here and elsewhere, one is made.
    ///
    /// # Errors
    /// [`KeyError::Forestalled`] unless `expected` is the newest key.
    pub(super) async fn rotate(
        &self,
        expected: &KeyRecord,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        self.replace(expected, subject, Cause::Request).await
    }

    /// The same because its KEK has wrapped as often as it may: nobody asks for it, so not after a decision that the alias
    /// gets no other key.
    ///
    /// # Errors
    /// As [`Provisioner::rotate`]; why none is made by itself.
    pub(super) async fn rotate_used_up(&self, expected: &KeyRecord) -> Result<Arc<KeyRecord>, KeyError> {
        self.replace(expected, &SubjectOverrides::default(), Cause::Limit).await
    }

    async fn replace(
        &self,
        expected: &KeyRecord,
        subject: &SubjectOverrides,
        cause: Cause,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let alias = &expected.alias;
        let lease = self.lease(&format!("key/{alias}")).await?;
        let made = self.replace_leased(expected, subject, cause).await;
        self.release(lease).await;
        if let Err(KeyError::Token(KeyStoreError::Incomplete(_))) = &made {
            self.make_next_kek_ahead(alias).await?;
        }
        let made = made?;
        self.ensure_kek_of(&made).await?;
        Ok(made)
    }

    async fn replace_leased(
        &self,
        expected: &KeyRecord,
        subject: &SubjectOverrides,
        cause: Cause,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let alias = &expected.alias;
        let newest = self.directory.newest_now(alias).await?;
        if newest.is_none_or(|newest| newest.id != expected.id) {
            return Err(KeyError::Forestalled);
        }
        if cause == Cause::Limit {
            self.directory.states.refresh().await?;
            self.directory.states.check_renewable(&expected.id)?;
        }
        let record = self.make_successor(alias, subject, Some(expected)).await?;
        let record = requested(match cause {
            Cause::Request => self.directory.insert_requested(record).await,
            Cause::Limit => self.directory.insert(record).await,
        })?;
        self.auditor.own("key.create", Some(alias.clone()), Some(record.id.clone())).await?;
        tracing::info!(%alias, generation = record.generation, ?cause, "made a key on the token before its time");
        Ok(record)
    }

    /// The newest key of an alias, after another was not made because something came first.
    ///
    /// # Errors
    /// Why none is made, when that is what came first.
    pub(super) async fn forestalled(
        &self,
        alias: &KeyAlias,
        previous: Option<&KeyRecord>,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let newest = self.directory.newest_now(alias).await?;
        let newest = newest.ok_or(KeyError::Internal("a key vanished that another server made"))?;
        if previous.is_some_and(|previous| previous.id == newest.id) {
            self.directory.states.refresh().await?;
            self.directory.states.check_renewable(&newest.id)?;
            return Err(RepositoryError::Conflict.into());
        }
        Ok(newest)
    }
}

impl BaseKeyMaker {
    /// Makes the alias's next key after `previous`, because somebody asks for it.
    ///
    /// # Errors
    /// [`KeyError::Forestalled`] unless `previous` is the newest key.
    pub(super) async fn make_requested(
        &self,
        alias: &KeyAlias,
        previous: Option<&KeyRecord>,
        subject: &SubjectOverrides,
    ) -> Result<Arc<KeyRecord>, KeyError> {
        let record = self.prepare(alias, previous, subject).await?;
        requested(self.provisioner.directory.insert_requested(record).await)
    }
}

fn requested(made: Result<Arc<KeyRecord>, RepositoryError>) -> Result<Arc<KeyRecord>, KeyError> {
    made.map_err(|error| match error {
        RepositoryError::Conflict => KeyError::Forestalled,
        error => error.into(),
    })
}
