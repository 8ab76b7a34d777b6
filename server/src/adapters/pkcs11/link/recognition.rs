//! Whether a token has our keys: each is asked to show itself, by its check value.

use std::{collections::HashSet, sync::Arc};

use futures_util::future::join_all;

use super::{
    super::{
        OpenError,
        protocol::{Answer, Fault, KeyName, Operation, Order},
    },
    Shared,
    host::Host,
};
use crate::domain::key::{CheckValue, KnownKey};

/// Keys that a token lacks.
pub(super) type Lacking = Arc<HashSet<KeyName>>;

/// What a token has under the id of one of our keys.
pub(super) enum Shown {
    /// Our key.
    Ours,
    /// Another key.
    Another,
    /// Nothing that can be used, and why.
    Nothing(String),
    /// The token failed when it was asked.
    Failure(String),
}

impl Shared {
    /// Has the engine show every key that is expected.
    ///
    /// # Errors
    /// [`OpenError::Foreign`] when it has another key under the id of one of ours, or lacks one without which it is
    /// none of our tokens; [`OpenError::Unavailable`] when it cannot be asked.
    pub(super) async fn recognise(&self, host: &Host) -> Result<Lacking, OpenError> {
        loop {
            let expected = self.expected.all();
            let lacking = self.recognise_by(host, &expected).await?;
            // Others may have been said meanwhile.
            if Arc::ptr_eq(&expected, &self.expected.all()) {
                return Ok(Arc::new(lacking));
            }
        }
    }

    async fn recognise_by(&self, host: &Host, expected: &[KnownKey]) -> Result<HashSet<KeyName>, OpenError> {
        let (mut lacking, mut shown_keys) = (HashSet::new(), Vec::new());
        for group in expected.chunks(self.engine.workers) {
            let questions: Vec<_> = group.iter().map(|key| self.ask_for(host, key)).collect();
            for (key, shown) in group.iter().zip(join_all(questions).await) {
                match shown {
                    Shown::Ours => {
                        self.known().learn(key.id.into());
                        shown_keys.push(key.id.into());
                    }
                    Shown::Another => {
                        return Err(OpenError::Foreign(format!("another key has the id of {}", key.label)));
                    }
                    Shown::Nothing(_) if key.is_anchor => {
                        return Err(OpenError::Foreign(format!("it lacks {}", key.label)));
                    }
                    Shown::Nothing(cause) => {
                        self.note_lack(key, &cause);
                        lacking.insert(key.id.into());
                    }
                    Shown::Failure(cause) => return Err(OpenError::Unavailable(cause)),
                }
            }
        }
        self.known().mark(shown_keys);
        Ok(lacking)
    }

    /// One line when it is found out.
    fn note_lack(&self, key: &KnownKey, cause: &str) {
        if !self.state.borrow().lacking.contains(&key.id.into()) {
            tracing::error!(token = self.engine.name, key = key.label, cause, "the token lacks a key");
        }
    }

    /// Has the engine show one key.
    pub(super) async fn ask_for(&self, host: &Host, key: &KnownKey) -> Shown {
        let id = key.id.into();
        let operation = match &key.check {
            CheckValue::PublicKey(_) => Operation::FindSigningPair { id },
            CheckValue::Wrapped { context, blob } => {
                Operation::Unwrap { kek: id, context: context.clone(), wrapped: blob.clone() }
            }
        };
        judge(&key.check, host.perform(Order { operation, patience: self.deadline }).await)
    }
}

fn judge(check: &CheckValue, outcome: Result<Answer, Fault>) -> Shown {
    match (check, outcome) {
        (CheckValue::PublicKey(ours), Ok(Answer::PublicKey(Some(found)))) => {
            if *ours == found {
                Shown::Ours
            } else {
                Shown::Another
            }
        }
        (CheckValue::Wrapped { .. }, Ok(Answer::Secret(_))) => Shown::Ours,
        (CheckValue::Wrapped { .. }, Err(Fault::Unauthentic)) => Shown::Another,
        (_, Ok(Answer::PublicKey(None)) | Err(Fault::NotFound)) => {
            Shown::Nothing("it is not there".to_owned())
        }
        (_, Err(Fault::Ambiguous)) => Shown::Nothing("several objects have its id".to_owned()),
        (_, Err(Fault::Unsupported(cause))) => Shown::Nothing(cause),
        (_, Err(Fault::Failed(cause) | Fault::Gone(cause))) => Shown::Failure(cause),
        (_, other) => Shown::Failure(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::{super::super::protocol::Secret, *};

    #[test]
    fn only_the_right_answer_shows_a_key() {
        let pair = CheckValue::PublicKey(vec![1]);
        let kek = CheckValue::Wrapped { context: vec![], blob: vec![] };
        let secret = || Answer::Secret(Secret::new(Zeroizing::new(vec![])));
        assert!(matches!(judge(&pair, Ok(Answer::PublicKey(Some(vec![1])))), Shown::Ours));
        assert!(matches!(judge(&kek, Ok(secret())), Shown::Ours));
        assert!(matches!(judge(&pair, Ok(Answer::PublicKey(Some(vec![2])))), Shown::Another));
        assert!(matches!(judge(&kek, Err(Fault::Unauthentic)), Shown::Another));
        assert!(matches!(judge(&pair, Ok(Answer::PublicKey(None))), Shown::Nothing(_)));
        assert!(matches!(judge(&kek, Err(Fault::NotFound)), Shown::Nothing(_)));
        for nonsense in
            [judge(&pair, Ok(secret())), judge(&kek, Ok(Answer::Done)), judge(&kek, Err(Fault::Expired))]
        {
            assert!(matches!(nonsense, Shown::Failure(_)));
        }
    }
}
