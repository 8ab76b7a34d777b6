//! Clients that callers are known as without a token.

use std::sync::Arc;

use moka::sync::Cache;

use super::{Admitted, TokenRefusal, ended_epochs::EndedEpochs};
use crate::{
    domain::{
        access::Principal,
        authority::{Authority, Basis},
        client::{ClientId, TOKEN_LIFETIME_MAX_SECONDS, TokenEpoch},
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

    pub(super) async fn admit(&self, id: &ClientId) -> Result<Admitted, TokenRefusal> {
        let (now, readings) = (self.clock.now(), self.ended.readings());
        // For as long as a token could: an ending is not remembered for longer.
        let ends = now.plus_seconds(TOKEN_LIFETIME_MAX_SECONDS.into());
        let admitted = |principal, epoch| {
            let authority = Authority { ends, basis: Basis::Client { epoch, readings } };
            Admitted { principal, authority }
        };
        let known = self.known.get(id);
        let good = known.as_ref().and_then(|known| known.principal.as_ref());
        let good = good.filter(|(_, epoch)| !self.ended.contain(*epoch));
        match (&known, good) {
            (Some(known), Some((principal, epoch))) if now < known.until => {
                return Ok(admitted(Arc::clone(principal), *epoch));
            }
            (Some(Known { principal: None, until }), _) if now < *until => return Err(TokenRefusal::Ended),
            _ => {}
        }
        let found = match self.repository.find_client(id).await {
            Ok(found) => found.filter(|client| client.disabled_at.is_none()),
            // As with tokens: what is known goes on to count while the records are away.
            Err(error) => {
                tracing::warn!(client = id.as_str(), %error, "a client could not be looked up");
                let (principal, epoch) = good.ok_or(TokenRefusal::Unknown)?;
                return Ok(admitted(Arc::clone(principal), *epoch));
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
            Some((principal, epoch)) if !self.ended.contain(epoch) => Ok(admitted(principal, epoch)),
            _ => Err(TokenRefusal::Ended),
        }
    }
}
