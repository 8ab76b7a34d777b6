//! Rows of access policies, and the one that says which of them there are.

use async_trait::async_trait;
use kunji_shared::encoding::encode_hex;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::{parts, unexpected_form},
    runner::Query,
};
use crate::{
    domain::{
        authorization::{ApprovalTerms, PolicyText, Rate},
        digest::sha256,
        key::length_prefixed,
        time::Timestamp,
    },
    ports::repository::{
        AccessPolicyChange, AccessPolicyRecord, AccessPolicyRecords, AccessPolicyRepository, RepositoryError,
    },
};

/// Most policies that are read; more than can be stored.
const LIMIT: usize = 20_000;
/// The one record of [`PoliciesRow`].
const CURRENT: &str = "current";

#[derive(SurrealValue)]
struct AccessPolicyRow {
    description: String,
    enabled: bool,
    effect: String,
    principals: Vec<String>,
    roles: Vec<String>,
    operations: Vec<String>,
    keys: Vec<String>,
    not_before: Option<String>,
    not_after: Option<String>,
    hours: Option<String>,
    days: Vec<String>,
    networks: Vec<String>,
    requests: Option<u32>,
    seconds: Option<u32>,
    approvals: Option<u32>,
    within_seconds: Option<u32>,
    approver_principals: Vec<String>,
    approver_roles: Vec<String>,
    version: i64,
    changed_at: i64,
    changed_by: String,
}

impl Row for AccessPolicyRow {
    const TABLE: &'static str = "access_policy";
}

#[derive(SurrealValue)]
struct PoliciesRow {
    version: i64,
    digest: String,
}

impl Row for PoliciesRow {
    const TABLE: &'static str = "access_policies";
}

impl From<&AccessPolicyRecord> for AccessPolicyRow {
    fn from(record: &AccessPolicyRecord) -> Self {
        let text = record.text.clone();
        Self {
            description: text.description,
            enabled: text.enabled,
            effect: text.effect,
            principals: text.principals,
            roles: text.roles,
            operations: text.operations,
            keys: text.keys,
            not_before: text.not_before,
            not_after: text.not_after,
            hours: text.hours,
            days: text.days,
            networks: text.networks,
            requests: text.rate.map(|rate| rate.requests),
            seconds: text.rate.map(|rate| rate.seconds),
            approvals: text.approval.map(|terms| terms.approvals),
            within_seconds: text.approval.map(|terms| terms.seconds),
            approver_principals: text.approver_principals,
            approver_roles: text.approver_roles,
            version: number(record.version),
            changed_at: record.changed_at.millis(),
            changed_by: record.changed_by.clone(),
        }
    }
}

impl TryFrom<(String, AccessPolicyRow)> for AccessPolicyRecord {
    type Error = &'static str;

    fn try_from((name, row): (String, AccessPolicyRow)) -> Result<Self, &'static str> {
        let rate = match (row.requests, row.seconds) {
            (Some(requests), Some(seconds)) => Some(Rate { requests, seconds }),
            (None, None) => None,
            _ => return Err("the rate is incomplete"),
        };
        let approval = match (row.approvals, row.within_seconds) {
            (Some(approvals), Some(seconds)) => Some(ApprovalTerms { approvals, seconds }),
            (None, None) => None,
            _ => return Err("the terms of approval are incomplete"),
        };
        Ok(Self {
            text: PolicyText {
                name,
                description: row.description,
                enabled: row.enabled,
                effect: row.effect,
                principals: row.principals,
                roles: row.roles,
                operations: row.operations,
                keys: row.keys,
                not_before: row.not_before,
                not_after: row.not_after,
                hours: row.hours,
                days: row.days,
                networks: row.networks,
                rate,
                approval,
                approver_principals: row.approver_principals,
                approver_roles: row.approver_roles,
            },
            version: u64::try_from(row.version).map_err(|_| "the version is malformed")?,
            changed_at: Timestamp::from_millis(row.changed_at),
            changed_by: row.changed_by,
        })
    }
}

fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// Hexadecimal `SHA-256(L(name, version, name, version, …))`, by name, versions as 8 bytes big-endian: two sets of
/// the same digest have the same policies, since one version makes one state of one policy.
fn digest<'a>(policies: impl IntoIterator<Item = &'a AccessPolicyRecord>) -> String {
    let mut members: Vec<_> =
        policies.into_iter().map(|it| (it.text.name.as_str(), it.version.to_be_bytes())).collect();
    members.sort_unstable();
    let parts: Vec<&[u8]> =
        members.iter().flat_map(|(name, version)| [name.as_bytes(), version.as_slice()]).collect();
    encode_hex(&sha256(&length_prefixed(&parts)))
}

