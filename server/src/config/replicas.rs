//! What makes sense for further tokens.

use std::{collections::BTreeSet, path::Path};

use super::{Pkcs11Isolation, Pkcs11Replica, Settings, load::ConfigError};

/// Longest name, in bytes.
const NAME_MAX_BYTES: usize = 32;

impl Settings {
    /// Each replica has a name of its own, and is another token than all others.
    pub(super) fn check_replicas(&self) -> Result<(), ConfigError> {
        let mut names = BTreeSet::from([self.pkcs11_token_label.as_str()]);
        let mut places = BTreeSet::from([self.primary_place()]);
        for replica in &self.pkcs11_replicas {
            let name = replica.name.as_str();
            let refused = |what: &str| {
                Err(ConfigError::Senseless { name: "pkcs11_replicas", problem: format!("{name:?} {what}") })
            };
            if name.is_empty() || name.len() > NAME_MAX_BYTES || name.contains(char::is_control) {
                return refused("is no name: 1 to 32 bytes, for logs and /readyz");
            }
            if !names.insert(name) {
                return refused("is the name of another token; the primary's is its label");
            }
            if !replica.environment.is_empty() && self.pkcs11_isolation == Pkcs11Isolation::None {
                return refused(
                    "has an environment, which only a process has: set pkcs11_isolation = \"process\"",
                );
            }
            if !places.insert(self.place_of(replica)) {
                return refused(
                    "is the same token as another: it differs in none of module, initialize_argument, token_label, \
                     token_serial, environment",
                );
            }
        }
        Ok(())
    }

    fn primary_place(&self) -> Place<'_> {
        Place {
            module: &self.pkcs11_module,
            argument: &self.pkcs11_initialize_argument,
            label: &self.pkcs11_token_label,
            serial: self.pkcs11_token_serial.as_deref(),
            environment: Vec::new(),
        }
    }

    fn place_of<'a>(&'a self, replica: &'a Pkcs11Replica) -> Place<'a> {
        let environment = replica.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Place {
            module: replica.module.as_deref().unwrap_or(&self.pkcs11_module),
            argument: replica.initialize_argument.as_deref().unwrap_or(&self.pkcs11_initialize_argument),
            label: replica.token_label.as_deref().unwrap_or(&self.pkcs11_token_label),
            serial: replica.token_serial.as_deref(),
            environment: environment.collect(),
        }
    }
}

/// Where a token is found.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    module: &'a Path,
    argument: &'a str,
    label: &'a str,
    serial: Option<&'a str>,
    environment: Vec<(&'a str, &'a str)>,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::config::{ConfigError, Settings, load};

    fn with(toml: &str) -> Result<Settings, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kunji.toml");
        fs::write(&file, toml).unwrap();
        load(Some(&file), [])
    }

    #[test]
    fn replicas_are_read_in_their_order() {
        let settings = with(
            "[[pkcs11_replicas]]\nname = \"b\"\ntoken_label = \"two\"\n\
             [[pkcs11_replicas]]\nname = \"a\"\n[pkcs11_replicas.environment]\nSOFTHSM2_CONF = \"/x\"\n",
        )
        .unwrap();
        let names: Vec<_> = settings.pkcs11_replicas.iter().map(|replica| replica.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        // The library that sets variables in lower case apart is not asked to.
        assert_eq!(settings.pkcs11_replicas[1].environment["SOFTHSM2_CONF"], "/x");
    }

    #[test]
    fn senseless_replicas_are_refused() {
        for toml in [
            // The very token that is the primary.
            "[[pkcs11_replicas]]\nname = \"b\"",
            "[[pkcs11_replicas]]\nname = \"kunji\"\ntoken_serial = \"1\"",
            "[[pkcs11_replicas]]\nname = \"\"\ntoken_serial = \"1\"",
            "[[pkcs11_replicas]]\nname = \"b\"\ntoken_serial = \"1\"\n[[pkcs11_replicas]]\nname = \"c\"\ntoken_serial = \"1\"",
            "[[pkcs11_replicas]]\nname = \"b\"\nlabel = \"x\"",
            "pkcs11_isolation = \"none\"\n[[pkcs11_replicas]]\nname = \"b\"\nenvironment = { A = \"1\" }",
        ] {
            assert!(with(toml).is_err(), "{toml}");
        }
    }
}
