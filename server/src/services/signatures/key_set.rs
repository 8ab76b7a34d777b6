//! JWK sets (RFC 7517) of an application's signing keys.

use std::{sync::Arc, time::Duration};

use kunji_shared::{RsaPublicKey, encoding::encode_base64url};
use moka::future::Cache;
use serde::Serialize;
use serde_json::{Value, json};
use x509_cert::{der::Decode as _, spki::SubjectPublicKeyInfoRef};

use super::{SignatureError, SignatureService};
use crate::{
    domain::{
        alias::{AliasRole, ApplicationId, KeyAlias},
        key::KeyRecord,
        key_type::{Curve, KeyType},
        lifecycle::{Allowance, KeyUse},
    },
    services::keys::{KeyError, issuing::public_key_of},
};

/// Most keys of an alias in a set, newest first.
const KEYS_MAX: usize = 8;
/// Sets kept, and how long: a set that strangers may ask for costs no database.
const SETS_MAX: u64 = 1_000;
const KEPT: Duration = Duration::from_secs(5);

/// Sets at hand.
pub(crate) struct KeySets(Cache<ApplicationId, Arc<Value>>);

impl Default for KeySets {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(SETS_MAX).time_to_live(KEPT).build())
    }
}

impl SignatureService {
    /// The public keys of everything that the application signs data with and whose certificates have not ended: those
    /// of today and those before them. `None` when no policy allows it keys.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub async fn json_web_key_set(
        &self,
        application: &ApplicationId,
    ) -> Result<Option<Arc<Value>>, SignatureError> {
        if self.policies.periods(&KeyAlias::master(application.clone())).is_err() {
            return Ok(None);
        }
        let made = self.key_sets.0.try_get_with_by_ref(application, self.make_key_set(application)).await;
        match made {
            Ok(set) => Ok(Some(set)),
            // The others that waited for it are told the same in fewer words.
            Err(error) => Err(match Arc::try_unwrap(error) {
                Ok(error) => error.into(),
                Err(error) => {
                    KeyError::from(crate::ports::repository::RepositoryError::Unavailable(error.to_string()))
                        .into()
                }
            }),
        }
    }

    async fn make_key_set(&self, application: &ApplicationId) -> Result<Arc<Value>, KeyError> {
        let now = self.clock.now();
        let own = KeyAlias::master(application.clone());
        // ROOT signs certificates and no data.
        let own = (own.role() == AliasRole::Module).then_some(own);
        let kernel = (application.as_str() == ApplicationId::KERNEL).then(KeyAlias::kernel_sign);
        let mut keys = Vec::new();
        for alias in own.into_iter().chain(kernel).chain(KeyAlias::curves(application)) {
            for key in self.directory.list(&alias, KEYS_MAX).await? {
                let may_verify = self.directory.states.allows(&key.id, KeyUse::Verify) == Allowance::Allowed;
                if may_verify && key.period.not_after > now {
                    keys.push(Jwk::of(&key)?);
                }
            }
        }
        Ok(Arc::new(json!({ "keys": keys })))
    }
}

/// A JWK (RFC 7517 4). RSA keys name no `alg`: they sign with several.
#[derive(Default, Serialize)]
struct Jwk {
    kty: &'static str,
    #[serde(rename = "use")]
    purpose: &'static str,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "x5t#S256")]
    certificate_hash: String,
}

impl Jwk {
    /// RFC 7518 6, RFC 8037 2.
    fn of(key: &KeyRecord) -> Result<Self, KeyError> {
        let spki = public_key_of(&key.certificate)?;
        let unreadable = || KeyError::Internal("a public key cannot be read");
        let jwk = Self {
            purpose: "sig",
            kid: key.kid(),
            certificate_hash: encode_base64url(key.thumbprint.as_bytes()),
            ..Self::default()
        };
        let KeyType::Curve(curve) = key.key_type else {
            let public = RsaPublicKey::from_spki_der(&spki).map_err(|_| unreadable())?;
            let n = Some(encode_base64url(&public.modulus()));
            // F4: no other is read.
            return Ok(Self { kty: "RSA", n, e: Some("AQAB"), ..jwk });
        };
        let jwk = Self { crv: Some(curve.name()), alg: Some(curve.algorithm().name()), ..jwk };
        let public = SubjectPublicKeyInfoRef::from_der(&spki).map_err(|_| unreadable())?;
        let point = public.subject_public_key.raw_bytes();
        if curve == Curve::Ed25519 {
            return Ok(Self { kty: "OKP", x: Some(encode_base64url(point)), ..jwk });
        }
        // 4, x and y (SEC 1 2.3.3).
        let halves = point.get(1..).and_then(|both| both.split_at_checked(curve.coordinate_bytes()));
        let (x, y) = halves.ok_or_else(unreadable)?;
        Ok(Self { kty: "EC", x: Some(encode_base64url(x)), y: Some(encode_base64url(y)), ..jwk })
    }
}
