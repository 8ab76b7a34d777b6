//! What stands in the audit trail for references that name persons.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use kunji_shared::encoding::encode_base64url;
use zeroize::Zeroizing;

use super::keys::patterns::PublicPatterns;
use crate::domain::{alias::KeyAlias, key::length_prefixed};

/// Bytes of the HMAC that are shown: as many as make two references alike by chance never.
const SHOWN_BYTES: usize = 16;

/// Pseudonyms: `~` and the first 16 bytes of `HMAC-SHA-256(key, L("kunji reference v1", application, reference))`,
/// base64url. `L` joins length-prefixed byte strings. Alike for all events of all servers, so that what was done about
/// one person is found; who that is only those can tell who have the key, or try all persons.
pub(crate) struct Pseudonyms {
    patterns: PublicPatterns,
    key: OnceLock<hmac::Key>,
}

impl Pseudonyms {
    /// For the aliases that these patterns mean.
    pub(crate) fn new(patterns: Vec<String>) -> Self {
        Self { patterns: PublicPatterns::new(patterns), key: OnceLock::new() }
    }

    /// Takes the key; only the first counts.
    pub(crate) fn install(&self, key: &Zeroizing<[u8; 32]>) {
        self.key.get_or_init(|| hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()));
    }

    /// The reference, or what stands for it. Before there is a key, one that may not be shown is `~` alone.
    pub(crate) fn reference(&self, alias: &KeyAlias) -> String {
        if alias.reference.is_master() || !self.patterns.admit(alias) {
            return alias.reference.as_str().to_owned();
        }
        let Some(key) = self.key.get() else { return "~".to_owned() };
        let (application, reference) = (alias.application.as_str(), alias.reference.as_str());
        let message = length_prefixed(&[b"kunji reference v1", application.as_bytes(), reference.as_bytes()]);
        let tag = hmac::sign(key, &message);
        format!("~{}", encode_base64url(tag.as_ref().get(..SHOWN_BYTES).unwrap_or_default()))
    }

    /// A pattern of keys, as policies have them, with what stands for a reference that may not be shown; `~*` where it
    /// is a part of one, or could be.
    pub(crate) fn key_pattern(&self, pattern: &str) -> String {
        let Some((application, reference)) = pattern.split_once('/') else { return pattern.to_owned() };
        let part = reference.replace('*', "");
        if part.is_empty() || self.patterns.is_empty() {
            return pattern.to_owned();
        }
        let shown = match KeyAlias::parse(application, &part) {
            Ok(alias) if !self.patterns.admit(&alias) => return pattern.to_owned(),
            Ok(alias) if part == reference => self.reference(&alias),
            _ => "~*".to_owned(),
        };
        format!("{application}/{shown}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(application: &str, reference: &str) -> KeyAlias {
        KeyAlias::parse(application, reference).unwrap()
    }

    #[test]
    fn only_what_is_meant_is_hidden() {
        let pseudonyms = Pseudonyms::new(vec!["RESIDENT/*".to_owned()]);
        pseudonyms.install(&Zeroizing::new([7; 32]));
        let shown = |application: &str, reference: &str| pseudonyms.reference(&alias(application, reference));
        assert_eq!(shown("REGISTRATION", "10001_110011"), "10001_110011");
        assert_eq!(shown("RESIDENT", ""), "");
        let hidden = shown("RESIDENT", "9876543210");
        assert!(hidden.starts_with('~') && hidden.len() == 23, "{hidden}");
        assert_eq!(shown("RESIDENT", "9876543210"), hidden);
        assert_ne!(shown("RESIDENT", "9876543211"), hidden);
    }

    #[test]
    fn patterns_of_keys_hide_what_references_do() {
        let pseudonyms = Pseudonyms::new(vec!["RESIDENT/*".to_owned()]);
        pseudonyms.install(&Zeroizing::new([7; 32]));
        for shown in ["RESIDENT/*", "RESIDENT/", "*/*", "REGISTRATION/10001_*", "REGISTRATION/10001_110011"] {
            assert_eq!(pseudonyms.key_pattern(shown), shown);
        }
        let hidden = pseudonyms.reference(&alias("RESIDENT", "9876543210"));
        assert_eq!(pseudonyms.key_pattern("RESIDENT/9876543210"), format!("RESIDENT/{hidden}"));
        for pattern in ["RESIDENT/98765432*", "*/9876543210", "RES*/98*10"] {
            assert!(pseudonyms.key_pattern(pattern).ends_with("/~*"), "{pattern}");
        }
        let open = Pseudonyms::new(vec![]);
        assert_eq!(open.key_pattern("RES*/98*10"), "RES*/98*10");
    }

    #[test]
    fn without_a_key_nothing_is_told() {
        let pseudonyms = Pseudonyms::new(vec!["*/*".to_owned()]);
        assert_eq!(pseudonyms.reference(&alias("RESIDENT", "9876543210")), "~");
        pseudonyms.install(&Zeroizing::new([7; 32]));
        let first = pseudonyms.reference(&alias("RESIDENT", "9876543210"));
        pseudonyms.install(&Zeroizing::new([8; 32]));
        assert_eq!(pseudonyms.reference(&alias("RESIDENT", "9876543210")), first);
        let other = Pseudonyms::new(vec!["*/*".to_owned()]);
        other.install(&Zeroizing::new([8; 32]));
        assert_ne!(other.reference(&alias("RESIDENT", "9876543210")), first);
    }
}
