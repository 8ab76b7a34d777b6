//! What a token of an external issuer says, once its signature is known to be right.

use serde_json::{Map, Value};

use super::ExternalIssuerSettings;
use crate::domain::{access::Role, time::Timestamp};

/// Longest name of a principal, in bytes.
const NAME_MAX_BYTES: usize = 200;
/// Most values of a claim that are looked at.
const MAX_VALUES: usize = 1000;

/// Why the claims of a token are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimFault {
    Audience,
    Issuer,
    Kind,
    Name,
    NotYetValid,
    Times,
}

impl ClaimFault {
    /// What the log says.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Audience => "it is for another audience",
            Self::Issuer => "it says another issuer",
            Self::Kind => "it is no access token",
            Self::Name => "it has no usable name",
            Self::NotYetValid => "it is not valid yet",
            Self::Times => "a time in it is missing or malformed",
        }
    }
}

/// The principal's name and roles, and the first instant at which the token is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) name: String,
    pub(super) roles: Vec<Role>,
    pub(super) ends: Timestamp,
}

/// Reads the claims as they are at `now`. That the token has ended is for the caller to see.
pub(super) fn read(
    claims: &Map<String, Value>,
    settings: &ExternalIssuerSettings,
    now: Timestamp,
) -> Result<Reading, ClaimFault> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(&settings.issuer) {
        return Err(ClaimFault::Issuer);
    }
    let is_own = |audience: &Value| settings.audiences.iter().any(|own| audience.as_str() == Some(own));
    let for_us = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(is_own),
        Some(audience) => is_own(audience),
        None => false,
    };
    if !for_us {
        return Err(ClaimFault::Audience);
    }
    // Keycloak says what a token is in a claim: an ID token is for its client to read, and opens nothing.
    if text("typ").is_some_and(|kind| kind != "Bearer") {
        return Err(ClaimFault::Kind);
    }
    let leeway = i64::from(settings.leeway_seconds);
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(ClaimFault::Times),
    };
    let ends = time("exp")?.ok_or(ClaimFault::Times)?.plus_seconds(leeway);
    for begins in [time("nbf")?, time("iat")?].into_iter().flatten() {
        if now.plus_seconds(leeway) < begins {
            return Err(ClaimFault::NotYetValid);
        }
    }
    let name = text(&settings.name_claim).ok_or(ClaimFault::Name)?;
    if name.is_empty() || name.len() > NAME_MAX_BYTES || name.chars().any(char::is_control) {
        return Err(ClaimFault::Name);
    }
    let mut roles: Vec<_> = settings
        .role_claims
        .iter()
        .flat_map(|path| find(claims, path))
        .flat_map(values)
        .take(MAX_VALUES)
        .flat_map(|name| settings.roles.get(name).cloned().unwrap_or_default())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    Ok(Reading { name: format!("{}{name}", settings.name_prefix), roles, ends })
}

/// A NumericDate (RFC 7519 2), rounded down.
fn seconds(value: &Value) -> Option<Timestamp> {
    const LATEST: f64 = 253_402_300_799.0;
    let number = value.as_f64().filter(|number| (0.0..=LATEST).contains(number))?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded above, and the fraction is to go")]
    Some(Timestamp::from_seconds(number as i64))
}

/// The claims at a path: the claim of that very name, or members joined by dots, where `*` stands for every member.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Vec<&'a Value> {
    if let Some(claim) = claims.get(path) {
        return vec![claim];
    }
    let mut names = path.split('.');
    let Some(first) = names.next() else { return Vec::new() };
    let mut found: Vec<&Value> = claims.get(first).into_iter().collect();
    for name in names {
        found = found
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|members| -> Vec<&Value> {
                if name == "*" { members.values().collect() } else { members.get(name).into_iter().collect() }
            })
            .collect();
    }
    found
}

