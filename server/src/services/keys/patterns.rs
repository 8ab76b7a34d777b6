//! Which aliases a setting means.

use crate::domain::{alias::KeyAlias, glob};

/// Patterns `APPLICATION/REFERENCE`, where `*` stands for any run of characters.
pub(crate) struct PublicPatterns(Vec<String>);

impl PublicPatterns {
    pub(crate) fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Whether there is none, so that no alias is meant.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn admit(&self, alias: &KeyAlias) -> bool {
        let name = alias.to_string();
        self.0.iter().any(|pattern| glob::matches(pattern, &name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_run() {
        let admit = |pattern: &str, application: &str, reference: &str| {
            let alias = KeyAlias::parse(application, reference).unwrap();
            PublicPatterns::new(vec![pattern.to_owned()]).admit(&alias)
        };
        assert!(admit("REGISTRATION/*", "REGISTRATION", "10001_110011"));
        assert!(admit("REGISTRATION/10*_*1", "REGISTRATION", "10001_110011"));
        assert!(!admit("REGISTRATION/*2", "REGISTRATION", "10001_110011"));
        assert!(!admit("REGISTRATION/", "REGISTRATION", "10001_110011"));
        assert!(!admit("REGISTRATION", "REGISTRATION", ""));
        assert!(admit("*/*", "ROOT", ""));
    }

    #[test]
    fn nothing_is_public_without_a_pattern() {
        assert!(!PublicPatterns::new(vec![]).admit(&KeyAlias::parse("A", "B").unwrap()));
    }
}
