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
    key::{KeyMaterial, KeyRecord},
    key_policies::{KeyPolicies, Periods},
    policy::Cryptoperiod,
    symmetric::SymmetricKeyRecord,
    time::Timestamp,
};

/// The newest key of an alias, as far as a plan needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestKey {
    /// 1 for the first key of the alias.
    pub generation: u32,
    /// Its validity.
    pub period: Cryptoperiod,
    /// What it is.
    pub sort: Sort,
}

/// What says of a key how long it lives and who certifies it, beside its alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A pair on the token.
    OnToken,
    /// A pair that is kept in the records, under a KEK of its application.
    InRecords,
    /// A symmetric key, which has no certificate.
    Symmetric,
    /// A key that gets no successor by itself: another domain's, or one that was decided about.
    Last,
}

impl NewestKey {
    /// What a plan needs to know of this key.
    pub const fn of(key: &KeyRecord) -> Self {
        let sort = match key.material {
            KeyMaterial::Token(_) => Sort::OnToken,
            KeyMaterial::Wrapped { .. } => Sort::InRecords,
            KeyMaterial::Elsewhere | KeyMaterial::Removed { .. } => Sort::Last,
        };
        Self { generation: key.generation, period: key.period, sort }
    }

    /// The same of a symmetric key.
    pub const fn of_symmetric(key: &SymmetricKeyRecord) -> Self {
        Self { generation: key.generation, period: key.period, sort: Sort::Symmetric }
    }

    /// The alias whose key certifies the next one; `None` when that certifies itself or has no certificate.
    pub fn issuer(&self, alias: &KeyAlias) -> Option<KeyAlias> {
        match (self.sort, alias.role()) {
            (Sort::Symmetric, _) => None,
            // Where the token does not take the curve.
            (Sort::InRecords, AliasRole::Curve(_)) => Some(KeyAlias::master(alias.application.clone())),
            _ => alias.issuer(),
        }
    }

    fn periods(&self, policies: &KeyPolicies, alias: &KeyAlias) -> Option<Periods> {
        match self.sort {
            Sort::Symmetric => SymmetricKeyRecord::periods(policies, alias),
            Sort::InRecords | Sort::Last | Sort::OnToken => policies.periods(alias),
        }
    }
}

/// The newest key of each alias.
pub type NewestKeys = BTreeMap<KeyAlias, NewestKey>;

/// A key on the way from what is certified by nobody else to the one that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its alias.
    pub alias: KeyAlias,
    /// The newest key of that.
    pub newest: NewestKey,
    /// Whether its successor was begun and cannot be used yet: until then it certifies itself what is certified.
    pub is_awaited: bool,
}

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

/// The successor of the last of these keys, if it is to be replaced at `now`. Each but the first is certified by the one
/// before it, or by that one's successor, which is made first. **This decides what is renewed**, here and where keys are
/// made.
///
/// A successor that would end no later than its predecessor is none: where an issuer nears its end and is not replaced,
/// one more certificate for its last days would gain nothing.
pub fn successor(policies: &KeyPolicies, chain: &[Link], now: Timestamp) -> Option<NewestKey> {
    let (mut issuer, mut next) = (None, None);
    for link in chain {
        next = if link.is_awaited { None } else { renewal(policies, link, issuer, now) };
        issuer = Some(next.unwrap_or(link.newest).period);
    }
    next
}

fn renewal(
    policies: &KeyPolicies,
    Link { alias, newest, .. }: &Link,
    issuer: Option<Cryptoperiod>,
    now: Timestamp,
) -> Option<NewestKey> {
    let periods = newest.periods(policies, alias)?;
    if newest.sort == Sort::Last || newest.period.is_current(now, periods.lead_days) {
        return None;
    }
    let period = Cryptoperiod::starting(now, periods.validity_days, issuer);
    let generation = newest.generation.saturating_add(1);
    (period.not_after > newest.period.not_after).then_some(NewestKey { generation, period, ..*newest })
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
        let at = now.max(future.due_at(alias, *key));
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
        let Some(key) = self.newest(alias) else { return };
        let not_after = key.period.not_after;
        if at < not_after {
            // A successor gains nothing before its issuer has one.
            let issuer = key.issuer(alias).and_then(|issuer| Some((self.newest(&issuer)?, issuer)));
            let issuer_due = issuer.map(|(key, issuer)| self.due_at(&issuer, key)).filter(|due| *due > at);
            let next = issuer_due.map_or(not_after, |due| due.min(not_after));
            self.turns.push(Reverse((next, level(alias), alias.clone())));
        } else {
            self.steps.push(Step { at: not_after, alias: alias.clone(), event: Event::Ended });
        }
    }

    /// Renews the newest key of the alias if it is due and a successor gains something; and first whoever certifies it,
    /// as is done when a successor is made.
    fn renew(&mut self, alias: &KeyAlias, at: Timestamp) -> bool {
        let Some(chain) = self.chain(alias) else { return false };
        let Some(renewed) = successor(self.policies, &chain, at) else { return false };
        if let Some(issuer) = renewed.issuer(alias) {
            self.renew(&issuer, at);
        }
        self.renewed.insert(alias.clone(), renewed);
        let due = self.due_at(alias, renewed);
        self.turns.push(Reverse((due.max(at), level(alias), alias.clone())));
        self.steps.push(Step { at, alias: alias.clone(), event: Event::Renewed(renewed) });
        true
    }

    /// The alias's newest key under those of its issuers; `None` when one of them has none.
    fn chain(&self, alias: &KeyAlias) -> Option<Vec<Link>> {
        let newest = self.newest(alias)?;
        let mut chain = match newest.issuer(alias) {
            None => Vec::new(),
            Some(issuer) => self.chain(&issuer)?,
        };
        chain.push(Link { alias: alias.clone(), newest, is_awaited: false });
        Some(chain)
    }

    fn newest(&self, alias: &KeyAlias) -> Option<NewestKey> {
        self.renewed.get(alias).or_else(|| self.held.get(alias)).copied()
    }

    fn due_at(&self, alias: &KeyAlias, newest: NewestKey) -> Timestamp {
        let lead_days = newest.periods(self.policies, alias).map_or(0, |periods| periods.lead_days);
        newest.period.not_after.minus_days(lead_days)
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
