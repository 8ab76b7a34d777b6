//! Clients, their secrets, and the access tokens they take.

use std::{net::IpAddr, sync::Arc};

use kunji_shared::encoding::encode_base64url;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{auditor::Auditor, authorization::Authorizer};
use crate::{
    domain::{
        access::{CallContext, Operation, Principal, Role},
        audit::Outcome,
        authority::Authority,
        client::{ClientId, ClientRecord},
        time::Timestamp,
    },
    ports::{
        clock::Clock,
        entropy::Entropy,
        repository::{Repository, RepositoryError},
        secret_hasher::SecretHasher,
    },
};

mod clients;
pub(crate) mod ended_epochs;
mod error;
pub(crate) mod external;
pub(crate) mod known_clients;
pub(crate) mod standing;
pub(crate) mod tokens;

pub use crate::ports::{audit_sink::AuditError, secret_hasher::SecretHashError};
pub use clients::{CLIENTS_PAGE_MAX, OVERLAP_MAX_SECONDS, RotatedSecret};
pub use error::{AccessError, TokenRefusal};

use ended_epochs::EndedEpochs;
use external::ExternalIssuers;
use known_clients::KnownClients;
use tokens::AccessTokens;

/// A caller who was let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Who.
    pub principal: Arc<Principal>,
    /// By what.
    pub authority: Authority,
}

impl Admitted {
    /// The same caller, by something that ends then if it does not end before.
    #[must_use]
    pub fn until(mut self, ends: Option<Timestamp>) -> Self {
        self.authority.ends = ends.map_or(self.authority.ends, |ends| ends.min(self.authority.ends));
        self
    }
}

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
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ended: Arc<EndedEpochs>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) external: Arc<ExternalIssuers>,
    pub(crate) hasher: Arc<dyn SecretHasher>,
    pub(crate) known_clients: KnownClients,
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
                let principal =
                    Principal { name: client.id.as_str().to_owned(), roles: client.roles, issuer: None };
                self.tokens.issue(&principal, client.epoch).await.map(|token| (principal, token))
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
        let Some(client) = client else {
            self.hasher.verify(secret, None).await?;
            return Err(AccessError::InvalidClient);
        };
        let hashes: Vec<_> = client.secret_hashes(self.clock.now()).map(ToOwned::to_owned).collect();
        for hash in hashes {
            if self.hasher.verify(secret.clone(), Some(hash)).await? {
                // Told apart for the log alone, and only to those who know the secret.
                return if client.disabled_at.is_none() {
                    Ok(client)
                } else {
                    Err(AccessError::ClientDisabled)
                };
            }
        }
        Err(AccessError::InvalidClient)
    }

    /// The caller with an access token, ours or an external issuer's: signature, issuer, audience, and time are
    /// checked. Cheap when the same token was seen before.
    ///
    /// # Errors
    /// [`TokenRefusal`].
    pub async fn authenticate(&self, token: &str) -> Result<Admitted, TokenRefusal> {
        match self.tokens.verify(token) {
            Err(TokenRefusal::Invalid) => self.external.verify(token).await,
            settled => settled,
        }
    }

    /// The client as a caller, for those that are known as it without a token of theirs: by their certificate,
    /// or by their network. Cheap when it was asked for before.
    ///
    /// # Errors
    /// [`TokenRefusal::Ended`] when the client is disabled or not there, [`TokenRefusal::Unknown`] when that cannot
    /// be found out, [`TokenRefusal::Unconfirmed`] when it has not been for too long.
    pub async fn admit_client(&self, id: &ClientId) -> Result<Admitted, TokenRefusal> {
        self.tokens.check_standby()?;
        self.known_clients.admit(id).await
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
        let names = clients::shown_roles(&roles);
        let made = async {
            self.pass_creation(call, &id, &roles).await?;
            let secret = self.new_secret()?;
            self.store_client(id.clone(), &secret, roles, Some(call.principal.name.clone())).await?;
            Ok(secret)
        };
        let details = |_: Option<&_>| Some(serde_json::json!({ "roles": names }));
        self.auditor.audited_client(call, Operation::CreateClient, &id, made, details).await
    }

    /// Has the making of a client wait, if a policy says so.
    async fn pass_creation(
        &self,
        call: &CallContext,
        id: &ClientId,
        roles: &[Role],
    ) -> Result<(), AccessError> {
        let operation = self.authorizer.empowering(call, Operation::CreateClient, id.as_str(), roles)?;
        // An id that is taken must not use up what was approved.
        if self.repository.find_client(id).await?.is_some() {
            return Err(AccessError::ClientExists);
        }
        let names: Vec<&str> = roles.iter().map(Role::name).collect();
        let content = serde_json::json!({ "clientId": id.as_str(), "roles": names });
        self.pass(call, Operation::CreateClient, operation, &content).await
    }

    /// Has a request wait, if a policy says so of what is asked or of what it amounts to; `content` is all of it that
    /// matters.
    async fn pass(
        &self,
        call: &CallContext,
        asked: Operation,
        operation: Operation,
        content: &serde_json::Value,
    ) -> Result<(), AccessError> {
        match self.authorizer.pass(call, asked, operation, &content.to_string()).await {
            Ok(None) => Ok(()),
            Ok(Some(waiting)) => Err(AccessError::Waits(Box::new(waiting))),
            Err(error) => Err(AccessError::Approvals(error)),
        }
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
        let record = ClientRecord {
            id,
            secret_hash,
            former_secrets: Vec::new(),
            roles,
            disabled_at: None,
            epoch: self.new_epoch()?,
            version: 1,
            created_at: self.clock.now(),
            created_by,
        };
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

    /// `iss` of the access tokens that are issued here.
    pub fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    /// The public keys that verify access tokens, as a JWK set (RFC 7517).
    pub fn json_web_key_set(&self) -> serde_json::Value {
        self.tokens.json_web_key_set()
    }
}
