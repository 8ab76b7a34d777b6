//! Entity tags (RFC 9110 8.8.3).

/// Whether one of the entity tags of `If-None-Match` is `tag` (RFC 9110 13.1.2: weak comparison).
pub(crate) fn names_entity_tag(tags: &str, tag: &str) -> bool {
    tags.split(',')
        .map(str::trim)
        .any(|entry| entry == "*" || entry.strip_prefix("W/").unwrap_or(entry) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_compared_weakly() {
        let tag = "\"abc-pem\"";
        for tags in ["\"abc-pem\"", "W/\"abc-pem\"", "\"x\", \"abc-pem\"", "*"] {
            assert!(names_entity_tag(tags, tag), "{tags}");
        }
        for tags in ["\"abc-json\"", "abc-pem", ""] {
            assert!(!names_entity_tag(tags, tag), "{tags}");
        }
    }
}
