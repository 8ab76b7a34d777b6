//! How keys end, as callers ask for it and see it; what is done about it, [`crate::services::destruction`] does.

use tokio::sync::SemaphorePermit;

use super::{
    KeyError, KeyService,
    decisions::{Decided, StateChange, check_reason, check_said},
    error::trusted,
};
use crate::{
    domain::{
        access::{CallContext, Operation},
        alias::{ApplicationId, KeyAlias},
        destruction::{Beginnings, due_at},
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord},
        lifecycle::{Change, KeyState, Standing, Transition, state_of},
        policy::Cryptoperiod,
        time::Timestamp,
    },
    ports::repository::RepositoryError,
};

/// Where the destruction of a key stands.
#[derive(Clone, Debug)]
pub struct DestructionView {
    /// The request: who, when, why.
    pub requested: Transition,
    /// From when it may begin, if it has not; later when the key is used until then.
    pub due_at: Option<Timestamp>,
    /// What it waits for, in words.
    pub remark: Option<String>,
    /// What stays of the key: a signed statement, one line of JSON.
    pub tombstone: Option<String>,
}

/// A KEK, and the state that it is in.
#[derive(Clone, Debug)]
pub struct KekInState {
    /// The KEK.
    pub kek: KekRecord,
    /// Its state.
    pub state: KeyState,
    /// Whether it has no successor.
    pub is_newest: bool,
    /// Where its destruction stands, if it was asked for.
    pub destruction: Option<DestructionView>,
}

impl KeyService {
    /// Whether the key may be destroyed when its time has come.
    pub(super) async fn check_destructible(
        &self,
        call: &CallContext,
        key: &KeyRecord,
    ) -> Result<(), KeyError> {
        if matches!(key.material, KeyMaterial::Elsewhere) {
            return Err(KeyError::NothingToDestroy);
        }
        let newest = self.directory.newest_now(&key.alias).await?;
        let is_newest = |id: &KeyId| newest.as_ref().is_some_and(|newest| newest.id == *id);
        if is_newest(&key.id) {
            return Err(KeyError::Current);
        }
        let twin = self.provisioner.twins(key).await?.into_iter().find(|twin| is_newest(&twin.id));
        match twin {
            Some(twin) => Err(KeyError::Needed(self.named(call, &twin))),
            None => match self.living_child(key).await? {
                Some(child) => Err(KeyError::Needed(self.named(call, &child))),
                None => Ok(()),
            },
        }
    }

    async fn living_child(&self, issuer: &KeyRecord) -> Result<Option<KeyRecord>, KeyError> {
        if !self.provisioner.may_have_children(issuer) {
            return Ok(None);
        }
        let _walk = self.begin_walk()?;
        self.provisioner.living_child(issuer).await
    }

