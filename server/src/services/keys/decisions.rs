//! What becomes of keys by decision: revoked, suspended, resumed, destroyed.

use serde_json::{Value, json};

use super::{KeyError, KeyService};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{AliasRole, KeyAlias},
        key::{KekRecord, KeyId, KeyRecord},
        lifecycle::{Change, KeyState, Transition, after, state_of},
        policy::Cryptoperiod,
    },
    ports::repository::RepositoryError,
};

/// Tries of a change while others change other keys.
const ATTEMPTS: usize = 8;

impl KeyService {
    /// Revokes the current base key of an alias: it is handed out no more, and still opens what it sealed. `closes`: no
    /// other key is made until somebody asks for one.
    ///
    /// # Errors
    /// [`KeyError::RevocationNotAllowed`] for an alias that is not that of a base key; [`KeyError::NothingToRevoke`];
    /// [`KeyError::Waits`].
    pub async fn revoke_current(
        &self,
        call: &CallContext,
        alias: &KeyAlias,
        closes: bool,
    ) -> Result<(), KeyError> {
        let operation = Operation::RevokeKey;
        let revoked = async {
            self.authorizer.check(call, operation, alias)?;
            if alias.role() != AliasRole::Base {
                return Err(KeyError::RevocationNotAllowed);
            }
            let newest = self.directory.newest_now(alias).await?.ok_or(KeyError::NothingToRevoke)?;
            let request = StateChange { change: Change::Supersede, reason: "", closes };
            match self.change_state(call, operation, Decided::Key(&newest), request).await {
                Err(KeyError::ChangeRefused(_)) => Err(KeyError::NothingToRevoke),
                changed => changed,
            }
        };
        self.auditor
            .audited(call, operation, Some(alias), revoked, |transition| Some(&transition.key))
            .await?;
        Ok(())
    }

    /// Changes the state of a key.
    ///
    /// # Errors
    /// [`KeyError::ChangeRefused`] when the key's state does not let it; [`KeyError::Waits`].
    pub async fn change(
        &self,
        call: &CallContext,
        id: &KeyId,
        change: Change,
        reason: &str,
        closes: bool,
    ) -> Result<Transition, KeyError> {
        let operation = match change {
            Change::Supersede | Change::Compromise => Operation::RevokeKey,
            Change::Suspend => Operation::SuspendKey,
            Change::Resume => Operation::ResumeKey,
            Change::ScheduleDestruction => Operation::DestroyKey,
            Change::CancelDestruction => Operation::CancelKeyDestruction,
            // What comes of a request, nobody asks for.
            Change::Destroy | Change::FinishDestruction => return Err(KeyError::NotFound),
        };
        let key = self.visible(call, operation, id).await?;
        let changed = async {
            check_reason(reason)?;
            if change == Change::ScheduleDestruction {
                check_said(reason)?;
                self.check_destructible(call, &key).await?;
            }
            let request = StateChange { change, reason, closes };
            self.change_state(call, operation, Decided::Key(&key), request).await
        };
        self.auditor
            .audited(call, operation, Some(&key.alias), changed, |transition| Some(&transition.key))
            .await
    }

