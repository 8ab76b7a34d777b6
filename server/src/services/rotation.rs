//! Renews keys before their windows close, and says what will be renewed when.
//!
//! One server of many does it: whoever holds the lease. The lease saves work, it does not decide: a key is accepted as
//! its alias's next only if the newest is still the generation before it, so a server that goes on after its lease has
//! run out makes no second current key.

use std::{
    collections::{BTreeSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::keys::{KeyError, KeyService, provisioning::Provisioner};
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        key::KeyRecord,
        key_policies::KeyPolicies,
        rotation::{Forecast, NewestKey, NewestKeys, Sort, forecast},
        time::Timestamp,
    },
    ports::{clock::Clock, repository::Repository, rotation::AliasPlace},
};

/// The lease of whoever renews keys.
const LEASE: &str = "rotation";
/// How long it holds without being extended: longer than the pause between two looks.
const LEASE_SECONDS: i64 = 180;
/// How often the keys are looked at that the servers themselves make on the token, and those made on request: base keys,
/// keys on curves, symmetric keys.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const WALK_EVERY_SECONDS: i64 = 3_600;
/// Aliases that are read at once.
const PAGE: usize = 500;
/// Pause after each page, in times of what the page took: a walk over a million keys takes a tenth of one processor, and
/// does not matter to requests.
const PAUSE: u32 = 9;
/// Short of what the lease holds.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Most steps of one answer.
const MAX_STEPS: usize = 10_000;

/// Renews keys.
pub struct RotationService {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Arc<KeyService>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) repository: Arc<dyn Repository>,
}

/// What will happen to the keys of some aliases.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What.
    pub forecast: Forecast,
    /// What to go on after, if there are more aliases.
    pub next: Option<PlanPlace>,
}

/// The place of an alias in the order of plans: those of key pairs come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanPlace {
    /// Among those of key pairs.
    Pair(AliasPlace),
    /// Among those of symmetric keys.
    Symmetric(AliasPlace),
}

/// What the texts of places among symmetric keys begin with.
const SYMMETRIC: &str = "symmetric-";

impl PlanPlace {
    /// Reads a place; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(SYMMETRIC) {
            Some(place) => AliasPlace::parse(place).map(Self::Symmetric),
            None => AliasPlace::parse(text).map(Self::Pair),
        }
    }

    /// It as text, which needs no escaping in a URL.
    pub fn to_text(&self) -> String {
        match self {
            Self::Pair(place) => place.as_str().to_owned(),
            Self::Symmetric(place) => format!("{SYMMETRIC}{}", place.as_str()),
        }
    }
}

