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

use super::{AccessError, Admitted, IssuedToken, TokenRefusal, ended_epochs::EndedEpochs};
use crate::{
    domain::{
        access::{Principal, Role},
        alias::KeyAlias,
        authority::{Authority, Basis},
        client::{TOKEN_LIFETIME_MAX_SECONDS, TokenEpoch},
        digest::sha256,
        key::{KeyRecord, TokenKeyId},
        policy::Cryptoperiod,
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
/// Most generations of the signing key that verify.
const KEYS_THAT_VERIFY: usize = 8;
/// How long a new signing key is published before it signs, so that whoever keeps a copy of the key set has it by
/// then.
const PUBLISHED_AHEAD_SECONDS: i64 = 86_400;
/// How long a key is published beyond the end of its last token, for clocks that differ.
const PUBLISHED_AFTER_SECONDS: i64 = 3600;

/// Issues and verifies access tokens.
pub(crate) struct AccessTokens {
    clock: Arc<dyn Clock>,
    provisioner: Arc<Provisioner>,
    token: Arc<dyn KeyStore>,
    ended: Arc<EndedEpochs>,
    settings: TokenSettings,
    keys: RwLock<Vec<VerificationKey>>,
    /// Verified tokens by their SHA-256.
    verified: Cache<[u8; 32], Verified>,
}

/// A token whose signature, issuer and audience are right.
#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    epoch: TokenEpoch,
    /// The first instant at which it is not accepted.
    ends: Timestamp,
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
    token_key: TokenKeyId,
    period: Cryptoperiod,
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
    client_epoch: String,
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
        ended: Arc<EndedEpochs>,
        settings: TokenSettings,
    ) -> Self {
        let verified = Cache::new(REMEMBERED);
        Self { clock, provisioner, token, ended, settings, keys: RwLock::default(), verified }
    }

    /// Reads which keys verify; makes the signing key when there is none or it nears its end.
    pub(crate) async fn refresh(&self) -> Result<(), KeyError> {
        self.newest_key().await?;
        let keys = self.provisioner.directory.list(&KeyAlias::access_token(), KEYS_THAT_VERIFY).await?;
        let periods: Vec<_> = keys.iter().map(|key| key.period).collect();
        let published = count_published(&periods, self.clock.now());
        let keys = keys.iter().take(published).map(verification_key).collect::<Result<Vec<_>, _>>()?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    async fn newest_key(&self) -> Result<Arc<KeyRecord>, KeyError> {
        self.provisioner.ensure(&KeyAlias::access_token(), &SubjectOverrides::default()).await
    }

    pub(super) async fn issue(
        &self,
        principal: &Principal,
        epoch: TokenEpoch,
    ) -> Result<IssuedToken, AccessError> {
        let newest = self.newest_key().await?;
        if !self.verifies(&newest) {
            // It was renewed just now, or made: what is signed must be accepted at once.
            self.refresh().await?;
        }
        let (kid, token_key) = self.signing_key().ok_or(AccessError::Internal("no key signs tokens"))?;
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
            client_epoch: epoch.to_text(),
            realm_access: RealmAccess {
                roles: principal.roles.iter().map(|role| role.name().to_owned()).collect(),
            },
        };
        let mut header = JwsHeader::new();
        header.set_algorithm(RS256.to_string());
        header.set_token_type("JWT");
        header.set_key_id(kid);
        let claims = serde_json::to_vec(&claims).map_err(|_| AccessError::Internal("claims"))?;
        let input =
            format!("{}.{}", encode_base64url(header.to_string().as_bytes()), encode_base64url(&claims));
        let signature = self.token.sign_digest(token_key, sha256(input.as_bytes())).await?;
        Ok(IssuedToken {
            token: SecretString::from(format!("{input}.{}", encode_base64url(&signature))),
            expires_in: self.settings.lifetime_seconds,
        })
    }

    /// The key that signs now, by its `kid` and its id on the token.
    fn signing_key(&self) -> Option<(String, TokenKeyId)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let periods: Vec<_> = keys.iter().map(|key| key.period).collect();
        keys.get(signing_place(&periods, self.clock.now())).map(|key| (key.kid.clone(), key.token_key))
    }

    fn verifies(&self, key: &KeyRecord) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let kid = key.kid();
        keys.iter().any(|known| known.kid == kid)
    }

    pub(super) fn verify(&self, token: &str) -> Result<Admitted, TokenRefusal> {
        self.check_standby()?;
        if token.len() > TOKEN_MAX_BYTES {
            return Err(TokenRefusal::Invalid);
        }
        let name = sha256(token.as_bytes());
        let verified = if let Some(verified) = self.verified.get(&name) {
            verified
        } else {
            let verified = self.verify_anew(token).ok_or(TokenRefusal::Invalid)?;
            self.verified.insert(name, verified.clone());
            verified
        };
        let Verified { principal, epoch, ends } = verified;
        if self.clock.now() >= ends {
            self.verified.invalidate(&name);
            return Err(TokenRefusal::Expired);
        }
        let readings = self.ended.readings();
        if self.ended.contain(epoch) {
            return Err(TokenRefusal::Ended);
        }
        Ok(Admitted { principal, authority: Authority { ends, basis: Basis::Client { epoch, readings } } })
    }

    /// Fails when the database has been away for longer than what is known of callers may count.
    pub(super) fn check_standby(&self) -> Result<(), TokenRefusal> {
        self.provisioner.directory.check_standby().map_err(|_| TokenRefusal::Unconfirmed)
    }

    /// All checks but those of `exp` and of the epoch.
    fn verify_anew(&self, token: &str) -> Option<Verified> {
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
        let principal = Arc::new(Principal { name: claims.preferred_username, roles, issuer: None });
        let (epoch, ends) = (TokenEpoch::parse(&claims.client_epoch)?, Timestamp::from_seconds(claims.exp));
        Some(Verified { principal, epoch, ends })
    }

    /// `iss` of the tokens.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
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

