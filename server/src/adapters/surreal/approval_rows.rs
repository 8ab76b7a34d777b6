//! Rows of requests that wait for approval.

use async_trait::async_trait;
use surrealdb::types::{SurrealValue, Value};

use super::{
    SurrealRepository,
    integrity::{Row, inconsistent},
    key_rows::unexpected_form,
    runner::Query,
};
use crate::{
    domain::{
        access::Operation,
        authorization::{
            ApprovalTerms,
            approval::{Approval, ApprovalId, Vote},
        },
        time::Timestamp,
    },
    ports::repository::{ApprovalRepository, RepositoryError},
};

/// Most requests that are read; more than can wait.
const LIMIT: i64 = 10_000;

#[derive(SurrealValue)]
struct ApprovalRow {
    operation: String,
    requester: String,
    content: String,
    policy: String,
    approvals: u32,
    within_seconds: u32,
    approver_principals: Vec<String>,
    approver_roles: Vec<String>,
    asked_at: i64,
    voters: Vec<String>,
    approving: Vec<bool>,
    voted_at: Vec<i64>,
    /// Blank for this server's own; absent in rows of before.
    voter_issuers: Option<Vec<String>>,
    used: bool,
    generation: u32,
}

impl Row for ApprovalRow {
    const TABLE: &'static str = "approval";
}

impl From<&Approval> for ApprovalRow {
    fn from(approval: &Approval) -> Self {
        Self {
            operation: approval.operation.name().to_owned(),
            requester: approval.requester.clone(),
            content: approval.content.clone(),
            policy: approval.policy.clone(),
            approvals: approval.terms.approvals,
            within_seconds: approval.terms.seconds,
            approver_principals: approval.approver_principals.clone(),
            approver_roles: approval.approver_roles.clone(),
            asked_at: approval.asked_at.millis(),
            voters: approval.votes.iter().map(|vote| vote.principal.clone()).collect(),
            approving: approval.votes.iter().map(|vote| vote.approves).collect(),
            voted_at: approval.votes.iter().map(|vote| vote.at.millis()).collect(),
            voter_issuers: Some(
                approval.votes.iter().map(|vote| vote.issuer.clone().unwrap_or_default()).collect(),
            ),
            used: approval.used,
            generation: approval.generation,
        }
    }
}

impl TryFrom<(String, ApprovalRow)> for Approval {
    type Error = &'static str;

    fn try_from((id, row): (String, ApprovalRow)) -> Result<Self, &'static str> {
        let issuers = row.voter_issuers.unwrap_or_else(|| vec![String::new(); row.voters.len()]);
        if [row.approving.len(), row.voted_at.len(), issuers.len()] != [row.voters.len(); 3] {
            return Err("the votes are incomplete");
        }
        let votes = row.voters.into_iter().zip(issuers).zip(row.approving).zip(row.voted_at);
        let operation = Operation::parse(&row.operation).ok_or("the operation is unknown")?;
        // That it is the row of this id, its tag tells.
        let id = ApprovalId::parse(&id).ok_or("the id is malformed")?;
        Ok(Self {
            id,
            operation,
            requester: row.requester,
            content: row.content,
            policy: row.policy,
            terms: ApprovalTerms { approvals: row.approvals, seconds: row.within_seconds },
            approver_principals: row.approver_principals,
            approver_roles: row.approver_roles,
            asked_at: Timestamp::from_millis(row.asked_at),
            votes: votes
                .map(|(((principal, issuer), approves), at)| Vote {
                    principal,
                    issuer: Some(issuer).filter(|issuer| !issuer.is_empty()),
                    approves,
                    at: Timestamp::from_millis(at),
                })
                .collect(),
            used: row.used,
            generation: row.generation,
        })
    }
}

