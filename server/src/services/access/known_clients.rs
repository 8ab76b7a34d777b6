//! Clients that callers are known as without a token.

use std::sync::Arc;

use moka::sync::Cache;

use super::{TokenRefusal, ended_epochs::EndedEpochs};
use crate::{
    domain::{
        access::Principal,
        client::{ClientId, TokenEpoch},
        time::Timestamp,
    },
    ports::{clock::Clock, repository::Repository},
};

/// Most clients remembered.
const REMEMBERED: u64 = 10_000;
/// How long a client is remembered; that it is disabled, deleted or has other roles is noticed by its epoch, sooner.
const GOOD_SECONDS: i64 = 60;
/// How long it is remembered that there is no such client, or that it is disabled.
const ABSENT_SECONDS: i64 = 1;

/// What is known of them.
pub(crate) struct KnownClients {
    clock: Arc<dyn Clock>,
    repository: Arc<dyn Repository>,
    ended: Arc<EndedEpochs>,
    known: Cache<ClientId, Known>,
}

#[derive(Clone)]
struct Known {
    /// `None` when nobody may be it.
    principal: Option<(Arc<Principal>, TokenEpoch)>,
    until: Timestamp,
}

impl KnownClients {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        repository: Arc<dyn Repository>,
        ended: Arc<EndedEpochs>,
    ) -> Self {
        Self { clock, repository, ended, known: Cache::new(REMEMBERED) }
    }

    pub(super) async fn principal_of(&self, id: &ClientId) -> Result<Arc<Principal>, TokenRefusal> {
        let now = self.clock.now();
        let known = self.known.get(id);
        let good = known.as_ref().and_then(|known| known.principal.as_ref());
        let good = good.filter(|(_, epoch)| !self.ended.contain(*epoch)).map(|(principal, _)| principal);
        match (&known, good) {
            (Some(known), Some(principal)) if now < known.until => return Ok(Arc::clone(principal)),
            (Some(Known { principal: None, until }), _) if now < *until => return Err(TokenRefusal::Ended),
            _ => {}
        }
        let found = match self.repository.find_client(id).await {
            Ok(found) => found.filter(|client| client.disabled_at.is_none()),
            // As with tokens: what is known goes on to count while the records are away.
            Err(error) => {
                tracing::warn!(client = id.as_str(), %error, "a client could not be looked up");
                return good.map(Arc::clone).ok_or(TokenRefusal::Unknown);
            }
        };
        let principal = found.map(|client| {
            let name = client.id.as_str().to_owned();
            (Arc::new(Principal { name, roles: client.roles, issuer: None }), client.epoch)
        });
        let seconds = if principal.is_some() { GOOD_SECONDS } else { ABSENT_SECONDS };
        let known = Known { principal, until: now.plus_seconds(seconds) };
        self.known.insert(id.clone(), known.clone());
        match known.principal {
            // Read before it was ended, perhaps.
            Some((principal, epoch)) if !self.ended.contain(epoch) => Ok(principal),
            _ => Err(TokenRefusal::Ended),
        }
    }
}
