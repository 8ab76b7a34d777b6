//! Which keys there are.

use std::sync::Arc;

use serde_json::json;

use super::{
    KeyError, KeyService, LISTED_VERSIONS,
    destruction::{DestructionView, missing},
    error::trusted,
    last_named,
};
use crate::domain::{
    access::{CallContext, Operation},
    alias::{AliasRole, ApplicationId, KeyAlias, KeyPurpose, ReferenceId},
    key::{KeyId, KeyRecord},
    key_tags::KeyTags,
    lifecycle::{KeyState, Transition},
    time::Timestamp,
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
    /// What they do.
    pub purpose: Option<KeyPurpose>,
    /// A tag that they have.
    pub tag: Option<String>,
    /// Their certificates end before this time.
    pub expiring_before: Option<Timestamp>,
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
    /// By which it is found again.
    pub tags: KeyTags,
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
    /// Where its destruction stands, if it was asked for.
    pub destruction: Option<DestructionView>,
}

impl KeyService {
    /// Keys that the caller may read, those after `after`, at most `limit`. A page may be short although more follow.
    /// Keys whose rows cannot be trusted are left out: the doctor names them.
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
                    self.of_alias(call, &KeyAlias { application, reference }, filter, after, limit).await
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
            let Piece { found, next, is_end } = self.piece(filter, last.as_ref()).await?;
            examined += PIECE;
            last = next;
            for (key, tags) in found {
                if !self.is_shown(call, &key.alias) || !filter.fits(&key) {
                    continue;
                }
                let id = key.id.clone();
                // Its alias's newest key may not be to be trusted either.
                let Some(shown) = trusted(self.in_state(key).await)? else { continue };
                let shown = KeyInState { tags, ..shown };
                if filter.state.is_none_or(|state| state == shown.state) {
                    keys.push(shown);
                }
                if keys.len() == limit {
                    return Ok(KeyPage { keys, next: Some(id) });
                }
            }
            if is_end {
                return Ok(KeyPage { keys, next: None });
            }
        }
        Ok(KeyPage { keys, next: last })
    }

    /// Some keys in the order of their ids: of those with tags, when it is a tag that is looked for, which are few.
    async fn piece(&self, filter: &KeyFilter, after: Option<&KeyId>) -> Result<Piece, KeyError> {
        let repository = &self.provisioner.repository;
        let Some(tag) = &filter.tag else {
            let rows = repository.examine_keys(after, PIECE).await?;
            let next = last_named(&rows, after);
            let is_end = rows.len() < PIECE || next.as_ref() == after;
            let mut keys = Vec::with_capacity(rows.len());
            for row in rows {
                keys.extend(trusted(row)?);
            }
            let ids: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
            let tags = repository.find_tags(&ids).await?;
            let found = keys.into_iter().map(Arc::new).zip(tags).collect();
            return Ok(Piece { found, next, is_end });
        };
        let tagged = repository.list_tagged(after, PIECE).await?;
        let (next, is_end) = (tagged.last().map(|(id, _)| id.clone()), tagged.len() < PIECE);
        let mut found = Vec::new();
        for (id, tags) in tagged.into_iter().filter(|(_, tags)| tags.contain(tag)) {
            let key = trusted(self.directory.by_id(&id).await)?.flatten();
            found.extend(key.map(|key| (key, tags)));
        }
        Ok(Piece { found, next, is_end })
    }

    async fn tags_of(&self, key: &KeyId) -> Result<KeyTags, KeyError> {
        let found = self.provisioner.repository.find_tags(std::slice::from_ref(key)).await?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    /// Puts these in the place of the key's tags. Of several at once, the last one counts.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] also when the caller has no right to know; [`KeyError::Tags`].
    pub async fn tag(&self, call: &CallContext, id: &KeyId, tags: &[String]) -> Result<KeyInState, KeyError> {
        let operation = Operation::TagKey;
        let key = self.visible(call, operation, id).await?;
        let alias = key.alias.clone();
        let tagged = async {
            let tags = KeyTags::parse(tags)?;
            self.provisioner.repository.put_tags(id, &tags).await?;
            Ok(KeyInState { tags, ..self.in_state(key).await? })
        };
        let about = |tagged: &KeyInState| {
            (Some(tagged.key.id.clone()), Some(json!({ "tags": tagged.tags.as_slice() })))
        };
        self.auditor.audited_in_detail(call, operation, Some(&alias), tagged, about).await
    }

    async fn of_alias(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        filter: &KeyFilter,
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
        let ids: Vec<_> = found.iter().map(|key| key.id.clone()).collect();
        let tags = self.provisioner.repository.find_tags(&ids).await?;
        let (mut keys, mut next) = (Vec::new(), None);
        for (place, (key, tags)) in found.into_iter().zip(tags).enumerate().skip(begin) {
            let is_newest = place == 0;
            let is_tagged = filter.tag.as_ref().is_none_or(|tag| tags.contain(tag));
            if !is_tagged || !filter.fits(&key) {
                continue;
            }
            let now = self.provisioner.clock.now();
            let shown = KeyInState {
                state: self.directory.states.of(&key, is_newest, now),
                is_newest,
                key: Arc::new(key),
                tags,
            };
            if filter.state.is_some_and(|state| state != shown.state) {
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
            // What is at hand may be from before its private part was moved or removed.
            let key = self.provisioner.key_now(id).await?;
            let history = self.history(id).await?;
            let tags = self.tags_of(id).await?;
            let destruction = self.destruction_of(&key).await?;
            let key = KeyInState { tags, ..self.in_state(key).await? };
            Ok(KeyDetails { key, history, chain, destruction })
        };
        self.auditor.audited(call, operation, Some(&alias), read, |details| Some(&details.key.key.id)).await
    }

    /// The end of a key's use: that of its certificate, or when it was revoked.
    pub fn ends_at(&self, key: &KeyRecord) -> Timestamp {
        let not_after = key.period.not_after;
        let revoked = self.directory.states.standing(&key.id).and_then(|standing| standing.revoked_since);
        revoked.map_or(not_after, |since| since.min(not_after))
    }

    async fn history(&self, id: &KeyId) -> Result<Vec<Transition>, KeyError> {
        let mut history = Vec::new();
        let mut next = self.directory.states.standing(id).map(|standing| standing.transition);
        while let Some(number) = next.filter(|_| history.len() < HISTORY) {
            let found = self.provisioner.repository.find_transition(number).await?;
            let transition = found.filter(|found| found.key == *id).ok_or_else(|| missing(number))?;
            next = transition.previous;
            history.push(transition);
        }
        Ok(history)
    }

    /// The key without its tags.
    async fn in_state(&self, key: Arc<KeyRecord>) -> Result<KeyInState, KeyError> {
        let newest = self.directory.newest(&key.alias).await?;
        let is_newest = newest.is_some_and(|newest| newest.id == key.id);
        let state = self.directory.states.of(&key, is_newest, self.provisioner.clock.now());
        Ok(KeyInState { key, state, is_newest, tags: KeyTags::default() })
    }

    fn is_shown(&self, call: &CallContext, alias: &KeyAlias) -> bool {
        alias.role() != AliasRole::Internal && self.authorizer.may(call, Operation::ReadKeys, alias)
    }
}

/// Keys that were read at once.
struct Piece {
    found: Vec<(Arc<KeyRecord>, KeyTags)>,
    /// After which key to go on.
    next: Option<KeyId>,
    is_end: bool,
}

impl KeyFilter {
    /// Whether the key is one of those, its state and tags not looked at.
    fn fits(&self, key: &KeyRecord) -> bool {
        self.application.as_ref().is_none_or(|application| *application == key.alias.application)
            && self.reference.as_ref().is_none_or(|reference| *reference == key.alias.reference)
            && self.purpose.is_none_or(|purpose| purpose == key.alias.purpose())
            && self.expiring_before.is_none_or(|at| key.period.not_after < at)
    }
}
