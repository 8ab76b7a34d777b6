//! Records of symmetric keys.

use super::{
    alias::KeyAlias,
    key::{KeyId, TokenKeyId},
    key_policies::{KeyPolicies, Periods},
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

    /// What policies say of the life of the alias's symmetric keys: they are replaced as base keys are, but live
    /// longer. `None` when there is no active policy.
    pub fn periods(policies: &KeyPolicies, alias: &KeyAlias) -> Option<Periods> {
        let of_base = policies.periods(alias)?;
        // With a lead as long as the life, each look would make one.
        let lead_days = of_base.lead_days.min(Self::VALIDITY_DAYS / 2);
        Some(Periods { validity_days: Self::VALIDITY_DAYS, lead_days, ..of_base })
    }
}