#[async_trait]
impl ApprovalRepository for SurrealRepository {
    async fn find_approval(&self, id: &ApprovalId) -> Result<Option<Approval>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::approval_rows::find_approval
            SELECT * FROM ONLY type::record('approval', $id);";
        self.integrity.require()?;
        match self.runner.read(Query::new(TEXT).bind("id", id.as_str().to_owned())).await? {
            Value::None => Ok(None),
            row => self.open_approval(row).map(Some),
        }
    }

    async fn list_approvals(&self) -> Result<Vec<Approval>, RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::approval_rows::list_approvals
            SELECT * FROM approval ORDER BY id LIMIT $limit;";
        self.integrity.require()?;
        let Value::Array(rows) = self.runner.read(Query::new(TEXT).bind("limit", LIMIT)).await? else {
            return Err(unexpected_form());
        };
        rows.into_iter().map(|row| self.open_approval(row)).collect()
    }

    async fn put_approval(&self, approval: &Approval) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::approval_rows::put_approval
            BEGIN;
            LET $found = (SELECT VALUE generation FROM ONLY type::record('approval', $id)) ?? 0;
            IF $found != $predecessor { THROW 'superseded' };
            UPSERT ONLY type::record('approval', $id) CONTENT $approval RETURN NONE;
            COMMIT;";
        let id = approval.id.as_str();
        let query = Query::new(TEXT)
            .bind("predecessor", i64::from(approval.generation) - 1)
            .bind("approval", self.integrity.seal(id, ApprovalRow::from(approval))?)
            .bind("id", id.to_owned());
        let made = async { Ok(self.find_approval(&approval.id).await?.as_ref() == Some(approval)) };
        Ok(self.settle(query, made).await?)
    }

    async fn remove_approval(&self, approval: &Approval) -> Result<(), RepositoryError> {
        const TEXT: &str = "
            -- kunji_server::adapters::surreal::approval_rows::remove_approval
            BEGIN;
            LET $found = (SELECT VALUE generation FROM ONLY type::record('approval', $id)) ?? 0;
            IF $found != $generation { THROW 'superseded' };
            DELETE type::record('approval', $id) RETURN NONE;
            COMMIT;";
        let query = Query::new(TEXT)
            .bind("generation", i64::from(approval.generation))
            .bind("id", approval.id.as_str().to_owned());
        Ok(self.runner.change(query).await?)
    }
}

impl SurrealRepository {
    fn open_approval(&self, row: Value) -> Result<Approval, RepositoryError> {
        let (id, row) = self.integrity.open_any::<ApprovalRow>(row)?;
        Approval::try_from((id.clone(), row)).map_err(|reason| inconsistent(ApprovalRow::TABLE, &id, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_rows() {
        let approval = Approval {
            id: ApprovalId::of(Operation::ChangeAccess, "one", "client 1", "{}"),
            operation: Operation::ChangeAccess,
            requester: "one".to_owned(),
            content: "{}".to_owned(),
            policy: "four-eyes".to_owned(),
            terms: ApprovalTerms { approvals: 2, seconds: 60 },
            approver_principals: vec!["two".to_owned()],
            approver_roles: vec!["administrator".to_owned()],
            asked_at: Timestamp::from_millis(1),
            votes: ["", "keycloak"]
                .map(|issuer| Vote {
                    principal: "two".to_owned(),
                    issuer: Some(issuer.to_owned()).filter(|issuer| !issuer.is_empty()),
                    approves: true,
                    at: Timestamp::from_millis(2),
                })
                .into(),
            used: false,
            generation: 2,
        };
        let row = || ApprovalRow::from(&approval);
        let id = || approval.id.as_str().to_owned();
        assert_eq!(Approval::try_from((id(), row())), Ok(approval.clone()));
        for nonsense in [
            ApprovalRow { voted_at: vec![], ..row() },
            ApprovalRow { voter_issuers: Some(vec![]), ..row() },
            ApprovalRow { operation: "x".to_owned(), ..row() },
        ] {
            assert!(Approval::try_from((id(), nonsense)).is_err());
        }
    }
}