/// The texts of a claim: an array's, or those of a text that are separated by blanks or commas.
fn values(claim: &Value) -> Vec<&str> {
    match claim {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split([' ', ',']).filter(|part| !part.is_empty()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn settings() -> ExternalIssuerSettings {
        ExternalIssuerSettings {
            name: "keycloak".into(),
            issuer: "https://id.example/realms/r".to_owned(),
            key_set_url: None,
            audiences: vec!["kunji".to_owned(), "account".to_owned()],
            algorithms: vec![],
            role_claims: ["realm_access.roles", "resource_access.*.roles", "scope", "https://x.example/r"]
                .map(str::to_owned)
                .to_vec(),
            roles: [
                ("opens".to_owned(), vec![Role::Decryptor]),
                ("works".to_owned(), vec![Role::Signer, Role::Encryptor]),
            ]
            .into(),
            name_claim: "preferred_username".to_owned(),
            name_prefix: "keycloak:".to_owned(),
            leeway_seconds: 30,
        }
    }

    fn token(changes: &Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "https://id.example/realms/r", "aud": "kunji", "exp": 1_000_300, "iat": 999_999,
            "preferred_username": "clerk", "typ": "Bearer",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object().unwrap().clone()
    }

    fn reading(changes: &Value) -> Result<Reading, ClaimFault> {
        read(&token(changes), &settings(), NOW)
    }

    #[test]
    fn roles_are_found_where_issuers_write_them() {
        let roles = |changes: Value| reading(&changes).unwrap().roles;
        assert_eq!(roles(json!({})), []);
        assert_eq!(
            roles(json!({ "realm_access": { "roles": ["opens", "administrator"] } })),
            [Role::Decryptor]
        );
        let resources = json!({ "a": { "roles": ["works"] }, "b": { "roles": ["opens"] }, "c": 7 });
        let all = [Role::Decryptor, Role::Encryptor, Role::Signer];
        assert_eq!(roles(json!({ "resource_access": resources })), all);
        assert_eq!(roles(json!({ "scope": "openid works opens works" })), all);
        assert_eq!(roles(json!({ "https://x.example/r": "opens,other" })), [Role::Decryptor]);
        for nothing in [json!({ "realm_access": ["opens"] }), json!({ "scope": { "roles": ["opens"] } })] {
            assert_eq!(roles(nothing), []);
        }
    }

    #[test]
    fn the_name_carries_its_prefix() {
        assert_eq!(reading(&json!({})).unwrap().name, "keycloak:clerk");
        for name in [json!(""), json!("a\nb"), json!(7), json!(null), json!("x".repeat(201))] {
            assert_eq!(reading(&json!({ "preferred_username": name })), Err(ClaimFault::Name));
        }
    }

    #[test]
    fn issuer_audience_and_kind_are_as_set() {
        assert!(reading(&json!({ "aud": ["x", "account"] })).is_ok());
        for audience in [
            json!("other"),
            json!(["other"]),
            json!(null),
            json!("kunji2"),
            json!("x kunji"),
            json!({ "kunji": 1 }),
        ] {
            assert_eq!(reading(&json!({ "aud": audience })), Err(ClaimFault::Audience));
        }
        for issuer in [json!("https://id.example/realms/r/"), json!("https://evil.example"), json!(null)] {
            assert_eq!(reading(&json!({ "iss": issuer })), Err(ClaimFault::Issuer));
        }
        assert_eq!(reading(&json!({ "typ": "ID" })), Err(ClaimFault::Kind));
        assert_eq!(reading(&json!({ "typ": "Refresh" })), Err(ClaimFault::Kind));
    }

    #[test]
    fn times_have_a_small_leeway() {
        assert_eq!(reading(&json!({})).unwrap().ends, Timestamp::from_seconds(1_000_330));
        for begin in ["nbf", "iat"] {
            assert!(reading(&json!({ begin: 1_000_030 })).is_ok());
            assert_eq!(reading(&json!({ begin: 1_000_031 })), Err(ClaimFault::NotYetValid));
            assert_eq!(reading(&json!({ begin: "soon" })), Err(ClaimFault::Times));
        }
        for end in [json!(null), json!("later"), json!(-1), json!(1e300)] {
            assert_eq!(reading(&json!({ "exp": end })), Err(ClaimFault::Times));
        }
        assert_eq!(reading(&json!({ "exp": 1_000_300.9 })).unwrap().ends, Timestamp::from_seconds(1_000_330));
    }
}
