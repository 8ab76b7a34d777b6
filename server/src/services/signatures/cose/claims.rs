//! The claims of a CBOR Web Token (RFC 8392 3).

use coset::{CborSerializable as _, cbor::value::Value};
use serde_json::Value as Json;

use crate::{ports::entropy::Entropy, services::signatures::SignatureError};

/// Claim keys (RFC 8392 3.1).
pub(super) const ISSUER: i64 = 1;
pub(super) const SUBJECT: i64 = 2;
const AUDIENCE: i64 = 3;
pub(super) const EXPIRATION: i64 = 4;
pub(super) const NOT_BEFORE: i64 = 5;
const ISSUED_AT: i64 = 6;
const TOKEN_ID: i64 = 7;
/// Identity data for QR codes, in CBOR of its own.
const CLAIM_169: i64 = 169;

/// The names of the claims that have members of their own here, or are the server's to say.
const OWN_NAMES: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "cti"];
const SECONDS_A_DAY: i64 = 86_400;
/// Deepest nesting of what callers send.
const DEPTH_MAX: usize = 32;
/// Longest payload, in bytes of JSON.
const PAYLOAD_MAX_BYTES: usize = 64 * 1024;

/// What a CWT claims.
#[derive(Clone, Debug, Default)]
pub struct ClaimsRequest {
    /// `iss`
    pub issuer: Option<String>,
    /// `sub`
    pub subject: Option<String>,
    /// `aud`
    pub audience: Option<String>,
    /// Days from `nbf` to `exp`; without it the token has no end.
    pub expire_days: Option<u32>,
    /// Days from now to `nbf`.
    pub not_before_days: u32,
    /// `cti`; `UUID` for a random one.
    pub token_id: Option<String>,
    /// Claim 169, as it is.
    pub claim_169: Option<Vec<u8>>,
    /// A JSON object with further claims, at most 64 KiB.
    pub payload: Option<Vec<u8>>,
}

impl ClaimsRequest {
    /// The claims set in CBOR, for a token issued at `now` (seconds since 1970-01-01T00:00:00Z).
    pub(super) fn encode(self, now: i64, entropy: &dyn Entropy) -> Result<Vec<u8>, SignatureError> {
        let not_before = now.saturating_add(i64::from(self.not_before_days) * SECONDS_A_DAY);
        let expiration =
            self.expire_days.map(|days| not_before.saturating_add(i64::from(days) * SECONDS_A_DAY));
        let token_id = match self.token_id.as_deref() {
            Some("UUID") => {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes).map_err(|_| super::super::KeyError::Internal("randomness"))?;
                Some(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
            }
            given => given.map(ToOwned::to_owned),
        };
        let text = |text: Option<String>| text.map(Value::Text);
        let own = [
            (ISSUER, text(self.issuer)),
            (SUBJECT, text(self.subject)),
            (AUDIENCE, text(self.audience)),
            (EXPIRATION, expiration.map(Value::from)),
            (NOT_BEFORE, Some(not_before.into())),
            (ISSUED_AT, Some(now.into())),
            (TOKEN_ID, token_id.map(|id| Value::Bytes(id.into_bytes()))),
            (CLAIM_169, self.claim_169.map(Value::Bytes)),
        ];
        let mut claims: Vec<(Value, Value)> =
            own.into_iter().filter_map(|(key, value)| Some((key.into(), value?))).collect();
        if let Some(payload) = self.payload {
            if payload.len() > PAYLOAD_MAX_BYTES {
                return Err(SignatureError::ClaimsNotJson);
            }
            let Ok(Json::Object(members)) = serde_json::from_slice(&payload) else {
                return Err(SignatureError::ClaimsNotJson);
            };
            // Only with these: the members' names differ among themselves, and so do the keys that are made of them.
            let own = claims.len();
            for (name, value) in members {
                let key = key_of(&name);
                let is_own = claims.iter().take(own).any(|(known, _)| *known == key);
                if !OWN_NAMES.contains(&name.as_str()) && !is_own {
                    claims.push((key, to_cbor_at(&value, 1)?));
                }
            }
        }
        Value::Map(claims).to_vec().map_err(|_| SignatureError::ClaimsNotJson)
    }
}

/// Names that are whole numbers become such keys.
fn key_of(name: &str) -> Value {
    whole(name).map_or_else(|| Value::Text(name.to_owned()), Value::from)
}

/// The number that a text is, in its only form.
fn whole(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text)
}

