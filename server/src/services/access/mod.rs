//! Clients, their secrets, and the access tokens they take.

use std::{net::IpAddr, sync::Arc};

use kunji_shared::encoding::encode_base64url;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::auditor::Auditor;
use crate::{
    domain::{
        access::{CallContext, Operation, Principal, Role},
        audit::Outcome,
        client::{ClientId, ClientRecord},
    },
    ports::{
        clock::Clock,
        entropy::Entropy,
        repository::{Repository, RepositoryError},
        secret_hasher::SecretHasher,
    },
};

mod error;
pub(crate) mod tokens;

pub use crate::ports::{audit_sink::AuditError, secret_hasher::SecretHashError};
pub use error::{AccessError, TokenRefusal};

use tokens::AccessTokens;

/// A new access token.
pub struct IssuedToken {
    /// The compact JWS.
    pub token: SecretString,
    /// Seconds until it expires.
    pub expires_in: u32,
}

/// Clients and access tokens.
pub struct AccessService {
    pub(crate) auditor: Arc<Auditor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) hasher: Arc<dyn SecretHasher>,
    pub(crate) repository: Arc<dyn Repository>,
    pub(crate) tokens: Arc<AccessTokens>,
}

/// Longest client secret, in bytes: nobody may have megabytes hashed.
const SECRET_MAX_BYTES: usize = 1024;
/// Random bytes in a secret that we make.
const SECRET_BYTES: usize = 32;

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
        let issued = match self.check_secret(client_id, secret).await {
            Ok(client) => {
                let principal = Principal { name: client.id.as_str().to_owned(), roles: client.roles };
                self.tokens.issue(&principal).await.map(|token| (principal, token))
            }
            Err(error) => Err(error),
        };
        // Who failed is not written down: the name may be a secret typed into the wrong field.
        let (principal, outcome) = match &issued {
            Ok((principal, _)) => (Some(principal.name.clone()), Outcome::Succeeded),
            Err(error) => (None, Outcome::Refused(error.code())),
        };
        let recorded = self.auditor.token_asked(principal, address, request_id, outcome).await;
        let (_, token) = issued?;
        recorded?;
        Ok(token)
    }

    async fn check_secret(&self, client_id: &str, secret: SecretString) -> Result<ClientRecord, AccessError> {
        if secret.expose_secret().len() > SECRET_MAX_BYTES {
            return Err(AccessError::InvalidClient);
        }
        let client = match ClientId::parse(client_id) {
            Some(id) => self.repository.find_client(&id).await?,
            None => None,
        };
        let hash = client.as_ref().map(|client| client.secret_hash.clone());
        let fits = self.hasher.verify(secret, hash).await?;
        client.filter(|_| fits).ok_or(AccessError::InvalidClient)
    }

    /// The principal of an access token: signature, issuer, audience, and time are checked. Cheap when the
    /// same token was seen before.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub fn authenticate(&self, token: &str) -> Result<Arc<Principal>, TokenRefusal> {
        self.tokens.verify(token)
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
        let made = async {
            let secret = self.new_secret()?;
            self.store_client(id.clone(), &secret, roles, Some(call.principal.name.clone())).await?;
            Ok(secret)
        };
        self.auditor.audited_client(call, Operation::CreateClient, &id, made).await
    }

    /// Stores a client with this secret.
    pub(crate) async fn store_client(
        &self,
        id: ClientId,
        secret: &SecretString,
        mut roles: Vec<Role>,
        created_by: Option<String>,
    ) -> Result<(), AccessError> {
        roles.sort_unstable();
        roles.dedup();
        let secret_hash = self.hasher.hash(secret.clone()).await?;
        let record = ClientRecord { id, secret_hash, roles, created_at: self.clock.now(), created_by };
        match self.repository.insert_client(&record).await {
            Err(RepositoryError::Conflict) => Err(AccessError::ClientExists),
            other => Ok(other?),
        }
    }

    /// 256 random bits, base64url.
    pub(crate) fn new_secret(&self) -> Result<SecretString, AccessError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        self.entropy.fill(&mut *bytes).map_err(|_| AccessError::Internal("randomness"))?;
        Ok(SecretString::from(encode_base64url(&*bytes)))
    }

    /// The public keys that verify access tokens, as a JWK set (RFC 7517).
    pub fn json_web_key_set(&self) -> serde_json::Value {
        self.tokens.json_web_key_set()
    }
}