#[async_trait]
impl AccessPolicyRepository for SurrealRepository {
    async fn access_policies_version(&self) -> Result<u64, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::access_policy_rows::access_policies_version
            SELECT * FROM ONLY type::record('access_policies', $current);";
        self.integrity.require()?;
        let row = self.runner.read(Query::new(TEXT).bind("current", CURRENT.to_owned())).await?;
        self.open_policies(row).map(|row| row.map_or(0, |(version, _)| version))
    }

    async fn list_access_policies(&self) -> Result<AccessPolicyRecords, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::access_policy_rows::list_access_policies
            RETURN [
                (SELECT * FROM ONLY type::record('access_policies', $current)),
                (SELECT * FROM access_policy ORDER BY id LIMIT $limit)
            ];";
        self.integrity.require()?;
        let limit = i64::try_from(LIMIT).unwrap_or(i64::MAX);
        let query = Query::new(TEXT).bind("current", CURRENT.to_owned()).bind("limit", limit);
        let [current, rows] = parts(self.runner.read(query).await?)?;
        let current = self.open_policies(current)?;
        let Value::Array(rows) = rows else { return Err(unexpected_form()) };
        let policies: Vec<AccessPolicyRecord> =
            rows.into_iter().map(|row| self.open_access_policy(row)).collect::<Result<_, _>>()?;
        let (version, expected) = current.unwrap_or_else(|| (0, digest([])));
        if digest(&policies) != expected {
            let reason = "a policy is missing, too many or of an earlier state";
            return Err(inconsistent(PoliciesRow::TABLE, CURRENT, reason));
        }
        Ok(AccessPolicyRecords { version, policies })
    }

    async fn change_access_policies(
        &self,
        from: u64,
        change: AccessPolicyChange<'_>,
    ) -> Result<(), RepositoryError> {
        const PUT: &str = "
            -- kunji_server::adapters::surreal::access_policy_rows::change_access_policies
            BEGIN;
            LET $found = (SELECT VALUE version FROM ONLY type::record('access_policies', $current)) ?? 0;
            IF $found != $from { THROW 'superseded' };
            UPSERT ONLY type::record('access_policy', $name) CONTENT $policy RETURN NONE;
            UPSERT ONLY type::record('access_policies', $current) CONTENT $policies RETURN NONE;
            COMMIT;";
        const REMOVE: &str = "
            -- kunji_server::adapters::surreal::access_policy_rows::change_access_policies
            BEGIN;
            LET $found = (SELECT VALUE version FROM ONLY type::record('access_policies', $current)) ?? 0;
            IF $found != $from { THROW 'superseded' };
            DELETE type::record('access_policy', $name) RETURN NONE;
            UPSERT ONLY type::record('access_policies', $current) CONTENT $policies RETURN NONE;
            COMMIT;";
        let before = self.list_access_policies().await?;
        if before.version != from {
            return Err(RepositoryError::Conflict);
        }
        let name = match change {
            AccessPolicyChange::Put(record) => record.text.name.as_str(),
            AccessPolicyChange::Remove(name) => name,
        };
        let others = before.policies.iter().filter(|it| it.text.name != name);
        let (query, digest) = match change {
            AccessPolicyChange::Put(record) => {
                let row = self.integrity.seal(name, AccessPolicyRow::from(record))?;
                (Query::new(PUT).bind("policy", row), digest(others.chain([record])))
            }
            AccessPolicyChange::Remove(_) => (Query::new(REMOVE), digest(others)),
        };
        let policies = PoliciesRow { version: number(from + 1), digest: digest.clone() };
        let query = query
            .bind("policies", self.integrity.seal(CURRENT, policies)?)
            .bind("current", CURRENT.to_owned())
            .bind("name", name.to_owned())
            .bind("from", number(from));
        Ok(self.settle(query, self.has_made(from + 1, &digest)).await?)
    }
}

impl SurrealRepository {
    /// Whether the change whose answer was lost was made.
    async fn has_made(&self, version: u64, expected: &str) -> Result<bool, RepositoryError> {
        let found = self.list_access_policies().await?;
        Ok(found.version == version && digest(&found.policies) == expected)
    }

    fn open_policies(&self, row: Value) -> Result<Option<(u64, String)>, RepositoryError> {
        let Some(row) = self.integrity.open::<PoliciesRow>(CURRENT, row)? else { return Ok(None) };
        match u64::try_from(row.version) {
            Ok(version) => Ok(Some((version, row.digest))),
            Err(_) => Err(inconsistent(PoliciesRow::TABLE, CURRENT, "the version is malformed")),
        }
    }

    fn open_access_policy(&self, row: Value) -> Result<AccessPolicyRecord, RepositoryError> {
        let (name, row) = self.integrity.open_any::<AccessPolicyRow>(row)?;
        AccessPolicyRecord::try_from((name.clone(), row))
            .map_err(|reason| inconsistent(AccessPolicyRow::TABLE, &name, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, version: u64) -> AccessPolicyRecord {
        AccessPolicyRecord {
            text: PolicyText {
                name: name.to_owned(),
                effect: "limit".to_owned(),
                hours: Some("08:00-18:00".to_owned()),
                rate: Some(Rate { requests: 1, seconds: 2 }),
                ..PolicyText::default()
            },
            version,
            changed_at: Timestamp::from_millis(-1),
            changed_by: "administrator".to_owned(),
        }
    }

    #[test]
    fn records_survive_rows() {
        let record = record("a", 3);
        let row = || AccessPolicyRow::from(&record);
        assert_eq!(AccessPolicyRecord::try_from(("a".to_owned(), row())), Ok(record.clone()));
        let nonsense = AccessPolicyRow { seconds: None, ..row() };
        assert!(AccessPolicyRecord::try_from(("a".to_owned(), nonsense)).is_err());
    }

    #[test]
    fn the_digest_is_of_names_and_versions() {
        let (one, two) = (record("a", 1), record("b", 2));
        assert_eq!(digest([&one, &two]), digest([&two, &one]));
        let others = [
            vec![],
            vec![one.clone()],
            vec![record("a", 2), record("b", 1)],
            vec![record("a", 2), two.clone()],
        ];
        for other in &others {
            assert_ne!(digest(other), digest([&one, &two]));
        }
    }
}
