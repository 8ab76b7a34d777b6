//! Which keys a policy is about.

use crate::domain::{
    alias::{ApplicationId, KeyAlias, ReferenceId},
    glob,
};

/// `APPLICATION/REFERENCE`, where `*` stands for any run of characters. `REGISTRATION/` is the application's own
/// (master) key, `REGISTRATION/*` all its keys, `*/*` every key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// The application's part.
    pub application: String,
    /// The reference's part.
    pub reference: String,
}

impl KeyPattern {
    /// Longest pattern, in bytes: the longest alias.
    const MAX_BYTES: usize = ApplicationId::MAX_BYTES + 1 + ReferenceId::MAX_BYTES;

    /// Reads a pattern; `None` when it could not fit any alias.
    pub fn parse(text: &str) -> Option<Self> {
        let (application, reference) = text.split_once('/')?;
        // What stands beside the stars must be able to stand in a name.
        let is_application = match application.replace('*', "") {
            rest if rest.is_empty() => !application.is_empty(),
            rest => ApplicationId::parse(&rest).is_ok(),
        };
        let is_reference = ReferenceId::parse(&reference.replace('*', "")).is_ok();
        if !is_application || !is_reference || text.len() > Self::MAX_BYTES || text.trim() != text {
            return None;
        }
        let mut reference = reference.to_owned();
        if application == ApplicationId::KERNEL && reference.eq_ignore_ascii_case(ReferenceId::SIGN) {
            ReferenceId::SIGN.clone_into(&mut reference);
        }
        Some(Self { application: application.to_owned(), reference })
    }

    /// Whether the pattern fits the alias.
    pub fn fits(&self, alias: &KeyAlias) -> bool {
        glob::matches(&self.application, alias.application.as_str())
            && glob::matches(&self.reference, alias.reference.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_aliases() {
        let fits = |pattern: &str, application: &str, reference: &str| {
            KeyPattern::parse(pattern).unwrap().fits(&KeyAlias::parse(application, reference).unwrap())
        };
        assert!(fits("REGISTRATION/10001_*", "REGISTRATION", "10001_110011"));
        assert!(!fits("REGISTRATION/10001_*", "REGISTRATION", "10002_110011"));
        assert!(fits("REGISTRATION/*", "REGISTRATION", ""));
        assert!(fits("REGISTRATION/", "REGISTRATION", ""));
        assert!(!fits("REGISTRATION/", "REGISTRATION", "x"));
        assert!(!fits("REGISTRATION/*", "REGISTRATION_PROCESSOR", "x"));
        assert!(fits("*/*", "ROOT", "") && fits("REG*/a b", "REGISTRATION", "a b"));
        assert!(fits("KERNEL/sign", "KERNEL", "Sign"));
    }

    #[test]
    fn what_fits_no_key_is_no_pattern() {
        for text in
            ["", "*", "REGISTRATION", "/x", "A/B/C", "A B/x", "KUNJI/*", "BASE/x", "A/x ", "A/é", "A/x,y"]
        {
            assert_eq!(KeyPattern::parse(text), None, "{text}");
        }
        assert_eq!(KeyPattern::parse(&format!("{}/*", "A".repeat(37))), None);
        assert_eq!(KeyPattern::parse(&format!("A/{}", "*".repeat(200))), None);
    }
}
