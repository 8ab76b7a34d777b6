//! Records of symmetric keys.

use super::{
    alias::KeyAlias,
    key::{KeyId, TokenKeyId},
    policy::Cryptoperiod,
};

/// One version of an application's symmetric key: a non-extractable AES-256 key on the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymmetricKeyRecord {
    /// Its name for ever.
    pub id: KeyId,
    /// The alias it serves.
    pub alias: KeyAlias,
    /// 1 for the first key of the alias, one more for each successor.
    pub generation: u32,
    /// Where it is on the token.
    pub token_key: TokenKeyId,
    /// When it is the one to encrypt with. What it encrypted can be decrypted after that.
    pub period: Cryptoperiod,
}

impl SymmetricKeyRecord {
    /// Days from a key's making to its end.
    pub const VALIDITY_DAYS: u32 = 3_650;
}
