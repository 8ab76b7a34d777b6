//! What works now.

use std::{future::Future, sync::Arc, time::Duration};

use super::keys::pending::Pending;
use crate::ports::{
    key_store::{KeyStore, TokenCondition},
    repository::Repository,
};

/// The state of what the server depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether the database answers.
    pub database: State,
    /// The tokens.
    pub token: TokenReport,
}

/// The state of the tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// Of all together: one that is well is enough.
    pub state: State,
    /// Each token by its name, the primary first.
    pub tokens: Vec<(String, State)>,
    /// Keys that wait until they can be made, or until every token has them.
    pub waiting_keys: usize,
}

/// Whether something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Ready,
    /// Enough of it to serve.
    Degraded,
    /// It is there, and not used: its keys are not ours.
    Refused,
    /// It does not answer.
    Unavailable,
}

impl State {
    /// Whether requests can be served.
    pub fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Degraded)
    }
}

impl From<TokenCondition> for State {
    fn from(condition: TokenCondition) -> Self {
        match condition {
            TokenCondition::Ready => Self::Ready,
            TokenCondition::Incomplete => Self::Degraded,
            TokenCondition::Refused => Self::Refused,
            TokenCondition::Unavailable => Self::Unavailable,
        }
    }
}

/// Asks the tokens and the database whether they answer.
pub struct Readiness {
    pub(crate) pending: Arc<Pending>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) token: Arc<dyn KeyStore>,
}

/// Longest time that one component has for its answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl Readiness {
    /// The state of everything; never fails, never waits longer than a few seconds.
    pub async fn check(&self) -> Report {
        let (token, database) = tokio::join!(self.token(), answers(self.repository.check_health()));
        Report { database: if database { State::Ready } else { State::Unavailable }, token }
    }

    async fn token(&self) -> TokenReport {
        let examined = tokio::time::timeout(PATIENCE, self.token.examine()).await.unwrap_or_default();
        let tokens: Vec<_> = examined.into_iter().map(|token| (token.name, token.condition.into())).collect();
        let waiting_keys = self.pending.len();
        TokenReport { state: together(&tokens, waiting_keys), tokens, waiting_keys }
    }
}

/// One token that is well is enough.
fn together(tokens: &[(String, State)], waiting_keys: usize) -> State {
    if !tokens.iter().any(|(_, state)| state.serves()) {
        State::Unavailable
    } else if waiting_keys == 0 && tokens.iter().all(|(_, state)| *state == State::Ready) {
        State::Ready
    } else {
        State::Degraded
    }
}

async fn answers<E>(question: impl Future<Output = Result<(), E>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, question).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_that_is_well_is_enough() {
        let of = |states: &[State], waiting| {
            let tokens: Vec<_> = states.iter().map(|state| (String::new(), *state)).collect();
            together(&tokens, waiting)
        };
        assert_eq!(of(&[State::Ready, State::Ready], 0), State::Ready);
        assert_eq!(of(&[State::Ready, State::Ready], 1), State::Degraded);
        assert_eq!(of(&[State::Unavailable, State::Ready], 0), State::Degraded);
        assert_eq!(of(&[State::Ready, State::Refused], 0), State::Degraded);
        assert_eq!(of(&[State::Degraded], 0), State::Degraded);
        assert_eq!(of(&[State::Refused, State::Unavailable], 0), State::Unavailable);
        assert_eq!(of(&[], 0), State::Unavailable);
    }
}
