//! The keys that the records name: what a token is recognised by.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::key::{KnownKey, TokenKeyId};

/// Shared by all tokens.
pub(in super::super) struct Expected(RwLock<Arc<[KnownKey]>>);

impl Expected {
    pub(in super::super) fn new() -> Self {
        Self(RwLock::new(Arc::new([])))
    }

    pub(in super::super) fn all(&self) -> Arc<[KnownKey]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in super::super) fn replace(&self, keys: Vec<KnownKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }

    pub(in super::super) fn forget(&self, id: TokenKeyId) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *keys = keys.iter().filter(|known| known.id != id).cloned().collect();
    }

    pub(in super::super) fn add(&self, key: KnownKey) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !keys.iter().any(|known| known.id == key.id) {
            *keys = keys.iter().cloned().chain([key]).collect();
        }
    }
}
