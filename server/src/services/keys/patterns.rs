//! Which aliases a setting means.

use crate::domain::alias::KeyAlias;

/// Patterns `APPLICATION/REFERENCE`, where `*` stands for any run of characters.
pub(crate) struct PublicPatterns(Vec<String>);

impl PublicPatterns {
    pub(crate) fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    pub(crate) fn admit(&self, alias: &KeyAlias) -> bool {
        let name = alias.to_string();
        self.0.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
    }
}

/// Greedy matching with one point to fall back to: linear in the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut fallback = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                fallback = Some((p + 1, t));
                p += 1;
            }
            Some(expected) if expected == byte => {
                p += 1;
                t += 1;
            }
            _ => match fallback {
                Some((after_star, from)) => {
                    fallback = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
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
