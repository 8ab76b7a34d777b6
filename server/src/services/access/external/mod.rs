//! Tokens of external OpenID Connect issuers: only of those that the settings name, by keys that they publish.

mod claims;
mod issuer;
mod key_set;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kunji_shared::encoding::decode_base64;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::issuer::Issuer;
use super::{Admitted, TokenRefusal};
use crate::{
    domain::{
        access::{Principal, Role},
        authority::{Authority, Basis},
        digest::sha256,
        jose::SignatureAlgorithm,
        time::Timestamp,
    },
    ports::{clock::Clock, document_fetcher::DocumentFetcher},
    services::denials::Firsts,
};

/// Longest token, in bytes.
const TOKEN_MAX_BYTES: usize = 32 * 1024;
/// Most verified tokens remembered.
const REMEMBERED: u64 = 100_000;
/// How often it is looked whose keys are due.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the settings say of an external issuer.
#[derive(Clone, Debug)]
pub(crate) struct ExternalIssuerSettings {
    /// Its name in the settings, logs and the audit trail.
    pub(crate) name: Arc<str>,
    /// `iss` of its tokens, and where its metadata are.
    pub(crate) issuer: String,
    /// Where its keys are; `None` when its metadata say so.
    pub(crate) key_set_url: Option<String>,
    /// Of which `aud` must name one.
    pub(crate) audiences: Vec<String>,
    /// Signature algorithms that are accepted.
    pub(crate) algorithms: Vec<SignatureAlgorithm>,
    /// Claims that name roles.
    pub(crate) role_claims: Vec<String>,
    /// What each of those names means here.
    pub(crate) roles: BTreeMap<String, Vec<Role>>,
    /// The claim that names the principal.
    pub(crate) name_claim: String,
    /// What stands before that name here.
    pub(crate) name_prefix: String,
    /// How much its clock may differ.
    pub(crate) leeway_seconds: u32,
}

/// The external issuers.
pub(crate) struct ExternalIssuers {
    clock: Arc<dyn Clock>,
    issuers: Vec<Arc<Issuer>>,
    /// Verified tokens by their SHA-256.
    verified: Cache<[u8; 32], Verified>,
    /// Issuers and reasons of tokens that were refused.
    refused: Firsts<(Arc<str>, &'static str)>,
}

/// A token that was accepted once.
#[derive(Clone)]
struct Verified {
    principal: Arc<Principal>,
    ends: Timestamp,
    issuer: Arc<Issuer>,
    /// The generation of the issuer's keys that verified it.
    generation: u64,
}

impl From<Verified> for Admitted {
    fn from(Verified { principal, ends, issuer, generation }: Verified) -> Self {
        let basis = Basis::Issuer { name: Arc::clone(&issuer.settings.name), generation };
        Self { principal, authority: Authority { ends, basis } }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// The parts of a compact JWS.
struct Parts<'a> {
    header: Header,
    claims: Map<String, Value>,
    input: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn decode(token: &'a str) -> Option<Self> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let decode = |text: &str| decode_base64(text, TOKEN_MAX_BYTES).ok();
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            claims: serde_json::from_slice(&decode(claims)?).ok()?,
            input: input.as_bytes(),
            signature: decode(signature)?,
        })
    }
}

impl ExternalIssuers {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        issuers: Vec<(ExternalIssuerSettings, Arc<dyn DocumentFetcher>)>,
    ) -> Self {
        let make = |(settings, fetcher)| Arc::new(Issuer::new(settings, Arc::clone(&clock), fetcher));
        let issuers = issuers.into_iter().map(make).collect();
        Self { clock, issuers, verified: Cache::new(REMEMBERED), refused: Firsts::default() }
    }

    /// The principal of a token. Cheap when the same token was seen before; may wait for an issuer's keys when it
    /// names one that is not known.
    pub(super) async fn verify(&self, token: &str) -> Result<Admitted, TokenRefusal> {
        if self.issuers.is_empty() || token.len() > TOKEN_MAX_BYTES {
            return Err(TokenRefusal::Invalid);
        }
        let name = sha256(token.as_bytes());
        let now = self.clock.now();
        if let Some(verified) = self.verified.get(&name) {
            if now >= verified.ends {
                self.verified.invalidate(&name);
                return Err(TokenRefusal::Expired);
            }
            if verified.issuer.is_current(verified.generation, now) {
                return Ok(verified.into());
            }
        }
        let parts = Parts::decode(token).ok_or(TokenRefusal::Invalid)?;
        let said = parts.claims.get("iss").and_then(Value::as_str);
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| said == Some(&issuer.settings.issuer))
            .ok_or(TokenRefusal::Invalid)?;
        let verified = verify_anew(issuer, parts, now).await.map_err(|reason| {
            let issuer = &issuer.settings.name;
            // Anyone can send as many as they like, and must not fill the log.
            if self.refused.is_first((Arc::clone(issuer), reason), now) {
                tracing::warn!(%issuer, reason, "a token of an external issuer is refused");
            } else {
                tracing::debug!(%issuer, reason, "a token of an external issuer is refused");
            }
            TokenRefusal::Invalid
        })?;
        if now >= verified.ends {
            return Err(TokenRefusal::Expired);
        }
        self.verified.insert(name, verified.clone());
        Ok(verified.into())
    }

    /// Whether the issuer of that name still publishes all keys of that generation, as far as it was read.
    pub(super) fn vouches(&self, name: &str, generation: u64) -> bool {
        self.issuers.iter().any(|issuer| *issuer.settings.name == *name && issuer.is_of(generation))
    }

    /// Keeps the keys fresh; never ends.
    pub(crate) async fn watch(&self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while !self.issuers.is_empty() {
            ticks.tick().await;
            for issuer in &self.issuers {
                issuer.refresh_if_due();
            }
        }
    }
}

/// Checks a token whose `iss` is the issuer's, all but its end.
async fn verify_anew(
    issuer: &Arc<Issuer>,
    parts: Parts<'_>,
    now: Timestamp,
) -> Result<Verified, &'static str> {
    let Parts { header, claims, input, signature } = parts;
    let is_token = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        matches!(kind.trim_start_matches("application/"), "jwt" | "at+jwt")
    };
    if header.crit.is_some() || !header.typ.as_deref().is_none_or(is_token) {
        return Err("its header is not that of an access token");
    }
    let algorithm = SignatureAlgorithm::parse(&header.alg)
        .filter(|algorithm| issuer.settings.algorithms.contains(algorithm))
        .ok_or("its algorithm is not allowed")?;
    let kid = header.kid.as_deref();
    let keys = issuer.keys_for(kid, now).await.ok_or("the issuer's keys are not known")?;
    if !keys.set.verify(kid, algorithm, input, &signature) {
        return Err("its signature is not by a key of the issuer");
    }
    let reading = claims::read(&claims, &issuer.settings, now).map_err(claims::ClaimFault::text)?;
    let principal = Arc::new(Principal {
        name: reading.name,
        roles: reading.roles,
        issuer: Some(Arc::clone(&issuer.settings.name)),
    });
    Ok(Verified { principal, ends: reading.ends, issuer: Arc::clone(issuer), generation: keys.generation })
}

/// The lock's content, also after a panic elsewhere.
fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
