//! Keys that could not be made, or that not every token has yet. Until they can be used, their predecessors are.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use crate::domain::alias::{ApplicationId, KeyAlias};

/// A key that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Awaited {
    /// The alias's next pair.
    Pair(KeyAlias),
    /// The application's KEK of at least this version.
    Kek(ApplicationId, u32),
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pair(alias) => write!(f, "sign/{alias}"),
            Self::Kek(application, version) => write!(f, "kek/{application}/{version}"),
        }
    }
}

/// What is waited for, as far as this server knows. The intents in the database are what counts: whoever asks for the
/// key, here or elsewhere, goes on from there.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<BTreeSet<Awaited>>);

impl Pending {
    /// Notes a key; whether it is new here.
    pub(super) fn note(&self, key: &Awaited) -> bool {
        self.with(|keys| keys.insert(key.clone()))
    }

    /// Forgets a key that can be used now; whether it was waited for.
    pub(super) fn settle(&self, key: &Awaited) -> bool {
        self.with(|keys| keys.remove(key))
    }

    pub(super) fn contains(&self, key: &Awaited) -> bool {
        self.with(|keys| keys.contains(key))
    }

    pub(super) fn all(&self) -> Vec<Awaited> {
        self.with(|keys| keys.iter().cloned().collect())
    }

    /// How many keys are waited for.
    pub(crate) fn len(&self) -> usize {
        self.with(|keys| keys.len())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<Awaited>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
