//! `[external_issuers.NAME]`

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use crate::domain::{access::Role, jose::SignatureAlgorithm, web::readable_url};

/// Longest time that an issuer's clock may differ, in seconds.
const LEEWAY_MAX_SECONDS: u32 = 300;

/// An issuer whose tokens are accepted beside our own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalIssuer {
    /// `iss` of its tokens; its metadata are under this URL.
    pub issuer: String,
    /// Values of `aud`, of which a token must have one.
    pub audiences: Vec<String>,
    /// What its roles mean here.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Claims that name roles; members joined by dots, `*` for all.
    #[serde(default = "default_role_claims")]
    pub role_claims: Vec<String>,
    /// The claim that names the principal.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// What stands before that name here; absent means the issuer's name in the settings and a colon.
    pub name_prefix: Option<String>,
    /// Signature algorithms that are accepted.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// How much its clock may differ.
    #[serde(default = "default_leeway")]
    pub leeway_seconds: u32,
    /// Where its keys are, when its metadata are not to be asked.
    pub key_set_url: Option<String>,
    /// File with certificate authorities to trust beside the system's, PEM.
    pub authorities_file: Option<PathBuf>,
}

fn default_role_claims() -> Vec<String> {
    ["realm_access.roles", "resource_access.*.roles", "scope"].map(str::to_owned).to_vec()
}

fn default_name_claim() -> String {
    "preferred_username".to_owned()
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "PS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}

const fn default_leeway() -> u32 {
    30
}

impl ExternalIssuer {
    /// What is wrong with the settings of the issuer of this name.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
        if name.is_empty() || name.len() > 32 || !plain {
            return Err(format!("{name:?}: a name has 1 to 32 characters of A-Z, a-z, 0-9, _ and -"));
        }
        for url in [Some(&self.issuer), self.key_set_url.as_ref()].into_iter().flatten() {
            if readable_url(url).is_none() {
                return Err(format!("{name}: {url:?} must be an https URL (http on this machine only)"));
            }
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(format!(
                "{name}: audiences must name at least one, so that no other service's tokens open this one"
            ));
        }
        if let Some(algorithm) = self.algorithms.iter().find(|name| SignatureAlgorithm::parse(name).is_none())
        {
            let known = SignatureAlgorithm::ALL.map(SignatureAlgorithm::name).join(", ");
            return Err(format!("{name}: {algorithm:?} is none of {known}"));
        }
        if let Some(role) = self.roles.values().flatten().find(|role| Role::parse(role).is_none()) {
            return Err(format!("{name}: {role:?} is no name of a role: 1 to 64 of A-Z, a-z, 0-9, _ - . :"));
        }
        if self.leeway_seconds > LEEWAY_MAX_SECONDS {
            return Err(format!("{name}: leeway_seconds must be at most {LEEWAY_MAX_SECONDS}"));
        }
        Ok(())
    }

    /// The algorithms.
    pub fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        self.algorithms.iter().filter_map(|name| SignatureAlgorithm::parse(name)).collect()
    }

    /// What its roles mean here.
    pub fn roles(&self) -> BTreeMap<String, Vec<Role>> {
        let parse = |names: &Vec<String>| names.iter().filter_map(|name| Role::parse(name)).collect();
        self.roles.iter().map(|(name, roles)| (name.clone(), parse(roles))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use crate::config::{ConfigError, Settings, load};

    const ISSUER: &str = "issuer = 'https://id.example/realms/r'\naudiences = ['kunji']\n";
    const ROLES: &str = "roles = { opens = ['decryptor'] }\n";

    fn with(name: &str, table: &str) -> Result<Settings, ConfigError> {
        let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        write!(file, "[external_issuers.{name}]\n{table}").unwrap();
        load(Some(file.path()), [])
    }

    #[test]
    fn what_is_needed_is_an_issuer_an_audience_and_roles() {
        let settings = with("keycloak", &format!("{ISSUER}{ROLES}")).unwrap();
        let issuer = &settings.external_issuers["keycloak"];
        assert_eq!((issuer.algorithms().len(), issuer.roles().len(), issuer.leeway_seconds), (4, 1, 30));
    }

    #[test]
    fn senseless_issuers_are_refused() {
        for (name, table) in [
            ("keycloak", ISSUER.to_owned()),
            ("keycloak", ROLES.to_owned()),
            ("\"key cloak\"", format!("{ISSUER}{ROLES}")),
            ("k", format!("{ISSUER}{ROLES}algorithms = ['HS256']")),
            ("k", format!("{ISSUER}{ROLES}algorithms = ['none']")),
            ("k", format!("{ISSUER}{ROLES}leeway_seconds = 301")),
            ("k", format!("{ISSUER}{ROLES}key_set_url = 'http://id.example/keys'")),
            ("k", format!("{ISSUER}{ROLES}secret = 'x'")),
            ("k", format!("{ISSUER}roles = {{ opens = ['no role'] }}")),
            ("k", format!("issuer = 'http://id.example'\naudiences = ['kunji']\n{ROLES}")),
            ("k", format!("issuer = 'https://id.example'\naudiences = []\n{ROLES}")),
        ] {
            assert!(with(name, &table).is_err(), "{table}");
        }
    }
}