    /// The right to read the whole table of keys, which one request has at a time: whoever may ask for destructions, and
    /// need not be allowed any, could otherwise occupy the database.
    fn begin_walk(&self) -> Result<SemaphorePermit<'_>, KeyError> {
        self.walks.try_acquire().map_err(|_| KeyError::Busy)
    }

    async fn wrapped_by(&self, kek: &KekRecord) -> Result<Option<KeyRecord>, KeyError> {
        let _walk = self.begin_walk()?;
        self.provisioner.wrapped_by(kek).await
    }

    /// A key by its name, for a caller who may know it.
    fn named(&self, call: &CallContext, key: &KeyRecord) -> String {
        if self.authorizer.may(call, Operation::ReadKeys, &key.alias) {
            format!("the key {} of {}, until {}", key.id.0, key.alias, key.period.not_after.to_text())
        } else {
            "a key that you may not read".to_owned()
        }
    }

    /// The KEKs of an application, newest first.
    ///
    /// # Errors
    /// [`KeyError::NotFound`] when it has none, or the caller has no right to know; [`KeyError::Busy`].
    pub async fn keks(
        &self,
        call: &CallContext,
        application: &ApplicationId,
    ) -> Result<Vec<KekInState>, KeyError> {
        let alias = KeyAlias::master(application.clone());
        let operation = Operation::ReadKeys;
        let read = async {
            self.authorizer.check(call, operation, &alias)?;
            self.directory.states.refresh().await?;
            let repository = &self.provisioner.repository;
            let newest = repository.find_newest_kek(application).await?.ok_or(KeyError::NotFound)?;
            let mut keks = Vec::new();
            for version in (1..=newest.version).rev() {
                let kek = repository.find_kek(application, version).await?.ok_or(KeyError::NotFound)?;
                keks.push(self.kek_in_state(kek, version == newest.version).await?);
            }
            Ok(keks)
        };
        self.auditor.audited(call, operation, Some(&alias), read, |_| None).await
    }

    async fn kek_in_state(&self, kek: KekRecord, is_newest: bool) -> Result<KekInState, KeyError> {
        let standing = self.directory.states.standing(&kek.id());
        let now = self.provisioner.clock.now();
        let state = state_of(standing.as_ref(), Cryptoperiod::ENDLESS, is_newest, now);
        let is_destroying = standing.is_some_and(|standing| standing.state == KeyState::Destroying);
        let remark = if is_destroying {
            match trusted(self.wrapped_by(&kek).await)? {
                Some(Some(_)) => Some(STILL_WRAPS.to_owned()),
                Some(None) => None,
                None => Some(MAY_WRAP.to_owned()),
            }
        } else {
            None
        };
        let alias = KeyAlias::master(kek.application.clone());
        let destruction = self.destruction(&kek.id(), &alias, None, remark).await?;
        Ok(KekInState { kek, state, is_newest, destruction })
    }

    /// Asks for the destruction of a KEK that wraps nothing any more, or takes that back.
    ///
    /// # Errors
    /// [`KeyError::Current`] for the newest of its application, [`KeyError::Needed`] while it wraps a key,
    /// [`RepositoryError::Inconsistent`] while rows of keys are missing that it may wrap, [`KeyError::Busy`],
    /// [`KeyError::ChangeRefused`], [`KeyError::Waits`].
    pub async fn change_kek(
        &self,
        call: &CallContext,
        application: &ApplicationId,
        version: u32,
        change: Change,
        reason: &str,
    ) -> Result<Transition, KeyError> {
        let operation = match change {
            Change::CancelDestruction => Operation::CancelKeyDestruction,
            _ => Operation::DestroyKey,
        };
        let alias = KeyAlias::master(application.clone());
        let changed = async {
            self.authorizer.check(call, operation, &alias)?;
            check_reason(reason)?;
            if change == Change::ScheduleDestruction {
                check_said(reason)?;
            }
            let repository = &self.provisioner.repository;
            let newest = repository.find_newest_kek(application).await?.ok_or(KeyError::NotFound)?;
            let kek = repository.find_kek(application, version).await?.ok_or(KeyError::NotFound)?;
            if kek.version == newest.version {
                return Err(KeyError::Current);
            }
            if change == Change::ScheduleDestruction
                && let Some(key) = self.wrapped_by(&kek).await?
            {
                return Err(KeyError::Needed(self.named(call, &key)));
            }
            let request = StateChange { change, reason, closes: false };
            self.change_state(call, operation, Decided::Kek(&kek), request).await
        };
        self.auditor.audited(call, operation, Some(&alias), changed, |transition| Some(&transition.key)).await
    }

    /// Where the destruction of a key stands, if it was asked for.
    pub(super) async fn destruction_of(&self, key: &KeyRecord) -> Result<Option<DestructionView>, KeyError> {
        let standing = self.directory.states.standing(&key.id);
        let remark = match standing.filter(|standing| standing.state == KeyState::Destroying) {
            Some(_) => self.waits_for(key).await?,
            None => None,
        };
        self.destruction(&key.id, &key.alias, Some(key.period.not_after), remark).await
    }

    /// Why a key that is being destroyed is not called destroyed.
    async fn waits_for(&self, key: &KeyRecord) -> Result<Option<String>, KeyError> {
        let key = self.provisioner.key_now(&key.id).await?;
        let twins = self.provisioner.twins(&key).await?;
        if let Some(twin) = twins.iter().find(|twin| !matches!(twin.material, KeyMaterial::Removed { .. })) {
            return Ok(Some(format!("the key {} has the same private part", twin.id.0)));
        }
        let kek = [&*key].into_iter().chain(&twins).find_map(|key| self.provisioner.living_kek(key));
        Ok(kek.map(|kek| format!("backups of the database open with {} until it is destroyed", kek.0)))
    }

    async fn destruction(
        &self,
        id: &KeyId,
        alias: &KeyAlias,
        end: Option<Timestamp>,
        remark: Option<String>,
    ) -> Result<Option<DestructionView>, KeyError> {
        let Some(standing) = self.directory.states.standing(id) else { return Ok(None) };
        let Some(requested) = self.provisioner.request_of(id, &standing).await? else { return Ok(None) };
        let due_at = match standing.schedule {
            Some(_) => Some(self.provisioner.due_at(id, alias, end, &requested).await?),
            None => None,
        };
        let tombstone = self.provisioner.repository.find_tombstone(id).await?;
        Ok(Some(DestructionView { requested, due_at, remark, tombstone }))
    }
}

/// What a KEK waits for.
const STILL_WRAPS: &str = "it still wraps keys";
const MAY_WRAP: &str = "rows of keys are missing or cannot be trusted, which it may wrap";

impl super::provisioning::Provisioner {
    /// The request for a destruction that stands or was carried out.
    pub(crate) async fn request_of(
        &self,
        id: &KeyId,
        standing: &Standing,
    ) -> Result<Option<Transition>, KeyError> {
        if standing.schedule.is_none()
            && !matches!(standing.state, KeyState::Destroying | KeyState::Destroyed)
        {
            return Ok(None);
        }
        let mut next = Some(standing.transition);
        // Scheduled, destroying, destroyed: there are no more between the newest transition and the request.
        for _ in 0..3 {
            let Some(number) = next else { break };
            let found = self.repository.find_transition(number).await?;
            let transition = found.filter(|found| found.key == *id).ok_or_else(|| missing(number))?;
            if transition.change == Change::ScheduleDestruction {
                return Ok(Some(transition));
            }
            next = transition.previous;
        }
        Err(KeyError::Internal("a destruction that nobody asked for"))
    }

    /// From when a destruction may begin that was asked for.
    pub(crate) async fn due_at(
        &self,
        id: &KeyId,
        alias: &KeyAlias,
        end: Option<Timestamp>,
        requested: &Transition,
    ) -> Result<Timestamp, KeyError> {
        let last_use = self.repository.find_key_use(id).await?;
        let watch = self.repository.find_watch().await?;
        let counts_from = watch.and_then(|watch| watch.counts_from);
        let from = Beginnings { end, requested_at: requested.at, last_use, counts_from };
        let terms = self.policies.in_force().compiled.destruction_terms(alias);
        Ok(due_at(from, terms, self.directory.standby_seconds()))
    }
}

pub(super) fn missing(number: u64) -> RepositoryError {
    RepositoryError::Inconsistent {
        table: "key_transition",
        record: number.to_string(),
        reason: "it is missing, or of another key",
    }
}
