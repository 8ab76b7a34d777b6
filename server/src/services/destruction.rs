//! Destroys keys whose time has come: first writes down, once and for all, that they are destroyed; then, when every
//! server has long obeyed, removes their private parts; and says that they are destroyed once no backup opens.
//!
//! One server of many does it, whoever holds the lease, and writes down each time that it looks: waits go by only while
//! somebody does (see [`crate::domain::destruction::Watch`]). Each step looks at what is written down and can be made twice,
//! so that a server that is killed, or goes on after its lease has run out, does no harm: the states are a log without
//! gaps, tokens are asked until none has the key, and record and tombstone change in one step.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    audit::signer::StatementSigner,
    auditor::Auditor,
    keys::{KeyError, private_keys::PrivateKeys, provisioning::Provisioner, recognition},
};
use crate::{
    domain::{
        alias::{ApplicationId, KeyAlias},
        audit::tombstone::Tombstone,
        destruction::{Step, Watch, next_step},
        key::{KekRecord, KeyId, KeyMaterial, KeyRecord},
        lifecycle::{Change, KeyState, Standing, Transition, after},
        time::Timestamp,
    },
    ports::{
        clock::Clock,
        repository::{Repository, RepositoryError},
    },
};

/// The lease of whoever destroys keys.
const LEASE: &str = "destruction";
/// How long it holds without being extended: longer than the pause between two looks.
const LEASE_SECONDS: i64 = 180;
/// How often it is looked what is due, and what was used is written down: see
/// [`crate::domain::destruction::UNRECORDED_SECONDS`].
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Looks after which it is looked again whether destroyed keys are on a token, and the first time.
const LOOKS_AN_HOUR: u64 = 60;
const FIRST_AGAIN: u64 = 5;

/// Destroys keys.
pub struct DestructionService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) private_keys: Arc<PrivateKeys>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) signer: StatementSigner,
    /// For how long nobody may have looked without all waits beginning anew.
    pub(crate) unwatched_seconds: i64,
    /// Steps that this process has recorded: of which key, after which transition.
    pub(crate) told: Mutex<HashSet<(KeyId, u64, &'static str)>>,
}

/// Keys after which the lease is extended.
const STEPS: usize = 50;

/// What is to be destroyed.
enum Ending {
    Key(Arc<KeyRecord>),
    Kek(KekRecord),
}

impl Ending {
    fn id(&self) -> KeyId {
        match self {
            Self::Key(key) => key.id.clone(),
            Self::Kek(kek) => kek.id(),
        }
    }

    fn alias(&self) -> KeyAlias {
        match self {
            Self::Key(key) => key.alias.clone(),
            Self::Kek(kek) => KeyAlias::master(kek.application.clone()),
        }
    }
}

impl DestructionService {
    /// Makes each step that is due now, if no other server does. What fails is logged, and tried again the next time.
    /// Returns how many steps were made.
    ///
    /// # Errors
    /// [`KeyError`] when it is not known what is due.
    pub async fn advance(&self) -> Result<usize, KeyError> {
        let states = &self.provisioner.directory.states;
        states.refresh().await?;
        let ending = states.ending();
        for (id, _) in ending.iter().filter(|(_, standing)| standing.state == KeyState::Destroying) {
            self.private_keys.forget(id).await;
        }
        let mut made = 0;
        for keys in ending.chunks(STEPS) {
            let Some(now) = self.look().await? else { break };
            made += self.make_steps(keys, now).await;
        }
        Ok(made)
    }

    /// Makes those steps of some keys that are due by the time of the look.
    async fn make_steps(&self, keys: &[(KeyId, Standing)], now: Timestamp) -> usize {
        let mut made = 0;
        for (id, standing) in keys {
            match self.step(id, standing, now).await {
                Ok(done) => made += usize::from(done),
                Err(error) => tracing::warn!(key = id.0, %error, "a key could not be destroyed yet"),
            }
        }
        made
    }

