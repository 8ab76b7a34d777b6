//! Access tokens: JWTs (RFC 7519) signed with RS256 by a key on the token that signs nothing else, so that
//! nobody who may sign data can make one.

use std::sync::{Arc, PoisonError, RwLock};

use josekit::jws::{JwsHeader, JwsVerifier, RS256, alg::rsassa::RsassaJwsVerifier};
use kunji_shared::{
    Certificate,
    encoding::{decode_base64, encode_base64url},
};
use moka::sync::Cache;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AccessError, IssuedToken, TokenRefusal};
use crate::{
    domain::{
        access::{Principal, Role},
        alias::{ApplicationId, KeyAlias, ReferenceId},
        digest::sha256,
        key::KeyRecord,
        time::Timestamp,
    },
    ports::{clock::Clock, key_store::KeyStore},
    services::keys::{
        KeyError, SubjectOverrides,
        issuing::public_key_of,
        provisioning::{Provisioner, token_key_of},
    },
};

/// `aud` of every access token.
const AUDIENCE: &str = "kunji";
/// Longest token, in bytes.
const TOKEN_MAX_BYTES: usize = 8 * 1024;
/// Most verified tokens remembered.
const REMEMBERED: u64 = 100_000;
/// Generations of the signing key that verify.
const KEYS_THAT_VERIFY: usize = 8;

/// Issues and verifies access tokens.
pub(crate) struct AccessTokens {
    clock: Arc<dyn Clock>,
    provisioner: Arc<Provisioner>,
    token: Arc<dyn KeyStore>,
    settings: TokenSettings,
    keys: RwLock<Vec<VerificationKey>>,
    /// Verified tokens by their SHA-256, with their principal and the second they expire.
    verified: Cache<[u8; 32], (Arc<Principal>, i64)>,
}

/// What the composition root decides about tokens.
pub(crate) struct TokenSettings {
    /// `iss`.
    pub(crate) issuer: String,
    /// Seconds from `iat` to `exp`.
    pub(crate) lifetime_seconds: u32,
}

struct VerificationKey {
    kid: String,
    modulus: Vec<u8>,
    verifier: RsassaJwsVerifier,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    azp: String,
    preferred_username: String,
    iat: i64,
    exp: i64,
    jti: String,
    realm_access: RealmAccess,
}

#[derive(Serialize, Deserialize)]
struct RealmAccess {
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

impl AccessTokens {
    pub(crate) fn new(
        provisioner: Arc<Provisioner>,
        clock: Arc<dyn Clock>,
        token: Arc<dyn KeyStore>,
        settings: TokenSettings,
    ) -> Self {
        let verified = Cache::new(REMEMBERED);
        Self { clock, provisioner, token, settings, keys: RwLock::default(), verified }
    }

    /// Reads which keys verify; makes the signing key when there is none or it nears its end.
    pub(crate) async fn refresh(&self) -> Result<(), KeyError> {
        self.signing_key().await?;
        let keys = self.provisioner.directory.list(&signing_alias()?, KEYS_THAT_VERIFY).await?;
        let keys = keys.iter().map(verification_key).collect::<Result<Vec<_>, _>>()?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    async fn signing_key(&self) -> Result<Arc<KeyRecord>, KeyError> {
        self.provisioner.ensure(&signing_alias()?, &SubjectOverrides::default()).await
    }

    pub(super) async fn issue(&self, principal: &Principal) -> Result<IssuedToken, AccessError> {
        let key = self.signing_key().await?;
        if !self.verifies(&key) {
            // It was renewed just now: what it signs must be accepted at once.
            self.refresh().await?;
        }
        let now = self.clock.now().seconds();
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            sub: principal.name.clone(),
            aud: AUDIENCE.to_owned(),
            azp: principal.name.clone(),
            preferred_username: principal.name.clone(),
            iat: now,
            exp: now.saturating_add(i64::from(self.settings.lifetime_seconds)),
            jti: self.provisioner.key_id()?.0,
            realm_access: RealmAccess {
                roles: principal.roles.iter().map(|role| role.name().to_owned()).collect(),
            },
        };
        let mut header = JwsHeader::new();
        header.set_algorithm(RS256.to_string());
        header.set_token_type("JWT");
        header.set_key_id(key.kid());
        let claims = serde_json::to_vec(&claims).map_err(|_| AccessError::Internal("claims"))?;
        let input =
            format!("{}.{}", encode_base64url(header.to_string().as_bytes()), encode_base64url(&claims));
        let signature = self.token.sign_digest(token_key_of(&key)?, sha256(input.as_bytes())).await?;
        Ok(IssuedToken {
            token: SecretString::from(format!("{input}.{}", encode_base64url(&signature))),
            expires_in: self.settings.lifetime_seconds,
        })
    }

    fn verifies(&self, key: &KeyRecord) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let kid = key.kid();
        keys.iter().any(|known| known.kid == kid)
    }

    pub(super) fn verify(&self, token: &str) -> Result<Arc<Principal>, TokenRefusal> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(TokenRefusal::Invalid);
        }
        self.provisioner.directory.check_standby().map_err(|_| TokenRefusal::Unconfirmed)?;
        let name = sha256(token.as_bytes());
        let (principal, expires) = if let Some(verified) = self.verified.get(&name) {
            verified
        } else {
            let verified = self.verify_anew(token).ok_or(TokenRefusal::Invalid)?;
            self.verified.insert(name, verified.clone());
            verified
        };
        if self.clock.now() >= Timestamp::from_seconds(expires) {
            self.verified.invalidate(&name);
            return Err(TokenRefusal::Expired);
        }
        Ok(principal)
    }

    /// All checks but that of `exp`.
    fn verify_anew(&self, token: &str) -> Option<(Arc<Principal>, i64)> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let decode = |text: &str| decode_base64(text, TOKEN_MAX_BYTES).ok();
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        if header.alg != "RS256" || header.typ != "JWT" || header.crit.is_some() {
            return None;
        }
        let signature = decode(signature)?;
        {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = keys.iter().find(|key| key.kid == header.kid)?;
            key.verifier.verify(input.as_bytes(), &signature).ok()?;
        }
        let claims: Claims = serde_json::from_slice(&decode(claims)?).ok()?;
        if claims.iss != self.settings.issuer || claims.aud != AUDIENCE {
            return None;
        }
        let roles = claims.realm_access.roles.iter().filter_map(|name| Role::parse(name)).collect();
        Some((Arc::new(Principal { name: claims.preferred_username, roles }), claims.exp))
    }

    pub(super) fn json_web_key_set(&self) -> serde_json::Value {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<_> = keys
            .iter()
            .map(|key| {
                json!({
                    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key.kid,
                    "n": encode_base64url(&key.modulus), "e": "AQAB",
                })
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// The alias of the key that signs access tokens; no caller can name it.
fn signing_alias() -> Result<KeyAlias, KeyError> {
    let reference = ReferenceId::parse("ACCESS_TOKEN").map_err(|_| KeyError::Internal("alias"))?;
    Ok(KeyAlias { application: ApplicationId::internal(), reference })
}

fn verification_key(key: &KeyRecord) -> Result<VerificationKey, KeyError> {
    let unusable = || KeyError::Internal("a token-signing certificate cannot be read");
    let certificate = Certificate::from_der(&key.certificate).map_err(|_| unusable())?;
    let modulus = certificate.public_key().map_err(|_| unusable())?.modulus();
    let verifier = RS256.verifier_from_der(public_key_of(&key.certificate)?).map_err(|_| unusable())?;
    Ok(VerificationKey { kid: key.kid(), modulus, verifier })
}
