//! Clients of the built-in token issuer.

use super::{access::Role, time::Timestamp};

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
    /// What it is trusted with.
    pub roles: Vec<Role>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; `None` for the first administrator.
    pub created_by: Option<String>,
}
