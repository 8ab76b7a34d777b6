//! What was decided about keys. Every server keeps all of it in memory, about a hundred bytes for each key whose state
//! was ever changed, so that the hot paths obey without asking the database.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::KeyError;
use crate::{
    domain::{
        destruction::is_ahead,
        key::{KeyId, KeyRecord},
        lifecycle::{Allowance, KeyState, KeyUse, Standing, state_of},
        time::Timestamp,
    },
    ports::repository::{Repository, RepositoryError},
    services::following,
};

/// The states that were decided.
pub(crate) struct KeyStates {
    repository: Arc<dyn Repository>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    standings: HashMap<KeyId, Standing>,
    /// The number of the newest transition that was read.
    newest: u64,
    /// When that was made.
    newest_at: Option<Timestamp>,
}

impl KeyStates {
    pub(super) fn new(repository: Arc<dyn Repository>) -> Self {
        Self { repository, known: RwLock::default() }
    }

    /// Where the key stands; `None` when nothing was ever decided about it.
    pub(crate) fn standing(&self, key: &KeyId) -> Option<Standing> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).standings.get(key).copied()
    }

    /// Since when the key counts as compromised.
    pub(crate) fn compromised_since(&self, key: &KeyId) -> Option<Timestamp> {
        self.standing(key)?.compromised_since
    }

    /// The keys that are compromised, each with the time since which it is, and the number of the newest transition.
    pub(crate) fn compromised(&self) -> (u64, Vec<(KeyId, Timestamp)>) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let since = |(id, standing): (&KeyId, &Standing)| Some((id.clone(), standing.compromised_since?));
        (known.newest, known.standings.iter().filter_map(since).collect())
    }

    /// The number of the newest transition that is known.
    pub(crate) fn newest(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// Whether what was decided about the key allows the use. What time says of a key is asked where keys are chosen.
    pub(crate) fn allows(&self, key: &KeyId, wanted: KeyUse) -> Allowance {
        self.standing(key).map_or(Allowance::Allowed, |standing| standing.allows(wanted))
    }

    /// Keys, and KEKs, whose destruction is scheduled or under way, in the order of their newest transitions.
    pub(crate) fn ending(&self) -> Vec<(KeyId, Standing)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_ending =
            |standing: &Standing| standing.schedule.is_some() || standing.state == KeyState::Destroying;
        let mut ending: Vec<_> = known
            .standings
            .iter()
            .filter(|(_, standing)| is_ending(standing))
            .map(|(key, standing)| (key.clone(), *standing))
            .collect();
        ending.sort_by_key(|(_, standing)| standing.transition);
        ending
    }

    /// What was decided about the key; `Active` when nothing was.
    pub(crate) fn decided(&self, key: &KeyId) -> KeyState {
        match self.standing(key).map(|standing| standing.state) {
            None | Some(KeyState::PreActivation) => KeyState::Active,
            Some(decided) => decided,
        }
    }

    /// Whether nothing stops the destruction of the key any more, or it is over.
    pub(crate) fn is_ending(&self, key: &KeyId) -> bool {
        matches!(self.decided(key), KeyState::Destroying | KeyState::Destroyed)
    }

    /// Whether the key may be the current one of its alias.
    pub(crate) fn is_active(&self, key: &KeyId) -> bool {
        self.decided(key) == KeyState::Active
    }

    /// The state of the key.
    pub(crate) fn of(&self, key: &KeyRecord, is_newest: bool, now: Timestamp) -> KeyState {
        state_of(self.standing(&key.id).as_ref(), key.period, is_newest, now)
    }

    /// Whether a successor of the newest key may be made although nobody asked for one. That is a matter of the key as
    /// the database has it now: it may have a successor that was asked for.
    pub(crate) fn check_renewable(&self, newest: &KeyId) -> Result<(), KeyError> {
        match self.standing(newest) {
            Some(standing) if standing.state == KeyState::Suspended => {
                Err(KeyError::NotUsable(standing.state))
            }
            Some(standing) if standing.closes => Err(KeyError::Closed),
            _ => Ok(()),
        }
    }

    /// That this server's clock is not behind the newest transition: one that is would have waits begin in the past.
    pub(crate) fn check_clock(&self, now: Timestamp) -> Result<(), KeyError> {
        let newest_at = self.known.read().unwrap_or_else(PoisonError::into_inner).newest_at;
        match newest_at.filter(|at| is_ahead(*at, now)) {
            Some(_) => Err(KeyError::ClockBehind),
            None => Ok(()),
        }
    }

    /// The number that the next transition will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.newest().saturating_add(1)
    }

    /// Where those keys stand about which something was decided after the transition of this number, and the number of
    /// the newest transition.
    pub(super) fn after(&self, number: u64) -> (Vec<(KeyId, Standing)>, u64) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.newest == number {
            return (Vec::new(), number);
        }
        let later = known.standings.iter().filter(|(_, standing)| standing.transition > number);
        (later.map(|(key, standing)| (key.clone(), *standing)).collect(), known.newest)
    }

    /// Reads what was decided since the last time.
    pub(crate) async fn refresh(&self) -> Result<(), RepositoryError> {
        let known = self.newest();
        let newest = self.repository.newest_transition().await?;
        if newest == known {
            return Ok(());
        }
        if newest < known {
            // An earlier state of the database would bring back keys that were revoked.
            return Err(RepositoryError::Inconsistent {
                table: "key_transitions",
                record: newest.to_string(),
                reason: "there were more transitions of keys",
            });
        }
        let transitions = self.repository.list_transitions(known).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for transition in &transitions {
            // Two may read at once.
            if transition.number > known.newest {
                let standing = Standing::after(known.standings.get(&transition.key), transition);
                known.standings.insert(transition.key.clone(), standing);
                known.newest = transition.number;
                known.newest_at = Some(transition.at);
            }
        }
        Ok(())
    }

    /// Follows the changes of other servers; never ends. While the database does not answer, or shows something that
    /// cannot be trusted, what is known goes on to count.
    pub(crate) async fn follow(&self) {
        following::follow("the states of keys could not be read again; those that are known count", || {
            self.refresh()
        })
        .await;
    }
}