    /// Takes the lease, or extends it, and writes down that it is looked. Returns the time that counts for what is due,
    /// by which a clock that jumps right after it changes nothing; `None` when another server does the work.
    async fn look(&self) -> Result<Option<Timestamp>, KeyError> {
        let states = &self.provisioner.directory.states;
        states.check_clock(self.clock.now())?;
        if !self.provisioner.holds(LEASE, LEASE_SECONDS).await? {
            return Ok(None);
        }
        let now = self.clock.now();
        // In this order: what comes in between is looked at the next time too.
        let seen = states.newest();
        let request = |(_, standing): &(KeyId, Standing)| Some((standing.transition, standing.schedule?));
        let scheduled: Vec<_> = states.ending().iter().filter_map(request).collect();
        // Nothing waits: how long ago it was looked will not matter when something does.
        if scheduled.is_empty() {
            return Ok(Some(now));
        }
        let before = self.repository.find_watch().await?;
        let (watch, is_anew) = Watch::next(before.as_ref(), scheduled, seen, now, self.unwatched_seconds);
        match self.repository.put_watch(&watch).await {
            Err(RepositoryError::Conflict) => return Ok(None),
            outcome => outcome?,
        }
        if is_anew {
            let looked_at = before.map(|before| before.looked_at.to_text());
            tracing::error!(
                looked_at,
                now = now.to_text(),
                "nobody looked for a while which keys are to be destroyed, or a clock is wrong, or this is a database of \
                 an older day: all waits begin anew"
            );
        }
        Ok(Some(now))
    }

    /// The next step of one key. Returns whether there was one to make.
    async fn step(&self, id: &KeyId, standing: &Standing, now: Timestamp) -> Result<bool, KeyError> {
        let ending = self.find(id).await?;
        let requested = self.provisioner.request_of(id, standing).await?;
        let requested = requested.ok_or(KeyError::Internal("a destruction that nobody asked for"))?;
        let end = match &ending {
            Ending::Key(key) => Some(key.period.not_after),
            Ending::Kek(_) => None,
        };
        let due = self.provisioner.due_at(id, &ending.alias(), end, &requested).await?;
        let is_removed = self.repository.find_tombstone(id).await?.is_some();
        let standby = self.provisioner.directory.standby_seconds();
        match next_step(standing, due, is_removed, now, standby) {
            Step::Wait => Ok(false),
            Step::Commit => self.commit(&ending, standing, &requested).await,
            Step::Remove => self.remove(&ending, standing, &requested).await,
            Step::Finish => self.finish(&ending, standing, &requested).await,
        }
    }

    async fn find(&self, id: &KeyId) -> Result<Ending, KeyError> {
        let Some((application, version)) = id.0.strip_prefix("kek:").and_then(|name| name.rsplit_once(':'))
        else {
            return Ok(Ending::Key(self.provisioner.key_now(id).await?));
        };
        let application = ApplicationId::parse(application).map_err(|_| KeyError::NotFound)?;
        let version = version.parse().map_err(|_| KeyError::NotFound)?;
        let kek = self.repository.find_kek(&application, version).await?;
        Ok(Ending::Kek(kek.ok_or(KeyError::NotFound)?))
    }

    /// Writes down that nothing stops it any more, unless something needs the key.
    async fn commit(
        &self,
        ending: &Ending,
        standing: &Standing,
        requested: &Transition,
    ) -> Result<bool, KeyError> {
        if let Some(what) = self.needed_by(ending).await? {
            tracing::warn!(key = requested.key.0, what, "a key is due and not destroyed, since it is needed");
            return Ok(false);
        }
        self.decide(ending, Change::Destroy, requested.to, standing, requested).await
    }

    async fn needed_by(&self, ending: &Ending) -> Result<Option<String>, KeyError> {
        let needing = match ending {
            Ending::Kek(kek) => self.provisioner.wrapped_by(kek).await?,
            Ending::Key(key) => match self.living_twin(key).await? {
                None => self.provisioner.living_child(key).await?,
                twin => twin,
            },
        };
        Ok(needing.map(|key| format!("{} of {}", key.id.0, key.alias)))
    }

