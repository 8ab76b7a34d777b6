//! What works now.

use std::{future::Future, sync::Arc, time::Duration};

use crate::ports::{key_store::KeyStore, repository::Repository};

/// State of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// `token` or `database`.
    pub name: &'static str,
    /// Whether it answers.
    pub ready: bool,
}

/// Asks the token and the database whether they answer.
pub struct Readiness {
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) token: Arc<dyn KeyStore>,
}

/// Longest time that one component has for its answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl Readiness {
    /// The state of every component; never fails, never waits longer than a few seconds.
    pub async fn check(&self) -> Vec<Component> {
        let token = answers(self.token.check_health());
        let database = answers(self.repository.check_health());
        let (token, database) = tokio::join!(token, database);
        vec![Component { name: "token", ready: token }, Component { name: "database", ready: database }]
    }
}

async fn answers<E>(question: impl Future<Output = Result<(), E>>) -> bool {
    matches!(tokio::time::timeout(PATIENCE, question).await, Ok(Ok(())))
}