/// When a key of this period was made.
fn made_at(period: Cryptoperiod) -> Timestamp {
    period.not_before.plus_seconds(Cryptoperiod::BACKDATED_SECONDS)
}

/// Which of the keys, newest first, signs at `now`: the newest that was published for long enough. One that was not
/// signs only when those before it do not last long enough.
fn signing_place(keys: &[Cryptoperiod], now: Timestamp) -> usize {
    let mut place = 0;
    while let (Some(key), Some(former)) = (keys.get(place), keys.get(place + 1)) {
        let signs_from = made_at(*key).plus_seconds(PUBLISHED_AHEAD_SECONDS);
        if signs_from <= now || former.not_after <= signs_from {
            break;
        }
        place += 1;
    }
    place
}

/// How many of the keys, newest first, are published at `now`: those that sign or will, and those whose last token
/// may not have expired.
fn count_published(keys: &[Cryptoperiod], now: Timestamp) -> usize {
    let overlap = PUBLISHED_AHEAD_SECONDS + i64::from(TOKEN_LIFETIME_MAX_SECONDS) + PUBLISHED_AFTER_SECONDS;
    // A key signs until its successor does.
    keys.iter()
        .position(|successor| made_at(*successor).plus_seconds(overlap) <= now)
        .map_or(keys.len(), |place| place + 1)
}

fn verification_key(key: &KeyRecord) -> Result<VerificationKey, KeyError> {
    let unusable = || KeyError::Internal("a token-signing certificate cannot be read");
    let certificate = Certificate::from_der(&key.certificate).map_err(|_| unusable())?;
    let modulus = certificate.public_key().map_err(|_| unusable())?.modulus();
    let verifier = RS256.verifier_from_der(public_key_of(&key.certificate)?).map_err(|_| unusable())?;
    Ok(VerificationKey {
        kid: key.kid(),
        token_key: token_key_of(key)?,
        period: key.period,
        modulus,
        verifier,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    /// Keys that were made on these days and end on those, newest first.
    fn keys(days: &[(i64, i64)]) -> Vec<Cryptoperiod> {
        days.iter()
            .map(|(made, end)| Cryptoperiod {
                not_before: Timestamp::from_seconds(made * DAY - Cryptoperiod::BACKDATED_SECONDS),
                not_after: Timestamp::from_seconds(end * DAY),
            })
            .collect()
    }

    fn at(day: i64, second: i64) -> Timestamp {
        Timestamp::from_seconds(day * DAY + second)
    }

    #[test]
    fn a_successor_is_published_for_a_day_before_it_signs() {
        let rotated = keys(&[(100, 200), (0, 160)]);
        assert_eq!(signing_place(&rotated, at(100, 0)), 1);
        assert_eq!(signing_place(&rotated, at(101, -1)), 1);
        assert_eq!(signing_place(&rotated, at(101, 0)), 0);
        // Twice within a day.
        let twice = keys(&[(100, 200), (100, 200), (0, 160)]);
        assert_eq!(signing_place(&twice, at(100, 5)), 2);
        assert_eq!(signing_place(&twice, at(101, 0)), 0);
    }

    #[test]
    fn the_first_key_and_one_whose_predecessor_ends_sign_at_once() {
        assert_eq!(signing_place(&keys(&[(100, 200)]), at(100, 0)), 0);
        assert_eq!(signing_place(&keys(&[(100, 200), (0, 101)]), at(100, 0)), 0);
        assert_eq!(signing_place(&keys(&[(100, 200), (0, 90)]), at(100, 0)), 0);
    }

    #[test]
    fn a_key_is_published_until_its_last_token_has_ended() {
        let rotated = keys(&[(100, 200), (0, 160), (-100, 60)]);
        assert_eq!(count_published(&rotated, at(100, 0)), 2);
        // It signed until day 101, and what it signed then may be good until day 102.
        assert_eq!(count_published(&rotated, at(102, 3599)), 2);
        assert_eq!(count_published(&rotated, at(102, 3600)), 1);
        assert_eq!(count_published(&keys(&[(100, 200)]), at(500, 0)), 1);
        assert_eq!(count_published(&[], at(0, 0)), 0);
    }
}
