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

use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::keys::{KeyError, KeyService, provisioning::Provisioner};
use crate::{
    domain::{
        alias::{AliasRole, KeyAlias},
        key_policies::KeyPolicies,
        rotation::{Forecast, NewestKey, NewestKeys, forecast},
        time::Timestamp,
    },
    ports::{clock::Clock, repository::Repository},
};

pub use crate::ports::rotation::AliasPlace;

/// The lease of whoever renews keys.
const LEASE: &str = "rotation";
/// How long it holds without being extended: longer than the pause between two looks.
const LEASE_SECONDS: i64 = 180;
/// How often keys on the token are looked at, and base keys.
const LOOK_EVERY: Duration = Duration::from_mins(1);
const BASE_KEYS_EVERY_SECONDS: i64 = 3_600;
/// Aliases that are read at once.
const PAGE: usize = 500;
/// Pause after each page of base keys, in times of what the page took: a walk over a million keys takes a tenth of one
/// processor, and does not matter to requests.
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
    pub next: Option<AliasPlace>,
}

impl RotationService {
    /// What will be renewed, and what will end, within `days` days, if policies stay as they are: of the keys on the
    /// token when `after` is `None`, and of the `limit` aliases after that place. Changes nothing.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn plan(&self, days: u32, after: Option<&AliasPlace>, limit: usize) -> Result<Plan, KeyError> {
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
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<Plan, KeyError> {
        let page = self.repository.list_newest(after, limit).await?;
        let from = self.clock.now();
        let until = from.plus_days(days);
        let mut newest = self.newest_on_token().await?;
        let mut meant: BTreeSet<KeyAlias> = BTreeSet::new();
        if after.is_none() {
            meant.extend(newest.keys().cloned());
        }
        for key in page.keys {
            if let Entry::Vacant(place) = newest.entry(key.alias) {
                meant.insert(place.key().clone());
                place.insert(NewestKey { generation: key.generation, period: key.period });
            }
        }
        let mut forecast = forecast(policies, &newest, from, until, MAX_STEPS);
        forecast.steps.retain(|step| meant.contains(&step.alias));
        Ok(Plan { from, until, forecast, next: page.next })
    }

    /// Renews what is due now, on the token and of base keys, if no other server does. What fails is logged, and tried
    /// again the next time. Returns how many keys got successors.
    ///
    /// # Errors
    /// [`KeyError`] when it is not known what is due.
    pub async fn renew_due(&self) -> Result<usize, KeyError> {
        if !self.is_ours().await? {
            return Ok(0);
        }
        Ok(self.renew_on_token().await? + self.renew_base_keys(0).await?)
    }

    /// Takes the lease, or extends it.
    async fn is_ours(&self) -> Result<bool, KeyError> {
        self.provisioner.holds(LEASE, LEASE_SECONDS).await
    }

    /// ROOT, then the applications' keys with their KEKs, then the others on the token.
    async fn renew_on_token(&self) -> Result<usize, KeyError> {
        // What could not be made before would only be waited for.
        self.provisioner.retry_pending().await;
        let mut renewed = 0;
        let policies = self.provisioner.policies.in_force();
        for alias in self.aliases_on_token() {
            if !policies.compiled.periods(&alias).is_some_and(|periods| periods.automatic) {
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
    async fn renew_base_keys(&self, pause: u32) -> Result<usize, KeyError> {
        let mut renewed = 0;
        let mut after = None;
        loop {
            let began = Instant::now();
            let page = self.repository.list_newest(after.as_ref(), PAGE).await?;
            let policies = self.provisioner.policies.in_force();
            for key in page.keys.iter().filter(|key| key.alias.role() == AliasRole::Base) {
                let automatic =
                    policies.compiled.periods(&key.alias).is_some_and(|periods| periods.automatic);
                if !automatic || !self.provisioner.needs_successor(key).await? {
                    continue;
                }
                if !self.is_ours().await? {
                    return Ok(renewed);
                }
                match self.keys.renew_base(&key.alias).await {
                    Ok(by_us) => renewed += usize::from(by_us),
                    Err(error) => tracing::error!(alias = %key.alias, %error, "a key could not be renewed"),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(renewed);
            }
            sleep((began.elapsed() * pause).min(LONGEST_PAUSE)).await;
            if !self.is_ours().await? {
                return Ok(renewed);
            }
        }
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
                newest.insert(alias, NewestKey { generation: key.generation, period: key.period });
            }
        }
        Ok(newest)
    }

    /// Looks again and again; never ends.
    pub(crate) async fn keep_renewed(self: Arc<Self>) {
        tokio::join!(self.keep_token_renewed(), self.keep_base_keys_renewed());
    }

    async fn keep_token_renewed(&self) {
        let mut ticks = ticks().await;
        loop {
            ticks.tick().await;
            let look = async { if self.is_ours().await? { self.renew_on_token().await } else { Ok(0) } };
            told(&look.await);
        }
    }

    async fn keep_base_keys_renewed(&self) {
        let mut ticks = ticks().await;
        let mut due_at = Timestamp::from_millis(i64::MIN);
        loop {
            ticks.tick().await;
            if self.clock.now() < due_at {
                continue;
            }
            let walk =
                async { if self.is_ours().await? { self.renew_base_keys(PAUSE).await } else { Ok(0) } };
            if told(&walk.await) {
                due_at = self.clock.now().plus_seconds(BASE_KEYS_EVERY_SECONDS);
            }
        }
    }
}

/// Ticks when it is time to look. The start itself looked at the keys on the token.
async fn ticks() -> Interval {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    ticks
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
