//! Tags: what people call keys, to find them again. Nothing is decided by them.

/// The tags of a key: at most [`KeyTags::MOST`], each once, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyTags(Vec<String>);

/// Why texts are no tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// One has a form that tags do not have.
    #[error("a tag has 1 to 64 characters of A-Z, a-z, 0-9, '_', '-', '.', ':' and '='")]
    Form,
    /// There are too many.
    #[error("a key has at most 16 tags")]
    TooMany,
}

impl KeyTags {
    /// Most tags of a key.
    pub const MOST: usize = 16;
    /// Longest tag, in bytes.
    const LONGEST: usize = 64;

    /// Reads tags; those that are named twice count once.
    ///
    /// # Errors
    /// [`TagFault`].
    pub fn parse(texts: &[String]) -> Result<Self, TagFault> {
        if texts.len() > Self::MOST {
            return Err(TagFault::TooMany);
        }
        if !texts.iter().all(|text| is_tag(text)) {
            return Err(TagFault::Form);
        }
        let mut tags = texts.to_vec();
        tags.sort_unstable();
        tags.dedup();
        Ok(Self(tags))
    }

    /// The tags.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether this is one of them.
    pub fn contain(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == tag)
    }
}

/// Whether the text has the form of a tag.
pub fn is_tag(text: &str) -> bool {
    (1..=KeyTags::LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<KeyTags, TagFault> {
        KeyTags::parse(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn tags_are_bounded_and_each_is_there_once() {
        let tags = parse(&["region=north", "b", "b"]).unwrap();
        assert_eq!(tags.as_slice(), ["b", "region=north"]);
        assert!(tags.contain("b") && !tags.contain("B"));
        assert_eq!(parse(&["a b"]), Err(TagFault::Form));
        assert_eq!(parse(&[""]), Err(TagFault::Form));
        assert_eq!(parse(&[&"a".repeat(65)]), Err(TagFault::Form));
        assert_eq!(parse(&["a"; 17]), Err(TagFault::TooMany));
        assert!(parse(&[]).unwrap().as_slice().is_empty());
    }
}
