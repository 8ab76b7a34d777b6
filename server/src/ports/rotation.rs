//! The records that rotation needs beside single keys.

use async_trait::async_trait;

use super::repository::RepositoryError;
use crate::domain::{
    cross_certificate::CrossCertificate,
    key::{KeyId, KeyRecord},
};

/// Cross-certificates of ROOT.
#[async_trait]
pub trait CrossCertificateRepository: Send + Sync {
    /// The cross-certificate of this ROOT key. It is stored before the key is: when there is none for a key that there
    /// is, there never will be.
    async fn find_cross_certificate(&self, key: &KeyId) -> Result<Option<CrossCertificate>, RepositoryError>;

    /// Inserts one.
    ///
    /// # Errors
    /// [`RepositoryError::Conflict`] when the key has one.
    async fn insert_cross_certificate(&self, cross: &CrossCertificate) -> Result<(), RepositoryError>;
}

/// All aliases, with their newest keys.
#[async_trait]
pub trait NewestKeyRepository: Send + Sync {
    /// The newest keys of at most `limit` aliases (at least 1), in an order that stays the same, those after `after`.
    /// Rows that cannot be trusted are reported and left out. That a pointer to a newest key was set back to an earlier
    /// one is found out by [`find_newest`](super::repository::KeyRepository::find_newest), not here.
    async fn list_newest(
        &self,
        after: Option<&AliasPlace>,
        limit: usize,
    ) -> Result<NewestPage, RepositoryError>;
}

/// Some newest keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestPage<K = KeyRecord> {
    /// The keys.
    pub keys: Vec<K>,
    /// Aliases that were left out.
    pub untrusted: usize,
    /// What to go on after; `None` when there are no more.
    pub next: Option<AliasPlace>,
}

impl<K> Default for NewestPage<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), untrusted: 0, next: None }
    }
}

/// The place of an alias in the order of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasPlace(String);

impl AliasPlace {
    /// Reads a place; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned()))
    }

    /// It as text: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