    /// Another record with the same private part that nobody wants destroyed.
    async fn living_twin(&self, key: &KeyRecord) -> Result<Option<KeyRecord>, KeyError> {
        let states = &self.provisioner.directory.states;
        let twins = self.provisioner.twins(key).await?;
        Ok(twins.into_iter().find(|twin| {
            let is_scheduled = states.standing(&twin.id).is_some_and(|standing| standing.schedule.is_some());
            !is_scheduled && !states.is_ending(&twin.id)
        }))
    }

    /// Removes the private part from every token, or from the record; what stays is a tombstone.
    async fn remove(
        &self,
        ending: &Ending,
        standing: &Standing,
        requested: &Transition,
    ) -> Result<bool, KeyError> {
        let token = &self.provisioner.token;
        match ending {
            Ending::Kek(kek) => {
                if self.provisioner.wrapped_by(kek).await?.is_some() {
                    return Ok(false);
                }
                self.tell(ending, standing, "key.remove_private_part").await?;
                let label = recognition::kek_label(&kek.application, kek.version);
                token.destroy(kek.token_key, &[label]).await?;
                let tombstone = self.tombstone(ending, None, requested).await?;
                self.repository.bury_kek(&kek.id(), standing.transition, &tombstone).await?;
            }
            Ending::Key(key) => {
                let twins = self.provisioner.twins(key).await?;
                let states = &self.provisioner.directory.states;
                let keks = match key.material {
                    KeyMaterial::Token(id) => {
                        if twins.iter().any(|twin| !states.is_ending(&twin.id)) {
                            return Ok(false);
                        }
                        self.tell(ending, standing, "key.remove_private_part").await?;
                        let labels: Vec<_> = twins
                            .iter()
                            .chain([&**key])
                            .map(|key| recognition::pair_label(&key.alias, key.generation))
                            .collect();
                        token.destroy(id, &labels).await?;
                        None
                    }
                    KeyMaterial::Wrapped { first_kek, kek_version, .. } => {
                        self.tell(ending, standing, "key.remove_private_part").await?;
                        Some((first_kek, kek_version))
                    }
                    KeyMaterial::Elsewhere | KeyMaterial::Removed { .. } => return Ok(false),
                };
                let tombstone = self.tombstone(ending, keks, requested).await?;
                let removed = KeyRecord { material: KeyMaterial::Removed { keks }, ..(**key).clone() };
                self.repository.remove_private_part(&removed, standing.transition, &tombstone).await?;
                self.provisioner.directory.forget(key).await;
            }
        }
        Ok(true)
    }

    /// Says that it is destroyed, once no backup of the database opens it.
    async fn finish(
        &self,
        ending: &Ending,
        standing: &Standing,
        requested: &Transition,
    ) -> Result<bool, KeyError> {
        if let Ending::Key(key) = ending {
            let twins = self.provisioner.twins(key).await?;
            let is_left = |key: &KeyRecord| {
                !matches!(key.material, KeyMaterial::Removed { .. })
                    || self.provisioner.living_kek(key).is_some()
            };
            if is_left(key) || twins.iter().any(is_left) {
                return Ok(false);
            }
        }
        self.decide(ending, Change::FinishDestruction, KeyState::Destroying, standing, requested).await
    }