/// JSON as CBOR; texts that are whole numbers become numbers, as verifiers in the field expect.
pub(super) fn to_cbor(json: &Json) -> Result<Value, SignatureError> {
    to_cbor_at(json, 0)
}

fn to_cbor_at(json: &Json, depth: usize) -> Result<Value, SignatureError> {
    if depth > DEPTH_MAX {
        return Err(SignatureError::ClaimsNotJson);
    }
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Value::Float(number.as_f64().ok_or(SignatureError::ClaimsNotJson)?),
        },
        Json::String(text) => whole(text).map_or_else(|| Value::Text(text.clone()), Value::from),
        Json::Array(items) => {
            Value::Array(items.iter().map(|item| to_cbor_at(item, depth + 1)).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let members =
                members.iter().map(|(name, value)| Ok((key_of(name), to_cbor_at(value, depth + 1)?)));
            Value::Map(members.collect::<Result<_, SignatureError>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::system_entropy::SystemEntropy;

    fn claims(request: ClaimsRequest) -> Vec<(Value, Value)> {
        let bytes = request.encode(1_000_000, &SystemEntropy).unwrap();
        Value::from_slice(&bytes).unwrap().into_map().unwrap()
    }

    fn of<'a>(claims: &'a [(Value, Value)], key: &Value) -> Option<&'a Value> {
        claims.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    #[test]
    fn times_follow_from_days() {
        let made =
            claims(ClaimsRequest { expire_days: Some(2), not_before_days: 1, ..ClaimsRequest::default() });
        assert_eq!(of(&made, &NOT_BEFORE.into()), Some(&1_086_400.into()));
        assert_eq!(of(&made, &EXPIRATION.into()), Some(&1_259_200.into()));
        assert_eq!(of(&made, &ISSUED_AT.into()), Some(&1_000_000.into()));
        let made = claims(ClaimsRequest::default());
        assert_eq!(of(&made, &EXPIRATION.into()), None);
    }

    #[test]
    fn the_payload_adds_claims_and_replaces_none() {
        let payload = br#"{"iss":"evil","1":"evil","7":"1","name":"Zo","dob":"19900101","zip":"0123","-65537":{"4":[1.5,null]}}"#;
        let made = claims(ClaimsRequest {
            issuer: Some("issuer".to_owned()),
            token_id: Some("UUID".to_owned()),
            claim_169: Some(vec![0xa0]),
            payload: Some(payload.to_vec()),
            ..ClaimsRequest::default()
        });
        assert_eq!(of(&made, &ISSUER.into()), Some(&Value::from("issuer")));
        assert_eq!(of(&made, &TOKEN_ID.into()).unwrap().as_bytes().unwrap().len(), 36);
        assert_eq!(of(&made, &CLAIM_169.into()), Some(&Value::Bytes(vec![0xa0])));
        assert_eq!(of(&made, &"dob".into()), Some(&19_900_101.into()));
        assert_eq!(of(&made, &"zip".into()), Some(&Value::from("0123")));
        let nested = Value::Map(vec![(4.into(), Value::Array(vec![Value::Float(1.5), Value::Null]))]);
        assert_eq!(of(&made, &(-65_537).into()), Some(&nested));
        for bad in [b"[]".as_slice(), b"x", b""] {
            let request = ClaimsRequest { payload: Some(bad.to_vec()), ..ClaimsRequest::default() };
            assert!(matches!(request.encode(0, &SystemEntropy), Err(SignatureError::ClaimsNotJson)));
        }
    }

    #[test]
    fn payloads_are_bounded_and_what_is_made_can_be_read() {
        let encode = |payload: String| {
            let payload = Some(payload.into_bytes());
            ClaimsRequest { payload, ..ClaimsRequest::default() }.encode(0, &SystemEntropy)
        };
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        assert!(encode(padded(PAYLOAD_MAX_BYTES)).is_ok());
        assert!(matches!(encode(padded(PAYLOAD_MAX_BYTES + 1)), Err(SignatureError::ClaimsNotJson)));
        // As many items as there can be.
        let numbers = vec!["1"; (PAYLOAD_MAX_BYTES - 7) / 2].join(",");
        let made = encode(format!("{{\"a\":[{numbers}]}}")).unwrap();
        assert!(super::super::reading::value(&made).is_some());
        let members: Vec<_> = (0..6_000).map(|name| format!("\"{name}\":0")).collect();
        let made = encode(format!("{{{}}}", members.join(","))).unwrap();
        // All but those whose keys are nbf and iat, which are the server's to say.
        assert_eq!(Value::from_slice(&made).unwrap().into_map().unwrap().len(), 6_000);
    }
}
