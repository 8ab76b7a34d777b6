//! What is renewed when: pure functions of keys, policies and a time.
//!
//! Laws, which the tests hold: an alias has at most one current key; there is no gap between two; no certificate
//! outlives its issuer; a plan that was carried out is empty when it is made again.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use super::{
    alias::{AliasRole, KeyAlias},
    key_policies::KeyPolicies,
    policy::Cryptoperiod,
    time::Timestamp,
};

/// The newest key of an alias, as far as a plan needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestKey {
    /// 1 for the first key of the alias.
    pub generation: u32,
    /// Its certificate's validity.
    pub period: Cryptoperiod,
}

/// The newest key of each alias.
pub type NewestKeys = BTreeMap<KeyAlias, NewestKey>;

/// Something that happens to the keys of an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Whose keys.
    pub alias: KeyAlias,
    /// What.
    pub event: Event,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The newest key gets a successor. With a module's, its KEK gets one too.
    Renewed(NewestKey),
    /// The newest key ends, and none is made by itself: no policy says so, or its issuer ends as early.
    Ended,
}

/// The successor's period, if the newest key of the alias is to be replaced at `now`; `issuer`: the period of the key
/// that would certify it.
///
/// A successor that would end no later than its predecessor is none: where an issuer nears its end and is not replaced,
/// one more certificate for its last days would gain nothing.
pub fn renewal(
    policies: &KeyPolicies,
    alias: &KeyAlias,
    newest: Cryptoperiod,
    issuer: Option<Cryptoperiod>,
    now: Timestamp,
) -> Option<Cryptoperiod> {
    let periods = policies.periods(alias)?;
    if newest.is_current(now, periods.lead_days) {
        return None;
    }
    let successor = Cryptoperiod::starting(now, periods.validity_days, issuer);
    (successor.not_after > newest.not_after).then_some(successor)
}

/// The period of the key that would certify the alias's next at `now`: that of the issuer's newest key, or of the
/// successor that it gets first. `None` for ROOT. `newest` finds the newest key of an alias.
fn issuer_period(
    policies: &KeyPolicies,
    newest: impl Fn(&KeyAlias) -> Option<NewestKey> + Copy,
    alias: &KeyAlias,
    now: Timestamp,
) -> Result<Option<Cryptoperiod>, IssuerMissing> {
    // The hierarchy has three levels.
    let Some(issuer) = alias.issuer() else { return Ok(None) };
    let above = issuer_period(policies, newest, &issuer, now)?;
    let held = newest(&issuer).ok_or(IssuerMissing)?;
    Ok(Some(renewal(policies, &issuer, held.period, above, now).unwrap_or(held.period)))
}

/// An issuer on the way has no key.
#[derive(Debug)]
struct IssuerMissing;

/// What is to be renewed at `now`, issuers before what they certify.
pub fn due(policies: &KeyPolicies, newest: &NewestKeys, now: Timestamp) -> Vec<Step> {
    let forecast = forecast(policies, newest, now, now, usize::MAX);
    forecast.steps.into_iter().filter(|step| matches!(step.event, Event::Renewed(_))).collect()
}

/// What will happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// In the order of time; at one time, issuers before what they certify.
    pub steps: Vec<Step>,
    /// Whether there are more steps than were asked for.
    pub truncated: bool,
}

/// What happens from `now` to `until` if every renewal is made when it is due, at most `limit` steps. Aliases whose
/// application has no active policy, or whose issuer has no key, only end.
pub fn forecast(
    policies: &KeyPolicies,
    newest: &NewestKeys,
    now: Timestamp,
    until: Timestamp,
    limit: usize,
) -> Forecast {
    let mut future = Future {
        policies,
        held: newest,
        renewed: NewestKeys::new(),
        turns: BinaryHeap::new(),
        steps: Vec::new(),
    };
    for (alias, key) in newest {
        let at = now.max(future.due_at(alias, key.period));
        if at <= until {
            future.turns.push(Reverse((at, level(alias), alias.clone())));
        }
    }
    while let Some(Reverse((at, _, alias))) = future.turns.pop().filter(|Reverse((at, ..))| *at <= until) {
        if future.steps.len() >= limit {
            return Forecast { steps: future.steps, truncated: true };
        }
        future.take_turn(&alias, at);
    }
    Forecast { steps: future.steps, truncated: false }
}

/// The keys as they will be, and when which is looked at.
struct Future<'a> {
    policies: &'a KeyPolicies,
    held: &'a NewestKeys,
    /// What has taken the place of some of them.
    renewed: NewestKeys,
    turns: BinaryHeap<Reverse<(Timestamp, u8, KeyAlias)>>,
    steps: Vec<Step>,
}

impl Future<'_> {
    fn take_turn(&mut self, alias: &KeyAlias, at: Timestamp) {
        let automatic = self.policies.periods(alias).is_some_and(|periods| periods.automatic);
        if automatic && self.renew(alias, at) {
            return;
        }
        let Some(period) = self.newest(alias).map(|key| key.period) else { return };
        if at < period.not_after {
            // A successor gains nothing before its issuer has one.
            let issuer = alias.issuer().and_then(|issuer| Some((self.newest(&issuer)?.period, issuer)));
            let issuer_due =
                issuer.map(|(period, issuer)| self.due_at(&issuer, period)).filter(|due| *due > at);
            let next = issuer_due.map_or(period.not_after, |due| due.min(period.not_after));
            self.turns.push(Reverse((next, level(alias), alias.clone())));
        } else {
            self.steps.push(Step { at: period.not_after, alias: alias.clone(), event: Event::Ended });
        }
    }

    /// Renews the newest key of the alias if it is due and a successor gains something; and first whoever certifies it,
    /// as is done when a successor is made.
    fn renew(&mut self, alias: &KeyAlias, at: Timestamp) -> bool {
        let issuer = match alias.issuer() {
            None => None,
            Some(issuer) => {
                if issuer_period(self.policies, |alias| self.newest(alias), alias, at)
                    .ok()
                    .is_none_or(|period| self.successor(alias, period, at).is_none())
                {
                    return false;
                }
                self.renew(&issuer, at);
                self.newest(&issuer).map(|key| key.period)
            }
        };
        let Some(renewed) = self.successor(alias, issuer, at) else { return false };
        self.renewed.insert(alias.clone(), renewed);
        let due = self.due_at(alias, renewed.period);
        self.turns.push(Reverse((due.max(at), level(alias), alias.clone())));
        self.steps.push(Step { at, alias: alias.clone(), event: Event::Renewed(renewed) });
        true
    }

    fn successor(&self, alias: &KeyAlias, issuer: Option<Cryptoperiod>, at: Timestamp) -> Option<NewestKey> {
        let key = self.newest(alias)?;
        let period = renewal(self.policies, alias, key.period, issuer, at)?;
        Some(NewestKey { generation: key.generation.saturating_add(1), period })
    }

    fn newest(&self, alias: &KeyAlias) -> Option<NewestKey> {
        self.renewed.get(alias).or_else(|| self.held.get(alias)).copied()
    }

    fn due_at(&self, alias: &KeyAlias, newest: Cryptoperiod) -> Timestamp {
        newest.not_after.minus_days(self.policies.periods(alias).map_or(0, |periods| periods.lead_days))
    }
}

/// Issuers come first.
fn level(alias: &KeyAlias) -> u8 {
    match alias.role() {
        AliasRole::Root => 0,
        AliasRole::Module => 1,
        AliasRole::Base | AliasRole::Curve(_) | AliasRole::Internal | AliasRole::Sign => 2,
    }
}

#[cfg(test)]
mod tests;
