//! Clients of the built-in token issuer.

use kunji_shared::encoding::encode_hex;

use super::{access::Role, digest::sha256, key::length_prefixed, time::Timestamp};

/// Longest life of an access token, in seconds.
pub const TOKEN_LIFETIME_MAX_SECONDS: u32 = 86_400;

/// Names a client: 1 to 64 characters of `A–Z a–z 0–9 _ - .`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(String);

impl ClientId {
    /// Reads a client id; `None` when it does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        fits.then(|| Self(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A client that can take tokens with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRecord {
    /// Its name.
    pub id: ClientId,
    /// Argon2id hash of its secret, in PHC string form.
    pub secret_hash: String,
    /// Secrets that were replaced and are still good for a while, the newest first; at most
    /// [`ClientRecord::MAX_FORMER_SECRETS`].
    pub former_secrets: Vec<FormerSecret>,
    /// What it is trusted with.
    pub roles: Vec<Role>,
    /// Since when it is disabled; `None` while it may take tokens.
    pub disabled_at: Option<Timestamp>,
    /// What its tokens carry; another one ends them all.
    pub epoch: TokenEpoch,
    /// Counts its states from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; `None` for the first administrator.
    pub created_by: Option<String>,
}

/// Tells a state of a client from all others that a client of its name ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientState {
    /// Counts the states from 1.
    pub version: u32,
    /// When the client was made.
    pub created_at: Timestamp,
}

/// A secret that was replaced and is still good for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerSecret {
    /// Argon2id hash, in PHC string form.
    pub hash: String,
    /// The first instant at which it opens nothing any more.
    pub until: Timestamp,
}

impl ClientRecord {
    /// Most replaced secrets that are good at once.
    pub const MAX_FORMER_SECRETS: usize = 2;

    /// The state that the record is of.
    pub const fn state(&self) -> ClientState {
        ClientState { version: self.version, created_at: self.created_at }
    }

    /// The record that comes after this one, without the secrets whose time is over.
    #[must_use]
    pub fn successor(&self, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.version = self.version.saturating_add(1);
        next.former_secrets.retain(|former| former.until > now);
        next
    }

    /// Hashes of all secrets that are good at `now`, the newest first.
    pub fn secret_hashes(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let former = self.former_secrets.iter().filter(move |former| former.until > now);
        std::iter::once(self.secret_hash.as_str()).chain(former.map(|former| former.hash.as_str()))
    }

    /// Whether it may take tokens as an administrator.
    pub fn is_active_administrator(&self) -> bool {
        self.disabled_at.is_none() && self.roles.contains(&Role::Administrator)
    }
}

/// Marks the tokens of one stretch of a client's life: 128 random bits. A token whose epoch is ended is refused, so
/// that a client that is disabled, deleted or given other roles takes its tokens with it, also when another client
/// of the same name comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenEpoch([u8; 16]);

impl TokenEpoch {
    /// The epoch of these bits.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The epoch of a client that was stored before there were epochs.
    pub fn of_old_client(id: &ClientId, created_at: Timestamp) -> Self {
        let parts =
            [b"kunji client epoch".as_slice(), id.as_str().as_bytes(), &created_at.millis().to_be_bytes()];
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(sha256(&length_prefixed(&parts))) {
            *to = from;
        }
        Self(bytes)
    }

    /// Reads 32 hexadecimal digits, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|bits| Self(bits.to_be_bytes()))
    }

    /// 32 hexadecimal digits.
    pub fn to_text(self) -> String {
        encode_hex(&self.0)
    }
}

/// The end of a token epoch. They are numbered from 1, over all clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its number.
    pub number: u64,
    /// The epoch that ended.
    pub epoch: TokenEpoch,
    /// When every token of the epoch has expired, and the ending may be forgotten.
    pub until: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ClientRecord {
        ClientRecord {
            id: ClientId::parse("regproc").unwrap(),
            secret_hash: "new".to_owned(),
            former_secrets: [30, 20]
                .map(|second| FormerSecret {
                    hash: format!("until {second}"),
                    until: Timestamp::from_seconds(second),
                })
                .to_vec(),
            roles: vec![Role::Administrator],
            disabled_at: None,
            epoch: TokenEpoch::from_bytes([1; 16]),
            version: 3,
            created_at: Timestamp::from_millis(1),
            created_by: None,
        }
    }

    #[test]
    fn a_former_secret_is_good_until_its_time() {
        let hashes = |second| {
            let now = Timestamp::from_seconds(second);
            record().secret_hashes(now).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(hashes(19), ["new", "until 30", "until 20"]);
        assert_eq!(hashes(20), ["new", "until 30"]);
        assert_eq!(hashes(30), ["new"]);
        let next = record().successor(Timestamp::from_seconds(25));
        assert_eq!((next.version, next.former_secrets.len()), (4, 1));
    }

    #[test]
    fn an_administrator_is_active_while_it_is_neither_disabled_nor_without_the_role() {
        assert!(record().is_active_administrator());
        let disabled = ClientRecord { disabled_at: Some(Timestamp::from_millis(1)), ..record() };
        assert!(!disabled.is_active_administrator());
        assert!(!ClientRecord { roles: vec![Role::Signer], ..record() }.is_active_administrator());
    }

    #[test]
    fn epochs_are_written_in_one_way() {
        let epoch = TokenEpoch::from_bytes([0x0a; 16]);
        assert_eq!(epoch.to_text(), "0a".repeat(16));
        assert_eq!(TokenEpoch::parse(&epoch.to_text()), Some(epoch));
        for text in ["", "0a", &"0A".repeat(16), &"+a".repeat(16), &"0a".repeat(17)] {
            assert_eq!(TokenEpoch::parse(text), None, "{text}");
        }
        let old = |id: &str, millis| {
            TokenEpoch::of_old_client(&ClientId::parse(id).unwrap(), Timestamp::from_millis(millis))
        };
        assert_eq!(old("a", 1), old("a", 1));
        assert_ne!(old("a", 1), old("a", 2));
        assert_ne!(old("a", 1), old("b", 1));
    }
}
