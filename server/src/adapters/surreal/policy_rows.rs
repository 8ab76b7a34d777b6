//! Rows of key policies, and the one that says which of them there are.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use kunji_shared::encoding::encode_hex;
use surrealdb::types::{Object, SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::{parts, unexpected_form},
    runner::Query,
};
use crate::{
    domain::{
        alias::{ApplicationId, KeyPurpose},
        digest::sha256,
        key::length_prefixed,
        key_policies::parse_key_bits,
        policy::{AccessList, DestructionTerms, KeyPolicy},
        time::Timestamp,
    },
    ports::{
        key_policies::{KeyPolicyChange, KeyPolicyRecord, KeyPolicyRecords, KeyPolicyRepository},
        repository::RepositoryError,
    },
};

/// Most policies that are read; far above the number of applications of any installation.
const LIMIT: usize = 20_000;
/// The one record of [`PoliciesRow`].
const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct PolicyRow {
    validity_days: u32,
    pre_expire_days: u32,
    active: bool,
    principals: Option<Vec<String>>,
    /// `None`: of the time before it could be switched off.
    automatic_rotation: Option<bool>,
    /// `None`, as the next: of the time before keys could be destroyed.
    destruction_wait_days: Option<u32>,
    offline_allowance_days: Option<u32>,
    /// `None`, as the next four: nothing is said.
    key_bits: Option<u32>,
    pre_expire_issuing: Option<u32>,
    pre_expire_encryption: Option<u32>,
    pre_expire_signing: Option<u32>,
    max_wraps: Option<u64>,
    /// `None`: of the time before there were versions.
    version: Option<i64>,
    changed_at: Option<i64>,
    changed_by: Option<String>,
}

impl Row for PolicyRow {
    const TABLE: &'static str = "policy";
}

#[derive(SurrealValue)]
struct PoliciesRow {
    version: i64,
    digest: String,
    removed: Vec<String>,
}

impl Row for PoliciesRow {
    const TABLE: &'static str = "policies";
}

impl From<&KeyPolicyRecord> for PolicyRow {
    fn from(record: &KeyPolicyRecord) -> Self {
        let policy = &record.policy;
        let (changed_at, changed_by) = record.changed.clone().unzip();
        let pre_expire = |purpose| policy.pre_expire.get(&purpose).copied();
        Self {
            validity_days: policy.validity_days,
            pre_expire_days: policy.pre_expire_days,
            active: policy.active,
            principals: match &policy.access {
                AccessList::AnyRoleHolder => None,
                AccessList::Principals(names) => Some(names.clone()),
            },
            automatic_rotation: Some(policy.automatic_rotation),
            destruction_wait_days: Some(policy.destruction.wait_days),
            offline_allowance_days: Some(policy.destruction.offline_allowance_days),
            key_bits: policy.modulus.and_then(|modulus| u32::try_from(modulus.bits()).ok()),
            pre_expire_issuing: pre_expire(KeyPurpose::Issuing),
            pre_expire_encryption: pre_expire(KeyPurpose::Encryption),
            pre_expire_signing: pre_expire(KeyPurpose::Signing),
            max_wraps: policy.max_wraps,
            version: Some(number(record.version)),
            changed_at: changed_at.map(Timestamp::millis),
            changed_by,
        }
    }
}

impl TryFrom<(String, PolicyRow)> for KeyPolicyRecord {
    type Error = &'static str;

    fn try_from((application, row): (String, PolicyRow)) -> Result<Self, &'static str> {
        let usual = DestructionTerms::default();
        let modulus = row
            .key_bits
            .map(|bits| parse_key_bits(bits).map_err(|_| "the length of the modulus is malformed"));
        let pre_expire: BTreeMap<_, _> = [
            (KeyPurpose::Issuing, row.pre_expire_issuing),
            (KeyPurpose::Encryption, row.pre_expire_encryption),
            (KeyPurpose::Signing, row.pre_expire_signing),
        ]
        .into_iter()
        .filter_map(|(purpose, days)| Some((purpose, days?)))
        .collect();
        let policy = KeyPolicy {
            application: ApplicationId::parse_any(&application)
                .map_err(|_| "the application is malformed")?,
            validity_days: row.validity_days,
            pre_expire_days: row.pre_expire_days,
            pre_expire,
            modulus: modulus.transpose()?,
            max_wraps: row.max_wraps,
            active: row.active,
            automatic_rotation: row.automatic_rotation.unwrap_or(true),
            destruction: DestructionTerms {
                wait_days: row.destruction_wait_days.unwrap_or(usual.wait_days),
                offline_allowance_days: row.offline_allowance_days.unwrap_or(usual.offline_allowance_days),
            },
            access: row.principals.map_or(AccessList::AnyRoleHolder, AccessList::Principals),
        };
        Ok(Self {
            policy,
            version: u64::try_from(row.version.unwrap_or(0)).map_err(|_| "the version is malformed")?,
            changed: row.changed_at.map(Timestamp::from_millis).zip(row.changed_by),
        })
    }
}

fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// `SHA-256` over application and version of each policy, in the order of the applications, hexadecimal: of which
/// policies there are, and in which state.
fn digest<'a>(policies: impl IntoIterator<Item = &'a KeyPolicyRecord>) -> String {
    let known: BTreeSet<_> = policies
        .into_iter()
        .map(|record| (record.policy.application.as_str().to_owned(), record.version.to_be_bytes()))
        .collect();
    let parts: Vec<&[u8]> = known
        .iter()
        .flat_map(|(application, version)| [application.as_bytes(), version.as_slice()])
        .collect();
    encode_hex(&sha256(&length_prefixed(&parts)))
}

#[async_trait]
impl KeyPolicyRepository for SurrealRepository {
    async fn key_policies_version(&self) -> Result<u64, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::key_policies_version
            SELECT * FROM ONLY type::record('policies', $current);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("current", CURRENT.to_owned())).await?;
        Ok(self.open_key_policies(row)?.map_or(0, |(version, ..)| version))
    }

    async fn list_key_policies(&self) -> Result<KeyPolicyRecords, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::list_key_policies
            RETURN [
                (SELECT * FROM ONLY type::record('policies', $current)),
                (SELECT * FROM policy ORDER BY id LIMIT $limit)
            ];";
        self.integrity.require()?;
        let limit = i64::try_from(LIMIT).unwrap_or(i64::MAX);
        let query = Query::new(TEXT).bind("current", CURRENT.to_owned()).bind("limit", limit);
        let [current, rows] = parts(self.runner.read(query).await?)?;
        let Value::Array(rows) = rows else { return Err(unexpected_form()) };
        let policies: Vec<_> =
            rows.into_iter().map(|row| self.open_key_policy(row)).collect::<Result<_, _>>()?;
        // Those of the time before there were versions are counted by nobody.
        let Some((version, expected, removed)) = self.open_key_policies(current)? else {
            if policies.iter().any(|record| record.version != 0) {
                return Err(inconsistent(
                    PoliciesRow::TABLE,
                    CURRENT,
                    "the version of the policies is missing",
                ));
            }
            return Ok(KeyPolicyRecords { version: 0, policies, removed: Vec::new() });
        };
        if digest(&policies) != expected {
            let reason = "a policy is missing, too many or of an earlier state";
            return Err(inconsistent(PoliciesRow::TABLE, CURRENT, reason));
        }
        Ok(KeyPolicyRecords { version, policies, removed })
    }

    async fn change_key_policies(
        &self,
        from: u64,
        change: KeyPolicyChange<'_>,
    ) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::change_key_policies
            BEGIN;
            LET $found = (SELECT VALUE version FROM ONLY type::record('policies', $current)) ?? 0;
            IF $found != $from { THROW 'superseded' };
            FOR $one IN $put {
                UPSERT ONLY type::record('policy', $one.application) CONTENT $one.policy RETURN NONE;
            };
            FOR $application IN $removed { DELETE type::record('policy', $application) RETURN NONE; };
            UPSERT ONLY type::record('policies', $current) CONTENT $policies RETURN NONE;
            COMMIT;";
        let before = self.list_key_policies().await?;
        if before.version != from {
            return Err(RepositoryError::Conflict);
        }
        let after = before.after(change);
        let digest = digest(&after.policies);
        let row = PoliciesRow {
            version: number(after.version),
            digest: digest.clone(),
            removed: after.removed.iter().map(ToString::to_string).collect(),
        };
        let (put, removed) = match change {
            KeyPolicyChange::Put(records) => (self.rows_of(records)?, Vec::new()),
            KeyPolicyChange::Remove(application) => (Vec::new(), vec![application.to_string()]),
        };
        let query = Query::new(TEXT)
            .bind("policies", self.integrity.seal(CURRENT, row)?)
            .bind("put", put)
            .bind("removed", removed)
            .bind("current", CURRENT.to_owned())
            .bind("from", number(from));
        Ok(self.settle(query, self.has_made_key_policies(from + 1, &digest)).await?)
    }
}

