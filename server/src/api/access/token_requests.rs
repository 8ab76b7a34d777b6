//! What both ways to ask for a token have in common.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::failure_budget::FailureBudget;
use crate::{
    api::{exchange::Exchange, transport::TransportError},
    config::Settings,
    domain::client::ClientId,
    services::{
        Services,
        access::{AccessError, IssuedToken, SecretHashError},
        denials::Denial,
    },
};

/// Longest secret that is looked at, in bytes.
const SECRET_LIMIT_BYTES: usize = 1024;

/// Asks for tokens, within what an address may fail.
pub(crate) struct TokenRequests {
    services: Services,
    failures: FailureBudget,
}

impl TokenRequests {
    pub(crate) fn new(services: &Services, settings: &Settings) -> Self {
        let failures = FailureBudget::per_minute(settings.token_failures_per_minute);
        Self { services: services.clone(), failures }
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
        if let Err(seconds) = self.failures.take(exchange.address, self.services.clock.now()) {
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
        // No client has such an id or secret: not worth a look at the records, nor an entry in the trail.
        if secret.expose_secret().len() > SECRET_LIMIT_BYTES || ClientId::parse(client_id).is_none() {
            return Ok(Err(AccessError::InvalidClient));
        }
        let request_id = Arc::clone(&exchange.request_id);
        let issued = self.services.access.issue_token(client_id, secret, exchange.address, request_id).await;
        if !is_callers_doing(&issued) {
            self.failures.give_back(exchange.address);
        }
        Ok(issued)
    }
}

/// Whether the request failed, and not for a failure of ours. That too many secrets are being checked is the
/// doing of those who send them.
fn is_callers_doing<T>(issued: &Result<T, AccessError>) -> bool {
    matches!(issued, Err(AccessError::InvalidClient | AccessError::SecretHash(SecretHashError::Busy)))
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
