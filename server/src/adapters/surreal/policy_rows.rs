//! Rows of policies.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    error::Failure,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{
        alias::ApplicationId,
        policy::{AccessList, KeyPolicy},
    },
    ports::repository::{PolicyRepository, RepositoryError},
};

/// Most policies that are read; far above the number of applications of any installation.
const LIMIT: usize = 10_000;

#[derive(SurrealValue)]
struct PolicyRow {
    validity_days: u32,
    pre_expire_days: u32,
    active: bool,
    principals: Option<Vec<String>>,
}

impl Row for PolicyRow {
    const TABLE: &'static str = "policy";
}

impl From<&KeyPolicy> for PolicyRow {
    fn from(policy: &KeyPolicy) -> Self {
        Self {
            validity_days: policy.validity_days,
            pre_expire_days: policy.pre_expire_days,
            active: policy.active,
            principals: match &policy.access {
                AccessList::AnyRoleHolder => None,
                AccessList::Principals(names) => Some(names.clone()),
            },
        }
    }
}

impl TryFrom<(String, PolicyRow)> for KeyPolicy {
    type Error = &'static str;

    fn try_from((application, row): (String, PolicyRow)) -> Result<Self, &'static str> {
        Ok(Self {
            application: ApplicationId::parse_any(&application)
                .map_err(|_| "the application is malformed")?,
            validity_days: row.validity_days,
            pre_expire_days: row.pre_expire_days,
            active: row.active,
            access: row.principals.map_or(AccessList::AnyRoleHolder, AccessList::Principals),
        })
    }
}

#[async_trait]
impl PolicyRepository for SurrealRepository {
    async fn list_policies(&self) -> Result<Vec<KeyPolicy>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::list_policies
            SELECT * FROM policy ORDER BY id LIMIT $limit;";
        self.integrity.require()?;
        let limit = i64::try_from(LIMIT + 1).unwrap_or(i64::MAX);
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("limit", limit)).await? else {
            return Err(unexpected_form());
        };
        if rows.len() > LIMIT {
            return Err(inconsistent(PolicyRow::TABLE, "?", "there are more policies than can be meant"));
        }
        rows.into_iter().map(|row| self.open_policy(row)).collect()
    }

    async fn insert_policy(&self, policy: &KeyPolicy) -> Result<bool, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::insert_policy
            BEGIN;
            CREATE ONLY type::record('policy', $application) CONTENT $policy RETURN NONE;
            COMMIT;";
        let application = policy.application.as_str();
        let query = Query::new(TEXT)
            .bind("application", application.to_owned())
            .bind("policy", self.integrity.seal(application, PolicyRow::from(policy))?);
        let made = async { Ok(self.find_policy(&policy.application).await?.as_ref() == Some(policy)) };
        match self.settle(query, made).await {
            Ok(()) => Ok(true),
            Err(Failure::Exists) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl SurrealRepository {
    async fn find_policy(&self, application: &ApplicationId) -> Result<Option<KeyPolicy>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::policy_rows::find_policy
            SELECT * FROM ONLY type::record('policy', $application);";
        match self.runner.read(Query::new(TEXT).bind("application", application.as_str().to_owned())).await? {
            Value::None => Ok(None),
            row => self.open_policy(row).map(Some),
        }
    }

    fn open_policy(&self, row: Value) -> Result<KeyPolicy, RepositoryError> {
        let (application, row) = self.integrity.open_any::<PolicyRow>(row)?;
        KeyPolicy::try_from((application.clone(), row))
            .map_err(|reason| inconsistent(PolicyRow::TABLE, &application, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let policy = |access| KeyPolicy {
            application: ApplicationId::parse("REGISTRATION").unwrap(),
            validity_days: 1095,
            pre_expire_days: 60,
            active: true,
            access,
        };
        for access in [
            AccessList::AnyRoleHolder,
            AccessList::Principals(vec![]),
            AccessList::Principals(vec!["regproc".to_owned()]),
        ] {
            let policy = policy(access);
            let row = PolicyRow::from(&policy);
            assert_eq!(KeyPolicy::try_from(("REGISTRATION".to_owned(), row)), Ok(policy));
        }
        let row = PolicyRow::from(&policy(AccessList::AnyRoleHolder));
        assert!(KeyPolicy::try_from(("A/B".to_owned(), row)).is_err());
    }
}
