//! Which keys there are.

use std::sync::Arc;

use super::{KeyError, KeyService, LISTED_VERSIONS};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, ApplicationId, KeyAlias, ReferenceId},
        key::{KeyId, KeyRecord},
        lifecycle::{KeyState, Standing, Transition},
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

/// Most keys that are looked at for one page; a page may then be short, and the next one goes on.
const EXAMINED: usize = 5_000;
/// Most of them that are read at once.
const PIECE: usize = 500;
/// Most transitions of one key that are shown, the newest.
const HISTORY: usize = 1_000;

/// Which keys are wanted; `None` means whichever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    /// The application.
    pub application: Option<ApplicationId>,
    /// The reference; blank means master keys.
    pub reference: Option<ReferenceId>,
    /// The state.
    pub state: Option<KeyState>,
}

/// A key, and where it stands.
#[derive(Clone, Debug)]
pub struct KeyInState {
    /// The key.
    pub key: Arc<KeyRecord>,
    /// Its state now.
    pub state: KeyState,
    /// Whether it has no successor.
    pub is_newest: bool,
}

/// Some keys.
#[derive(Clone, Debug)]
pub struct KeyPage {
    /// In the order of their ids; those of one alias, if it was asked for, newest first.
    pub keys: Vec<KeyInState>,
    /// After which key the next page begins; `None` when this is the last one.
    pub next: Option<KeyId>,
}

/// A key with what there is to know of it.
#[derive(Clone, Debug)]
pub struct KeyDetails {
    /// The key.
    pub key: KeyInState,
    /// What was decided about it, newest first.
    pub history: Vec<Transition>,
    /// Certificates (DER), leaf first, up to and including ROOT.
    pub chain: Vec<Vec<u8>>,
}

impl KeyService {
    /// Keys that the caller may read, those after `after`, at most `limit`. A page may be short although more follow.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] when `after` is no key of the alias that the filter names.
    pub async fn inventory(
        &self,
        call: &CallContext,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<KeyPage, KeyError> {
        let read = async {
            match (&filter.application, &filter.reference) {
                (Some(application), Some(reference)) => {
                    let (application, reference) = (application.clone(), reference.clone());
                    self.of_alias(call, &KeyAlias { application, reference }, filter.state, after, limit)
                        .await
                }
                _ => self.of_all(call, filter, after, limit).await,
            }
        };
        self.auditor.audited(call, Operation::ReadKeys, None, read, |_| None).await
    }

    async fn of_all(
        &self,
        call: &CallContext,
        filter: &KeyFilter,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<KeyPage, KeyError> {
        let mut keys = Vec::new();
        let mut last = after.cloned();
        let mut examined = 0;
        while examined < EXAMINED {
            let found = self.provisioner.repository.list_keys(last.as_ref(), PIECE).await?;
            let is_end = found.len() < PIECE;
            examined += found.len();
            for key in found {
                last = Some(key.id.clone());
                if !self.is_shown(call, &key.alias) || !filter.fits(&key.alias) {
                    continue;
                }
                let shown = self.in_state(Arc::new(key)).await?;
                if filter.state.is_none_or(|state| state == shown.state) {
                    keys.push(shown);
                }
                if keys.len() == limit {
                    return Ok(KeyPage { keys, next: last });
                }
            }
            if is_end {
                return Ok(KeyPage { keys, next: None });
            }
        }
        Ok(KeyPage { keys, next: last })
    }

    async fn of_alias(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        state: Option<KeyState>,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Result<KeyPage, KeyError> {
        if !self.is_shown(call, alias) {
            return Ok(KeyPage { keys: Vec::new(), next: None });
        }
        let found = self.directory.list(alias, LISTED_VERSIONS).await?;
        let begin = match after {
            None => 0,
            Some(id) => found.iter().position(|key| key.id == *id).ok_or(KeyError::NotFound)? + 1,
        };
        let (mut keys, mut next) = (Vec::new(), None);
        for (place, key) in found.into_iter().enumerate().skip(begin) {
            let is_newest = place == 0;
            let now = self.provisioner.clock.now();
            let shown = KeyInState {
                state: self.directory.states.of(&key, is_newest, now),
                is_newest,
                key: Arc::new(key),
            };
            if state.is_some_and(|state| state != shown.state) {
                continue;
            }
            if keys.len() == limit {
                next = keys.last().map(|last: &KeyInState| last.key.id.clone());
                break;
            }
            keys.push(shown);
        }
        Ok(KeyPage { keys, next })
    }

    /// A key with its history and its chain.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] also when the caller has no right to know.
    pub async fn describe(&self, call: &CallContext, id: &KeyId) -> Result<KeyDetails, KeyError> {
        let operation = Operation::ReadKeys;
        let key = self.visible(call, operation, id).await?;
        let alias = key.alias.clone();
        let read = async {
            self.directory.states.refresh().await?;
            let chain = self.chain(Arc::clone(&key)).await?.certificates;
            let history = self.history(id).await?;
            Ok(KeyDetails { key: self.in_state(key).await?, history, chain })
        };
        self.auditor.audited(call, operation, Some(&alias), read, |details| Some(&details.key.key.id)).await
    }

    /// The end of a key's use: that of its certificate, or when it was revoked.
    pub fn ends_at(&self, key: &KeyRecord) -> Timestamp {
        let not_after = key.period.not_after;
        match self.directory.states.standing(&key.id) {
            Some(Standing { state: KeyState::Deactivated | KeyState::Compromised, since, .. }) => {
                since.min(not_after)
            }
            _ => not_after,
        }
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<Transition>, KeyError> {
        let mut history = Vec::new();
        let mut next = self.directory.states.standing(id).map(|standing| standing.transition);
        while let Some(number) = next.filter(|_| history.len() < HISTORY) {
            let found = self.provisioner.repository.find_transition(number).await?;
            let transition =
                found.filter(|found| found.key == *id).ok_or_else(|| RepositoryError::Inconsistent {
                    table: "key_transition",
                    record: number.to_string(),
                    reason: "it is missing, or of another key",
                })?;
            next = transition.previous;
            history.push(transition);
        }
        Ok(history)
    }

    async fn in_state(&self, key: Arc<KeyRecord>) -> Result<KeyInState, KeyError> {
        let newest = self.directory.newest(&key.alias).await?;
        let is_newest = newest.is_some_and(|newest| newest.id == key.id);
        let state = self.directory.states.of(&key, is_newest, self.provisioner.clock.now());
        Ok(KeyInState { key, state, is_newest })
    }

    fn is_shown(&self, call: &CallContext, alias: &KeyAlias) -> bool {
        alias.role() != AliasRole::Internal && self.authorizer.may(call, Operation::ReadKeys, alias)
    }
}

impl KeyFilter {
    fn fits(&self, alias: &KeyAlias) -> bool {
        self.application.as_ref().is_none_or(|application| *application == alias.application)
            && self.reference.as_ref().is_none_or(|reference| *reference == alias.reference)
    }
}