    /// Writes down what comes of a request, in the name of whoever made it. If anything was decided meanwhile, about any
    /// key, it is looked at anew the next time.
    async fn decide(
        &self,
        ending: &Ending,
        change: Change,
        from: KeyState,
        standing: &Standing,
        requested: &Transition,
    ) -> Result<bool, KeyError> {
        let states = &self.provisioner.directory.states;
        let transition = Transition {
            number: states.next_number(),
            key: ending.id(),
            previous: Some(standing.transition),
            change,
            from,
            to: after(change, from, Some(standing))?,
            reason: requested.reason.clone(),
            actor: requested.actor.clone(),
            at: self.clock.now(),
            closes: false,
        };
        if states.standing(&transition.key).as_ref() != Some(standing) {
            return Ok(false);
        }
        let operation = if change == Change::Destroy { "key.begin_destruction" } else { "key.destroyed" };
        self.tell(ending, standing, operation).await?;
        self.repository.insert_transition(&transition, None).await?;
        states.refresh().await?;
        tracing::warn!(key = transition.key.0, to = transition.to.name(), "a key is destroyed as asked for");
        Ok(true)
    }

    /// Records a step before it is made: what cannot be taken back must not go unrecorded because the server dies right
    /// after it. A step that has to be tried again is told of again by another server alone, as a token that is away can
    /// have it tried each minute.
    async fn tell(
        &self,
        ending: &Ending,
        standing: &Standing,
        operation: &'static str,
    ) -> Result<(), KeyError> {
        let step = (ending.id(), standing.transition, operation);
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).contains(&step) {
            return Ok(());
        }
        self.auditor.own_begun(operation, ending.alias(), ending.id()).await?;
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(step);
        Ok(())
    }

    async fn tombstone(
        &self,
        ending: &Ending,
        wrapped_by: Option<(u32, u32)>,
        requested: &Transition,
    ) -> Result<String, KeyError> {
        let alias = ending.alias();
        let thumbprint = match ending {
            Ending::Key(key) => key.thumbprint.to_string(),
            Ending::Kek(_) => String::new(),
        };
        let signed = self
            .signer
            .sign(|key| Tombstone {
                id: ending.id().0,
                application: alias.application.to_string(),
                reference: alias.reference.as_str().to_owned(),
                thumbprint,
                requested_at: requested.at.to_text(),
                requested_by: requested.actor.clone(),
                reason: requested.reason.clone(),
                removed_at: self.clock.now().to_text(),
                wrapped_by,
                key,
            })
            .await;
        signed.map(|signed| signed.to_line()).map_err(|error| {
            tracing::warn!(%error, "a tombstone could not be signed");
            KeyError::Internal("a tombstone could not be signed")
        })
    }

    /// Destroys again what was destroyed and is on a token all the same, if no other server does. Returns how many keys.
    ///
    /// # Errors
    /// [`KeyError`] when it is not known whether there are any.
    pub async fn destroy_again(&self) -> Result<usize, KeyError> {
        let states = &self.provisioner.directory.states;
        states.refresh().await?;
        states.check_clock(self.clock.now())?;
        if !self.provisioner.holds(LEASE, LEASE_SECONDS).await? {
            return Ok(0);
        }
        let mut destroyed = 0;
        for key in self.provisioner.returned().await? {
            let label = &key.known.label;
            tracing::error!(
                key = key.id.0,
                label,
                tokens = key.tokens.join(", "),
                "a destroyed key is on a token again"
            );
            self.auditor.own_begun("key.remove_private_part", key.alias.clone(), key.id.clone()).await?;
            match self.provisioner.destroy_again(&key).await {
                Ok(()) => destroyed += 1,
                Err(error) => {
                    tracing::error!(key = key.id.0, label, %error, "it could not be destroyed again");
                }
            }
        }
        Ok(destroyed)
    }

    /// Looks again and again; never ends.
    pub(crate) async fn keep_destroying(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0_u64.. {
            ticks.tick().await;
            self.record_uses().await;
            if let Err(error) = self.advance().await {
                tracing::warn!(%error, "which keys are to be destroyed could not be looked up");
            }
            if look % LOOKS_AN_HOUR == FIRST_AGAIN
                && let Err(error) = self.destroy_again().await
            {
                tracing::warn!(%error, "whether destroyed keys are on a token again is not known");
            }
        }
    }

    /// Writes down which keys were used whose destruction that puts off.
    pub async fn record_uses(&self) {
        self.provisioner.directory.record_uses(self.clock.now()).await;
    }
}
