//! The server's own keys that are compromised, by their public keys: a certificate that somebody brings along may be
//! for one of them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    domain::{digest::sha256, time::Timestamp},
    services::keys::{KeyError, directory::KeyDirectory, issuing::public_key_of},
};

/// They are few, and looked up in memory: the database is asked only after another key became one.
#[derive(Default)]
pub(crate) struct CompromisedKeys(RwLock<Arc<Known>>);

#[derive(Default)]
struct Known {
    /// The number of the newest transition that is taken account of.
    newest: u64,
    /// By SHA-256 of the SubjectPublicKeyInfo.
    since: HashMap<[u8; 32], Timestamp>,
}

impl CompromisedKeys {
    /// Since when the key with this SubjectPublicKeyInfo (DER) counts as compromised.
    pub(super) async fn since(
        &self,
        directory: &KeyDirectory,
        public_key: &[u8],
    ) -> Result<Option<Timestamp>, KeyError> {
        let mut known = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        if known.newest != directory.states.newest() {
            let (newest, keys) = directory.states.compromised();
            let mut since = HashMap::new();
            for (id, time) in keys {
                if let Some(key) = directory.by_id(&id).await? {
                    keep_earlier(&mut since, sha256(&public_key_of(&key.certificate)?), time);
                }
            }
            known = Arc::new(Known { newest, since });
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&known);
        }
        if known.since.is_empty() {
            return Ok(None);
        }
        Ok(known.since.get(&sha256(public_key)).copied())
    }
}

/// A key has several records where others issued a certificate for it; it is compromised since the first of them is.
fn keep_earlier(since: &mut HashMap<[u8; 32], Timestamp>, key: [u8; 32], time: Timestamp) {
    let known = since.entry(key).or_insert(time);
    *known = time.min(*known);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_records_of_a_key_the_earlier_counts() {
        let at = Timestamp::from_seconds;
        for times in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
            let mut since = HashMap::new();
            for second in times {
                keep_earlier(&mut since, [7; 32], at(second));
            }
            assert_eq!(since, HashMap::from([([7; 32], at(1))]));
        }
    }
}
