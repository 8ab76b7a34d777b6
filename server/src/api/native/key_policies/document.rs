//! A key policy as JSON.

use std::{collections::BTreeMap, fmt};

use poem_openapi::Object;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};

use crate::{
    api::native::versioned::Revised,
    domain::{
        alias::{ApplicationId, KeyPurpose},
        key_policies::{KeyPolicyFault, parse_key_bits, parse_pre_expire},
        policy::{AccessList, DestructionTerms, KeyPolicy},
        time::Timestamp,
    },
    services::key_policies::KeyPolicyRecord,
};

/// A key policy to store. A member that it does not have is an error.
#[derive(Debug, Deserialize, Object)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyPolicyRequest {
    /// Days from a key's making to its certificate's end, 1 to 36500. An issuer's must be more than `validityDays` and
    /// `preExpireDays` together of what it certifies.
    validity_days: u32,
    /// Days before that end from which a successor is made; less than `validityDays`.
    pre_expire_days: u32,
    /// The same for keys of one purpose, in place of `preExpireDays`: `issuing`, `signing`; under `BASE` `encryption`,
    /// and `signing` for keys on curves whose application's own policy does not state it.
    #[serde(default, deserialize_with = "days_by_purpose")]
    pre_expire: Option<BTreeMap<String, u32>>,
    /// Bits of the RSA modulus of keys that are made from now on: 2048, 3072 or 4096; as the server's setting
    /// `rsa_bits` when absent. Base keys follow `BASE`.
    key_bits: Option<u32>,
    /// How often each KEK of the application may wrap a private key, 1 to 4294967296 (2^32, NIST SP 800-38D 8.3), which
    /// it is when absent. Then the application's key gets a successor, and its KEK with it.
    max_wraps: Option<u64>,
    /// Whether keys may be made and read; true when absent.
    active: Option<bool>,
    /// Whether successors are made before a key's end; true when absent. Otherwise one is made once the key has ended
    /// and somebody asks for it.
    automatic_rotation: Option<bool>,
    /// Days that the destruction of a key waits, 7 to 30; 30 when absent.
    destruction_wait_days: Option<u32>,
    /// Days after a certificate's end in which packets may still arrive that machines sealed before, offline; 0 when
    /// absent. A key's destruction waits for their end first.
    offline_allowance_days: Option<u32>,
    /// Principals, by their exact names, who may decrypt and sign with the application's keys, where access policies
    /// allow it too. Absent: everyone whom they allow. An empty list: nobody.
    access: Option<Vec<String>>,
}

impl KeyPolicyRequest {
    /// The policy of this application.
    ///
    /// # Errors
    /// [`KeyPolicyFault`] for a purpose or a length that there is not.
    pub(super) fn into_policy(self, application: ApplicationId) -> Result<KeyPolicy, KeyPolicyFault> {
        let usual = DestructionTerms::default();
        Ok(KeyPolicy {
            application,
            validity_days: self.validity_days,
            pre_expire_days: self.pre_expire_days,
            pre_expire: parse_pre_expire(&self.pre_expire.unwrap_or_default())?,
            modulus: self.key_bits.map(parse_key_bits).transpose()?,
            max_wraps: self.max_wraps,
            active: self.active.unwrap_or(true),
            automatic_rotation: self.automatic_rotation.unwrap_or(true),
            destruction: DestructionTerms {
                wait_days: self.destruction_wait_days.unwrap_or(usual.wait_days),
                offline_allowance_days: self.offline_allowance_days.unwrap_or(usual.offline_allowance_days),
            },
            access: self.access.map_or(AccessList::AnyRoleHolder, AccessList::Principals),
        })
    }
}

/// An object whose members are days, each given once, or null.
fn days_by_purpose<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, u32>>, D::Error> {
    struct Days(BTreeMap<String, u32>);

    impl<'de> Deserialize<'de> for Days {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(DaysVisitor)
        }
    }

    struct DaysVisitor;

    impl<'de> Visitor<'de> for DaysVisitor {
        type Value = Days;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of days")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Days, A::Error> {
            let mut days = BTreeMap::new();
            while let Some((purpose, number)) = map.next_entry()? {
                if days.insert(purpose, number).is_some() {
                    return Err(A::Error::custom("given twice"));
                }
            }
            Ok(Days(days))
        }
    }

    Ok(Option::<Days>::deserialize(deserializer)?.map(|Days(days)| days))
}

/// A key policy in force.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyPolicyAnswer {
    /// The application; `BASE` for the periods of all base keys.
    application: String,
    /// Days from a key's making to its certificate's end.
    validity_days: u32,
    /// Days before that end from which a successor is made.
    pre_expire_days: u32,
    /// The same for keys of one purpose, in place of `preExpireDays`.
    pre_expire: BTreeMap<String, u32>,
    /// Bits of the RSA modulus of keys that are made from now on; null: as the server's setting `rsa_bits`.
    key_bits: Option<u32>,
    /// How often each KEK of the application may wrap a private key; null: 4294967296.
    max_wraps: Option<u64>,
    /// Whether keys may be made and read.
    active: bool,
    /// Whether successors are made before a key's end.
    automatic_rotation: bool,
    /// Days that the destruction of a key waits.
    destruction_wait_days: u32,
    /// Days after a certificate's end in which packets may still arrive that machines sealed before, offline.
    offline_allowance_days: u32,
    /// Principals who may decrypt and sign with the application's keys; null for everyone whom access policies allow.
    access: Option<Vec<String>>,
    /// Names this state of it; also in `ETag`.
    revision: String,
    /// When it was stored; null when a start of the server wrote it.
    changed_at: Option<String>,
    /// By whom.
    changed_by: Option<String>,
}

impl Revised for KeyPolicyAnswer {
    fn revision(&self) -> &str {
        &self.revision
    }
}

impl From<KeyPolicyRecord> for KeyPolicyAnswer {
    fn from(record: KeyPolicyRecord) -> Self {
        let KeyPolicyRecord { policy, version, changed } = record;
        let (changed_at, changed_by) = changed.unzip();
        Self {
            application: policy.application.to_string(),
            validity_days: policy.validity_days,
            pre_expire_days: policy.pre_expire_days,
            pre_expire: days_by_name(policy.pre_expire),
            key_bits: policy.modulus.and_then(|modulus| u32::try_from(modulus.bits()).ok()),
            max_wraps: policy.max_wraps,
            active: policy.active,
            automatic_rotation: policy.automatic_rotation,
            destruction_wait_days: policy.destruction.wait_days,
            offline_allowance_days: policy.destruction.offline_allowance_days,
            access: match policy.access {
                AccessList::AnyRoleHolder => None,
                AccessList::Principals(names) => Some(names),
            },
            revision: version.to_string(),
            changed_at: changed_at.map(Timestamp::to_text),
            changed_by,
        }
    }
}

fn days_by_name(days: BTreeMap<KeyPurpose, u32>) -> BTreeMap<String, u32> {
    days.into_iter().map(|(purpose, days)| (purpose.name().to_owned(), days)).collect()
}

/// All key policies in force.
#[derive(Serialize, Object)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct KeyPoliciesAnswer {
    /// Grows with each change.
    pub(super) version: u64,
    /// By application.
    pub(super) policies: Vec<KeyPolicyAnswer>,
}