    /// Makes a change, again after others have changed other keys. When it is this key's state that others have changed
    /// meanwhile, it is not made: what was approved is named by the state that it begins with.
    ///
    /// # Errors
    /// [`KeyError::ChangeRefused`], [`KeyError::Forestalled`], [`KeyError::Waits`]; [`RepositoryError::Conflict`].
    pub(super) async fn change_state(
        &self,
        call: &CallContext,
        operation: Operation,
        decided: Decided<'_>,
        request: StateChange<'_>,
    ) -> Result<Transition, KeyError> {
        let states = &self.directory.states;
        let mut passed = None;
        for _ in 0..ATTEMPTS {
            states.refresh().await?;
            let number = states.next_number();
            let is_newest = self.is_newest(decided).await?;
            if request.closes && !is_newest {
                return Err(KeyError::Forestalled);
            }
            let now = self.provisioner.clock.now();
            if request.change == Change::ScheduleDestruction {
                states.check_clock(now)?;
            }
            let id = decided.id();
            let standing = states.standing(&id);
            let from = state_of(standing.as_ref(), decided.period(), is_newest, now);
            let to = after(request.change, from, standing.as_ref())?;
            match passed {
                None => {
                    let content = request.described(decided, from);
                    self.pass(call, operation, &decided.alias(), &content).await?;
                    passed = Some((from, to));
                }
                Some(approved) if approved == (from, to) => {}
                // Something else would be done than what was approved.
                Some(_) => return Err(RepositoryError::Conflict.into()),
            }
            let transition = Transition {
                number,
                key: id,
                previous: standing.map(|standing| standing.transition),
                change: request.change,
                from,
                to,
                reason: request.reason.to_owned(),
                actor: call.principal.name.clone(),
                at: now,
                closes: request.closes,
            };
            let closing = decided.key().filter(|_| request.closes);
            match self.provisioner.repository.insert_transition(&transition, closing).await {
                Err(RepositoryError::Conflict) => {}
                outcome => {
                    outcome?;
                    self.obey_now(call, &transition).await;
                    return Ok(transition);
                }
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    async fn is_newest(&self, decided: Decided<'_>) -> Result<bool, KeyError> {
        Ok(match decided {
            Decided::Key(key) => {
                let newest = self.directory.newest_now(&key.alias).await?;
                newest.is_some_and(|newest| newest.id == key.id)
            }
            Decided::Kek(kek) => {
                let newest = self.provisioner.repository.find_newest_kek(&kek.application).await?;
                newest.is_some_and(|newest| newest.version == kek.version)
            }
        })
    }

    /// This server need not wait until it looks again. That it could not is no reason to call the change failed.
    async fn obey_now(&self, call: &CallContext, transition: &Transition) {
        tracing::warn!(
            request_id = %call.request_id,
            principal = call.principal.name,
            key = transition.key.0,
            from = transition.from.name(),
            to = transition.to.name(),
            "the state of a key was changed"
        );
        if let Err(error) = self.directory.states.refresh().await {
            tracing::warn!(%error, "the state of a key is obeyed here a moment later");
        }
    }
}

/// What may be said about a change.
pub(super) fn check_reason(reason: &str) -> Result<(), KeyError> {
    if reason.len() > Transition::MAX_REASON || reason.chars().any(char::is_control) {
        Err(KeyError::ReasonInvalid)
    } else {
        Ok(())
    }
}

/// What is never done without saying why.
pub(super) fn check_said(reason: &str) -> Result<(), KeyError> {
    if reason.trim().is_empty() { Err(KeyError::ReasonInvalid) } else { Ok(()) }
}

/// What is decided about.
#[derive(Clone, Copy)]
pub(super) enum Decided<'a> {
    /// A key.
    Key(&'a KeyRecord),
    /// A KEK, which goes by the rights for its application's own key.
    Kek(&'a KekRecord),
}

impl<'a> Decided<'a> {
    fn id(self) -> KeyId {
        match self {
            Self::Key(key) => key.id.clone(),
            Self::Kek(kek) => kek.id(),
        }
    }

    fn alias(self) -> KeyAlias {
        match self {
            Self::Key(key) => key.alias.clone(),
            Self::Kek(kek) => KeyAlias::master(kek.application.clone()),
        }
    }

    fn period(self) -> Cryptoperiod {
        match self {
            Self::Key(key) => key.period,
            Self::Kek(_) => Cryptoperiod::ENDLESS,
        }
    }

    fn key(self) -> Option<&'a KeyRecord> {
        match self {
            Self::Key(key) => Some(key),
            Self::Kek(_) => None,
        }
    }
}

/// What is wanted of a key.
#[derive(Clone, Copy)]
pub(super) struct StateChange<'a> {
    pub(super) change: Change,
    pub(super) reason: &'a str,
    pub(super) closes: bool,
}

impl StateChange<'_> {
    /// All of it that matters to those who approve it.
    fn described(&self, decided: Decided<'_>, from: KeyState) -> Value {
        let alias = decided.alias();
        json!({
            "applicationId": alias.application.as_str(), "referenceId": alias.reference.as_str(),
            "key": decided.id().0, "change": self.change.name(), "from": from.name(), "reason": self.reason,
            "disableAutoGeneration": self.closes,
        })
    }
}
