//! Four eyes: what policies have wait until others have approved it.

use std::collections::HashMap;

use serde_json::json;

use super::{AccessRefusal, Authorizer};
use crate::{
    domain::{
        access::{CallContext, Operation, Principal, Role},
        alias::KeyAlias,
        authorization::{
            AccessPolicy, AccessRequest, Effect, Verdict,
            approval::{Approval, ApprovalId, ApprovalStatus, Vote, VoteRefusal},
        },
        client::{ClientId, ClientRecord},
    },
    ports::{audit_sink::AuditError, repository::RepositoryError},
    services::auditor::Audited,
};

/// Most requests that are kept, those that are over included until there is no more room.
const MAX_KEPT: usize = 1000;
/// Most of those that one principal has waiting: nobody shall take the room of all.
const MAX_OF_ONE: usize = 100;
/// Tries of a change while others change the same request.
const ATTEMPTS: usize = 8;

/// Why something did not go on, or a vote did not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// It was not recorded, so it does not count.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// As many requests wait as may.
    #[error("too many requests wait for approval")]
    Full,
    /// There is no such request.
    #[error("no request of this name waits")]
    NotFound,
    /// The records failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The vote does not count.
    #[error(transparent)]
    Vote(#[from] VoteRefusal),
}

impl ApprovalError {
    /// Whether a change may have been made all the same.
    pub fn is_unsettled(&self) -> bool {
        match self {
            Self::Audit(error) => error.is_after_change(),
            Self::Repository(error) => matches!(error, RepositoryError::OutcomeUnknown(_)),
            _ => false,
        }
    }

    /// The stable name of the failure.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit.unavailable",
            Self::Full => "approval.too_many",
            Self::NotFound => "approval.not_found",
            Self::Repository(_) => "database.failed",
            Self::Vote(VoteRefusal::OwnRequest) => "approval.own_request",
            Self::Vote(VoteRefusal::NoApprover) => "approval.no_approver",
            Self::Vote(VoteRefusal::Twice) => "approval.twice",
            Self::Vote(VoteRefusal::Over) => "approval.over",
        }
    }
}

impl Audited for ApprovalError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

impl Authorizer {
    /// Lets a request go on, or says what it waits for. `asked` is what the caller does, `operation` what it amounts to
    /// (see [`empowering`](Self::empowering)): it waits if either is marked. `content` is all of it that matters, as
    /// JSON: the same text is the same request. One that enough others have approved goes on once.
    pub(crate) async fn pass(
        &self,
        call: &CallContext,
        asked: Operation,
        operation: Operation,
        content: &str,
    ) -> Result<Option<Approval>, ApprovalError> {
        self.pass_with(call, [asked, operation], None, content).await
    }

    /// The same for what is done with the keys of an alias.
    pub(crate) async fn pass_on_keys(
        &self,
        call: &CallContext,
        operation: Operation,
        alias: &KeyAlias,
        content: &str,
    ) -> Result<Option<Approval>, ApprovalError> {
        self.pass_with(call, [operation, operation], Some(alias), content).await
    }

