//! What is known of a token at a moment.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use super::{super::protocol::KeyName, host::Host, recognition::Lacking, steadiness::Steadiness};

/// The state of a link. A new one is published whenever something was found out.
#[derive(Clone)]
pub(super) struct State {
    /// The engine to ask, or why there is none.
    pub(super) engine: Result<Arc<Host>, Absence>,
    /// Keys that the records name and the engine does not show.
    pub(super) lacking: Lacking,
    /// Whether the engine has shown that its keys are ours. As long as the records name none, any will do.
    pub(super) is_recognised: bool,
    /// Counts examinations and openings: whoever has seen a higher number than before knows that the state is newer
    /// than their doubt.
    pub(super) version: u64,
    /// Since when the engine has been there, or away.
    pub(super) since: Instant,
    pub(super) steadiness: Steadiness,
}

/// Why there is no engine.
#[derive(Clone)]
pub(super) struct Absence {
    pub(super) cause: Arc<str>,
    /// Whether the token is there, with other keys than ours.
    pub(super) is_foreign: bool,
}

impl State {
    /// Before the first opening.
    pub(super) fn unopened() -> Self {
        Self {
            engine: Err(Absence { cause: "it is being opened".into(), is_foreign: false }),
            lacking: Lacking::default(),
            is_recognised: false,
            version: 0,
            since: Instant::now(),
            steadiness: Steadiness::default(),
        }
    }
}

/// Keys that were seen on the token: the earliest few, to know it by, and all, to notice when one is missing.
#[derive(Default)]
pub(super) struct KnownKeys {
    marks: Vec<KeyName>,
    all: std::collections::HashSet<KeyName>,
    order: VecDeque<KeyName>,
}

/// Keys that a token is recognised by. One of them is enough: any may be retired in time.
const MARKS: usize = 8;
/// Keys remembered; far more than an installation has.
const REMEMBERED: usize = 10_000;

impl KnownKeys {
    /// Remembers a key that the token has shown.
    pub(super) fn learn(&mut self, key: KeyName) {
        if !self.all.insert(key) {
            return;
        }
        if self.marks.len() < MARKS {
            self.marks.push(key);
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    /// Expects a key no more, because it was destroyed.
    pub(super) fn forget(&mut self, key: KeyName) {
        self.all.remove(&key);
        self.marks.retain(|mark| *mark != key);
        self.order.retain(|known| *known != key);
    }

    /// Takes keys that the token has just shown as those that it is recognised by. Others may be destroyed by now.
    pub(super) fn mark(&mut self, shown: impl IntoIterator<Item = KeyName>) {
        let marks: Vec<_> = shown.into_iter().take(MARKS).collect();
        if !marks.is_empty() {
            self.marks = marks;
        }
    }

    pub(super) fn contains(&self, key: KeyName) -> bool {
        self.all.contains(&key)
    }

    pub(super) fn marks(&self) -> Vec<KeyName> {
        self.marks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::TokenKeyId;

    fn key(number: u32) -> KeyName {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        TokenKeyId(id).into()
    }

    #[test]
    fn the_first_keys_are_the_marks_and_memory_has_an_end() {
        let mut known = KnownKeys::default();
        for number in 0..20_000 {
            known.learn(key(number));
            known.learn(key(number));
        }
        assert_eq!(known.marks(), (0..8).map(key).collect::<Vec<_>>());
        assert!(!known.contains(key(9_999)) && known.contains(key(10_000)) && known.contains(key(19_999)));
        assert_eq!(known.all.len(), REMEMBERED);
        known.forget(key(0));
        known.forget(key(19_999));
        assert_eq!(known.marks(), (1..8).map(key).collect::<Vec<_>>());
        assert!(!known.contains(key(19_999)));
        known.mark([]);
        assert_eq!(known.marks().len(), 7);
        known.mark([key(12_000)]);
        assert_eq!(known.marks(), [key(12_000)]);
    }
}
