//! Certificates of ROOT keys that their predecessors signed: whoever trusts an old ROOT believes a new one by them.

use super::{key::KeyId, policy::Cryptoperiod};

/// A certificate for the name and key of a ROOT key, signed by the ROOT key before it (RFC 4210 4.4: the new key with
/// the old).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossCertificate {
    /// The ROOT key that it is for.
    pub key: KeyId,
    /// The ROOT key that signed it.
    pub issuer: KeyId,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its validity, which ends with the issuer's own at the latest.
    pub period: Cryptoperiod,
}
