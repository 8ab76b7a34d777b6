//! Uses of keys whose destruction is scheduled, until they are written down.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::directory::KeyDirectory;
use crate::domain::{key::KeyId, time::Timestamp};

/// Keys that were used since the last time that uses were written down.
#[derive(Default)]
pub(super) struct LastUses(Mutex<HashSet<KeyId>>);

impl KeyDirectory {
    /// Notes that a key opened something, if that puts off its destruction. Asks no database.
    pub(crate) fn note_use(&self, key: &KeyId) {
        if self.states.standing(key).is_some_and(|standing| standing.schedule.is_some()) {
            self.uses.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        }
    }

    /// Writes down the uses since the last time, as of `now`. What fails is tried again the next time.
    pub(crate) async fn record_uses(&self, now: Timestamp) {
        let used = std::mem::take(&mut *self.uses.0.lock().unwrap_or_else(PoisonError::into_inner));
        for key in used {
            if let Err(error) = self.repository.note_key_use(&key, now).await {
                tracing::warn!(%error, key = key.0, "that a key was used could not be written down yet");
                self.uses.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
            }
        }
    }
}
