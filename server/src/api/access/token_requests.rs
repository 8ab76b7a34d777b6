//! What both ways to ask for a token have in common.

use std::{net::IpAddr, sync::Arc, time::Duration};

use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};

use super::failure_budget::FailureBudget;
use crate::{
    api::{exchange::Exchange, transport::TransportError},
    config::Settings,
    domain::{
        client::ClientId,
        network::{SHARED, network},
    },
    services::{
        Services,
        access::{AccessError, IssuedToken, SecretHashError},
        denials::Denial,
    },
};

/// Longest secret that is looked at, in bytes.
const SECRET_LIMIT_BYTES: usize = 1024;
/// How many times what it may fail for one client an address may fail for all.
const CLIENTS_OF_AN_ADDRESS: u32 = 5;
/// How long a client that took a token from an address is known there, and most that are.
const KNOWN_FOR: Duration = Duration::from_hours(24);
const KNOWN: u64 = 10_000;

/// A client at an address.
type Place = (IpAddr, ClientId);

/// Asks for tokens, within what may fail: of one client at one address, and of one address for all clients together.
/// The second does not count for clients that took a token from the address lately, so that one who guesses there
/// does not lock them out.
pub(crate) struct TokenRequests {
    services: Services,
    by_place: FailureBudget<Place>,
    by_address: FailureBudget<IpAddr>,
    known: Cache<Place, ()>,
}

impl TokenRequests {
    pub(crate) fn new(services: &Services, settings: &Settings) -> Self {
        let failures = settings.token_failures_per_minute;
        let of_all = failures.saturating_mul(CLIENTS_OF_AN_ADDRESS);
        Self {
            services: services.clone(),
            by_place: FailureBudget::per_minute(failures, None),
            by_address: FailureBudget::per_minute(of_all, Some(SHARED)),
            known: Cache::builder().max_capacity(KNOWN).time_to_live(KNOWN_FOR).build(),
        }
    }

    /// A token for the client, or why there is none.
    ///
    /// # Errors
    /// [`TransportError::TooManyFailures`] before anything else is done.
    pub(crate) async fn issue(
        &self,
        exchange: &Exchange,
        client_id: &str,
        secret: SecretString,
    ) -> Result<Result<IssuedToken, AccessError>, TransportError> {
        let address = exchange.address.map_or(SHARED, network);
        let place = ClientId::parse(client_id).map(|id| (address, id));
        let taken = match self.take(address, place.as_ref()) {
            Ok(taken) => taken,
            Err(seconds) => {
                self.services
                    .denials
                    .record(Denial {
                        operation: "token.issue",
                        principal: None,
                        address: exchange.address,
                        request_id: Arc::clone(&exchange.request_id),
                        code: "access.too_many_failures",
                    })
                    .await;
                return Err(TransportError::TooManyFailures { seconds });
            }
        };
        // No client has such an id or secret: not worth a look at the records, nor an entry in the trail.
        let Some(place) = place.filter(|_| secret.expose_secret().len() <= SECRET_LIMIT_BYTES) else {
            return Ok(Err(AccessError::InvalidClient));
        };
        let request_id = Arc::clone(&exchange.request_id);
        let issued = self.services.access.issue_token(client_id, secret, exchange.address, request_id).await;
        if !is_callers_doing(&issued) {
            self.by_place.give_back(&place);
            if taken.of_address {
                self.by_address.give_back(&address);
            }
        }
        if issued.is_ok() {
            self.known.insert(place, ());
        }
        Ok(issued)
    }

    /// Takes one failure from the budgets that count, or tells in how many seconds there is one to take.
    fn take(&self, address: IpAddr, place: Option<&Place>) -> Result<Taken, u32> {
        let now = self.services.clock.now();
        if let Some(place) = place {
            self.by_place.take(place, now)?;
            if self.known.contains_key(place) {
                return Ok(Taken { of_address: false });
            }
        }
        self.by_address.take(&address, now).inspect_err(|_seconds| {
            if let Some(place) = place {
                self.by_place.give_back(place);
            }
        })?;
        Ok(Taken { of_address: true })
    }
}

/// What was taken beside the budget of client and address.
struct Taken {
    of_address: bool,
}

/// Whether the request failed, and not for a failure of ours. That too many secrets are being checked is the
/// doing of those who send them.
fn is_callers_doing<T>(issued: &Result<T, AccessError>) -> bool {
    matches!(
        issued,
        Err(AccessError::ClientDisabled
            | AccessError::InvalidClient
            | AccessError::SecretHash(SecretHashError::Busy))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_callers_did_counts() {
        assert!(!is_callers_doing(&Ok(())));
        assert!(is_callers_doing::<()>(&Err(AccessError::InvalidClient)));
        assert!(is_callers_doing::<()>(&Err(SecretHashError::Busy.into())));
        assert!(!is_callers_doing::<()>(&Err(SecretHashError::Failed.into())));
        assert!(!is_callers_doing::<()>(&Err(AccessError::Internal("x"))));
    }
}