    async fn pass_with(
        &self,
        call: &CallContext,
        [asked, operation]: [Operation; 2],
        alias: Option<&KeyAlias>,
        content: &str,
    ) -> Result<Option<Approval>, ApprovalError> {
        let (in_force, at) = (self.in_force(), self.clock.now());
        let marking = |operation| {
            let request =
                AccessRequest { principal: &call.principal, operation, alias, address: call.address, at };
            in_force.set.decide(&request).approval
        };
        let asking = [asked, operation].into_iter().filter_map(marking);
        let fresh = asking.filter_map(|policy| self.asked_for(call, operation, content, policy));
        let Some(fresh) = fresh.max_by_key(|fresh| fresh.terms.approvals) else { return Ok(None) };
        for _ in 0..ATTEMPTS {
            let found = self.repository.find_approval(&fresh.id).await?;
            let generation = found.as_ref().map_or(0, |found| found.generation).saturating_add(1);
            // What was approved under other terms was approved for another policy.
            let found = found.filter(|found| {
                (found.terms, &found.approver_principals, &found.approver_roles)
                    == (fresh.terms, &fresh.approver_principals, &fresh.approver_roles)
            });
            let counted = match &found {
                Some(found) => Some(self.counted(found.clone()).await?),
                None => None,
            };
            let status = counted.as_ref().map(|counted| counted.status(self.clock.now()));
            let (next, waits) = match (status, found) {
                (Some(ApprovalStatus::Pending), _) => return Ok(counted),
                (Some(ApprovalStatus::Approved), Some(found)) => {
                    (Approval { used: true, generation, ..found }, false)
                }
                _ => {
                    self.make_room(&fresh.requester).await?;
                    (Approval { generation, ..fresh.clone() }, true)
                }
            };
            match self.repository.put_approval(&next).await {
                Err(RepositoryError::Conflict) => {}
                outcome => {
                    outcome?;
                    if waits {
                        return Ok(Some(next));
                    }
                    self.auditor.approval_used(call, &next).await?;
                    return Ok(None);
                }
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    fn asked_for(
        &self,
        call: &CallContext,
        operation: Operation,
        content: &str,
        policy: &AccessPolicy,
    ) -> Option<Approval> {
        let Effect::Approval(terms) = policy.effect() else { return None };
        let (requester, identity) = (&call.principal.name, call.authority.identity());
        Some(Approval {
            id: ApprovalId::of(operation, requester, &identity, content),
            operation,
            requester: requester.clone(),
            content: content.to_owned(),
            policy: policy.name().to_owned(),
            terms,
            approver_principals: policy.text().approver_principals.clone(),
            approver_roles: policy.text().approver_roles.clone(),
            asked_at: self.clock.now(),
            votes: vec![],
            used: false,
            generation: 1,
        })
    }

    /// Forgets what is over, when there is no more room. The audit trail keeps it.
    async fn make_room(&self, requester: &str) -> Result<(), ApprovalError> {
        let kept = self.repository.list_approvals().await?;
        let now = self.clock.now();
        let waits =
            |it: &Approval| matches!(it.status(now), ApprovalStatus::Pending | ApprovalStatus::Approved);
        if kept.iter().filter(|it| it.requester == requester && waits(it)).count() >= MAX_OF_ONE {
            return Err(ApprovalError::Full);
        }
        if kept.len() < MAX_KEPT {
            return Ok(());
        }
        let over: Vec<&Approval> = kept.iter().filter(|it| !waits(it)).collect();
        if over.is_empty() {
            return Err(ApprovalError::Full);
        }
        for approval in over {
            match self.repository.remove_approval(approval).await {
                Ok(()) | Err(RepositoryError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Every request that is kept, newest first.
    ///
    /// # Errors
    /// [`ApprovalError::Repository`].
    pub async fn approvals(&self) -> Result<Vec<Approval>, ApprovalError> {
        let mut voters = Voters::default();
        let mut approvals = Vec::new();
        for approval in self.repository.list_approvals().await? {
            approvals.push(self.counted_among(approval, &mut voters).await?);
        }
        approvals.sort_by_key(|approval| std::cmp::Reverse(approval.asked_at));
        Ok(approvals)
    }

    /// The request of that name.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`] and [`ApprovalError::Repository`].
    pub async fn approval(&self, id: &str) -> Result<Approval, ApprovalError> {
        self.counted(self.stored(id).await?).await
    }

    async fn stored(&self, id: &str) -> Result<Approval, ApprovalError> {
        let id = ApprovalId::parse(id).ok_or(ApprovalError::NotFound)?;
        self.repository.find_approval(&id).await?.ok_or(ApprovalError::NotFound)
    }

    /// The request with those approvals alone whose voters could still give them. A vote must not outlive the right to
    /// it: whoever is disabled, deleted or has lost a role may have been somebody else when they voted.
    async fn counted(&self, approval: Approval) -> Result<Approval, ApprovalError> {
        self.counted_among(approval, &mut Voters::default()).await
    }

    async fn counted_among(
        &self,
        approval: Approval,
        voters: &mut Voters,
    ) -> Result<Approval, ApprovalError> {
        if !matches!(approval.status(self.clock.now()), ApprovalStatus::Pending | ApprovalStatus::Approved) {
            return Ok(approval);
        }
        let mut lapsed = Vec::new();
        for vote in approval.votes.iter().filter(|vote| vote.approves) {
            if !voters.can_still(self, &approval, vote).await? {
                lapsed.push(vote.clone());
            }
        }
        Ok(approval.with_approvals(|vote| !lapsed.contains(vote)))
    }

    /// Counts what the caller says of a request.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn vote(
        &self,
        call: &CallContext,
        id: &str,
        approves: bool,
    ) -> Result<Approval, ApprovalError> {
        let voted = self.vote_unrecorded(call, id, approves);
        let id = ApprovalId::parse(id);
        let details = json!({ "approval": id.as_ref().map(ApprovalId::as_str), "approves": approves });
        self.auditor.audited_with(call, Operation::DecideApproval, voted, |_| details.clone()).await
    }

    async fn vote_unrecorded(
        &self,
        call: &CallContext,
        id: &str,
        approves: bool,
    ) -> Result<Approval, ApprovalError> {
        for _ in 0..ATTEMPTS {
            let stored = self.stored(id).await?;
            let mut all = stored.votes.clone();
            let voted = self.counted(stored).await?.with_vote(&call.principal, approves, self.clock.now())?;
            // Votes that do not count now may do so again.
            all.extend(voted.votes.last().cloned());
            let next = Approval { votes: all, ..voted.clone() };
            match self.repository.put_approval(&next).await {
                Err(RepositoryError::Conflict) => {}
                outcome => {
                    outcome?;
                    tracing::warn!(
                        request_id = %call.request_id,
                        principal = call.principal.name,
                        approval = id,
                        approves,
                        "a request that waits was approved or denied"
                    );
                    return Ok(voted);
                }
            }
        }
        Err(RepositoryError::Conflict.into())
    }

    /// The operation that it is to let a client have these roles: `operation`, or, where the client could itself change
    /// who may do what, [`Operation::CreateAdministrator`].
    ///
    /// # Errors
    /// [`AccessRefusal`] when the caller may not do the second kind.
    pub(crate) fn empowering(
        &self,
        call: &CallContext,
        operation: Operation,
        name: &str,
        roles: &[Role],
    ) -> Result<Operation, AccessRefusal> {
        let client = Principal { name: name.to_owned(), roles: roles.to_vec(), issuer: None };
        let in_force = self.in_force();
        let administers = [
            Operation::ChangeAccess,
            Operation::ChangeClientRoles,
            Operation::CreateAdministrator,
            Operation::CreateClient,
            Operation::DecideApproval,
            Operation::DeleteClient,
            Operation::DisableClient,
            Operation::EnableClient,
            Operation::RotateClientSecret,
        ];
        if !administers.into_iter().any(|right| in_force.set.may_allow(&client, right)) {
            return Ok(operation);
        }
        self.enter(&call.principal, Operation::CreateAdministrator, call.address)?;
        Ok(Operation::CreateAdministrator)
    }
}

/// Clients that have voted, as they are now.
#[derive(Default)]
struct Voters(HashMap<ClientId, Option<ClientRecord>>);

impl Voters {
    /// Whether the voter could still give the vote. Another issuer cannot be asked about its principals: of those, it is
    /// only looked at whether a policy denies it to them by name.
    async fn can_still(
        &mut self,
        authorizer: &Authorizer,
        approval: &Approval,
        vote: &Vote,
    ) -> Result<bool, ApprovalError> {
        let name = vote.principal.clone();
        if let Some(issuer) = &vote.issuer {
            let voter = Principal { name, roles: vec![], issuer: Some(issuer.as_str().into()) };
            return Ok(!authorizer.is_denied_to_vote(&voter));
        }
        let Some(id) = ClientId::parse(&name) else { return Ok(false) };
        let client = if let Some(known) = self.0.get(&id) {
            known.clone()
        } else {
            let found = authorizer.repository.find_client(&id).await?;
            self.0.insert(id, found.clone());
            found
        };
        Ok(client.is_some_and(|client| {
            let is_same = client.disabled_at.is_none() && client.created_at <= vote.at;
            let voter = Principal { name, roles: client.roles, issuer: None };
            is_same
                && approval.names(&voter)
                && authorizer.in_force().set.may_allow(&voter, Operation::DecideApproval)
                && !authorizer.is_denied_to_vote(&voter)
        }))
    }
}

impl Authorizer {
    fn is_denied_to_vote(&self, principal: &Principal) -> bool {
        let at = self.clock.now();
        let request =
            AccessRequest { principal, operation: Operation::DecideApproval, alias: None, address: None, at };
        matches!(self.in_force().set.decide(&request).verdict, Verdict::Denied(_))
    }
}
