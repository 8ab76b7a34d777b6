//! What single types cannot say about settings.

use std::collections::HashMap;

use kunji_shared::{ModulusLength, packet::Splitter};

use super::{ClientCertificates, Settings, load::ConfigError};
use crate::domain::{
    alias::{AliasRole, ApplicationId, KeyAlias},
    audit::statement::is_server_name,
    client::{ClientId, TOKEN_LIFETIME_MAX_SECONDS},
    network::Networks,
};

impl Settings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && !self.allow_public_listen && !self.has_tls() {
            return senseless(
                "listen",
                "other machines reach this address and the server speaks plain HTTP: set tls_certificate_file and \
                 tls_key_file, or listen on 127.0.0.1 behind a TLS proxy, or set allow_public_listen = true",
            );
        }
        self.check_callers()?;
        for (name, value) in [
            ("pkcs11_workers", self.pkcs11_workers),
            ("pkcs11_queue", self.pkcs11_queue),
            ("secret_hash_concurrency", self.secret_hash_concurrency),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("spooled_bodies", self.spooled_bodies),
            ("packets_without_thumbprint_keys", self.packets_without_thumbprint_keys),
        ] {
            if value == 0 {
                return senseless(name, "must be at least 1");
            }
        }
        if !(60..=TOKEN_LIFETIME_MAX_SECONDS).contains(&self.token_lifetime_seconds) {
            return senseless("token_lifetime_seconds", "must be from 60 to 86400");
        }
        if self.database_cache_bytes < 1 << 20 {
            return senseless("database_cache_bytes", "must be at least 1048576");
        }
        if !(1..=86_400).contains(&self.database_away_seconds) {
            return senseless("database_away_seconds", "must be from 1 to 86400");
        }
        if !(300..=259_200).contains(&self.destruction_unwatched_seconds) {
            return senseless("destruction_unwatched_seconds", "must be from 300 to 259200");
        }
        if !(1..=60_000).contains(&self.token_failures_per_minute) {
            return senseless("token_failures_per_minute", "must be from 1 to 60000");
        }
        if self.modulus().is_none() {
            return senseless("rsa_bits", "must be 2048, 3072 or 4096");
        }
        if Splitter::new(self.splitter.as_bytes()).is_err() {
            return senseless("splitter", "must have 1 to 64 bytes");
        }
        for name in &self.keys {
            let alias =
                parse_alias(name).map_err(|problem| ConfigError::Senseless { name: "keys", problem })?;
            if let AliasRole::Curve(_) = alias.role() {
                let problem = format!("{name:?}: keys on curves are made on request; name applications here");
                return Err(ConfigError::Senseless { name: "keys", problem });
            }
            if alias.role() == AliasRole::Base {
                let problem = format!("{name:?}: base keys are made when first read; name applications here");
                return Err(ConfigError::Senseless { name: "keys", problem });
            }
        }
        for (application, policy) in &self.policies {
            if ApplicationId::parse_any(application).is_err() || application == ApplicationId::INTERNAL {
                return senseless("policies", "has a name that is no application id");
            }
            if policy.pre_expire_days >= policy.validity_days {
                return senseless("policies", "pre_expire_days must be less than validity_days");
            }
        }
        self.check_renewal()?;
        for (name, issuer) in &self.external_issuers {
            issuer
                .check(name)
                .map_err(|problem| ConfigError::Senseless { name: "external_issuers", problem })?;
        }
        self.check_replicas()?;
        for pattern in self.reference_patterns.values() {
            if regex::Regex::new(&format!("^(?:{pattern})$")).is_err() {
                return senseless("reference_patterns", "has an entry that is no regular expression");
            }
        }
        if self.demo_recipient().is_none_or(|alias| alias.role() != AliasRole::Base) {
            return senseless("demo_recipient", "must be APPLICATION/REFERENCE of a base key");
        }
        if !self.public_url.is_empty() && !is_base_url(&self.public_url) {
            return senseless(
                "public_url",
                "must be http:// or https:// with a host and no query, no user, and no slash at its end",
            );
        }
        self.check_audit()?;
        if self.subject.country.len() != 2 {
            return senseless("subject", "country must have two letters");
        }
        Ok(())
    }

    /// Who callers are, besides what tokens say.
    fn check_callers(&self) -> Result<(), ConfigError> {
        for (name, networks) in
            [("trusted_proxies", &self.trusted_proxies), ("tokenless_networks", &self.tokenless_networks)]
        {
            if let Err(text) = Networks::parse(networks) {
                let problem =
                    format!("{text:?} is no network; write 10.1.0.0/16, 2001:db8::/32, or one address");
                return Err(ConfigError::Senseless { name, problem });
            }
        }
        if self.tls_certificate_file.is_some() != self.tls_key_file.is_some() {
            return senseless("tls_key_file", "tls_certificate_file and tls_key_file are needed together");
        }
        let certificates = self.tls_client_certificates != ClientCertificates::Off;
        if certificates && !(self.has_tls() && self.tls_client_authorities_file.is_some()) {
            return senseless(
                "tls_client_certificates",
                "needs tls_certificate_file, tls_key_file and tls_client_authorities_file",
            );
        }
        if !certificates && self.tls_client_revocation_lists_file.is_some() {
            return senseless(
                "tls_client_revocation_lists_file",
                "needs tls_client_certificates to be optional or required",
            );
        }
        if !certificates && !self.certificate_clients.is_empty() {
            return senseless(
                "certificate_clients",
                "needs tls_client_certificates to be optional or required",
            );
        }
        for (name, client) in &self.certificate_clients {
            let known = ["subject:", "dns:", "email:", "uri:"].iter().any(|kind| name.starts_with(kind));
            if !known || ClientId::parse(client).is_none() {
                let problem = format!(
                    "{name:?} = {client:?}: write subject:, dns:, email: or uri: and the name, then a client id"
                );
                return Err(ConfigError::Senseless { name: "certificate_clients", problem });
            }
        }
        if self.tokenless_networks.is_empty() != self.tokenless_client.is_empty()
            || (!self.tokenless_client.is_empty() && self.tokenless_client().is_none())
        {
            return senseless(
                "tokenless_client",
                "must be the id of a client when tokenless_networks is set, and blank otherwise",
            );
        }
        Ok(())
    }

    /// Whether the server speaks TLS itself.
    pub const fn has_tls(&self) -> bool {
        self.tls_certificate_file.is_some() && self.tls_key_file.is_some()
    }

    /// Networks whose callers need no token.
    pub fn tokenless_networks(&self) -> Networks {
        Networks::parse(&self.tokenless_networks).unwrap_or_default()
    }

    /// The client that they count as.
    pub fn tokenless_client(&self) -> Option<ClientId> {
        ClientId::parse(&self.tokenless_client)
    }

    /// Clients by a name in their certificates.
    pub fn certificate_clients(&self) -> HashMap<String, ClientId> {
        let clients = self.certificate_clients.iter();
        clients.filter_map(|(name, client)| Some((name.clone(), ClientId::parse(client)?))).collect()
    }

    fn check_audit(&self) -> Result<(), ConfigError> {
        if !self.audit_server_name.is_empty() && !is_server_name(&self.audit_server_name) {
            return senseless(
                "audit_server_name",
                "must have 1 to 64 characters of A-Z, a-z, 0-9, '_', '-' and '.'",
            );
        }
        if !(1..=86_400).contains(&self.audit_checkpoint_seconds) {
            return senseless("audit_checkpoint_seconds", "must be from 1 to 86400");
        }
        if self.audit_checkpoint_events == 0 {
            return senseless("audit_checkpoint_events", "must be at least 1");
        }
        if self.audit_retention_days > 0 && self.audit_archive_dir.is_none() {
            return senseless(
                "audit_retention_days",
                "needs audit_archive_dir: nothing of the audit trail is deleted",
            );
        }
        if self.audit_spool_dir.is_some() && self.audit_spool_bytes < (1 << 20) {
            return senseless("audit_spool_bytes", "must be at least 1048576");
        }
        let url = &self.audit_anchor_url;
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            return senseless("audit_anchor_url", "must begin with https:// (or http:// on this machine)");
        }
        Ok(())
    }

    /// A certificate ends with its issuer's at the latest. So that a new one is not due for renewal the day it is
    /// made, its issuer must have been renewed earlier than itself: ROOT before modules, modules before base keys.
    fn check_renewal(&self) -> Result<(), ConfigError> {
        let Some((root, base)) = self.policies.get("ROOT").zip(self.policies.get("BASE")) else {
            return senseless("policies", "needs an entry for ROOT and one for BASE");
        };
        let modules = self.policies.iter().filter(|(name, _)| !["ROOT", "BASE"].contains(&name.as_str()));
        for (name, module) in modules {
            let (root, module, base) = (root.pre_expire_days, module.pre_expire_days, base.pre_expire_days);
            if !(root > module && module > base) {
                let problem = format!(
                    "{name}: pre_expire_days must be less than ROOT's ({root}) and more than BASE's ({base})"
                );
                return Err(ConfigError::Senseless { name: "policies", problem });
            }
        }
        Ok(())
    }

    /// The proxies in front.
    pub fn trusted_proxies(&self) -> Networks {
        Networks::parse(&self.trusted_proxies).unwrap_or_default()
    }

    /// Whether the database is in a server of its own.
    pub fn has_remote_database(&self) -> bool {
        ["ws://", "wss://"].iter().any(|scheme| self.database_url.starts_with(scheme))
    }

    /// The RSA modulus of new keys.
    pub fn modulus(&self) -> Option<ModulusLength> {
        ModulusLength::from_bits(usize::try_from(self.rsa_bits).ok()?)
    }

    /// Whose certificate the demo's form encrypts for.
    pub fn demo_recipient(&self) -> Option<KeyAlias> {
        parse_alias(&self.demo_recipient).ok()
    }

    /// The keys of first start.
    pub fn key_aliases(&self) -> Vec<KeyAlias> {
        self.keys.iter().filter_map(|name| parse_alias(name).ok()).collect()
    }
}