impl RotationService {
    /// What will be renewed, and what will end, within `days` days, if policies stay as they are: of the keys on the
    /// token when `after` is `None`, and of the `limit` aliases after that place. Changes nothing.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn plan(&self, days: u32, after: Option<&PlanPlace>, limit: usize) -> Result<Plan, KeyError> {
        let policies = self.provisioner.policies.in_force();
        self.plan_under(&policies.compiled, days, after, limit).await
    }

    /// The same if these policies were in force.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn plan_under(
        &self,
        policies: &KeyPolicies,
        days: u32,
        after: Option<&PlanPlace>,
        limit: usize,
    ) -> Result<Plan, KeyError> {
        let (keys, next) = self.page(after, limit).await?;
        let from = self.clock.now();
        let until = from.plus_days(days);
        let mut newest = self.newest_on_token().await?;
        let mut meant: BTreeSet<KeyAlias> = BTreeSet::new();
        if after.is_none() {
            meant.extend(newest.keys().cloned());
        }
        for (alias, key) in keys {
            if let Entry::Vacant(place) = newest.entry(alias) {
                meant.insert(place.key().clone());
                place.insert(key);
            }
        }
        let mut forecast = forecast(policies, &newest, from, until, MAX_STEPS);
        forecast.steps.retain(|step| meant.contains(&step.alias));
        Ok(Plan { from, until, forecast, next })
    }

    /// The newest keys of the `limit` aliases after the place, and what to go on after.
    async fn page(
        &self,
        after: Option<&PlanPlace>,
        limit: usize,
    ) -> Result<(Vec<(KeyAlias, NewestKey)>, Option<PlanPlace>), KeyError> {
        let (after_pair, after_symmetric) = match after {
            None => (None, None),
            Some(PlanPlace::Pair(place)) => (Some(place), None),
            Some(PlanPlace::Symmetric(place)) => (None, Some(place)),
        };
        let mut keys = Vec::new();
        let mut left = limit;
        if after_symmetric.is_none() {
            let page = self.repository.list_newest(after_pair, limit).await?;
            keys.extend(page.keys.iter().map(|key| (key.alias.clone(), self.foreseen(key))));
            if let Some(next) = page.next {
                return Ok((keys, Some(PlanPlace::Pair(next))));
            }
            left = limit.saturating_sub(page.keys.len() + page.untrusted).max(1);
        }
        let page = self.repository.list_newest_symmetric(after_symmetric, left).await?;
        keys.extend(page.keys.iter().map(|key| (key.alias.clone(), NewestKey::of_symmetric(key))));
        Ok((keys, page.next.map(PlanPlace::Symmetric)))
    }

    /// The key as it is renewed: of keys that are made on request, none against which something was decided; of the
    /// others none that is suspended, or whose alias is to have no other.
    fn foreseen(&self, key: &KeyRecord) -> NewestKey {
        let newest = NewestKey::of(key);
        let states = &self.provisioner.directory.states;
        let is_last = if is_made_on_request(&key.alias) {
            !states.is_active(&key.id)
        } else {
            states.check_renewable(&key.id).is_err()
        };
        if is_last { NewestKey { sort: Sort::Last, ..newest } } else { newest }
    }

    /// Renews what is due now, wherever it is, if no other server does. What fails is logged, and tried again the next
    /// time. Returns how many keys got successors.
    ///
    /// # Errors
    /// [`KeyError`] when it is not known what is due.
    pub async fn renew_due(&self) -> Result<usize, KeyError> {
        if !self.is_ours().await? {
            return Ok(0);
        }
        Ok(self.renew_on_token().await? + self.renew_made_on_request(0).await?)
    }

    /// Takes the lease, or extends it.
    async fn is_ours(&self) -> Result<bool, KeyError> {
        self.provisioner.holds(LEASE, LEASE_SECONDS).await
    }

    /// Whether the policy has successors made before the end at all.
    fn is_automatic(&self, alias: &KeyAlias) -> bool {
        let policies = self.provisioner.policies.in_force();
        policies.compiled.periods(alias).is_some_and(|periods| periods.automatic)
    }

    /// ROOT, then the applications' keys with their KEKs, then the servers' own.
    async fn renew_on_token(&self) -> Result<usize, KeyError> {
        // What could not be made before would only be waited for.
        self.provisioner.retry_pending().await;
        let mut renewed = 0;
        for alias in self.aliases_on_token() {
            if !self.is_automatic(&alias) {
                continue;
            }
            let Some(before) = self.provisioner.directory.newest_now(&alias).await? else { continue };
            if !self.provisioner.needs_successor(&before).await? {
                continue;
            }
            if !self.is_ours().await? {
                break;
            }
            match self.provisioner.ensure_with_kek(&alias).await {
                Ok(()) => {
                    let after = self.provisioner.directory.newest(&alias).await?;
                    renewed += usize::from(after.is_some_and(|after| after.generation > before.generation));
                }
                Err(error) => tracing::error!(%alias, %error, "a key could not be renewed"),
            }
        }
        Ok(renewed)
    }

    /// Pauses after each page for `pause` times as long as it took.
    async fn renew_made_on_request(&self, pause: u32) -> Result<usize, KeyError> {
        Ok(self.renew_symmetric(pause).await? + self.renew_pairs(pause).await?)
    }

    /// Base keys, and keys on curves.
    async fn renew_pairs(&self, pause: u32) -> Result<usize, KeyError> {
        let mut renewed = 0;
        let mut after = None;
        loop {
            let began = Instant::now();
            let page = self.repository.list_newest(after.as_ref(), PAGE).await?;
            for key in page.keys.iter().filter(|key| is_made_on_request(&key.alias)) {
                if !self.is_automatic(&key.alias) || !self.provisioner.needs_successor(key).await? {
                    continue;
                }
                if !self.is_ours().await? {
                    return Ok(renewed);
                }
                match self.keys.renew(&key.alias).await {
                    Ok(is_renewed) => renewed += usize::from(is_renewed),
                    Err(error) => tracing::error!(alias = %key.alias, %error, "a key could not be renewed"),
                }
            }
            after = page.next;
            if after.is_none() || !self.goes_on(began, pause).await? {
                return Ok(renewed);
            }
        }
    }

    async fn renew_symmetric(&self, pause: u32) -> Result<usize, KeyError> {
        let mut renewed = 0;
        let mut after = None;
        loop {
            let began = Instant::now();
            let page = self.repository.list_newest_symmetric(after.as_ref(), PAGE).await?;
            for key in &page.keys {
                if !self.is_automatic(&key.alias) || !self.provisioner.needs_symmetric_successor(key) {
                    continue;
                }
                if !self.is_ours().await? {
                    return Ok(renewed);
                }
                match self.keys.renew_symmetric(key).await {
                    Ok(is_renewed) => renewed += usize::from(is_renewed),
                    Err(error) => tracing::error!(alias = %key.alias, %error, "a key could not be renewed"),
                }
            }
            after = page.next;
            if after.is_none() || !self.goes_on(began, pause).await? {
                return Ok(renewed);
            }
        }
    }

    /// Pauses after a page; whether the next one is still this server's.
    async fn goes_on(&self, began: Instant, pause: u32) -> Result<bool, KeyError> {
        sleep((began.elapsed() * pause).min(LONGEST_PAUSE)).await;
        self.is_ours().await
    }

    /// Where keys on the token can be, issuers first.
    fn aliases_on_token(&self) -> Vec<KeyAlias> {
        let masters = self.provisioner.policies.applications().into_iter().map(KeyAlias::master);
        let mut aliases: Vec<_> =
            masters.chain([KeyAlias::kernel_sign()]).chain(KeyAlias::internal()).collect();
        aliases.sort_by_key(|alias| alias.role() != AliasRole::Root);
        aliases
    }

    async fn newest_on_token(&self) -> Result<NewestKeys, KeyError> {
        let mut newest = NewestKeys::new();
        for alias in self.aliases_on_token() {
            if let Some(key) = self.provisioner.directory.newest(&alias).await? {
                newest.insert(alias, self.foreseen(&key));
            }
        }
        Ok(newest)
    }

    /// Looks again and again; never ends. The start itself looked at the keys on the token.
    pub(crate) async fn keep_renewed(self: Arc<Self>) {
        tokio::join!(self.keep_token_renewed(), self.keep_made_on_request_renewed());
    }

    async fn keep_token_renewed(&self) {
        loop {
            self.clock.pause(LOOK_EVERY).await;
            let look = async { if self.is_ours().await? { self.renew_on_token().await } else { Ok(0) } };
            told(&look.await);
        }
    }

    async fn keep_made_on_request_renewed(&self) {
        let mut due_at = Timestamp::from_millis(i64::MIN);
        loop {
            self.clock.pause(LOOK_EVERY).await;
            if self.clock.now() < due_at {
                continue;
            }
            let walk =
                async { if self.is_ours().await? { self.renew_made_on_request(PAUSE).await } else { Ok(0) } };
            if told(&walk.await) {
                due_at = self.clock.now().plus_seconds(WALK_EVERY_SECONDS);
            }
        }
    }
}

/// Whether keys of the alias are made on request alone.
fn is_made_on_request(alias: &KeyAlias) -> bool {
    matches!(alias.role(), AliasRole::Base | AliasRole::Curve(_))
}

/// Logs what came of a look. Returns whether it came to its end.
fn told(looked: &Result<usize, KeyError>) -> bool {
    match looked {
        Ok(0) => {}
        Ok(renewed) => tracing::info!(renewed, "keys were renewed"),
        Err(error) => tracing::warn!(%error, "which keys are due could not be looked up"),
    }
    looked.is_ok()
}
