//! The demo's inbox: packets that a browser form has sent, still sealed.

use std::fmt;

use uuid::Uuid;

use super::time::Timestamp;

/// Names one packet in the inbox: a random UUID (RFC 9562, version 4), 36 lower-case characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(Uuid);

impl PacketId {
    /// The id of these 16 random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else, other spellings of the same UUID included.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.0.get_version_num() == 4 && id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.hyphenated())
    }
}

/// What is known of a packet in the inbox without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Its name.
    pub id: PacketId,
    /// When it came.
    pub received: Timestamp,
    /// Its length.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_one_spelling_only() {
        let id = PacketId::from_random([0xab; 16]);
        let text = id.to_string();
        assert_eq!(text, "abababab-abab-4bab-abab-abababababab");
        assert_eq!(PacketId::parse(&text), Some(id));
        for other in [
            "",
            "..",
            "../abababab-abab-4bab-abab-abababababab",
            "ABABABAB-abab-4bab-abab-abababababab",
            "{abababab-abab-4bab-abab-abababababab}",
            "urn:uuid:abababab-abab-4bab-abab-abababababab",
            "abababababab4babababababababababab",
            "abababab-abab-1bab-abab-abababababab",
            "abababab-abab-4bab-abab-abababababab\0",
            "abababab-abab-4bab-abab-abababababab/",
        ] {
            assert_eq!(PacketId::parse(other), None, "{other:?}");
        }
    }
}