impl SurrealRepository {
    /// `{ application, policy }` of each.
    fn rows_of(&self, records: &[KeyPolicyRecord]) -> Result<Vec<Value>, RepositoryError> {
        let row = |record: &KeyPolicyRecord| {
            let application = record.policy.application.to_string();
            let policy = self.integrity.seal(&application, PolicyRow::from(record))?;
            let mut one = Object::new();
            one.insert("application", application);
            one.insert("policy", policy);
            Ok(Value::Object(one))
        };
        records.iter().map(row).collect()
    }

    /// Whether the change whose answer was lost was made.
    async fn has_made_key_policies(&self, version: u64, expected: &str) -> Result<bool, RepositoryError> {
        let found = self.list_key_policies().await?;
        Ok(found.version == version && digest(&found.policies) == expected)
    }

    fn open_key_policies(
        &self,
        row: Value,
    ) -> Result<Option<(u64, String, Vec<ApplicationId>)>, RepositoryError> {
        let Some(row) = self.integrity.open::<PoliciesRow>(CURRENT, row)? else { return Ok(None) };
        let version = u64::try_from(row.version);
        let removed = row.removed.iter().map(|name| ApplicationId::parse_any(name)).collect::<Result<_, _>>();
        match (version, removed) {
            (Ok(version), Ok(removed)) => Ok(Some((version, row.digest, removed))),
            _ => Err(inconsistent(PoliciesRow::TABLE, CURRENT, "a field is malformed")),
        }
    }

    fn open_key_policy(&self, row: Value) -> Result<KeyPolicyRecord, RepositoryError> {
        let (application, row) = self.integrity.open_any::<PolicyRow>(row)?;
        KeyPolicyRecord::try_from((application.clone(), row))
            .map_err(|reason| inconsistent(PolicyRow::TABLE, &application, reason))
    }
}

#[cfg(test)]
mod tests {
    use kunji_shared::ModulusLength;

    use super::*;

    fn record(application: &str, version: u64, access: AccessList) -> KeyPolicyRecord {
        KeyPolicyRecord {
            policy: KeyPolicy {
                application: ApplicationId::parse(application).unwrap(),
                validity_days: 1095,
                pre_expire_days: 60,
                pre_expire: BTreeMap::from([(KeyPurpose::Issuing, 61), (KeyPurpose::Signing, 0)]),
                modulus: Some(ModulusLength::Rsa3072),
                max_wraps: Some(1_000_000),
                active: true,
                automatic_rotation: false,
                destruction: DestructionTerms { wait_days: 8, offline_allowance_days: 90 },
                access,
            },
            version,
            changed: Some((Timestamp::from_millis(7), "keeper".to_owned())),
        }
    }

    #[test]
    fn records_survive_rows() {
        for access in [
            AccessList::AnyRoleHolder,
            AccessList::Principals(vec![]),
            AccessList::Principals(vec!["regproc".to_owned()]),
        ] {
            let record = record("REGISTRATION", 3, access);
            let row = PolicyRow::from(&record);
            assert_eq!(KeyPolicyRecord::try_from(("REGISTRATION".to_owned(), row)), Ok(record));
        }
        let row = || PolicyRow::from(&record("REGISTRATION", 3, AccessList::AnyRoleHolder));
        assert!(KeyPolicyRecord::try_from(("A/B".to_owned(), row())).is_err());
        let old = PolicyRow {
            automatic_rotation: None,
            destruction_wait_days: None,
            offline_allowance_days: None,
            key_bits: None,
            pre_expire_issuing: None,
            pre_expire_encryption: None,
            pre_expire_signing: None,
            max_wraps: None,
            version: None,
            changed_at: None,
            changed_by: None,
            ..row()
        };
        let old = KeyPolicyRecord::try_from(("REGISTRATION".to_owned(), old)).unwrap();
        assert_eq!((old.policy.automatic_rotation, old.version, old.changed), (true, 0, None));
        assert_eq!(old.policy.destruction, DestructionTerms::default());
        assert_eq!((old.policy.modulus, old.policy.pre_expire.len(), old.policy.max_wraps), (None, 0, None));
        let odd = PolicyRow { key_bits: Some(1024), ..row() };
        assert!(KeyPolicyRecord::try_from(("REGISTRATION".to_owned(), odd)).is_err());
    }

    #[test]
    fn the_digest_is_of_applications_and_versions() {
        let record = |application, version| record(application, version, AccessList::AnyRoleHolder);
        let (one, two) = (record("A", 1), record("B", 2));
        assert_eq!(digest([&one, &two]), digest([&two, &one]));
        for other in [vec![], vec![one.clone()], vec![record("A", 2), record("B", 1)]] {
            assert_ne!(digest(&other), digest([&one, &two]));
        }
    }
}
