//! Clients, their secrets, and the access tokens they take.

use std::{net::IpAddr, sync::Arc};

use secrecy::SecretString;

use crate::{
    domain::{
        access::{CallContext, Principal, Role},
        client::ClientId,
    },
    ports::{
        audit_sink::AuditError, key_store::KeyStoreError, repository::RepositoryError,
        secret_hasher::SecretHashError,
    },
};

/// A new access token.
pub struct IssuedToken {
    /// The compact JWS.
    pub token: SecretString,
    /// Seconds until it expires.
    pub expires_in: u32,
}

/// Clients and access tokens.
pub struct AccessService {}

impl AccessService {
    /// Issues a token to a client that knows its secret (RFC 6749 4.4).
    ///
    /// # Errors
    /// [`AccessError::InvalidClient`] alike for an unknown client and a wrong secret.
    pub async fn issue_token(
        &self,
        client_id: &str,
        secret: SecretString,
        address: Option<IpAddr>,
        request_id: Arc<str>,
    ) -> Result<IssuedToken, AccessError> {
        let _ = (client_id, secret, address, request_id);
        todo!()
    }

    /// The principal of an access token: signature, issuer, audience, and time are checked. Cheap when the
    /// same token was seen before.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub fn authenticate(&self, token: &str) -> Result<Arc<Principal>, TokenRefusal> {
        let _ = token;
        todo!()
    }

    /// Makes a client and its secret, which is shown this once.
    ///
    /// # Errors
    /// [`AccessError::ClientExists`] when the id is taken.
    pub async fn create_client(
        &self,
        call: &CallContext,
        id: ClientId,
        roles: Vec<Role>,
    ) -> Result<SecretString, AccessError> {
        let _ = (call, id, roles);
        todo!()
    }

    /// The public keys that verify access tokens, as a JWK set (RFC 7517).
    pub fn json_web_key_set(&self) -> serde_json::Value {
        todo!()
    }
}

/// Why a token is not accepted. The caller learns no more than "authentication failed"; the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Its time is over.
    #[error("token expired")]
    Expired,
    /// It is no token of this issuer for this audience, or its signature does not fit.
    #[error("token not valid")]
    Invalid,
}

/// Why no token was issued or no client made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The operation was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The client id is taken.
    #[error("the client id is taken")]
    ClientExists,
    /// Something failed inside; the log has more.
    #[error("internal failure: {0}")]
    Internal(&'static str),
    /// Unknown client or wrong secret.
    #[error("unknown client or wrong secret")]
    InvalidClient,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The secret was not checked or hashed.
    #[error(transparent)]
    SecretHash(#[from] SecretHashError),
    /// The token failed.
    #[error(transparent)]
    Token(#[from] KeyStoreError),
}