/// What paths can be appended to, in a certificate: at most 255 characters of ASCII.
fn is_base_url(text: &str) -> bool {
    let Some(("http" | "https", rest)) = text.split_once("://") else { return false };
    let host = rest.split('/').next().unwrap_or_default();
    text.len() <= 255
        && !host.is_empty()
        && !text.ends_with('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\<>\"".contains(&byte))
}

fn parse_alias(name: &str) -> Result<KeyAlias, String> {
    let (application, reference) = name.split_once('/').unwrap_or((name, ""));
    KeyAlias::parse(application, reference).map_err(|error| format!("{name:?}: {error}"))
}

fn senseless(name: &'static str, problem: &str) -> Result<(), ConfigError> {
    Err(ConfigError::Senseless { name, problem: problem.to_owned() })
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    fn with(pairs: &[(&str, &str)]) -> Result<crate::config::Settings, crate::config::ConfigError> {
        load(None, pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_defaults_make_sense() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.key_aliases().len(), settings.keys.len());
        assert!(settings.policies.contains_key("BASE"));
    }

    #[test]
    fn the_environment_wins_and_lists_are_split() {
        let settings = with(&[
            ("KUNJI_LISTEN", "127.0.0.1:1"),
            ("KUNJI_KEY_CACHE_SECONDS", "0"),
            ("KUNJI_PUBLIC_CERTIFICATES", "REGISTRATION/*,IDA/PARTNER"),
        ])
        .unwrap();
        assert_eq!(settings.listen.port(), 1);
        assert_eq!(settings.key_cache_seconds, 0);
        assert_eq!(settings.public_certificates, ["REGISTRATION/*", "IDA/PARTNER"]);
    }

    #[test]
    fn tls_needs_no_leave_to_be_reached_by_others() {
        let public = ("KUNJI_LISTEN", "0.0.0.0:8088");
        let files = [("KUNJI_TLS_CERTIFICATE_FILE", "chain.pem"), ("KUNJI_TLS_KEY_FILE", "key.pem")];
        assert!(with(&[public]).is_err() && with(&[public, files[0]]).is_err());
        assert!(with(&[public, files[0], files[1]]).unwrap().has_tls());
        assert!(with(&[public, ("KUNJI_ALLOW_PUBLIC_LISTEN", "true")]).is_ok());
    }

    #[test]
    fn numbers_that_are_text_stay_text() {
        use secrecy::ExposeSecret;
        let settings = with(&[("KUNJI_PKCS11_PIN", "0012"), ("KUNJI_PKCS11_TOKEN_LABEL", "1234")]).unwrap();
        assert_eq!(settings.pkcs11_pin.unwrap().expose_secret(), "0012");
        assert_eq!(settings.pkcs11_token_label, "1234");
    }

    #[test]
    fn unknown_and_senseless_settings_are_refused() {
        for pair in [
            ("KUNJI_LISTEM", "127.0.0.1:1"),
            ("KUNJI_LISTEN", "0.0.0.0:8088"),
            ("KUNJI_TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
            ("KUNJI_FORWARDED_HEADER", "x-real-ip"),
            ("KUNJI_TLS_KEY_FILE", "key.pem"),
            ("KUNJI_TLS_CLIENT_CERTIFICATES", "required"),
            ("KUNJI_TLS_CLIENT_REVOCATION_LISTS_FILE", "lists.pem"),
            ("KUNJI_TOKENLESS_NETWORKS", "10.0.0.0/8"),
            ("KUNJI_TOKENLESS_CLIENT", "mosip"),
            ("KUNJI_RSA_BITS", "1024"),
            ("KUNJI_SPLITTER", ""),
            ("KUNJI_KEYS", "ROOT,A//B\n"),
            ("KUNJI_KEYS", "ROOT,REGISTRATION/foo"),
            ("KUNJI_PKCS11_WORKERS", "0"),
            ("KUNJI_DATABASE_AWAY_SECONDS", "0"),
            ("KUNJI_DATABASE_AWAY_SECONDS", "86401"),
            ("KUNJI_DESTRUCTION_UNWATCHED_SECONDS", "299"),
            ("KUNJI_DESTRUCTION_UNWATCHED_SECONDS", "259201"),
            ("KUNJI_DEMO_INBOX", "perhaps"),
            ("KUNJI_DEMO_RECIPIENT", "REGISTRATION"),
            ("KUNJI_DEMO_RECIPIENT", "KERNEL/SIGN"),
            ("KUNJI_DEMO_RECIPIENT", "REGISTRATION/a/b"),
            ("KUNJI_TOKEN_LIFETIME_SECONDS", "1"),
            ("KUNJI_PUBLIC_URL", "kunji.example"),
            ("KUNJI_PUBLIC_URL", "https://kunji.example/"),
            ("KUNJI_PUBLIC_URL", "https://user@kunji.example"),
            ("KUNJI_PUBLIC_URL", "https://"),
            ("KUNJI_PUBLIC_URL", "ftp://kunji.example"),
            ("KUNJI_KEY_CACHE_SECONDS", "soon"),
            ("KUNJI_AUDIT_SERVER_NAME", "a b"),
            ("KUNJI_AUDIT_CHECKPOINT_SECONDS", "0"),
            ("KUNJI_AUDIT_CHECKPOINT_EVENTS", "0"),
            ("KUNJI_AUDIT_RETENTION_DAYS", "30"),
            ("KUNJI_AUDIT_ANCHOR_URL", "ftp://x"),
        ] {
            assert!(with(&[pair]).is_err(), "{pair:?}");
        }
    }
}
